"""Where the image lies in a FITS file, and whether the file is whole.

Only headers are read. Sizes that a header announces are compared with the size of the file,
so that a damaged header never leads to an allocation.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from vampires.errors import FileError
from vampires.io.cards import BLOCK, read_cards
from vampires.io.regular import regular_file
from vampires.utils.cards import Cards, Unreadable

COMPRESSIONS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS")
_COMPRESSIONS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS")
_BITPIX = (8, 16, 32, 64, -32, -64)


PLAIN, RICE, OTHER = "plain", "rice", "other"
"""Encodings of pixels: 16 bits unsigned as they are, in Rice tiles of whole rows, any other."""


GZIP = b"\x1f\x8b"
"""First bytes of a file compressed with gzip."""


@dataclass(frozen=True)
class ImageLayout:
    """An image found in a FITS file: all that is needed to read its pixels.

    Attributes
    ----------
    path : Path
        The file.
    hdu : int
        Number of the HDU, 0-based.
    n, ny, nx : int
        Frames, rows and columns; a 2-D image is one frame.
    encoding : str
        ``plain``, ``rice`` or ``other``.
    start : int
        Byte at which its data begin; of Rice tiles, the table of their places.
    heap : int
        Byte at which Rice tiles begin.
    wide : bool
        Whether that table has 64-bit numbers.
    blocksize : int
        Pixels coded together in a Rice tile.
    cube : bool
        Whether the image has a third axis.
    gzipped : bool
        Whether the whole file is compressed with gzip; bytes are counted in the unpacked file.
    """

    path: Path
    hdu: int
    n: int
    ny: int
    nx: int
    encoding: str
    start: int
    heap: int = 0
    wide: bool = False
    blocksize: int = 32
    cube: bool = True
    gzipped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Layout of what `to_dict` gave."""
        return cls(**{**values, "path": Path(values["path"])})


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
    return image_and_header(path)[0]


def image_and_header(path: Path) -> tuple[ImageLayout, Cards]:
    """Find the first image as `find_image` does, with its header as if it were not compressed."""
    hdu = -1
    for hdu, cards, start in headers_of(path):
        shape = _image_shape(path, cards)
        if shape is not None:
            _check_encoding(path, cards)
            layout = _layout(path, hdu, shape, cards, start)
            return replace(layout, gzipped=is_gzipped(path)), uncompressed(cards)
    raise FileError(f"{path}: holds no 2-D or 3-D image in its {hdu + 1} HDUs; leave it out")


