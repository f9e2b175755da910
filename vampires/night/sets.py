"""Sets of exposures that make one Stokes frame, and the fate of every exposure.

A triple-difference set has 16 exposures (4 HWP x 2 FLC x 2 cameras), a double-difference set 8
(4 HWP x 2 cameras), a least-squares set one complete cycle and the incomplete ones beside it.

Only the standard library is imported: the task graph is made from these sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from vampires.errors import PolarimetryError
from vampires.instrument.flc import DUBIOUS, NO_FLC, SWITCHED
from vampires.night.cycles import (
    HWP_CYCLE,
    Exposure,
    State,
    as_one,
    balanced,
    fill_cycles,
    is_solvable,
    join_cycles,
    nominal_hwp,
    split_cycles,
    stack_repeats,
    state_of,
)
from vampires.utils.angles import wrap

if TYPE_CHECKING:
    from astropy.table import Table

SET_METHODS = ("triplediff", "doublediff", "leastsq")

FAST_TURN = 10.0
"""Degrees of parallactic angle between exposures that follow each other in a set."""

_NOT_TOGETHER = (
    "all states occur, but not within one cycle or {:g} deg of rotation "
    "(raise [polarimetry] set_max_rotation)"
)
_ALONE = "no simultaneous exposure of the other camera"


@dataclass(frozen=True)
class StokesSet:
    """Exposures of one Stokes frame, in the order of the states.

    Parameters
    ----------
    number : int
        Running number in time.
    exposures : tuple of Exposure
        HWP 0, 45, 22.5, 67.5; within each, FLC then camera; within each state its parts in
        time, where it was exposed in several files. Those of least squares in time.
    borrowed : tuple of str
        Keys taken from another cycle to fill a gap.
    """

    number: int
    exposures: tuple[Exposure, ...]
    borrowed: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the exposures."""
        return tuple(e.key for e in self.exposures)

    @property
    def mjd(self) -> float:
        """Mean mid-exposure time."""
        return fmean(e.mjd for e in self.exposures)

    @property
    def filter(self) -> str:
        """Filter that all have."""
        return self.exposures[0].filter


@dataclass(frozen=True)
class Fate:
    """What became of one exposure: the number of its set, or None and the reason."""

    exposure: Exposure
    set: int | None
    reason: str


def set_states(
    method: str, flc: str = NO_FLC, cameras: Sequence[int] = (1, 2)
) -> tuple[State, ...]:
    """List the (HWP, FLC, camera) states of a complete set, in order.

    Parameters
    ----------
    method : str
        'triplediff', 'doublediff', or 'leastsq' (the states of one cycle).
    flc : str
        FLC state of the exposures; the triple difference has A and B.
    cameras : sequence of int
        (1, 2), or one camera where each is a polarimeter of its own (narrowband data).
    """
    if method not in SET_METHODS:
        raise PolarimetryError(
            f"method {method!r} has no sets; allowed are {', '.join(SET_METHODS)}"
        )
    switching = method == "triplediff" or (method == "leastsq" and flc in SWITCHED)
    flcs = SWITCHED if switching else (flc,)
    return tuple((h, f, c) for h in HWP_CYCLE for f in flcs for c in cameras)


