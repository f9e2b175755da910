"""Cycles of the half-wave plate among the exposures of a night.

A half-wave plate (HWP) cycle runs through 0, 45, 22.5, 67.5 deg. At each position both cameras
expose in one or two states of the ferroelectric liquid crystal (FLC).

Only the standard library is imported: the task graph is made from these cycles.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import fmean, median

from vampires.errors import PolarimetryError
from vampires.night.grouping import MAX_PAUSE
from vampires.utils.angles import circular_mean, wrap

# (HWP, FLC, camera) of an exposure.
State = tuple[float, str, int]

HWP_CYCLE = (0.0, 45.0, 22.5, 67.5)
HWP_TOLERANCE = 1.0

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


def nominal_hwp(angle: float, tolerance: float = HWP_TOLERANCE) -> float | None:
    """Cycle position of a half-wave-plate angle, or None when there is none nearby.

    Angles are the same every 180 deg.

    Examples
    --------
    >>> nominal_hwp(22.499), nominal_hwp(179.98), nominal_hwp(30.0)
    (22.5, 0.0, None)
    """
    for position in HWP_CYCLE:
        if abs(wrap(angle - position, 180.0)) <= tolerance:
            return position
    return None


@dataclass(frozen=True)
class Cycle:
    """Exposures of one cycle by state.

    Parameters
    ----------
    states : tuple of State
        Those of a complete cycle, in order.
    members : dict
        Exposure of each state there is.
    borrowed : tuple of str
        Keys of members that come from another cycle.
    """

    states: tuple[State, ...]
    members: dict[State, Exposure]
    borrowed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every state is there."""
        return len(self.members) == len(self.states)

    @property
    def first(self) -> Exposure:
        """Its earliest exposure."""
        return min(self.members.values(), key=lambda e: (e.mjd, e.key))

    @property
    def mjd(self) -> float:
        """Mean time."""
        return fmean(e.mjd for e in self.members.values())

    @property
    def pa(self) -> float:
        """Mean parallactic angle, deg."""
        return circular_mean(e.pa for e in self.members.values())

    def visits(self) -> list[dict[State, Exposure]]:
        """Members that were exposed together: one HWP angle and FLC state, the cameras."""
        found: dict[tuple[float, str], dict[State, Exposure]] = {}
        for state in self.states:
            if state in self.members:
                found.setdefault(state[:2], {})[state] = self.members[state]
        return list(found.values())


def state_of(exposure: Exposure) -> State:
    """State of an exposure, with the nominal HWP angle.

    Raises
    ------
    PolarimetryError
        The HWP stood at no angle of the cycle.
    """
    hwp = nominal_hwp(exposure.hwp)
    if hwp is None:
        raise PolarimetryError(f"{exposure.key}: HWP angle {exposure.hwp} is not of the cycle")
    return hwp, exposure.flc, exposure.camera


def stack_repeats(
    sequence: Sequence[Exposure], max_rotation: float
) -> dict[str, tuple[Exposure, ...]]:
    """Join exposures of one state that follow each other while the HWP stands still.

    Several files at one HWP angle are one exposure in several parts. A pause longer than
    `vampires.night.grouping.MAX_PAUSE`, or a turn by more than ``max_rotation`` deg, begins a
    new one. Where one camera has more parts than the other, those without a simultaneous part of
    the other are left out: the seeing would look like polarisation.

    Parameters
    ----------
    sequence : sequence of Exposure
        Of one filter, in time.
    max_rotation : float
        Deg.

    Returns
    -------
    dict
        Parts, in time, by the key of the first.
    """
    stacks: list[list[Exposure]] = []
    current: dict[State, list[Exposure]] = {}
    hwp: float | None = None
    for exposure in sequence:
        state = state_of(exposure)
        if state[0] != hwp:
            current, hwp = {}, state[0]
        stack = current.get(state)
        if stack is None or not _follows(stack, exposure, max_rotation):
            stack = current[state] = []
            stacks.append(stack)
        stack.append(exposure)
    return {stack[0].key: tuple(stack) for stack in stacks}


