"""Write and read the FITS products.

A product is its primary data, an ``ERR`` plane, one header-only extension per field named
by the field, then any further planes. Files are written under a temporary name and renamed,
and hold nothing that depends on when they were written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.table import Table
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.instrument.bandpass import bandpass_cards
from vampires.io.atomic import atomic_path
from vampires.io.cards import BLOCK, format_cards, read_cards
from vampires.io.provenance import KEY, absent_inputs, current_task
from vampires.utils.cards import Cards, Unreadable, as_cards
from vampires.utils.text import ascii_text
from vampires.utils.threads import one_ahead
from vampires.version import __version__

_STRUCTURAL = {
    "SIMPLE", "XTENSION", "BITPIX", "EXTEND", "PCOUNT", "GCOUNT", "BSCALE", "BZERO", "BLANK",
    "CHECKSUM", "DATASUM", "EXTNAME", "GROUPS", "TFIELDS", "ZIMAGE", "ZTENSION", "ZBITPIX",
    "ZCMPTYPE", "DATE",
}  # fmt: skip

_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}
_PART = 2**18  # pixels written at a time: they stay in the processor's cache
_TYPES = {bitpix: np.dtype(f">{name}") for name, bitpix in _BITPIX.items()}


@dataclass(frozen=True)
class Parts:
    """Pixels of a product that are made part by part while it is written.

    Parameters
    ----------
    shape : tuple of int
        Of all of them.
    number : int
        Of parts, which follow one another along the first axis.
    part : callable
        Makes the part of that number, an array of float32.
    """

    shape: tuple[int, ...]
    number: int
    part: Callable[[int], NDArray[np.float32]]
    dtype: ClassVar[np.dtype[np.float32]] = np.dtype(np.float32)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return one_ahead(self.part, range(self.number))


Pixels: TypeAlias = np.ndarray | Parts


def product_header(header: Cards | fits.Header) -> Header:
    """Copy of a header without the cards that describe another file's layout.

    Parameters
    ----------
    header : Cards or fits.Header
        Any header.

    Returns
    -------
    Cards
        The copy; ``DATE`` (time of writing) is dropped as well.
    """
    cards = as_cards(header)
    out = Header()
    out.prose = list(cards.prose)
    for key, value, comment in cards.cards:
        structural = key in _STRUCTURAL or (key.startswith("NAXIS") and key[5:].isdigit())
        if not structural and key != "NAXIS" and not isinstance(value, Unreadable):
            out[key] = (value.item() if hasattr(value, "item") else value, comment)
    return out


def stamp(header: Header | fits.Header, digest: str, sources: Iterable[str | Path]) -> Header:
    """Add to a product's header which software, configuration and files made it.

    Parameters
    ----------
    header : Header or fits.Header
        Header to copy.
    digest : str
        Digest of the configuration.
    sources : iterable of str or Path
        The files the product came from.

    Returns
    -------
    Header
        New header with the cards of its filter, ``PIPELINE``, ``CONFHASH``, ``NSOURCE`` and
        ``SRCnnnn`` cards and, within a task, ``TASKHASH``.
    """
    names = [ascii_text(Path(source).name) for source in sources]
    out = Header.of(header).copy()
    out.put(pipeline=f"vampires {__version__}")
    out["CONFHASH"] = (digest, "digest of the configuration")
    sign(out)
    describe_filter(out, out.known(Header.filter, ""))
    out["NSOURCE"] = (len(names), "number of files this one came from")
    for index, name in enumerate(names, start=1):
        out[f"SRC{index:04d}"] = (name, "source file")
    return out


def describe_filter(header: Header, name: str) -> None:
    """Add the cards of a filter to a header; see `vampires.instrument.bandpass`."""
    for key, value, comment in bandpass_cards(name):
        header[key] = (value, comment)


def sign(header: Header) -> None:
    """Add to a header which task is running, if one is, and what it has to do without."""
    header.remove(KEY, ignore_missing=True)
    task = current_task()
    if task is not None:
        header[KEY] = (task, "digest of the task that made this file")
    if absent_inputs():
        header[Header.absent.keyword] = (absent_inputs(), Header.absent.comment)


def write_fits(
    path: str | Path,
    planes: Mapping[str, Pixels],
    header: Cards | fits.Header,
    fields: Mapping[str, Header] | None = None,
) -> None:
    """Write a product.

    Parameters
    ----------
    path : str or Path
        Target; appears only when complete.
    planes : mapping of str to ndarray or Parts
        The first entry is the primary data, whatever its name; the others become image
        extensions of that name, ``ERR`` before the fields and the rest after them.
    header : Header or fits.Header
        Header of the primary data.
    fields : mapping of str to Header, optional
        One header-only extension each.
    """
    names = list(planes)
    head = product_header(header)
    images: list[tuple[Cards, Pixels | None]] = [(_head(planes[names[0]], head), planes[names[0]])]
    if "ERR" in names[1:]:
        images.append(_extension(planes["ERR"], "ERR", head))
    for name, field_header in (fields or {}).items():
        own = product_header(field_header)
        describe_filter(own, name)
        images.append((_head(None, own, name), None))
    images += [_extension(planes[name], name, head) for name in names[1:] if name != "ERR"]
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as stream:
        for cards, data in images:
            stream.write(format_cards(cards))
            if data is not None:
                for part in data if isinstance(data, Parts) else (data,):
                    _write_pixels(stream, part)
                stream.write(bytes(-stream.tell() % BLOCK))


def _write_pixels(stream: BinaryIO, data: np.ndarray) -> None:
    """Write pixels most significant byte first.

    Part by part, with the same memory for each: new memory takes longer than to swap its bytes.
    """
    flat = data.reshape(-1)
    part = np.empty(min(flat.size, _PART), data.dtype.newbyteorder(">"))
    for first in range(0, flat.size, _PART):
        own = flat[first : first + _PART]
        part[: own.size] = own
        stream.write(part[: own.size].data)


def read_fits(
    path: str | Path,
) -> tuple[dict[str, np.ndarray], Header, dict[str, Header]]:
    """Read a product back.

    Parameters
    ----------
    path : str or Path
        A file written by `write_fits`.

    Returns
    -------
    planes : dict of str to ndarray
        Native byte order; the primary data under the empty name.
    header : Header
        Primary header.
    fields : dict of str to Header
        Header-only extensions.

    Raises
    ------
    FileError
        The file is missing or is not FITS.
    """
    try:
        with Path(path).open("rb") as stream:
            hdus = list(_plain_hdus(stream))
    except _OddError:
        hdus = _odd_hdus(path)
    except (OSError, EOFError) as error:
        raise _unreadable(path, error) from error
    if not hdus:
        raise _unreadable(path, EOFError("no header"))
    (primary, data), *extensions = hdus
    planes: dict[str, np.ndarray] = {} if data is None else {"": data}
    fields: dict[str, Header] = {}
    for header, data in extensions:
        name = str(header.get("EXTNAME", ""))
        if data is None:
            fields[name] = header
        else:
            planes[name] = data
    return planes, primary, fields


class _OddError(Exception):
    """A file holds something else than plain images: astropy knows how to read it."""


_Hdu = tuple[Header, "np.ndarray | None"]


def _plain_hdus(stream: BinaryIO) -> Iterator[_Hdu]:
    """Headers and pixels of a file of plain images, in native byte order."""
    size = os.fstat(stream.fileno()).st_size
    while stream.tell() < size:
        header = Header.of(read_cards(stream))
        data = None
        shape, dtype = _plain_layout(header)
        if shape:
            length = math.prod(shape) * dtype.itemsize
            if stream.tell() + length + -length % BLOCK > size:
                raise EOFError("it ends within its pixels, or the filling after them")
            data = np.fromfile(stream, dtype, math.prod(shape)).reshape(shape)
            if not dtype.isnative:
                data = data.byteswap(inplace=True).view(dtype.newbyteorder("="))
            stream.seek(-length % BLOCK, os.SEEK_CUR)
        yield header, data


def _plain_layout(header: Header) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape (empty: no pixels) and type of the pixels that follow a header.

    Raises
    ------
    _OddError
        They are scaled, compressed, a table, or described wrongly.
    """
    bitpix, naxis = header.get("BITPIX"), header.get("NAXIS")
    if not (
        (header.get("SIMPLE") is True or header.get("XTENSION") == "IMAGE")
        and bitpix in _TYPES
        and isinstance(naxis, int)
        and (header.get("BSCALE", 1), header.get("BZERO", 0)) == (1, 0)
        and not any(key in header for key in ("GROUPS", "BLANK", "INHERIT"))
        and (header.get("PCOUNT", 0), header.get("GCOUNT", 1)) == (0, 1)
    ):
        raise _OddError
    sides = tuple(header.get(f"NAXIS{axis}") for axis in range(naxis, 0, -1))
    if not all(isinstance(side, int) and side > 0 for side in sides):
        raise _OddError
    return sides, np.dtype(_TYPES[bitpix])


