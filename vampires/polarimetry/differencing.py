"""Sets of exposures that make one Stokes frame, and how they are differenced.

A half-wave plate (HWP) cycle runs through 0, 45, 22.5, 67.5 deg. At each position both cameras
expose in one or two states of the ferroelectric liquid crystal (FLC). A triple-difference set has
16 exposures (4 HWP x 2 FLC x 2 cameras), a double-difference set 8 (4 HWP x 2 cameras).

Only the standard library is imported: the task graph is made from these sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

from vampires.errors import PolarimetryError

if TYPE_CHECKING:
    from astropy.table import Table

# (HWP, FLC, camera) of an exposure.
State = tuple[float, str, int]

HWP_CYCLE = (0.0, 45.0, 22.5, 67.5)
HWP_TOLERANCE = 1.0
METHODS = ("triplediff", "doublediff")

# A pause this many times the usual step between HWP positions ends a cycle, if the
# field turned as well.
_LONG_PAUSE = 5.0


@dataclass(frozen=True)
class Exposure:
    """What set finding needs to know of one file or coadd.

    Parameters
    ----------
    key : str
        Unique name.
    camera : int
        1 or 2.
    flc : str
        'A', 'B', 'NA', or 'D' for dubious.
    hwp : float
        Nominal HWP angle, deg.
    mjd : float
        Mid-exposure.
    filter : str
        Exposures in different filters never meet.
    pa : float
        Parallactic angle, deg.
    sync : bool, optional
        False when the other camera does not have the same frames.

    Examples
    --------
    >>> Exposure("VMPA00021001", 1, "A", 22.499, 59634.25, "750-50", 120.0).hwp
    22.499
    """

    key: str
    camera: int
    flc: str
    hwp: float
    mjd: float
    filter: str
    pa: float
    sync: bool | None = None


@dataclass(frozen=True)
class StokesSet:
    """Exposures of one Stokes frame, in the order of the states.

    Parameters
    ----------
    number : int
        Running number in time.
    exposures : tuple of Exposure
        HWP 0, 45, 22.5, 67.5; within each, FLC then camera.
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


@dataclass(frozen=True)
class Fate:
    """What became of one exposure: the number of its set, or None and the reason."""

    exposure: Exposure
    set: int | None
    reason: str


def nominal_hwp(angle: float, tolerance: float = HWP_TOLERANCE) -> float | None:
    """Cycle position of a half-wave-plate angle, or None when there is none nearby.

    Angles are the same every 180 deg.

    Examples
    --------
    >>> nominal_hwp(22.499), nominal_hwp(179.98), nominal_hwp(30.0)
    (22.5, 0.0, None)
    """
    for position in HWP_CYCLE:
        if abs((angle - position + 90.0) % 180.0 - 90.0) <= tolerance:
            return position
    return None


def set_states(method: str, flc: str = "NA", cameras: Sequence[int] = (1, 2)) -> tuple[State, ...]:
    """List the (HWP, FLC, camera) states of a complete set, in order.

    Parameters
    ----------
    method : str
        'triplediff' or 'doublediff'.
    flc : str
        For the double difference: the FLC state of its exposures.
    cameras : sequence of int
        (1, 2), or one camera where each is a polarimeter of its own (narrowband data).
    """
    if method not in METHODS:
        raise PolarimetryError(f"method {method!r} has no sets; allowed are {', '.join(METHODS)}")
    flcs = ("A", "B") if method == "triplediff" else (flc,)
    return tuple((h, f, c) for h in HWP_CYCLE for f in flcs for c in cameras)