def find_sets(
    exposures: Iterable[Exposure],
    method: str,
    *,
    max_rotation: float = 4.0,
    cameras: Sequence[int] = (1, 2),
) -> tuple[tuple[StokesSet, ...], tuple[Fate, ...]]:
    """Find the sets of a night, and say what became of every exposure.

    Files that follow each other in one state are one exposure in several parts (see
    `vampires.night.cycles.stack_repeats`). First pass: exposures are walked in time, per filter,
    and cut into cycles (see `vampires.night.cycles.split_cycles`). Second pass, for
    differences: the incomplete cycles, fullest first, take each missing state from the closest
    exposure in time that no set uses, within ``max_rotation`` of parallactic angle. Least squares
    needs no complete cycles: there the incomplete ones are joined to their neighbours. No exposure
    is used twice, and the order of the input does not matter.

    Parameters
    ----------
    exposures : iterable of Exposure
    method : str
        'triplediff', 'doublediff' or 'leastsq'. The double difference takes each FLC state on
        its own.
    max_rotation : float
        Largest change of parallactic angle when filling a gap, deg.
    cameras : sequence of int
        As in `set_states`; least squares needs both.

    Returns
    -------
    sets : tuple of StokesSet
        Numbered from 0 in time.
    fates : tuple of Fate
        One per exposure, in time.

    Raises
    ------
    PolarimetryError
        If there is no set; the message names the missing states.
    """
    ordered = sorted(exposures, key=lambda e: (e.mjd, e.key))
    if len({e.key for e in ordered}) != len(ordered):
        raise ValueError("exposures must have unique keys")
    reasons = {e.key: _unusable(e, method, cameras) for e in ordered}
    usable = [e for e in ordered if not reasons[e.key]]
    found: list[StokesSet] = []
    for sequence in _sequences(usable, method):
        own, alone = _sets_of(sequence, method, max_rotation, cameras)
        found += own
        reasons |= {e.key: _ALONE for e in alone}
    if not found:
        raise PolarimetryError(_no_set_message(usable, reasons, method, max_rotation, cameras))
    found.sort(key=lambda s: (s.mjd, s.keys))
    sets = tuple(replace(s, number=number) for number, s in enumerate(found))
    return sets, _fates(ordered, sets, reasons)


def _sets_of(
    sequence: Sequence[Exposure], method: str, max_rotation: float, cameras: Sequence[int]
) -> tuple[list[StokesSet], list[Exposure]]:
    """Sets of exposures that may meet, and those that lack the other camera."""
    stacks = stack_repeats(sequence, max_rotation)
    states = set_states(method, sequence[0].flc, cameras)
    whole = sorted(map(as_one, stacks.values()), key=lambda e: (e.mjd, e.key))
    cycles = split_cycles(whole, states, max_rotation)
    alone: list[Exposure] = []
    no_keys: tuple[str, ...] = ()
    if method == "leastsq":
        groups, alone = join_cycles(cycles)
        members = [(group, no_keys) for group in groups if is_solvable(group)]
    else:
        complete = [c for c in cycles if c.complete] + fill_cycles(cycles, max_rotation)
        members = [([c.members[s] for s in states], c.borrowed) for c in complete]
    left = [part for e in alone for part in stacks[e.key]]
    found = []
    for group, borrowed in members:
        parts = [stacks[e.key] for e in group]
        kept = [part for stack in balanced(parts) for part in stack]
        keys = {e.key for e in kept}
        left += [part for stack in parts for part in stack if part.key not in keys]
        lent = tuple(e.key for key in borrowed for e in stacks[key] if e.key in keys)
        found.append(StokesSet(0, tuple(kept), lent))
    return found, left


def fast_turns(fates: Iterable[Fate]) -> list[str]:
    """Lines about sets in which the field turned fast, as it does near the zenith.

    Images are derotated after their frames are combined: where the field turns by more than
    `FAST_TURN` from one exposure of a set to the next, it turns within them as well.
    """
    sets: dict[int, list[Exposure]] = {}
    for fate in fates:
        if fate.set is not None and fate.exposure.key:
            sets.setdefault(fate.set, []).append(fate.exposure)
    lines = []
    for number, members in sorted(sets.items()):
        ordered = sorted(members, key=lambda e: (e.mjd, e.key))
        turn = max((abs(wrap(b.pa - a.pa)) for a, b in pairwise(ordered)), default=0.0)
        if turn > FAST_TURN:
            lines.append(
                f"set {number}: the field turns by up to {turn:.0f} deg from one exposure to the "
                "next (near the zenith), so that it is smeared in their coadds: set [polarimetry] "
                "stream = true to derotate frame by frame"
            )
    return lines


