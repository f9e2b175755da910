"""Corrections of raw headers: what ``[[data.fix]]`` of a configuration says.

A raw file is never altered: its cards are corrected as they are read, before anything is made
of them, and the canonical header lists what was changed (``HDRFIXn``). The corrections that
could touch a file have a digest, so that the header index and the tasks notice when they change.

Only the standard library is imported: every start of ``doit`` asks for the digests.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.errors import ConfigError, HeaderError
from vampires.io.paths import stem

if TYPE_CHECKING:
    from vampires.header.times import ExposureTimes
    from vampires.utils.cards import Cards

RECORD = "HDRFIX"
"""Start of the cards that list what was changed."""

LOG_GAP = 60.0
"""Seconds from the middle of a cube to the nearest line of a half-wave-plate log, at most."""

_WILD = re.compile(r"[*?[]")
_EPOCH = datetime.datetime(1858, 11, 17, tzinfo=datetime.UTC)  # MJD 0
_MOVED = 0.5  # deg by which the plate's target may differ during a cube
_EDGE = 1.0 / 86400  # day at either end of a cube in which the plate may still move


@dataclass(frozen=True)
class PlateLog:
    """What the controller of the half-wave plate wrote down: times (MJD) and states, in order."""

    times: tuple[float, ...]
    states: tuple[tuple[float, float, str], ...]  # target, position, mode


@dataclass(frozen=True)
class Fix:
    """One correction.

    Parameters
    ----------
    files : tuple of str
        File names or patterns; empty: any file.
    start, end : float or None
        MJD between which the middle of the exposure lies; None: at any time.
    cards : tuple of (str, value)
        Cards to set.
    log : PlateLog or None
        Log from which the cards of the half-wave plate are set.
    source : str
        For people: "[[data.fix]] 1" or the name of a table.
    """

    files: tuple[str, ...]
    start: float | None
    end: float | None
    cards: tuple[tuple[str, Any], ...]
    log: PlateLog | None
    source: str

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Those of `files` that stand for many."""
        return tuple(name for name in self.files if _WILD.search(name))

    @property
    def timed(self) -> bool:
        """Whether the time of the exposure decides as well."""
        return self.start is not None or self.end is not None or self.log is not None


def meant_for(path: str | Path, fixes: Iterable[Fix]) -> list[Fix]:
    """Corrections that may be meant for a file, by its name; there may be one for every file."""
    names = {Path(path).name, stem(path)}
    return [
        fix
        for fix in fixes
        if not fix.files
        or not names.isdisjoint(fix.files)
        or any(fnmatchcase(name, pattern) for pattern in fix.patterns for name in names)
    ]


def load_fixes(tables: Sequence[Mapping[str, Any]], folder: str | Path) -> tuple[Fix, ...]:
    """Corrections of a configuration.

    Parameters
    ----------
    tables : sequence of mapping
        ``[[data.fix]]`` (see `vampires.config.readers.read_fixes`).
    folder : str or Path
        Where relative names of tables start.

    Returns
    -------
    tuple of Fix
        In the order in which they are applied.

    Raises
    ------
    ConfigError
        A table cannot be read, or has not the columns of one of its kinds.
    """
    if not tables:
        return ()
    fixes: list[Fix] = []
    for number, table in enumerate(tables, start=1):
        files = tuple(table["files"])
        start, end = (_mjd(table[key]) if table[key] else None for key in ("from", "until"))
        if table["set"]:
            cards = tuple(table["set"].items())
            fixes.append(Fix(files, start, end, cards, None, f"[[data.fix]] {number}"))
        if table["table"]:
            path = Path(folder) / Path(table["table"]).expanduser()
            fixes += _from_table(path, files, start, end)
    return tuple(fixes)


def fixes_digest(fixes: Sequence[Fix], path: str | Path) -> str:
    """Digest of the corrections that could touch a file; empty where there are none."""
    own = [(fix.start, fix.end, fix.cards, fix.log and (fix.log.times, fix.log.states))
           for fix in meant_for(path, fixes)]  # fmt: skip
    if not own:
        return ""
    return hashlib.sha256(json.dumps(own, default=str).encode()).hexdigest()[:12]