def find_sets(
    exposures: Iterable[Exposure],
    method: str,
    *,
    max_rotation: float = 4.0,
    cameras: Sequence[int] = (1, 2),
) -> tuple[tuple[StokesSet, ...], tuple[Fate, ...]]:
    """Find the sets of a night, and say what became of every exposure.

    First pass: exposures are walked in time, per filter; a cycle ends where a state comes again,
    where the HWP steps back, or at a long pause during which the field turned by more than
    ``max_rotation``. Second pass: the incomplete cycles, fullest first, take each missing state
    from the closest exposure in time that no set uses, within ``max_rotation`` of parallactic
    angle. No exposure is used twice, and the order of the input does not matter.

    Parameters
    ----------
    exposures : iterable of Exposure
    method : str
        'triplediff' or 'doublediff'. The double difference takes each FLC state on its own.
    max_rotation : float
        Largest change of parallactic angle when filling a gap, deg.
    cameras : sequence of int
        As in `set_states`.

    Returns
    -------
    sets : tuple of StokesSet
        Numbered from 0 in time.
    fates : tuple of Fate
        One per exposure, in time.

    Raises
    ------
    PolarimetryError
        If there is no complete set; the message names the missing states.
    """
    ordered = sorted(exposures, key=lambda e: (e.mjd, e.key))
    if len({e.key for e in ordered}) != len(ordered):
        raise ValueError("exposures must have unique keys")
    reasons = {e.key: _unusable(e, method, cameras) for e in ordered}
    usable = [e for e in ordered if not reasons[e.key]]

    found: list[_Cycle] = []
    for sequence in _sequences(usable, method):
        states = set_states(method, sequence[0].flc, cameras)
        cycles = _split_cycles(sequence, states, max_rotation)
        found += [c for c in cycles if c.complete] + _fill(cycles, max_rotation)
    if not found:
        raise PolarimetryError(_no_set_message(usable, reasons, method, max_rotation, cameras))

    found.sort(key=lambda c: (c.mjd, c.first.key))
    sets = tuple(c.as_set(number) for number, c in enumerate(found))
    return sets, _fates(ordered, sets, reasons)


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


@dataclass
class _Cycle:
    """Exposures of one cycle by state; the second pass may add to it."""

    states: tuple[State, ...]
    members: dict[State, Exposure]
    borrowed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return len(self.members) == len(self.states)

    @property
    def first(self) -> Exposure:
        return min(self.members.values(), key=lambda e: (e.mjd, e.key))

    @property
    def mjd(self) -> float:
        return fmean(e.mjd for e in self.members.values())

    @property
    def pa(self) -> float:
        return _mean_angle([e.pa for e in self.members.values()])

    def as_set(self, number: int) -> StokesSet:
        return StokesSet(number, tuple(self.members[s] for s in self.states), self.borrowed)


def _state(exposure: Exposure) -> State:
    hwp = nominal_hwp(exposure.hwp)
    if hwp is None:
        raise PolarimetryError(f"{exposure.key}: HWP angle {exposure.hwp} is not of the cycle")
    return hwp, exposure.flc, exposure.camera


def _unusable(exposure: Exposure, method: str, cameras: Sequence[int]) -> str:
    """Reason to leave an exposure out, or an empty string."""
    if exposure.flc == "D":
        return "dubious FLC state (U_FLC = D)"
    if method == "triplediff" and exposure.flc not in ("A", "B"):
        return f"FLC state {exposure.flc}: the triple difference needs A and B"
    if exposure.camera not in cameras:
        return f"camera {exposure.camera} is not used"
    if not all(map(math.isfinite, (exposure.hwp, exposure.mjd, exposure.pa))):
        return "HWP angle, time or parallactic angle unknown"
    if nominal_hwp(exposure.hwp) is None:
        return f"HWP at {exposure.hwp:g} deg is not one of 0, 45, 22.5, 67.5"
    return ""


def _sequences(usable: Sequence[Exposure], method: str) -> list[list[Exposure]]:
    """Exposures that may meet: of one filter and, for the double difference, one FLC state."""
    groups: dict[tuple[str, str], list[Exposure]] = {}
    for exposure in usable:
        key = (exposure.filter, exposure.flc if method == "doublediff" else "")
        groups.setdefault(key, []).append(exposure)
    return [groups[key] for key in sorted(groups)]


