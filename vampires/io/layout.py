"""Where the image lies in a FITS file, and whether the file is whole.

Only headers are read. Sizes that a header announces are compared with the size of the file,
so that a damaged header never leads to an allocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from vampires.errors import FileError

_BLOCK = 2880
_BITPIX = (8, 16, 32, 64, -32, -64)


@dataclass(frozen=True)
class ImageLayout:
    """An image found in a FITS file.

    Attributes
    ----------
    path : Path
        The file.
    hdu : int
        Number of the HDU, 0-based.
    header : Header
        Its header as it stands; for compressed images that of the binary table.
    data_start : int
        Byte at which its data begin.
    n, ny, nx : int
        Frames, rows and columns; a 2-D image is one frame.
    """

    path: Path
    hdu: int
    header: fits.Header
    data_start: int
    n: int
    ny: int
    nx: int


def find_image(path: Path) -> ImageLayout:
    """Find the first HDU that holds a 2-D or 3-D image.

    Parameters
    ----------
    path : Path
        FITS file, plain or tile-compressed.

    Returns
    -------
    ImageLayout

    Raises
    ------
    FileError
        Missing, empty, truncated or non-FITS file, impossible header, or no image.

    Examples
    --------
    >>> find_image(Path("VMPA00021001.fits")).n            # doctest: +SKIP
    139
    """
    if path.is_dir():
        raise FileError(f"{path}: is a directory; give the FITS files in it")
    try:
        size = path.stat().st_size
        file = path.open("rb")
    except OSError as error:
        raise FileError(f"{path}: cannot be opened ({error.strerror}); check the path") from error
    with file:
        if size == 0:
            raise FileError(f"{path}: is empty; copy it again")
        start = file.read(9)
        if not start.startswith(b"SIMPLE  ="):
            kind = "compressed with gzip; gunzip it" if start[:2] == b"\x1f\x8b" else "not FITS"
            raise FileError(
                f"{path}: is {kind} (starts with {start!r}); leave it out or replace it"
            )
        position = hdu = 0
        while position < size:
            file.seek(position)
            header = _read_header(path, file, hdu)
            data_start = file.tell()
            length = _data_length(path, header)
            if data_start + length > size:
                raise FileError(
                    f"{path}: is truncated: the header of HDU {hdu} announces "
                    f"{data_start + length} bytes, the file has {size}; copy it again"
                )
            shape = _image_shape(path, header)
            if shape is not None:
                return ImageLayout(path, hdu, header, data_start, *shape)
            position = data_start + -(-length // _BLOCK) * _BLOCK
            hdu += 1
    raise FileError(f"{path}: holds no 2-D or 3-D image in its {hdu} HDUs; leave it out")


def _read_header(path: Path, file: BinaryIO, hdu: int) -> fits.Header:
    try:
        return fits.Header.fromfile(file)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(
            f"{path}: is truncated or damaged: the header of HDU {hdu} has no end; copy it again"
        ) from error


def _integer(path: Path, header: fits.Header, key: str, default: int | None = None) -> int:
    try:
        value = header.get(key, default)
    except (ValueError, fits.VerifyError) as error:
        raise FileError(f"{path}: {key} cannot be read ({error}); mend the header") from error
    if not isinstance(value, int) or isinstance(value, bool) or (value < 0 and key != "BITPIX"):
        raise FileError(f"{path}: {key} is {value!r}, not a whole number; mend the header")
    return value


def _data_length(path: Path, header: fits.Header) -> int:
    """Bytes of the data part of an HDU (FITS standard 4.0, equation 2)."""
    bitpix = _integer(path, header, "BITPIX")
    if bitpix not in _BITPIX:
        raise FileError(f"{path}: BITPIX is {bitpix}, allowed are {_BITPIX}; mend the header")
    naxis = _integer(path, header, "NAXIS")
    if naxis == 0:
        return 0
    axes = [_integer(path, header, f"NAXIS{i + 1}") for i in range(min(naxis, 999))]
    pixels = 1
    for length in axes:
        pixels *= length
    parameters = _integer(path, header, "PCOUNT", 0)
    return abs(bitpix) // 8 * _integer(path, header, "GCOUNT", 1) * (parameters + pixels)


def _image_shape(path: Path, header: fits.Header) -> tuple[int, int, int] | None:
    """(n, ny, nx) of an image HDU, None for a table or an empty HDU."""
    compressed = header.get("ZIMAGE") is True
    if str(header.get("XTENSION", "IMAGE")).strip() != "IMAGE" and not compressed:
        return None
    letter = "Z" if compressed else ""
    naxis = _integer(path, header, f"{letter}NAXIS")
    if naxis not in (2, 3):
        return None
    nx, ny = (_integer(path, header, f"{letter}NAXIS{i}") for i in (1, 2))
    n = _integer(path, header, f"{letter}NAXIS3") if naxis == 3 else 1
    if min(n, ny, nx) == 0:
        raise FileError(f"{path}: holds {n} frames of {nx} x {ny} pixels; leave it out")
    return n, ny, nx
