"""Which master background and flat belong to a file: pure rules on light records.

Rules, in order of weight; ties go to the closest in time:

========== ============================================ =====================================
master     required                                     preferred
========== ============================================ =====================================
background same camera, same crop (position and size)   gain and read mode; exposure time;
                                                        kind (see `match_background`)
flat       same camera, same crop                       gain and read mode; filter;
                                                        exposure time
========== ============================================ =====================================

Only the standard library is imported: the task graph is made from these rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vampires.io.paths import background_path, flat_path
from vampires.night.record import RAW_FORMATS, Record

EXPTIME_TOLERANCE = 0.01
"""Exposure times that differ by less than this fraction are the same setting."""

SAME_NIGHT = 0.6
"""Days within which a sky frame is taken to show the sky of the science frames."""

Preference = Callable[[Record, Record], float]
"""How far a candidate is from what a file would like; less is better."""

BACKGROUND_KINDS = ("background", "sky")
"""Kinds of files that make master backgrounds."""


@dataclass(frozen=True)
class Match:
    """The calibration file chosen for a science file, or why there is none.

    Parameters
    ----------
    record : Record or None
        The chosen calibration file (raw, or a master made earlier).
    relaxed : tuple of str
        Preferences that it does not meet, as text.
    reason : str or None
        Why nothing matches.
    """

    record: Record | None
    relaxed: tuple[str, ...] = ()
    reason: str | None = None

    def __bool__(self) -> bool:
        return self.record is not None

    def __str__(self) -> str:
        if self.record is None:
            return f"none ({self.reason})"
        notes = f" ({'; '.join(self.relaxed)})" if self.relaxed else ""
        return f"{self.record['name']}{notes}"


@dataclass(frozen=True)
class Masters:
    """The master frames of one raw file, or why there are none.

    Parameters
    ----------
    background, flat : Path or None
        Master frames: to be made of raw files, or made earlier.
    relaxed : tuple of str
        Preferences that they do not meet.
    missing : tuple of str
        One line for each master that was wanted and not found.
    """

    background: Path | None
    flat: Path | None
    relaxed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def paths(self) -> list[Path]:
        """The masters there are."""
        return [path for path in (self.background, self.flat) if path is not None]


def match_masters(
    record: Record,
    candidates: Iterable[Record],
    folder: str | Path,
    *,
    background: bool = True,
    flat: bool = True,
) -> Masters:
    """Choose the masters that calibrate a science file.

    Parameters
    ----------
    record : Record
        Science file.
    candidates : iterable of Record
        Calibration files of any kind, raw or masters made earlier.
    folder : str or Path
        The reduction directory, where masters of raw files are.
    background, flat : bool
        Which of them are wanted.

    Returns
    -------
    Masters
    """
    candidates = list(candidates)
    wanted: dict[str, Match] = {}
    if background:
        wanted["background"] = match_background(record, candidates)
    if flat:
        wanted["flat"] = match_flat(record, candidates)
    paths = {
        what: master_path(match.record, folder) for what, match in wanted.items() if match.record
    }
    return Masters(
        paths.get("background"),
        paths.get("flat"),
        tuple(f"{what}: {note}" for what, match in wanted.items() for note in match.relaxed),
        tuple(f"{what}: {match.reason}" for what, match in wanted.items() if not match),
    )


def match_background(record: Record, candidates: Iterable[Record]) -> Match:
    """Choose the background of a file.

    Parameters
    ----------
    record : Record
        Science, flat or pinhole file.
    candidates : iterable of Record
        Calibration files of any kind; darks and skies are considered.

    Returns
    -------
    Match

    Notes
    -----
    Among files with equally good gain and exposure time, on-sky data take a sky frame of the
    same night and filter, because it holds the dark current *and* the sky; then a dark;
    then any other sky. Lamp data (flats, pinholes) take a dark, then a sky.

    Examples
    --------
    >>> print(match_background(science, index))  # doctest: +SKIP
    VMPA00021037
    """
    return _best(
        record, candidates, BACKGROUND_KINDS, "background", (_gain, _exptime, _kind, _apart)
    )


def match_flat(record: Record, candidates: Iterable[Record]) -> Match:
    """Choose the flat field of a file.

    Parameters
    ----------
    record : Record
        Science file.
    candidates : iterable of Record
        Calibration files of any kind; flats are considered.

    Returns
    -------
    Match
    """
    return _best(record, candidates, ("flat",), "flat", (_gain, _filter, _exptime, _apart))


def same_exptime(first: float | None, second: float | None) -> bool:
    """Whether two exposure times are the same setting (relative tolerance)."""
    if not first or not second:
        return False
    return abs(first - second) <= EXPTIME_TOLERANCE * max(first, second)


def _best(
    record: Record,
    candidates: Iterable[Record],
    kinds: tuple[str, ...],
    what: str,
    preferences: tuple[Preference, ...],
) -> Match:
    """Narrow the fitting candidates down, one preference after another."""
    pool = [
        item
        for item in candidates
        if item["ok"] and item["kind"] in kinds and item["format"] not in RAW_FORMATS
    ]
    left = [item for item in pool if _fits(record, item)]
    if not left:
        return Match(None, reason=_why_none(record, pool, what))
    for preference in preferences:
        scores = [preference(record, item) for item in left]
        best = min(scores)
        left = [item for item, score in zip(left, scores, strict=True) if score == best]
        if len(left) == 1:
            break
    chosen = min(left, key=lambda item: (item["name"], item["path"]))
    return Match(chosen, _relaxed(record, chosen, what))


def _fits(record: Record, item: Record) -> bool:
    return (
        item["camera"] == record["camera"]
        and item["crop"] == record["crop"]
        and (item["ny"], item["nx"]) == (record["ny"], record["nx"])
        and _detector(item) == _detector(record)
    )


def _detector(record: Record) -> str:
    """Name the detector itself, ``EMCCD`` or ``QCMOS`` (kept through the NBS installation)."""
    return (record["generation"] or "").split("-")[0]


def _gain(record: Record, item: Record) -> float:
    """0 for equal gain and read mode, then the nearest gain, then other read modes."""
    if item["detgain"] == record["detgain"] and item["readmode"] == record["readmode"]:
        return 0.0
    other_mode = 0.0 if item["readmode"] == record["readmode"] else 1e3
    return other_mode + _log_ratio(record["detgain"], item["detgain"])


def _filter(record: Record, item: Record) -> float:
    return 0.0 if item["filter"] == record["filter"] else 1.0


def _exptime(record: Record, item: Record) -> float:
    """0 for the same setting, else how far apart."""
    if item["exptime"] == record["exptime"] or same_exptime(record["exptime"], item["exptime"]):
        return 0.0
    return _log_ratio(record["exptime"], item["exptime"])


def _kind(record: Record, item: Record) -> float:
    """Sky or dark first, see `match_background`."""
    on_sky = record["kind"] == "science"
    if item["kind"] == "background":
        return 1.0 if on_sky else 0.0
    own_sky = item["filter"] == record["filter"] and _apart(record, item) < SAME_NIGHT
    return 0.0 if on_sky and own_sky else 2.0


def _same_gain(record: Record, item: Record) -> bool:
    return (record["detgain"] or 0.0) == (item["detgain"] or 0.0)


def _log_ratio(first: float | None, second: float | None) -> float:
    """How far two positive settings are apart, whichever is larger."""
    if first == second:
        return 0.0
    if not first or not second or first < 0 or second < 0:
        return math.inf
    return round(abs(math.log(first / second)), 6)


def _apart(record: Record, item: Record) -> float:
    first, second = record["mjd"], item["mjd"]
    return math.inf if first is None or second is None else abs(first - second)


def _relaxed(record: Record, item: Record, what: str) -> tuple[str, ...]:
    notes = []
    if not _same_gain(record, item):
        notes.append(f"gain {record['detgain']} wanted, {item['detgain']} used")
    if item["readmode"] != record["readmode"]:
        notes.append(f"read mode {record['readmode']} wanted, {item['readmode']} used")
    if what == "flat" and item["filter"] != record["filter"]:
        notes.append(f"filter {record['filter']} wanted, {item['filter']} used")
    # A flat is normalised: its exposure time matters little and is not worth a note.
    if what == "background" and not same_exptime(record["exptime"], item["exptime"]):
        notes.append(f"exposure {record['exptime']:g} s wanted, {item['exptime']:g} s used")
    return tuple(notes)


def _why_none(record: Record, pool: list[Record], what: str) -> str:
    wanted = _place(record)
    found = sorted({_place(item) for item in pool})
    if not found:
        return f"no {what} among the files"
    return f"no {what} of {wanted}; found: {', '.join(found)}"


def _place(record: Record) -> str:
    x0, y0, nx, ny = record["crop"] or (0, 0, record["nx"], record["ny"])
    return f"{_detector(record)} cam{record['camera']} {nx}x{ny} at ({x0}, {y0})"


def master_path(record: Record, folder: str | Path) -> Path:
    """Where the master of a calibration file is.

    Parameters
    ----------
    record : Record
        Raw calibration file, or a master made earlier, which is its own master.
    folder : str or Path
        The reduction directory.

    Returns
    -------
    Path

    Examples
    --------
    >>> master_path({"format": "archive", "kind": "flat", "name": "VMPA1"}, "night").as_posix()
    'night/master_cals/flat/VMPA1_coll.fits'
    """
    if record["format"] == "master":
        return Path(record["path"])
    place = flat_path if record["kind"] == "flat" else background_path
    return place(Path(folder), record["name"])
