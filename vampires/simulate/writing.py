"""Compressed raw files and truth images, written the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Frames = NDArray[np.uint16]


def write_compressed(path: Path, header: fits.Header, cube: Frames) -> None:
    """Write a cube with Rice compression, one tile per row, as the archive does."""
    image = fits.CompImageHDU(
        cube, header, compression_type="RICE_1", tile_shape=(1, 1, cube.shape[2])
    )
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)


def write_images(path: Path, primary: fits.PrimaryHDU, images: list[fits.ImageHDU]) -> None:
    """Write truth images."""
    fits.HDUList([primary, *images]).writeto(path)