def as_one(parts: Sequence[Exposure]) -> Exposure:
    """One exposure that stands for all its parts: mean time and parallactic angle."""
    if len(parts) == 1:
        return parts[0]
    mjd, pa = fmean(e.mjd for e in parts), circular_mean(e.pa for e in parts)
    return replace(parts[0], mjd=mjd, pa=pa)


def balanced(stacks: Sequence[tuple[Exposure, ...]]) -> list[tuple[Exposure, ...]]:
    """Keep of each HWP angle and FLC state as many parts of one camera as of the other.

    Parameters
    ----------
    stacks : sequence of tuple of Exposure
        Parts of each state of a set.

    Returns
    -------
    list of tuple of Exposure
        Parts that have one of the other camera close in time; all where there is one camera.
    """
    out = list(stacks)
    places: dict[tuple[float, str], list[int]] = {}
    for index, stack in enumerate(stacks):
        places.setdefault(state_of(stack[0])[:2], []).append(index)
    for indices in places.values():
        if len(indices) != 2:
            continue
        few, many = sorted(indices, key=lambda i: len(stacks[i]))
        free = list(stacks[many])
        kept = []
        for part in stacks[few]:
            kept.append(min(free, key=lambda e: (abs(e.mjd - part.mjd), e.key)))
            free.remove(kept[-1])
        out[many] = tuple(sorted(kept, key=lambda e: (e.mjd, e.key)))
    return out


def split_cycles(
    sequence: Sequence[Exposure], states: tuple[State, ...], max_rotation: float
) -> list[Cycle]:
    """Cut exposures in order of time into cycles.

    A cycle ends where a state comes again, where the HWP steps back, or at a long pause during
    which the field turned by more than ``max_rotation`` deg.

    Parameters
    ----------
    sequence : sequence of Exposure
        Of one filter, in time.
    states : tuple of State
        Those of a complete cycle.
    max_rotation : float
        Deg.
    """
    steps = [b.mjd - a.mjd for a, b in pairwise(sequence) if state_of(a)[0] != state_of(b)[0]]
    pause = _LONG_PAUSE * median(steps) if steps else math.inf
    cycles: list[Cycle] = []
    last: Exposure | None = None
    for exposure in sequence:
        state = state_of(exposure)
        if (
            last is None
            or state in cycles[-1].members
            or HWP_CYCLE.index(state[0]) < HWP_CYCLE.index(state_of(last)[0])
            or (exposure.mjd - last.mjd > pause and _turn(exposure.pa, last.pa) > max_rotation)
        ):
            cycles.append(Cycle(states, {}))
        cycles[-1].members[state] = exposure
        last = exposure
    return cycles


def fill_cycles(cycles: Iterable[Cycle], max_rotation: float) -> list[Cycle]:
    """Complete what can be completed among the incomplete cycles.

    The fullest cycles come first. A gap is filled from the closest exposure in time that is not
    used, within ``max_rotation`` deg of parallactic angle. Only cameras that exposed together
    tell polarisation from seeing, so where one camera is missing, both are taken from the other
    cycle if it has them.

    Parameters
    ----------
    cycles : iterable of Cycle
    max_rotation : float
        Deg.

    Returns
    -------
    list of Cycle
        The completed ones.
    """
    incomplete = [c for c in cycles if not c.complete]
    free = _Free([visit for c in incomplete for visit in c.visits()])
    used: set[str] = set()
    filled: list[Cycle] = []
    for cycle in sorted(incomplete, key=lambda c: (-len(c.members), c.mjd, c.first.key)):
        if any(e.key in used for e in cycle.members.values()):
            continue
        fits = partial(_fits, used=used, pa=cycle.pa, max_rotation=max_rotation)
        completed = _completed(cycle, partial(free.closest, cycle.mjd, fits))
        if completed is not None:
            filled.append(completed)
            used |= {e.key for e in completed.members.values()}
    return filled


