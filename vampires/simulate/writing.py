"""Raw FITS files written byte by byte the same each time, frame after frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

BLOCK = 2880
Frames = NDArray[np.uint16]


def write_cube(
    path: Path, header: fits.Header, shape: tuple[int, int, int], blocks: Iterable[Frames]
) -> None:
    """Write an unsigned 16-bit cube as it arrives, in bounded memory.

    Parameters
    ----------
    path
        File to write.
    header
        Cards without the structural ones.
    shape
        ``(n, ny, nx)`` announced in the header.
    blocks
        uint16 arrays ``(k, ny, nx)``, n frames in all.
    """
    structure = fits.Header()
    structure["SIMPLE"] = (True, "conforms to FITS standard")
    structure["BITPIX"] = (16, "array data type")
    structure["NAXIS"] = (3, "number of array dimensions")
    for axis, length in enumerate(reversed(shape), start=1):
        structure[f"NAXIS{axis}"] = length
    structure.extend(header.cards, end=True)
    structure["BSCALE"] = 1
    structure["BZERO"] = 32768
    written = 0
    with path.open("wb") as out:
        out.write(structure.tostring().encode("ascii"))
        for block in blocks:
            # unsigned integers are stored as signed ones minus 32768: only the top bit changes
            out.write((block ^ np.uint16(0x8000)).astype(">u2").tobytes())
            written += block.size
        out.write(bytes(-(2 * written) % BLOCK))


def write_compressed(path: Path, header: fits.Header, cube: Frames) -> None:
    """Write a cube with Rice compression, one tile per row, as the archive does."""
    image = fits.CompImageHDU(
        cube, header, compression_type="RICE_1", tile_shape=(1, 1, cube.shape[2])
    )
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)


def write_images(path: Path, primary: fits.PrimaryHDU, images: list[fits.ImageHDU]) -> None:
    """Write truth images."""
    fits.HDUList([primary, *images]).writeto(path)
