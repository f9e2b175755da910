"""Sets of exposures as a person wants them: the table of sets, edited by hand, is honoured.

Only the standard library is imported: the task graph is made from these sets.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vampires.errors import PolarimetryError
from vampires.instrument.flc import SWITCHED
from vampires.night.cycles import Exposure, is_solvable, nominal_hwp, state_of
from vampires.night.grouping import Group
from vampires.night.polarimeters import NightSets, polarimeters
from vampires.night.sets import Fate, StokesSet, set_states

BY_HAND = "by hand"
"""Reason in the fate of an exposure that a person put where it is."""


def sets_digest(sets: Iterable[tuple[str, int]]) -> str:
    """Digest of (exposure, number of its set, -1 for none), by which an edit is noticed."""
    text = "\n".join(f"{key} {number}" for key, number in sorted(sets))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_edited(path: Path) -> dict[str, int] | None:
    """Sets of a table that a person has edited, or made.

    Parameters
    ----------
    path : Path
        The ECSV table; the CSV table beside it may be the one that was edited.

    Returns
    -------
    dict or None
        Number of the set of each exposure; None where there is no table, or as it was written.

    Raises
    ------
    PolarimetryError
        A table cannot be read, or both were edited and disagree.
    """
    stored = None
    tables: dict[Path, dict[str, int]] = {}
    for table, delimiter in ((path, " "), (path.with_suffix(".csv"), ",")):
        if not table.exists():
            continue
        text = table.read_text(encoding="utf-8", errors="replace")
        mark = re.search(r"^#.*digest: '?([0-9a-f]{16})", text, re.MULTILINE)
        stored = stored or (mark and mark[1])
        tables[table] = _read(table, text, delimiter)
    edited = {name: own for name, own in tables.items() if sets_digest(own.items()) != stored}
    if len({tuple(sorted(own.items())) for own in edited.values()}) > 1:
        raise PolarimetryError(
            f"{path}: edited, and so is {path.with_suffix('.csv').name}, in another way: delete one"
        )
    return next(iter(edited.values()), None)


def chosen_sets(groups: Iterable[Group], found: NightSets, table: Path, method: str) -> NightSets:
    """Sets as a person wants them where the table differs from what is found, else as found.

    A table that says what would be found anyway is nobody's, wherever it comes from: one half of
    the pair of tables has no digest, and may be all that was copied.

    Parameters
    ----------
    groups : iterable of Group
        Science exposure groups of one setup.
    found : NightSets
        Sets that follow from the headers.
    table : Path
        As in `read_edited`.
    method : str
        As in `vampires.night.sets.find_sets`.
    """
    try:
        wanted = read_edited(table)
    except PolarimetryError as error:
        return NightSets((), (), str(error))
    if wanted is None or wanted == numbers_of(found.fates):
        return found
    return sets_by_hand(groups, wanted, method, table)


def numbers_of(fates: Iterable[Fate]) -> dict[str, int]:
    """Number of the set of each exposure, -1 for none."""
    return {f.exposure.key: -1 if f.set is None else f.set for f in fates}


def sets_by_hand(
    groups: Iterable[Group], wanted: Mapping[str, int], method: str, table: Path
) -> NightSets:
    """Make the sets that a table wants.

    Parameters
    ----------
    groups : iterable of Group
        Science exposure groups of one setup.
    wanted : mapping of str to int
        Number of the set of each exposure; -1: none. Exposures that are not named are left out.
    method : str
        As in `vampires.night.sets.find_sets`.
    table : Path
        For messages.

    Returns
    -------
    NightSets
        With the reason in `problem` where the table cannot be followed.
    """
    cameras: dict[str, tuple[int, ...]] = {}
    exposures: dict[str, Exposure] = {}
    for (_, own), members in polarimeters(groups).items():
        cameras.update({exposure.key: own for exposure in members})
        exposures.update({exposure.key: exposure for exposure in members})
    fates = tuple(
        Fate(e, None if wanted.get(e.key, -1) < 0 else wanted[e.key], BY_HAND)
        for e in sorted(exposures.values(), key=lambda e: (e.mjd, e.key))
    )
    numbers: dict[int, list[Exposure]] = {}
    unknown = sorted(set(wanted) - set(exposures))
    if unknown:
        return NightSets((), fates, f"{table}: no exposure is called {unknown[0]!r}")
    for fate in fates:
        if fate.set is not None:
            numbers.setdefault(fate.set, []).append(fate.exposure)
    try:
        sets = [
            StokesSet(number, _ordered(members, method, cameras[members[0].key], number))
            for number, members in sorted(numbers.items())
        ]
    except PolarimetryError as error:
        return NightSets((), fates, f"{table}: {error}")
    return NightSets(tuple(sets), fates, "" if sets else f"{table}: has no set")


def _read(path: Path, text: str, delimiter: str) -> dict[str, int]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        rows = list(csv.DictReader(lines, delimiter=delimiter))
        return {row["file"]: int(row["set"]) for row in rows}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise PolarimetryError(
            f"{path}: not a table of sets ({type(error).__name__}: {error}); it needs the columns "
            "file and set (a whole number, -1 for none)"
        ) from error


def _ordered(
    members: Sequence[Exposure], method: str, cameras: Sequence[int], number: int
) -> tuple[Exposure, ...]:
    """Exposures of a set in the order of its states.

    Raises
    ------
    PolarimetryError
        The exposures make no set.
    """
    if len({e.filter for e in members}) > 1:
        raise PolarimetryError(f"set {number} mixes filters")
    odd = [e.key for e in members if nominal_hwp(e.hwp) is None or e.camera not in cameras]
    if odd:
        raise PolarimetryError(f"set {number}: {odd[0]} is at no HWP angle of the cycle")
    in_time = sorted(members, key=lambda e: (e.mjd, e.key))
    if method == "leastsq":
        if not is_solvable(members):
            raise PolarimetryError(f"set {number} has fewer than three HWP angles")
        return tuple(in_time)
    flc = members[0].flc
    states = set_states(method, flc, cameras)
    strange = [e.key for e in members if state_of(e) not in states]
    missing = [s for s in states if s not in {state_of(e) for e in members}]
    if strange or missing:
        h, f, c = missing[0] if missing else (0.0, flc, 0)
        what = f"lacks HWP {h:g} FLC {f} cam {c}" if missing else f"has {strange[0]} too many"
        needs = "A and B" if method == "triplediff" and flc in SWITCHED else flc
        raise PolarimetryError(
            f"set {number} {what}: {method} needs every HWP angle and camera, FLC {needs}; "
            "complete it, or give its exposures set -1"
        )
    return tuple(sorted(in_time, key=lambda e: states.index(state_of(e))))