def _odd_hdus(path: str | Path) -> list[_Hdu]:
    """Headers and pixels of a file that is not all plain images."""
    try:
        with fits.open(path, memmap=False) as hdus:
            return [
                (Header.of(hdu.header), None if hdu.data is None else _native(hdu.data))
                for hdu in hdus
            ]
    except (OSError, TypeError, ValueError, KeyError, AttributeError, VerifyError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, error: Exception) -> FileError:
    return FileError(
        f"{path}: cannot be read as a FITS product ({error}); "
        "delete it and run doit again to remake it"
    )


def read_header(path: str | Path) -> Header:
    """Read the primary header of a product, and no pixel.

    Raises
    ------
    FileError
        The file is missing or is not FITS.
    """
    try:
        with Path(path).open("rb") as stream:
            return Header.of(read_cards(stream))
    except (OSError, EOFError) as error:
        raise _unreadable(path, error) from error


def write_table(path: str | Path, table: Table) -> None:
    """Write a table as ECSV, and as plain CSV beside it."""
    path = Path(path)
    for target, form in ((path, "ascii.ecsv"), (path.with_suffix(".csv"), "ascii.csv")):
        with atomic_path(target) as temporary:
            table.write(temporary, format=form, overwrite=True)


TABLE_COLUMNS = (
    "OBJECT", "DATE-OBS", "MJD", "UT", "FILTER", "U_CAMERA", "U_FLC", "RET-ANG1", "EXPTIME",
    "NCOADD", "TINT", "PA", "DEROTANG", "ALT_MID", "IMRANG", "AIRMASS", "DETGAIN", "READMODE",
    "RECENTY0", "RECENTX0", "BACKFILE", "FLATFILE", "RELAXED",
)  # fmt: skip


