"""Frames in files of each format: plain, Rice-compressed, and whatever astropy reads."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vampires.errors import FileError
from vampires.io.layout import PLAIN, RICE, ImageLayout, find_image
from vampires.kernels.block import RawBlock

Rows = slice | NDArray[np.int64]
"""Rows of a frame in raw orientation: a slice, or their numbers in ascending order."""


class FrameFile(Protocol):
    """One file of frames; `read` is safe to call from several threads."""

    path: Path
    n: int
    ny: int
    nx: int

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        """Read frames `start` to `stop` (exclusive), and of each the given rows."""
        ...


def _stretch(path: Path, start: int, length: int) -> NDArray[np.uint8]:
    """Read some bytes of a file.

    Mapping them would save a twentieth of a reduction's time, and end the process without a word
    when the file is cut short meanwhile.
    """
    data = np.empty(length, np.uint8)
    room, got = data.data, 0
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while got < length and (more := file.readinto(room[got:])):
                got += more
    except OSError as error:
        raise FileError(f"{path}: changed while being read ({error}); copy it again") from error
    if got < length:
        raise FileError(f"{path}: changed while being read (too short); copy it again")
    return data


class _PlainFile:
    """Uncompressed 16-bit unsigned frames (BITPIX 16, BZERO 32768)."""

    def __init__(self, layout: ImageLayout) -> None:
        self.path, self._start = layout.path, layout.start
        self.n, self.ny, self.nx = layout.n, layout.ny, layout.nx

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        runs = _runs(np.arange(self.ny)[rows])
        first, last = runs[0]
        if len(runs) == 1 and (last - first == self.ny or stop - start == 1):
            return RawBlock(self._whole(start, stop, first, last - first), big_endian=True)
        return RawBlock(self._copy(start, stop, runs), big_endian=True)

    def _whole(self, start: int, stop: int, first: int, height: int) -> NDArray[np.uint16]:
        """Bytes of whole frames, or of a band of one frame."""
        offset = self._start + (start * self.ny + first) * self.nx * 2
        data = _stretch(self.path, offset, (stop - start) * height * self.nx * 2)
        return data.view(np.uint16).reshape(stop - start, height, self.nx)

    def _copy(self, start: int, stop: int, runs: list[tuple[int, int]]) -> NDArray[np.uint16]:
        """Copy runs of rows of many frames: reads of these alone beat page faults."""
        height = sum(last - first for first, last in runs)
        data = np.empty((stop - start, height, self.nx), np.uint16)
        row = self.nx * 2
        begin, end = (self._start + k * self.ny * row for k in (start, stop))
        with self.path.open("rb", buffering=0) as file:
            if len(runs) > 1 and hasattr(os, "posix_fadvise"):
                # to read a cold file through is faster than to wait at each of many places
                os.posix_fadvise(file.fileno(), begin, end - begin, os.POSIX_FADV_WILLNEED)
            for frame, offset in zip(data, range(begin, end, self.ny * row), strict=True):
                top = 0
                for first, last in runs:
                    part = frame[top : top + last - first].data
                    if os.preadv(file.fileno(), [part], offset + first * row) != part.nbytes:
                        raise FileError(
                            f"{self.path}: changed while being read (too short); copy it again"
                        )
                    top += last - first
        return data


def _runs(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First number and the one after the last of each run of consecutive ones."""
    edges = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist(), len(numbers)]
    return [(int(numbers[low]), int(numbers[high - 1]) + 1) for low, high in pairwise(edges)]