def fates_table(fates: Iterable[Fate]) -> Table:
    """Table of every exposure: its set (-1 for none) and the reason.

    Returns
    -------
    Table
        Columns file, set, reason, camera, flc, hwp, filter, mjd, pa.
    """
    from astropy.table import Table

    rows = [
        (
            f.exposure.key,
            -1 if f.set is None else f.set,
            f.reason,
            f.exposure.camera,
            f.exposure.flc,
            f.exposure.hwp,
            f.exposure.filter,
            f.exposure.mjd,
            f.exposure.pa,
        )
        for f in fates
    ]
    names = ("file", "set", "reason", "camera", "flc", "hwp", "filter", "mjd", "pa")
    types = (str, int, str, int, str, float, str, float, float)
    return Table(rows=rows or None, names=names, dtype=types)


def _unusable(exposure: Exposure, method: str, cameras: Sequence[int]) -> str:
    """Reason to leave an exposure out, or an empty string."""
    if exposure.flc == DUBIOUS:
        return "dubious FLC state (U_FLC = D)"
    if method == "triplediff" and exposure.flc not in SWITCHED:
        return f"FLC state {exposure.flc}: the triple difference needs A and B"
    if exposure.camera not in cameras:
        return f"camera {exposure.camera} is not used"
    if not all(map(math.isfinite, (exposure.hwp, exposure.mjd, exposure.pa))):
        return "HWP angle, time or parallactic angle unknown"
    if nominal_hwp(exposure.hwp) is None:
        return f"HWP at {exposure.hwp:g} deg is not one of 0, 45, 22.5, 67.5"
    return ""


def _sequences(usable: Sequence[Exposure], method: str) -> list[list[Exposure]]:
    """Exposures that may meet: of one filter, and FLC states that the method combines."""
    groups: dict[tuple[str, str], list[Exposure]] = {}
    for exposure in usable:
        switching = exposure.flc in SWITCHED and method != "doublediff"
        key = (exposure.filter, "" if switching else exposure.flc)
        groups.setdefault(key, []).append(exposure)
    return [groups[key] for key in sorted(groups)]


def _fates(
    ordered: Sequence[Exposure], sets: Sequence[StokesSet], reasons: dict[str, str]
) -> tuple[Fate, ...]:
    home = {key: s for s in sets for key in s.keys}
    fates = []
    for exposure in ordered:
        stokes_set = home.get(exposure.key)
        if stokes_set is None:
            reason = reasons[exposure.key] or "its cycle is incomplete"
        elif exposure.key in stokes_set.borrowed:
            reason = "fills a gap"
        else:
            reason = "consecutive" if exposure.sync is not False else "consecutive; U_SYNC false"
        fates.append(Fate(exposure, None if stokes_set is None else stokes_set.number, reason))
    return tuple(fates)


def _no_set_message(
    usable: Sequence[Exposure],
    reasons: dict[str, str],
    method: str,
    max_rotation: float,
    cameras: Sequence[int],
) -> str:
    what = f"complete {method} set of {len(set_states(method, cameras=cameras))}"
    if method == "leastsq":
        what = "leastsq set, which takes three HWP positions seen by both cameras,"
    start = f"no {what} among {len(reasons)} exposures: "
    if not usable:
        why = sorted({r for r in reasons.values() if r})
        return start + ("; ".join(why) if why else "there are no exposures")
    parts = []
    for sequence in _sequences(usable, method):
        states = set_states(method, sequence[0].flc, cameras)
        present = {state_of(e) for e in sequence}
        missing = [f"HWP {h:g} FLC {f} cam {c}" for h, f, c in states if (h, f, c) not in present]
        text = f"missing {', '.join(missing)}" if missing else _NOT_TOGETHER.format(max_rotation)
        parts.append(f"filter {sequence[0].filter}: {text}")
    hint = ""
    if method == "triplediff" and any("FLC state NA" in r for r in reasons.values()):
        hint = " (without FLC set [polarimetry] method = 'doublediff')"
    return start + "; ".join(parts) + hint