def is_gzipped(path: Path) -> bool:
    """Whether a file is compressed with gzip, by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def headers_of(path: Path) -> Iterator[tuple[int, Cards, int]]:
    """Each HDU of a file: number, header as it stands, byte at which its data begin.

    Raises
    ------
    FileError
        As `find_image`, when the HDU is reached.
    """
    size = regular_file(path).st_size
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileError(f"{path}: cannot be opened ({error.strerror}); check the path") from error
    with file:
        if size == 0:
            raise FileError(f"{path}: is empty; copy it again")
        start = file.read(2)
        file.seek(0)
        if start == GZIP:
            yield from _headers_in(path, cast(BinaryIO, gzip.GzipFile(fileobj=file)), math.inf)
        else:
            yield from _headers_in(path, file, size)


def _headers_in(path: Path, file: BinaryIO, size: float) -> Iterator[tuple[int, Cards, int]]:
    """Headers of an open file of some bytes; infinitely many where that is not known."""
    try:
        start = file.read(9)
        if not start.startswith(b"SIMPLE  ="):
            raise FileError(
                f"{path}: is not FITS (starts with {start!r}); leave it out or replace it"
            )
        position = hdu = 0
        while position < size:
            file.seek(position)
            if math.isinf(size) and not file.read(1):
                return
            file.seek(position)
            header = _read_header(path, file, hdu)
            data_start = file.tell()
            length = _data_length(path, header)
            if data_start + length > size:
                raise FileError(
                    f"{path}: is truncated: the header of HDU {hdu} announces "
                    f"{data_start + length} bytes, the file has {size}; copy it again"
                )
            yield hdu, header, data_start
            position = data_start + -(-length // BLOCK) * BLOCK
            hdu += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileError(f"{path}: is truncated or damaged ({error}); copy it again") from error


_TABLE_CARD = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|(TTYPE|TFORM|TUNIT|TDISP|TDIM|TNULL)\d+"
    r"|ZIMAGE|ZTENSION|ZSIMPLE|ZEXTEND|ZPCOUNT|ZGCOUNT|ZBLOCKED|ZTILE\d+|ZCMPTYPE|ZNAME\d+|ZVAL\d+"
    r"|ZQUANTIZ|ZDITHER0|ZBLANK|ZHECKSUM|ZDATASUM|CHECKSUM|DATASUM"
)


def uncompressed(cards: Cards) -> Cards:
    """Header of the image in a tile-compressed table; any other header as it is."""
    if cards.get("ZIMAGE") is not True:
        return cards
    axes = [f"NAXIS{i + 1}" for i in range(int(cards["ZNAXIS"]))]
    out = Cards({"SIMPLE": True})
    for key in ("BITPIX", "NAXIS", *axes):
        out[key] = (cards[f"Z{key}"], cards.comments[f"Z{key}"])
    skipped = {"ZBITPIX", "ZNAXIS", *(f"Z{key}" for key in axes)}
    for key, value, comment in cards.cards:
        named = key == "EXTNAME" and value == "COMPRESSED_IMAGE"
        if key not in skipped and not named and not _TABLE_CARD.fullmatch(key):
            out[key] = (value, comment)
    out.prose = list(cards.prose)
    out.repeated = dict(cards.repeated)
    return out


def _layout(
    path: Path, hdu: int, shape: tuple[int, int, int], cards: Cards, start: int
) -> ImageLayout:
    """How the pixels are to be read."""
    unsigned = cards.get("BZERO") == 32768 and cards.get("BSCALE", 1) == 1
    compressed = "ZCMPTYPE" in cards
    cube = cards.get("ZNAXIS" if compressed else "NAXIS") == 3
    if unsigned and compressed and _is_plain_rice(cards, shape[2]):
        heap = start + cards.get("THEAP", cards["NAXIS1"] * cards["NAXIS2"])
        return ImageLayout(
            path, hdu, *shape, RICE, start, heap, "Q" in cards["TFORM1"],
            _compression_value(cards, "BLOCKSIZE", 32), cube,
        )  # fmt: skip
    plain = unsigned and not compressed and cards["BITPIX"] == 16
    return ImageLayout(path, hdu, *shape, PLAIN if plain else OTHER, start, cube=cube)


def _check_encoding(path: Path, cards: Cards) -> None:
    """Check what reading the pixels will need: how numbers are scaled and compressed."""
    for key in ("BZERO", "BSCALE"):
        value = cards.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise FileError(f"{path}: {key} is {value!r}, not a number; mend the header")
    method = cards.get("ZCMPTYPE", _COMPRESSIONS[0])
    if method not in _COMPRESSIONS:
        raise FileError(
            f"{path}: ZCMPTYPE is {method!r}, allowed are {', '.join(_COMPRESSIONS)}; mend the "
            "header or copy the file again"
        )


def _is_plain_rice(cards: Cards, nx: int) -> bool:
    """Whether each tile is a row of 16-bit numbers coded by Rice's method."""
    rows = cards.get("ZTILE1", nx) == nx and cards.get("ZTILE2", 1) == 1
    return (
        rows
        and str(cards["ZCMPTYPE"]).startswith("RICE")
        and cards["ZBITPIX"] == 16
        and _compression_value(cards, "BYTEPIX", 4) == 2
        and cards["TFIELDS"] == 1
        and cards.get("ZTILE3", 1) == 1
    )


def _compression_value(cards: Cards, name: str, default: int) -> int:
    """Value of a tile-compression parameter, listed as ZNAMEi / ZVALi."""
    for i in range(1, 10):
        if str(cards.get(f"ZNAME{i}", "")).strip() == name:
            return int(cards[f"ZVAL{i}"])
    return default


def _read_header(path: Path, file: BinaryIO, hdu: int) -> Cards:
    try:
        return read_cards(file)
    except EOFError as error:
        raise FileError(
            f"{path}: is truncated or damaged: the header of HDU {hdu} has no end; copy it again"
        ) from error


def _integer(path: Path, header: Cards, key: str, default: int | None = None) -> int:
    value = header.get(key, default)
    if isinstance(value, Unreadable):
        raise FileError(f"{path}: {key} cannot be read; mend the header")
    if not isinstance(value, int) or isinstance(value, bool) or (value < 0 and key != "BITPIX"):
        raise FileError(f"{path}: {key} is {value!r}, not a whole number; mend the header")
    return value


def _data_length(path: Path, header: Cards) -> int:
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


def _image_shape(path: Path, header: Cards) -> tuple[int, int, int] | None:
    """(n, ny, nx) of an image HDU, None for a table or an empty HDU."""
    compressed = header.get("ZIMAGE") is True
    if compressed and header.get("ZCMPTYPE") not in COMPRESSIONS:
        raise FileError(
            f"{path}: ZCMPTYPE is {header.get('ZCMPTYPE')!r}, expected one of "
            f"{', '.join(COMPRESSIONS)}; the file is damaged, copy it again"
        )
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
