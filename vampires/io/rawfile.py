"""Write raw frames as plain FITS: 16-bit unsigned cubes, streamed, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vampires.io.stream import StreamedImage, write_images
from vampires.utils.cards import Cards, as_cards

if TYPE_CHECKING:
    from astropy.io import fits


def write_raw(
    path: Path,
    header: Cards | fits.Header,
    shape: tuple[int, int, int],
    blocks: Iterable[NDArray[np.uint16]],
) -> None:
    """Write a raw cube block by block.

    Parameters
    ----------
    path : Path
        File to write; the caller sees to atomicity.
    header : Cards or fits.Header
        Cards of the observation, without structural ones (see
        `vampires.io.products.product_header`): these are made here.
    shape : tuple of int
        Frames, rows, columns.
    blocks : iterable of ndarray
        uint16, (k, rows, columns) each, in order; the frames must add up.

    Raises
    ------
    ValueError
        The blocks do not hold the number of frames announced.
    """
    image = StreamedImage(shape, as_cards(header), unsigned=True)
    write_images(path, [image], ((block,) for block in blocks))
