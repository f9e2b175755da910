"""The header of the image in a FITS file, whatever holds it."""

from __future__ import annotations

from pathlib import Path

from astropy.io import fits

from vampires.errors import FileError
from vampires.io.frames import open_frames


def image_header(path: str | Path) -> tuple[int, fits.Header]:
    """Find the first image of a file, checked against the file's real size.

    Parameters
    ----------
    path : str or Path
        A FITS file.

    Returns
    -------
    hdu : int
        Which header-data unit holds the image.
    header : fits.Header
        Its header, as if it were not compressed.

    Raises
    ------
    FileError
        Not FITS, truncated, or without an image.
    """
    open_frames(path)  # checks the announced sizes, and that there is an image
    with fits.open(path, memmap=False) as hdus:
        for index, hdu in enumerate(hdus):
            if hdu.is_image and hdu.header["NAXIS"] >= 2:
                return index, hdu.header
    raise FileError(f"{path}: holds no image; leave it out with [data] exclude")