def product_table(paths: Iterable[str | Path]) -> Table:
    """Table of what the headers of some products say, one row a file, in order of time.

    Parameters
    ----------
    paths : iterable of str or Path
        Products.

    Returns
    -------
    Table
        Columns ``file`` and `TABLE_COLUMNS`; empty where a header has no such card.
    """
    headers = [(Path(path).name, read_header(path)) for path in paths]
    headers.sort(key=lambda item: (item[1].known(Header.mjd, 0.0), item[0]))
    columns = [key for key in TABLE_COLUMNS if any(key in header for _, header in headers)]
    rows = [{"file": name, **{key: header.get(key, "") for key in columns}}
            for name, header in headers]  # fmt: skip
    return Table(rows=rows, names=["file", *columns])


def _native(data: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))


def _head(data: Pixels | None, header: Cards, name: str = "") -> Cards:
    """All cards of a primary image, or of an extension of that name; without pixels for None."""
    out = Cards()
    if name:
        out["XTENSION"] = ("IMAGE", "Image extension")
    else:
        out["SIMPLE"] = (True, "conforms to FITS standard")
    shape = () if data is None else data.shape
    out["BITPIX"] = (8 if data is None else _bitpix(data), "array data type")
    out["NAXIS"] = (len(shape), "number of array dimensions")
    for axis, length in enumerate(reversed(shape), start=1):
        out[f"NAXIS{axis}"] = length
    if name:
        out["PCOUNT"] = (0, "number of parameters")
        out["GCOUNT"] = (1, "number of groups")
    else:
        out["EXTEND"] = True
    out.update(header)
    out.prose = header.prose
    if name:
        out["EXTNAME"] = (name, "extension name")
    return out


def _extension(data: Pixels, name: str, header: Cards) -> tuple[Cards, Pixels]:
    cards = _head(data, Cards(), name)
    if "BUNIT" in header and name in {"ERR", "SYS"}:
        cards["BUNIT"] = header["BUNIT"]
    return cards, data


def _bitpix(data: Pixels) -> int:
    kind = "u1" if data.dtype == bool else data.dtype.str[1:]
    if kind not in _BITPIX:
        raise TypeError(f"pixels of type {data.dtype} have no plain FITS form")
    return _BITPIX[kind]