class _RiceFile:
    """Frames compressed row by row with Rice's method (``.fits.fz`` of the archive)."""

    def __init__(self, layout: ImageLayout, threads: int) -> None:
        self.path, self._threads = layout.path, threads
        self.n, self.ny, self.nx = layout.n, layout.ny, layout.nx
        self._table_start, self._heap_start = layout.start, layout.heap
        self._descriptor = np.dtype(">i8" if layout.wide else ">i4")
        self._blocksize = layout.blocksize

    def _tiles(self, start: int, stop: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Length and place in the heap of each wanted row, shape (ntiles, 2)."""
        width = 2 * self._descriptor.itemsize
        offset = self._table_start + start * self.ny * width
        table = _stretch(self.path, offset, (stop - start) * self.ny * width)
        tiles = table.view(self._descriptor).reshape(stop - start, self.ny, 2)[:, rows]
        return tiles.reshape(-1, 2).astype(np.int64)

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        numbers = np.arange(self.ny)[rows]
        tiles = self._tiles(start, stop, numbers)
        out = np.empty((tiles.shape[0], self.nx), np.uint16)
        parts = np.array_split(np.arange(len(tiles)), self._threads)
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(lambda part: self._decode(tiles, out, part, numbers), parts))
        return RawBlock(out.reshape(stop - start, -1, self.nx), big_endian=False)

    def _decode(
        self,
        tiles: NDArray[np.int64],
        out: NDArray[np.uint16],
        part: NDArray[np.int64],
        numbers: NDArray[np.int64],
    ) -> None:
        from vampires.kernels.rice import rice_decode  # numba: not for looking at headers

        if len(part) == 0:
            return
        lengths, starts = tiles[part].T
        first, last = int(starts.min()), int((starts + lengths).max())
        available = self.path.stat().st_size - self._heap_start
        failed = 0
        if first >= 0 and lengths.min() >= 0 and last <= available:
            heap = _stretch(self.path, self._heap_start + first, last - first)
            rows = out[part[0] : part[-1] + 1]
            failed = rice_decode(heap, starts - first, lengths, self._blocksize, 0x8000, rows)
        else:
            failed = int(np.argmax((lengths < 0) | (starts < 0) | (starts + lengths > available)))
        if failed >= 0:
            row = numbers[part[failed] % len(numbers)]
            raise FileError(
                f"{self.path}: compressed row {row} cannot be decoded; "
                "the file is damaged: copy it again, or leave it out with [data] exclude"
            )


class _AstropyFile:
    """Any other image: signed, 32-bit or float numbers, other compressions."""

    def __init__(self, layout: ImageLayout) -> None:
        self.path, self._hdu = layout.path, layout.hdu
        self._cube = layout.cube
        self.n, self.ny, self.nx = layout.n, layout.ny, layout.nx

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        from astropy.io import fits  # slow to load, and seldom needed

        numbers = np.arange(self.ny)[rows]
        band = slice(int(numbers[0]), int(numbers[-1]) + 1)
        try:
            with fits.open(self.path, memmap=False) as hdus:
                section = hdus[self._hdu].section
                data = section[start:stop, band] if self._cube else section[band][None]
        except MemoryError:
            raise
        except Exception as error:  # decoders of astropy's have exceptions of their own
            raise FileError(f"{self.path}: its pixels cannot be decoded ({error})") from error
        data = data[:, numbers - band.start]
        if data.dtype == np.uint16:
            return RawBlock(np.ascontiguousarray(data), big_endian=False)
        return RawBlock(np.ascontiguousarray(data, np.float32), big_endian=False)


class _UnpackedFile:
    """A file compressed with gzip: unpacked to a temporary one for as long as it is in use."""

    def __init__(self, layout: ImageLayout, threads: int) -> None:
        self.path = layout.path
        self.n, self.ny, self.nx = layout.n, layout.ny, layout.nx
        self._unpacked = tempfile.NamedTemporaryFile(prefix="vampires-", suffix=".fits")  # noqa: SIM115
        try:
            with gzip.open(layout.path) as packed:
                shutil.copyfileobj(packed, self._unpacked, 1 << 20)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileError(
                f"{layout.path}: is truncated or damaged ({error}); copy it again"
            ) from error
        self._unpacked.flush()
        plain = find_image(Path(self._unpacked.name))
        self._file = open_layout(plain, threads)

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        return self._file.read(start, stop, rows)


class ArrayFile:
    """Frames held in memory, with the interface of a file.

    Parameters
    ----------
    frames : ndarray, shape (n, ny, nx)
        Raw numbers; anything but uint16 is taken as float32.
    path : Path
        The name they go by.
    """

    def __init__(self, frames: NDArray[Any], path: Path) -> None:
        self.path = path
        self.n, self.ny, self.nx = frames.shape
        self._frames = frames if frames.dtype == np.uint16 else frames.astype(np.float32)

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        """Copy frames, and of each the given rows."""
        return RawBlock(np.ascontiguousarray(self._frames[start:stop, rows]), big_endian=False)


def open_layout(layout: ImageLayout, threads: int) -> FrameFile:
    """Open the frames of one file in the way that suits its format.

    Mapped when they lie plainly, decoded by our own kernels when Rice tiles hold whole rows; all
    else is read by astropy.
    """
    if layout.gzipped:
        return _UnpackedFile(layout, threads)
    if layout.encoding == RICE:
        return _RiceFile(layout, threads)
    return _PlainFile(layout) if layout.encoding == PLAIN else _AstropyFile(layout)