def _split_cycles(
    sequence: Sequence[Exposure], states: tuple[State, ...], max_rotation: float
) -> list[_Cycle]:
    steps = [b.mjd - a.mjd for a, b in pairwise(sequence) if _state(a)[0] != _state(b)[0]]
    pause = _LONG_PAUSE * median(steps) if steps else math.inf
    cycles: list[_Cycle] = []
    last: Exposure | None = None
    for exposure in sequence:
        state = _state(exposure)
        if (
            last is None
            or state in cycles[-1].members
            or HWP_CYCLE.index(state[0]) < HWP_CYCLE.index(_state(last)[0])
            or (exposure.mjd - last.mjd > pause and _turn(exposure.pa, last.pa) > max_rotation)
        ):
            cycles.append(_Cycle(states, {}))
        cycles[-1].members[state] = exposure
        last = exposure
    return cycles


def _fill(cycles: Sequence[_Cycle], max_rotation: float) -> list[_Cycle]:
    """Complete what can be completed among the incomplete cycles."""
    partial = [c for c in cycles if not c.complete]
    free = {e.key: e for c in partial for e in c.members.values()}
    filled: list[_Cycle] = []
    for cycle in sorted(partial, key=lambda c: (-len(c.members), c.mjd, c.first.key)):
        if any(e.key not in free for e in cycle.members.values()):
            continue
        added = _closest_members(cycle, free.values(), max_rotation)
        if added is None:
            continue
        members = cycle.members | added
        borrowed = tuple(sorted(e.key for e in added.values()))
        filled.append(_Cycle(cycle.states, members, borrowed))
        for exposure in members.values():
            del free[exposure.key]
    return filled


def _closest_members(
    cycle: _Cycle, free: Iterable[Exposure], max_rotation: float
) -> dict[State, Exposure] | None:
    """Take the closest free exposure in time for each missing state, or None if one has none."""
    near = [e for e in free if _turn(e.pa, cycle.pa) <= max_rotation]
    added: dict[State, Exposure] = {}
    for state in cycle.states:
        if state in cycle.members:
            continue
        candidates = [e for e in near if _state(e) == state]
        if not candidates:
            return None
        added[state] = min(candidates, key=lambda e: (abs(e.mjd - cycle.mjd), e.mjd, e.key))
    return added


def _mean_angle(angles: Sequence[float]) -> float:
    """Mean of angles (deg) through any wrap."""
    x = sum(math.cos(math.radians(a)) for a in angles)
    y = sum(math.sin(math.radians(a)) for a in angles)
    return math.degrees(math.atan2(y, x))


def _turn(a: float, b: float) -> float:
    return float(abs((a - b + 180.0) % 360.0 - 180.0))


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
    size = len(set_states(method, cameras=cameras))
    start = f"no complete {method} set of {size} among {len(reasons)} exposures: "
    if not usable:
        why = sorted({r for r in reasons.values() if r})
        return start + ("; ".join(why) if why else "there are no exposures")
    parts = []
    for sequence in _sequences(usable, method):
        states = set_states(method, sequence[0].flc, cameras)
        present = {_state(e) for e in sequence}
        missing = [f"HWP {h:g} FLC {f} cam {c}" for h, f, c in states if (h, f, c) not in present]
        text = (
            "missing " + ", ".join(missing)
            if missing
            else (
                f"all states occur, but not within one cycle or {max_rotation:g} deg of rotation "
                "(raise [polarimetry] set_max_rotation)"
            )
        )
        parts.append(f"filter {sequence[0].filter}: {text}")
    hint = ""
    if method == "triplediff" and any("FLC state NA" in r for r in reasons.values()):
        hint = " (without FLC set [polarimetry] method = 'doublediff')"
    return start + "; ".join(parts) + hint
