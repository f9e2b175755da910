"""Write raw frames as plain FITS: 16-bit unsigned cubes, streamed, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

_BLOCK = 2880


def write_raw(
    path: Path,
    header: fits.Header,
    shape: tuple[int, int, int],
    blocks: Iterable[NDArray[np.uint16]],
) -> None:
    """Write a raw cube block by block.

    Parameters
    ----------
    path : Path
        File to write; the caller sees to atomicity.
    header : fits.Header
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
    cards = fits.Header()
    cards["SIMPLE"] = (True, "conforms to FITS standard")
    cards["BITPIX"] = (16, "array data type")
    cards["NAXIS"] = (3, "number of array dimensions")
    for axis, length in enumerate(reversed(shape), start=1):
        cards[f"NAXIS{axis}"] = length
    cards.extend(header.cards, end=True)
    cards["BSCALE"] = 1
    cards["BZERO"] = 32768
    written = 0
    with path.open("wb") as stream:
        stream.write(cards.tostring().encode("ascii"))
        for block in blocks:
            # Unsigned numbers are stored less 32768: only the top bit changes.
            stream.write((block ^ np.uint16(0x8000)).astype(">u2").tobytes())
            written += len(block)
        stream.write(bytes(-(2 * written * shape[1] * shape[2]) % _BLOCK))
    if written != shape[0]:
        raise ValueError(f"{path}: {written} frames for the {shape[0]} announced")
