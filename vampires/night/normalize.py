"""Normalise controller-format EMCCD files into what the archive would have stored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vampires.errors import FileError
from vampires.header import Header, normalize_header
from vampires.io.atomic import atomic_path
from vampires.io.frames import DEFAULT_MEMORY, FrameSource, open_frames
from vampires.io.layout import image_and_header
from vampires.io.paths import stem
from vampires.io.products import product_header, sign
from vampires.io.rawfile import write_raw
from vampires.log import get_logger
from vampires.night.controller import FLC_SUFFIXES, normalized_path, spoilt_frames
from vampires.night.fixes import Fix, fixed
from vampires.night.scan import is_interleaved
from vampires.utils.cards import Cards

log = get_logger(__name__)


@dataclass(frozen=True)
class Normalized:
    """What was made of one controller-format file.

    Parameters
    ----------
    outputs : dict of Path to int
        Files made and their number of frames.
    corrupted, empty : int
        Frames dropped: corrupted readout at the start, all-zero frames.
    """

    outputs: dict[Path, int]
    corrupted: int
    empty: int


def normalize_file(
    path: str | Path,
    folder: str | Path,
    *,
    deinterleave: bool | None = None,
    memory: int = DEFAULT_MEMORY,
    fixes: Sequence[Fix] = (),
    lamp: bool = False,
) -> Normalized:
    """Drop spoilt frames and separate the FLC states.

    Parameters
    ----------
    path : str or Path
        Controller-format file.
    folder : str or Path
        Reduction directory; files go to ``normalized`` in it.
    deinterleave : bool, optional
        Whether FLC states alternate frame by frame in science files (calibrations are never
        separated); default: what the header says (`vampires.night.scan.is_interleaved`).
    memory : int
        Bytes that may be used.
    lamp : bool
        Whether flats are of a polarised lamp, with the FLC switching as on a star.
    fixes : sequence of Fix
        Corrections of raw headers.

    Returns
    -------
    Normalized

    Raises
    ------
    FileError, HeaderError
        The file cannot be used, or no frame is left of an FLC state.

    Notes
    -----
    The first two frames are dropped always. The states alternate from the third frame on,
    A first; all-zero frames (an aborted sequence) are dropped wherever they are, without
    upsetting the alternation.

    Examples
    --------
    >>> normalize_file("HD141569A_00_750-50_LyotStop_00_cam1.fits", ".")  # doctest: +SKIP
    """
    layout, raw = image_and_header(Path(path))
    raw = fixed(raw, path, fixes)
    source = open_frames(layout)
    header = normalize_header(raw, path)
    split = is_interleaved(header, lamp=lamp)
    if deinterleave is not None:
        split = deinterleave and header.data_type == "OBJECT"
    filled = _filled_frames(source, memory)
    spoilt = spoilt_frames(header.format)
    wanted = np.arange(source.n) >= spoilt
    empty = int((wanted & ~filled).sum())
    good = wanted & filled
    outputs = {}
    with contextlib.ExitStack() as stack:  # an error leaves neither file
        for flc, suffix, frames in _states(good, split, spoilt):
            target = normalized_path(folder, stem(path), suffix)
            if not frames.any():
                raise FileError(
                    f"{path}: no frame is left for {target.name} ({source.n} frames, {spoilt} "
                    f"corrupted, {empty} all zero); leave the file out with [data] exclude"
                )
            temporary = stack.enter_context(atomic_path(target))
            count = int(frames.sum())
            cards = _output_header(raw, Path(path).name, flc, source.n - count)
            shape = (count, source.ny, source.nx)
            write_raw(temporary, product_header(cards), shape, _selected(source, frames, memory))
            outputs[target] = count
    if empty:
        log.warning("dropped all-zero frames", file=str(path), n=empty)
    log.info("normalised", file=str(path), frames=list(outputs.values()), corrupted=spoilt)
    return Normalized(outputs, spoilt, empty)


def _filled_frames(source: FrameSource, memory: int) -> NDArray[np.bool_]:
    """Tell which frames have any signal."""
    filled = np.zeros(source.n, dtype=bool)
    for start, stop in source.chunks(memory):
        filled[start:stop] = source.read(start, stop).native().any(axis=(1, 2))
    return filled


def _states(
    good: NDArray[np.bool_], split: bool, spoilt: int
) -> Iterator[tuple[str | None, str, NDArray[np.bool_]]]:
    """Yield FLC state, end of the file name and frames of each output."""
    if not split:
        yield None, "_fix", good
        return
    number = np.arange(len(good)) - spoilt
    for parity, (flc, suffix) in enumerate(FLC_SUFFIXES.items()):
        yield flc, suffix, good & (number % 2 == parity)


def _selected(
    source: FrameSource, frames: NDArray[np.bool_], memory: int
) -> Iterator[NDArray[np.uint16]]:
    for start, stop in source.chunks(memory):
        chosen = frames[start:stop]
        if chosen.any():
            yield source.read(start, stop).native()[chosen]


def _output_header(raw: Cards, name: str, flc: str | None, dropped: int) -> Header:
    """Cards of the raw file and what the archive adds to them."""
    header = Header.of(raw).copy()
    header.put(
        format=("archive", "normalised from the controller's format"),
        normalised_from=name,
        frames_dropped=dropped,
    )
    sign(header)
    header.put(flc_number=None if flc is None else {"A": 1, "B": 2}[flc])
    return header
