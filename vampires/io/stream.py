"""Write cubes that do not fit in memory, block by block."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from vampires.io.atomic import atomic_path
from vampires.io.products import product_header

_BLOCK = 2880

Part = tuple[int, np.ndarray, np.ndarray]


def write_cube(
    path: str | Path, shape: tuple[int, ...], header: fits.Header, parts: Iterable[Part]
) -> None:
    """Write a float32 cube with its errors as the parts come.

    Parameters
    ----------
    path : str or Path
        Target; appears only when complete. Primary data and an ``ERR`` extension.
    shape : tuple of int
        Of the whole cube, frames first.
    header : fits.Header
        Header of the primary data.
    parts : iterable of (start, data, variance)
        Number of the first frame, and arrays of shape ``(k, *shape[1:])``.

    Raises
    ------
    ValueError
        The parts do not make up the cube.
    """
    heads = [_head(None, shape, header), _head("ERR", shape, fits.Header())]
    size = int(np.prod(shape)) * 4
    starts = [len(heads[0]), len(heads[0]) + _padded(size) + len(heads[1])]
    written = 0
    with atomic_path(path) as temporary:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            os.ftruncate(descriptor, starts[1] + _padded(size))
            for head, start in zip(heads, starts, strict=True):
                os.pwrite(descriptor, head, start - len(head))
            for first, data, variance in parts:
                offset = first * (size // shape[0])
                _put(descriptor, data, starts[0] + offset)
                with np.errstate(invalid="ignore"):
                    _put(descriptor, np.sqrt(np.maximum(variance, 0)), starts[1] + offset)
                written += len(data)
        finally:
            os.close(descriptor)
        if written != shape[0]:
            raise ValueError(f"{path}: {written} frames came for a cube of {shape[0]}")


def _head(extension: str | None, shape: tuple[int, ...], header: fits.Header) -> bytes:
    """Header block of a primary image, or of an image extension of that name."""
    primary = extension is None
    cards: list[tuple[str, str | int]] = [
        ("SIMPLE", True) if primary else ("XTENSION", "IMAGE"),
        ("BITPIX", -32),
    ]
    cards += [("NAXIS", len(shape))]
    cards += [(f"NAXIS{axis}", n) for axis, n in enumerate(reversed(shape), start=1)]
    cards += [("EXTEND", True)] if primary else [("PCOUNT", 0), ("GCOUNT", 1)]
    cards += [] if extension is None else [("EXTNAME", extension)]
    head = fits.Header(cards)
    head.extend(product_header(header).cards, end=True)
    return bytes(head.tostring().encode("ascii"))


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _put(descriptor: int, data: np.ndarray, offset: int) -> None:
    view = memoryview(np.asarray(data, dtype=">f4").tobytes())
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


Float32 = NDArray[np.float32]


def stream_fits(
    path: Path, shape: tuple[int, ...], header: fits.Header, planes: Iterator[Float32]
) -> None:
    """Write a FITS image plane by plane."""
    layout = fits.PrimaryHDU(header=product_header(header)).header
    layout["BITPIX"] = -32
    layout["NAXIS"] = len(shape)
    for axis, side in enumerate(reversed(shape), start=1):
        layout.set(f"NAXIS{axis}", side, after="NAXIS" if axis == 1 else f"NAXIS{axis - 1}")
    with fits.StreamingHDU(str(path), layout) as stream:
        for plane in planes:
            stream.write(plane)