def fixed(cards: Cards, path: str | Path, fixes: Sequence[Fix]) -> Cards:
    """Apply corrections to the cards of a raw file.

    Parameters
    ----------
    cards : Cards
        As in the file; not altered.
    path : str or Path
        Its name decides which corrections are meant.
    fixes : sequence of Fix
        Applied in order.

    Returns
    -------
    Cards
        The corrected copy, with ``HDRFIXn`` cards; the same object when nothing is changed.

    Raises
    ------
    HeaderError
        The half-wave plate moved during the exposure, by its log; or the time of the exposure,
        on which a correction depends, is not in the header.
    """
    out = cards
    for fix in meant_for(path, fixes):
        wanted = dict(fix.cards)
        if fix.timed:
            times = _times(out, path)
            if not _within(fix, times.middle):
                continue
            if fix.log is not None:
                wanted |= _from_log(fix.log, times, path)
        out = _set(out, wanted, fix.source)
    return out


def _set(cards: Cards, wanted: Mapping[str, Any], source: str) -> Cards:
    changed = {key: value for key, value in wanted.items()
               if cards.get(key) != value or key in cards.repeated}  # fmt: skip
    if not changed:
        return cards
    out = cards.copy()
    number = sum(key.startswith(RECORD) for key in out)
    for key, value in changed.items():
        number += 1
        was = f"was {out[key]}" if key in out else "was missing"
        out[key] = value
        out.repeated.pop(key, None)
        out[f"{RECORD}{number}"] = f"{key} = {value}, {was} ({source})"
    return out


def _times(cards: Cards, path: str | Path) -> ExposureTimes:
    # Imported here: only who reads headers needs it, and it loads astropy.
    from vampires.header.cards import CardReader
    from vampires.header.times import exposure_times

    return exposure_times(CardReader(cards, path))


def _within(fix: Fix, mjd: float) -> bool:
    after = fix.start is None or mjd >= fix.start
    return after and (fix.end is None or mjd <= fix.end)


def _from_log(log: PlateLog, times: ExposureTimes, path: str | Path) -> dict[str, Any]:
    """Cards of the half-wave plate at the middle of a cube; none outside the log."""
    middle = times.middle
    if not log.times or not log.times[0] <= middle <= log.times[-1]:
        return {}
    nearest = min(range(len(log.times)), key=lambda i: abs(log.times[i] - middle))
    if abs(log.times[nearest] - middle) * 86400 > LOG_GAP:
        return {}
    target, position, mode = log.states[nearest]
    during = [state[0] for time, state in zip(log.times, log.states, strict=True)
              if times.start + _EDGE < time < times.end - _EDGE]  # fmt: skip
    if during and max(during) - min(during) > _MOVED:
        raise HeaderError(
            f"{path}: the half-wave plate moved from {min(during):g} to {max(during):g} deg during "
            "the exposure, by its log ([[data.fix]]); exclude the file"
        )
    return {"RET-ANG1": target, "RET-POS1": position, "RET-MOD1": mode}


def _from_table(
    path: Path, files: tuple[str, ...], start: float | None, end: float | None
) -> list[Fix]:
    """Corrections of a CSV file: a log of the half-wave plate, or one row a file."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
            columns = set(rows[0]) if rows else set()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"[[data.fix]] table: {path}: cannot be read ({error})") from error
    try:
        if {"t_utc", "position", "target", "mode"} <= columns:
            return [Fix(files, start, end, (), _plate_log(rows), path.name)]
        if "file" in columns and len(columns) > 1:
            return [
                Fix((row["file"],), start, end, _row_cards(row), None, path.name) for row in rows
            ]
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"[[data.fix]] table: {path}: cannot be read ({error})") from error
    raise ConfigError(
        f"[[data.fix]] table: {path}: needs the columns t_utc, position, target and mode (log of "
        "the half-wave plate), or file and one for each card to set"
    )


def _plate_log(rows: list[dict[str, str]]) -> PlateLog:
    lines = sorted(
        (_mjd(row["t_utc"]), (float(row["target"]), float(row["position"]), row["mode"].strip()))
        for row in rows
        if (row.get("stage") or "HWP").strip().upper() == "HWP"
    )
    return PlateLog(tuple(time for time, _ in lines), tuple(state for _, state in lines))


def _row_cards(row: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (key.strip().upper(), _value(text.strip()))
        for key, text in row.items()
        if key != "file" and text is not None and text.strip()
    )


def _value(text: str) -> Any:
    """Value of a cell: a number, a logical T or F, or a text."""
    if text in {"T", "F"}:
        return text == "T"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _mjd(text: str) -> float:
    """MJD of an ISO time; UTC unless it says otherwise."""
    moment = datetime.datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - _EPOCH) / datetime.timedelta(days=1)
