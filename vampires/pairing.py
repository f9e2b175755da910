"""Pair exposures: the two cameras at the same time, then two states close in time.

Plain functions of exposure groups; only the standard library is imported, since tasks are made
of the pairs at every start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vampires.grouping import Group

_T = TypeVar("_T")

CLOCK_TOLERANCE = 1.0 / 86400
"""Days an exposure without start and end is taken to last about its middle."""

MAX_SEPARATION = 600.0
"""Seconds between the middles of two states that make a double difference: quasi-static
speckles change on that scale."""

MAX_ROTATION = 4.0
"""Degrees of parallactic angle between them: differences are made before derotation."""

CONTINUUM = {"Halpha": "Ha-Cont", "SII": "SII-Cont"}
"""Continuum filter of each line filter."""


@dataclass(frozen=True)
class Pair:
    """One exposure of camera 1 and the simultaneous one of camera 2."""

    one: Group
    two: Group

    @property
    def key(self) -> str:
        """Name of the pair: that of its camera-1 exposure."""
        return self.one.key

    @property
    def filters(self) -> tuple[str, str]:
        """Filters of cameras 1 and 2."""
        return self.one.filter, self.two.filter

    @property
    def swapped(self) -> bool:
        """Whether camera 2 has the line filter and camera 1 its continuum."""
        return CONTINUUM.get(self.two.filter) == self.one.filter

    @property
    def line_and_continuum(self) -> bool:
        """Whether one camera has a line filter and the other its continuum."""
        return self.swapped or CONTINUUM.get(self.one.filter) == self.two.filter

    @property
    def mjd(self) -> float:
        """Mid-exposure time, mean of the two cameras (MJD, UTC)."""
        return (self.one.mjd + self.two.mjd) / 2

    def __repr__(self) -> str:
        return f"<Pair {self.one.key} + {self.two.key}>"


def pair_cameras(groups: Iterable[Group]) -> list[Pair]:
    """Pair the exposures of cameras 1 and 2 that were made at the same time.

    Two exposures belong together if they overlap in time, FLC state and HWP angle being the
    same, and both see the same filter, or a line and its continuum. The longest overlap is
    taken first, and each exposure once.

    Parameters
    ----------
    groups : iterable of Group
        Exposures of both cameras, in any order.

    Returns
    -------
    list of Pair
        In order of time.
    """
    states: dict[Hashable, tuple[list[Group], list[Group]]] = defaultdict(lambda: ([], []))
    for group in sorted(groups, key=_span):
        if group.camera in {1, 2}:
            states[_state(group)][group.camera - 1].append(group)
    pairs = [pair for ones, twos in states.values() for pair in _longest_overlaps(ones, twos)]
    return sorted(pairs, key=lambda pair: (pair.mjd, pair.key))


def pair_states(pairs: Iterable[Pair]) -> list[tuple[Pair, Pair]]:
    """Pair simultaneous pairs in two states for a double difference.

    The states are, whichever the exposures have: line and continuum filters before and after
    their swap; FLC A and B at one HWP angle; else HWP 0 and 45 deg, or 22.5 and 67.5 deg. A
    second state is looked for within `MAX_SEPARATION` and `MAX_ROTATION`; closest in time comes
    first, and each pair is used once.

    Parameters
    ----------
    pairs : iterable of Pair
        From `pair_cameras`.

    Returns
    -------
    list of (Pair, Pair)
        First and second state, in order of time.
    """
    settings: dict[Hashable, tuple[list[Pair], list[Pair]]] = defaultdict(lambda: ([], []))
    for pair in sorted(pairs, key=lambda p: (p.mjd, p.key)):
        setting, which = _switch(pair)
        if which is not None:
            settings[setting][which].append(pair)
    doubles = [
        double for firsts, seconds in settings.values() for double in _closest(firsts, seconds)
    ]
    return sorted(doubles, key=lambda double: (double[0].mjd, double[0].key))


def _span(group: Group) -> tuple[float, float]:
    start, end = group.mjd_start, group.mjd_end
    if start is None or end is None:
        return group.mjd - CLOCK_TOLERANCE / 2, group.mjd + CLOCK_TOLERANCE / 2
    return start, end


def _state(group: Group) -> Hashable:
    """Tell what two simultaneous exposures must share; a line counts as its continuum."""
    return _flc(group), _hwp_step(group), CONTINUUM.get(group.filter, group.filter)


def _hwp_step(group: Group) -> int:
    """Count quarters of 22.5 deg, so that nominal angles are far from any rounding."""
    return round(group.hwp / 5.625) % 32


def _flc(group: Group) -> str:
    return group.flc if group.flc in {"A", "B"} else "NA"


def _longest_overlaps(ones: Sequence[Group], twos: Sequence[Group]) -> list[Pair]:
    """Match two lists that are sorted by start."""
    candidates: list[tuple[float, float, str, str, Pair]] = []
    first = 0
    longest = max((end - start for start, end in map(_span, twos)), default=0.0)
    for one in ones:
        start, end = _span(one)
        while first < len(twos) and _span(twos[first])[0] + longest <= start:
            first += 1
        for two in twos[first:]:
            if _span(two)[0] >= end:
                break
            overlap = min(end, _span(two)[1]) - max(start, _span(two)[0])
            pair = Pair(one, two)
            if overlap > 0 and (one.filter == two.filter or pair.line_and_continuum):
                candidates.append((-overlap, pair.mjd, one.key, two.key, pair))
    return _each_once((c[-1] for c in sorted(candidates, key=lambda c: c[:-1])), _cameras)


def _switch(pair: Pair) -> tuple[Hashable, int | None]:
    """Give the setting within which a pair has a partner, and which of the two states it is."""
    step = _hwp_step(pair.one)
    if pair.line_and_continuum:
        return (_state(pair.one), "filters"), int(pair.swapped)
    if _flc(pair.one) != "NA":
        return (pair.one.filter, step, "FLC"), int(_flc(pair.one) == "B")
    return (pair.one.filter, step % 8, "HWP"), {0: 0, 4: 0, 8: 1, 12: 1}.get(step % 16)


def _closest(firsts: Sequence[Pair], seconds: Sequence[Pair]) -> list[tuple[Pair, Pair]]:
    reach = MAX_SEPARATION / 86400
    candidates = []
    start = 0
    for one in firsts:
        while start < len(seconds) and seconds[start].mjd < one.mjd - reach:
            start += 1
        for two in seconds[start:]:
            if two.mjd > one.mjd + reach:
                break
            if _rotation(one, two) <= MAX_ROTATION:
                candidates.append((abs(two.mjd - one.mjd), one.mjd, one.key, two.key, (one, two)))
    ordered = (c[-1] for c in sorted(candidates, key=lambda c: c[:-1]))
    return _each_once(ordered, lambda double: (double[0].key, double[1].key))


def _rotation(one: Pair, two: Pair) -> float:
    if one.one.pa is None or two.one.pa is None:
        return 0.0
    return abs((one.one.pa - two.one.pa + 180) % 360 - 180)


def _cameras(pair: Pair) -> tuple[str, str]:
    return pair.one.key, pair.two.key


def _each_once(ordered: Iterable[_T], members: Callable[[_T], tuple[str, ...]]) -> list[_T]:
    """Keep what has no member in common with anything earlier."""
    used: set[str] = set()
    kept = []
    for item in ordered:
        if used.isdisjoint(members(item)):
            used.update(members(item))
            kept.append(item)
    return kept
