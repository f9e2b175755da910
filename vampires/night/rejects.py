"""Files and frames that a person leaves out: suggestions, decisions, and their undoing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vampires.errors import FileError
from vampires.io.atomic import atomic_path
from vampires.measure.quicklook import QuickLook
from vampires.night.record import Record
from vampires.utils.robust import robust_std

SIGMAS = 6.0
"""Robust deviations from its like beyond which a file or frame is suggested."""

_LEAST = {"flux": 0.3, "peak": 0.4, "sharpness": 0.3}
"""Relative deviations that are no reason to reject, however steady the rest is."""

_LEAST_OFFSET = 8.0  # pixels; a dither or a drift of less is followed anyway
_FEWEST = 5  # files or frames from which an outlier can be told


@dataclass(frozen=True)
class Reject:
    """A file, or a range of its frames, to leave out.

    Parameters
    ----------
    name : str
        Name of the file.
    frames : (int, int) or None
        First and last frame, counted from 0; None for the whole file.
    why : str
        The reason, in words.
    """

    name: str
    frames: tuple[int, int] | None
    why: str = ""

    def __str__(self) -> str:
        if self.frames is None:
            return self.name
        first, last = self.frames
        return f"{self.name} {first}" if first == last else f"{self.name} {first}-{last}"


def parse_reject(text: str, known: Mapping[str, int]) -> Reject:
    """Read a file name, with or without a range of frames, as typed.

    Parameters
    ----------
    text : str
        ``VMPA00021001.fits``, ``VMPA00021001 10-20``, ``VMPA00021001:7``; the suffix may be
        left out.
    known : mapping of str to int
        Number of frames of each file.

    Raises
    ------
    FileError
        No such file, or no such frames.

    Examples
    --------
    >>> str(parse_reject("a:10-20", {"a.fits": 50}))
    'a.fits 10-20'
    """
    match = re.fullmatch(r"(\S+?)(?:[\s:]+(\d+)(?:\s*-\s*(\d+))?)?", text.strip())
    if match is None:
        raise FileError(f"{text.strip()!r}: expected FILE, FILE 7 or FILE 10-20")
    typed, first, last = match.groups()
    names = [name for name in known if typed in (name, name.partition(".")[0])]
    if not names:
        raise FileError(f"{typed!r} is none of the {len(known)} science files")
    if first is None:
        return Reject(names[0], None)
    low, high = int(first), int(last or first)
    if not low <= high < known[names[0]]:
        raise FileError(
            f"{names[0]}: frames {low}-{high}: it has frames 0 to {known[names[0]] - 1}"
        )
    return Reject(names[0], (low, high))


@dataclass(frozen=True)
class Selection:
    """What is left out; each decision makes a new one, so that any can be undone.

    Parameters
    ----------
    files : frozenset of str
        Names of files left out as a whole.
    frames : mapping of str to tuple of int
        Frames left out of other files, sorted.
    """

    files: frozenset[str] = frozenset()
    frames: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def reject(self, item: Reject) -> Selection:
        """Leave out a file, or some of its frames."""
        if item.frames is None:
            return Selection(self.files | {item.name}, _less(self.frames, item.name))
        first, last = item.frames
        both = sorted({*self.frames.get(item.name, ()), *range(first, last + 1)})
        return Selection(self.files, {**self.frames, item.name: tuple(both)})

    def keep(self, name: str) -> Selection:
        """Take a file back, with all of its frames."""
        return Selection(self.files - {name}, _less(self.frames, name))

    def describe(self, name: str) -> str:
        """Whether a file is kept, in words."""
        if name in self.files:
            return "rejected"
        left = len(self.frames.get(name, ()))
        return f"{left} frames rejected" if left else "kept"


def _less(frames: Mapping[str, tuple[int, ...]], name: str) -> dict[str, tuple[int, ...]]:
    return {key: value for key, value in frames.items() if key != name}


def write_lists(folder: Path, paths: Iterable[Path], selection: Selection) -> tuple[Path, Path]:
    """Write ``filelist_select.txt`` and ``filelist_reject.txt``, one path a line.

    A file of which frames are left out counts as selected.

    Returns
    -------
    tuple of Path
        Both lists.
    """
    lists = {"select": [], "reject": []}  # type: dict[str, list[str]]
    for path in paths:
        lists["reject" if path.name in selection.files else "select"].append(str(path))
    targets = []
    for what, names in lists.items():
        target = folder / f"filelist_{what}.txt"
        with atomic_path(target) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        targets.append(target)
    return targets[0], targets[1]


def suggest(looks: Sequence[QuickLook], records: Mapping[str, Record]) -> list[Reject]:
    """Suggest what to reject: files unlike others of their setup, frames unlike their file.

    Parameters
    ----------
    looks : sequence of QuickLook
        In order of time.
    records : mapping of str to Record
        By name of the file; tell which files are alike.

    Returns
    -------
    list of Reject
        Files first come as they are in `looks`; frames of files that are not suggested whole.

    Notes
    -----
    A value is an outlier if it departs from the median of its like by more than `SIGMAS` robust
    deviations and by more than a fraction that matters at all. Fewer than five files of a setup
    are not compared with each other. Where frames were sampled, a suggested range runs from the
    first outlier seen to the last.
    """
    whole = _bad_files(looks, records)
    found = []
    for one in looks:
        if one.name in whole:
            found.append(Reject(one.name, None, whole[one.name]))
        else:
            found += _bad_frames(one)
    return found


def _bad_files(looks: Sequence[QuickLook], records: Mapping[str, Record]) -> dict[str, str]:
    alike: dict[tuple[object, ...], list[QuickLook]] = {}
    for one in looks:
        alike.setdefault(_setup(records[one.name]), []).append(one)
    reasons: dict[str, str] = {}
    for own in alike.values():
        if len(own) < _FEWEST:
            continue
        typical = [one.typical() for one in own]
        table = {key: np.array([values[key] for values in typical]) for key in typical[0]}
        for index, reason in _outliers(table).items():
            reasons[own[index].name] = reason
    return reasons


def _bad_frames(one: QuickLook) -> list[Reject]:
    if len(one.frames) < _FEWEST:
        return []
    table = {
        "flux": one.flux, "peak": one.peak, "sharpness": one.sharpness,
        "y": one.place[:, 0], "x": one.place[:, 1],
    }  # fmt: skip
    reasons = _outliers(table)
    runs: list[list[int]] = []
    for index in sorted(reasons):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return [
        Reject(one.name, (int(one.frames[run[0]]), int(one.frames[run[-1]])), reasons[run[0]])
        for run in runs
    ]


def _outliers(table: Mapping[str, NDArray[np.float64]]) -> dict[int, str]:
    """Index and reason of each outlier."""
    reasons: dict[int, list[str]] = {}
    for key in ("flux", "peak", "sharpness"):
        values = table[key]
        middle, spread = _middle(values)
        limit = max(SIGMAS * spread, _LEAST[key] * abs(middle))
        # Too sharp or too bright is as suspicious in flux and peak: another source, another mask.
        low_only = key == "sharpness"
        for index, value in enumerate(values):
            apart = middle - value if low_only else abs(value - middle)
            if not np.isfinite(value):
                reasons.setdefault(index, []).append("no light")
            elif apart > limit:
                reasons.setdefault(index, []).append(f"{key} {value / middle:.0%} of the usual")
    offset = [table[axis] - _middle(table[axis])[0] for axis in "yx"]
    spread = max(_middle(table[axis])[1] for axis in "yx")
    distance = np.hypot(*offset)
    for far in np.flatnonzero(distance > max(SIGMAS * spread, _LEAST_OFFSET)):
        reasons.setdefault(int(far), []).append(f"{distance[far]:.0f} px off the usual place")
    return {index: ", ".join(dict.fromkeys(texts)) for index, texts in reasons.items()}


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    """Median and robust standard deviation of what is finite."""
    seen = values[np.isfinite(values)]
    if not len(seen):
        return float("nan"), float("nan")
    middle = float(np.median(seen))
    return middle, robust_std(seen, middle)


def _setup(record: Record) -> tuple[object, ...]:
    return (
        record["object"], record["camera"], record["flc"], record["filter"],
        f"{record['exptime'] or 0:.3g}", record["detgain"], record["readmode"],
        tuple(record["crop"] or ()),
    )  # fmt: skip