def join_cycles(cycles: Sequence[Cycle]) -> tuple[list[list[Exposure]], list[Exposure]]:
    """Join consecutive cycles so that each group tells I, Q, U and the throughputs apart.

    That takes three HWP positions seen by both cameras at once (the throughput of the cameras,
    Q and U are unknown in each FLC state). A cycle that has them begins a group of its own;
    one that has not joins the group before it, or the one after it at the start of the night.
    An exposure whose other camera is missing is left out: the seeing would look like
    polarisation.

    Parameters
    ----------
    cycles : sequence of Cycle
        In time.

    Returns
    -------
    groups : list of list of Exposure
    alone : list of Exposure
        Those without the other camera.
    """
    groups: list[list[Exposure]] = []
    alone: list[Exposure] = []
    for cycle in cycles:
        visits = cycle.visits()
        alone += [e for visit in visits if len(visit) == 1 for e in visit.values()]
        members = [e for visit in visits if len(visit) == 2 for e in visit.values()]
        if groups and not (is_solvable(members) and is_solvable(groups[-1])):
            groups[-1] += members
        elif members:
            groups.append(members)
    return groups, alone


def is_solvable(exposures: Iterable[Exposure]) -> bool:
    """Whether exposures of both cameras tell I, Q, U and the throughputs apart."""
    return len({nominal_hwp(e.hwp) for e in exposures}) >= 3


def _fits(exposure: Exposure, *, used: set[str], pa: float, max_rotation: float) -> bool:
    """Whether an exposure is not used and the field has not turned too far since."""
    return exposure.key not in used and _turn(exposure.pa, pa) <= max_rotation


class _Free:
    """Visits that gaps may be filled from, in order of time for each state."""

    def __init__(self, visits: Iterable[dict[State, Exposure]]) -> None:
        self._visits: dict[State, list[dict[State, Exposure]]] = {}
        for visit in visits:
            for state in visit:
                self._visits.setdefault(state, []).append(visit)
        for state, those in self._visits.items():
            those.sort(key=lambda visit: visit[state].mjd)
        self._times = {s: [v[s].mjd for v in those] for s, those in self._visits.items()}

    def closest(
        self, mjd: float, fits: Callable[[Exposure], bool], states: Sequence[State]
    ) -> dict[State, Exposure] | None:
        """Take the visit closest in time that has all of some states, each of which fits."""
        visits, times = self._visits.get(states[0], []), self._times.get(states[0], [])
        after = bisect_left(times, mjd)
        before = after - 1
        while before >= 0 or after < len(visits):
            earlier = after == len(visits) or (
                before >= 0 and mjd - times[before] <= times[after] - mjd
            )
            visit = visits[before if earlier else after]
            if all(state in visit and fits(visit[state]) for state in states):
                return {state: visit[state] for state in states}
            before, after = (before - 1, after) if earlier else (before, after + 1)
        return None


Closest = Callable[[Sequence[State]], dict[State, Exposure] | None]
"""Visit that has all of some states, to fill a gap with."""


def _completed(cycle: Cycle, closest: Closest) -> Cycle | None:
    """The cycle with its gaps filled from exposures nearby, or None if that cannot be."""
    members = dict(cycle.members)
    for place in dict.fromkeys(state[:2] for state in cycle.states):
        wanted = [s for s in cycle.states if s[:2] == place]
        missing = [s for s in wanted if s not in cycle.members]
        if not missing:
            continue
        choice = closest(wanted) or closest(missing)
        if choice is None:
            return None
        members |= choice
    own = {e.key for e in cycle.members.values()}
    borrowed = tuple(sorted(e.key for e in members.values() if e.key not in own))
    return Cycle(cycle.states, members, borrowed)


def _follows(stack: Sequence[Exposure], exposure: Exposure, max_rotation: float) -> bool:
    pause = (exposure.mjd - stack[-1].mjd) * 86400
    return pause <= MAX_PAUSE and _turn(exposure.pa, stack[0].pa) <= max_rotation


def _turn(a: float, b: float) -> float:
    return abs(wrap(a - b))
