"""Raw frames as they lie on disk: one lazy sequence over one file or several.

Nothing is decoded before it is asked for. Plain 16-bit files are handed out as their own
bytes, and the first compiled kernel swaps them and adds BZERO; Rice-compressed files are decoded
in one compiled call per range; whatever else FITS allows goes through `astropy.io.fits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from vampires.config import ExecutionSettings
from vampires.errors import FileError
from vampires.io.formats import ArrayFile, FrameFile, Rows, open_layout
from vampires.io.layout import ImageLayout, find_image
from vampires.kernels.block import RawBlock
from vampires.utils.threads import available_threads

DEFAULT_MEMORY = ExecutionSettings().memory_bytes
"""Bytes that any step may use where nobody says otherwise, as ``[execution] memory`` has it."""

CHUNK_BYTES = 160 << 20
"""Bytes of blocks that are streamed, as counted by `FrameSource.chunks`: decoded, they stay near
the cache."""

_CHUNK_BYTES_PER_PIXEL = 10  # uint16 raw, float32 data, float32 variance


class FrameSource:
    """Frames of one file or of several, one after another, read when asked for.

    Parameters
    ----------
    files : sequence of FrameFile
        Files with frames of the same size.

    Attributes
    ----------
    n, ny, nx : int
        Number of frames, rows and columns.
    paths : tuple of Path
        The files.
    file_index, frame_index : ndarray of int64, shape (n,)
        The file each frame comes from, and its 0-based number there.
    """

    def __init__(self, files: Sequence[FrameFile]) -> None:
        self._files = tuple(files)
        self.paths = tuple(file.path for file in files)
        self.ny, self.nx = files[0].ny, files[0].nx
        counts = [file.n for file in files]
        self.file_index = np.repeat(np.arange(len(files)), counts)
        self.frame_index = np.concatenate([np.arange(count) for count in counts])
        self.n = len(self.file_index)

    @classmethod
    def from_array(cls, frames: ArrayLike, name: str | Path = "array.fits") -> FrameSource:
        """Take frames that are in memory already.

        Parameters
        ----------
        frames : array_like, shape (n, ny, nx), or (ny, nx) for one frame
            Raw numbers, adu, bias included, in raw orientation. uint16 stays as it is,
            anything else becomes float32.
        name : str or Path
            What to call them in products and messages.

        Returns
        -------
        FrameSource

        Raises
        ------
        FileError
            The array has another number of axes, or no pixel.

        Examples
        --------
        >>> source = FrameSource.from_array(np.zeros((5, 32, 48), np.uint16))
        >>> source
        <FrameSource array.fits: 5 frames, 32 x 48>
        >>> source.read(1, 3).data.shape
        (2, 32, 48)
        """
        array = np.asarray(frames)
        cube = array[None] if array.ndim == 2 else array
        if cube.ndim != 3 or cube.size == 0:
            raise FileError(f"{name}: an array of shape {array.shape} is no cube (n, ny, nx)")
        return cls([ArrayFile(cube, Path(name))])

    def __repr__(self) -> str:
        names = self.paths[0].name + (f" +{len(self.paths) - 1}" if len(self.paths) > 1 else "")
        return f"<FrameSource {names}: {self.n} frames, {self.ny} x {self.nx}>"

    def __len__(self) -> int:
        return self.n

    def select(self, keep: ArrayLike) -> FrameSource:
        """Return the same files restricted to some of this sequence's frames.

        Parameters
        ----------
        keep : array_like of bool, shape (n,)
            Frames to keep.

        Returns
        -------
        FrameSource
        """
        flags = np.asarray(keep, bool)
        if flags.shape != (self.n,):
            raise ValueError(f"{flags.size} flags for {self.n} frames")
        chosen = copy(self)
        chosen.file_index = self.file_index[flags]
        chosen.frame_index = self.frame_index[flags]
        chosen.n = len(chosen.file_index)
        return chosen

    @property
    def files(self) -> tuple[FrameFile, ...]:
        """The files the frames come from."""
        return self._files

    def with_files(self, files: Sequence[FrameFile]) -> FrameSource:
        """Return the same sequence of frames, read through other objects of the same files."""
        chosen = copy(self)
        chosen._files = tuple(files)
        return chosen

    def _runs(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Ranges that lie side by side in one file."""
        files, frames = self.file_index[start:stop], self.frame_index[start:stop]
        breaks = np.flatnonzero((np.diff(files) != 0) | (np.diff(frames) != 1)) + 1
        edges = [0, *breaks.tolist(), stop - start]
        for low, high in pairwise(edges):
            yield start + low, start + high

    def read(self, start: int, stop: int, rows: Rows = slice(None)) -> RawBlock:
        """Read frames `start` to `stop` (exclusive), optionally only some of their rows.

        Parameters
        ----------
        start, stop : int
            Range within the sequence.
        rows : slice or ndarray of int64
            Rows in raw orientation, one at least, in ascending order.

        Returns
        -------
        RawBlock

        Raises
        ------
        FileError
            When the file ends early or its compressed rows are damaged.
        """
        if not 0 <= start < stop <= self.n:
            raise IndexError(f"frames {start}:{stop} of {self.n}")
        blocks = []
        for low, high in self._runs(start, stop):
            first = int(self.frame_index[low])
            file = self._files[self.file_index[low]]
            blocks.append(file.read(first, first + high - low, rows))
        if len(blocks) == 1:
            return blocks[0]
        same = len({(block.big_endian, block.data.dtype) for block in blocks}) == 1
        parts = [block.data if same else block.native() for block in blocks]
        return RawBlock(np.concatenate(parts), big_endian=same and blocks[0].big_endian)

    def chunks(self, memory: int = DEFAULT_MEMORY) -> Iterator[tuple[int, int]]:
        """Split the sequence into ranges whose pixels fit in memory.

        Parameters
        ----------
        memory : int
            Bytes allowed for the raw, calibrated and variance planes of one range
            (10 bytes a pixel); never more than `CHUNK_BYTES` are used. One frame is the least
            a range can hold.

        Yields
        ------
        start, stop : int
            Ranges in order; none spans two files.
        """
        memory = min(int(memory), CHUNK_BYTES)
        step = max(1, memory // (self.ny * self.nx * _CHUNK_BYTES_PER_PIXEL))
        edges = [0, *(np.flatnonzero(np.diff(self.file_index)) + 1).tolist(), self.n]
        for low, high in pairwise(edges):
            for start in range(low, high, step):
                yield start, min(start + step, high)


def open_frames(
    paths: str | Path | ImageLayout | Sequence[str | Path | ImageLayout],
    frames: ArrayLike | None = None,
    *,
    threads: int | None = None,
) -> FrameSource:
    """Open raw files as one lazy sequence of frames.

    Only headers are read. The size a header announces is compared with the size of the
    file before anything is allocated.

    Parameters
    ----------
    paths : path, layout, or sequence of them
        FITS files (plain or tile-compressed) with a 2-D or 3-D image in any HDU; of those that
        `vampires.io.layout.find_image` has looked at, its answer.
    frames : array_like of bool, optional
        Frames to keep, counted over all files in order.
    threads : int, optional
        Threads used to decode compressed files; default `available_threads`.

    Returns
    -------
    FrameSource

    Raises
    ------
    FileError
        Missing, empty, truncated or non-FITS file, no image in it, or frames of
        different sizes.

    Examples
    --------
    >>> source = open_frames(["VMPA00021001.fits"])        # doctest: +SKIP
    >>> for start, stop in source.chunks(200_000_000):      # doctest: +SKIP
    ...     block = source.read(start, stop)
    """
    listed = [paths] if isinstance(paths, str | Path | ImageLayout) else list(paths)
    if not listed:
        raise FileError("no raw file was given; name at least one FITS file")
    threads = threads or available_threads()
    layouts = [item if isinstance(item, ImageLayout) else find_image(Path(item)) for item in listed]
    files = [open_layout(layout, threads) for layout in layouts]
    for file in files[1:]:
        if (file.ny, file.nx) != (files[0].ny, files[0].nx):
            raise FileError(
                f"{file.path}: frames of {file.nx} x {file.ny} pixels cannot follow those of "
                f"{files[0].path} ({files[0].nx} x {files[0].ny}); reduce them separately"
            )
    source = FrameSource(files)
    if frames is None:
        return source
    keep = np.asarray(frames, bool)
    if keep.shape != (source.n,):
        raise FileError(
            f"{files[0].path}: {keep.size} frames are flagged but the files hold {source.n}; "
            "make the selection again"
        )
    if not keep.any():
        raise FileError(f"{files[0].path}: no frame is left by the selection; loosen it")
    return source.select(keep)
