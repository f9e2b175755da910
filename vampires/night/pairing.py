"""Pair exposures: the two cameras at the same time, then two states close in time.

Plain functions of exposure groups; only the standard library is imported, since tasks are made
of the pairs at every start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vampires.instrument.flc import DUBIOUS, SWITCHED
from vampires.night.grouping import Group
from vampires.utils.angles import wrap

_T = TypeVar("_T")

CLOCK_TOLERANCE = 1.0 / 86400
"""Days an exposure without start and end is taken to last about its middle."""

MAX_SEPARATION = 600.0
"""Seconds between the middles of two states that make a double difference: quasi-static
speckles change on that scale."""

MAX_ROTATION = 4.0
"""Degrees of parallactic angle between them: differences are made before derotation."""

HWP_TOLERANCE = 1.0
"""Degrees between the HWP angles that the two cameras' headers give of one position."""

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


@dataclass(frozen=True)
class Span:
    """When and in which state one camera exposed.

    Parameters
    ----------
    camera : int
    flc : str
    hwp : float
        Deg.
    filter : str
    middle : float
        MJD.
    start, end : float or None
        MJD, where the header has them.
    """

    camera: int
    flc: str
    hwp: float
    filter: str
    middle: float
    start: float | None
    end: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """Start and end (MJD)."""
        if self.start is None or self.end is None:
            return self.middle - CLOCK_TOLERANCE / 2, self.middle + CLOCK_TOLERANCE / 2
        return self.start, self.end

    def overlap(self, other: Span) -> float:
        """Days that both exposed; negative: between the two."""
        return min(self.ends[1], other.ends[1]) - max(self.ends[0], other.ends[0])

    def matches(self, other: Span) -> bool:
        """Whether the light came the same way: FLC state, HWP angle, and filter or continuum."""
        return (
            self.flc == other.flc
            and abs(wrap(self.hwp - other.hwp, 180.0)) < HWP_TOLERANCE
            and _continuum(self.filter) == _continuum(other.filter)
        )


def pair_spans(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Pair the exposures of cameras 1 and 2 that were made at the same time.

    Two exposures belong together if they overlap in time, FLC state and HWP angle being the
    same, and both see the same filter, or a line and its continuum. The longest overlap is
    taken first, and each exposure once.

    Parameters
    ----------
    spans : sequence of Span
        Exposures of both cameras; of equal overlaps the earlier counts, then the first given.

    Returns
    -------
    list of (int, int)
        Indices of the camera-1 and the camera-2 exposure, in order of time.
    """
    order = sorted(range(len(spans)), key=lambda i: spans[i].ends)
    ones, twos = ([i for i in order if spans[i].camera == camera] for camera in (1, 2))
    overlaps = sorted(
        (-overlap, spans[i].middle + spans[j].middle, i, j)
        for overlap, i, j in _overlaps(spans, ones, twos)
    )
    pairs = _each_once(((i, j) for *_, i, j in overlaps), lambda pair: pair)
    return sorted(pairs, key=lambda pair: (spans[pair[0]].middle, pair))


def pair_cameras(groups: Iterable[Group]) -> list[Pair]:
    """Pair the exposure groups of cameras 1 and 2 that were made at the same time.

    Parameters
    ----------
    groups : iterable of Group
        Exposures of both cameras, in any order.

    Returns
    -------
    list of Pair
        In order of time; see `pair_spans`.
    """
    ordered = sorted(groups, key=lambda group: group.key)
    spans = [Span(g.camera, g.flc, g.hwp, g.filter, g.mjd, g.mjd_start, g.mjd_end) for g in ordered]
    pairs = [Pair(ordered[i], ordered[j]) for i, j in pair_spans(spans)]
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


def _continuum(name: str) -> str:
    """Continuum filter of a line filter; any other filter as it is."""
    return CONTINUUM.get(name, name)


def _hwp_step(group: Group) -> int:
    """Count quarters of 22.5 deg, so that nominal angles are far from any rounding."""
    return round(group.hwp / 5.625) % 32


def _overlaps(
    spans: Sequence[Span], ones: Sequence[int], twos: Sequence[int]
) -> Iterator[tuple[float, int, int]]:
    """Matching exposures that overlap: days and indices; both lists are in order of start."""
    longest = max((end - start for start, end in (spans[j].ends for j in twos)), default=0.0)
    first = 0
    for i in ones:
        start, end = spans[i].ends
        while first < len(twos) and spans[twos[first]].ends[0] + longest <= start:
            first += 1
        for j in twos[first:]:
            if spans[j].ends[0] >= end:
                break
            overlap = spans[i].overlap(spans[j])
            if overlap > 0 and spans[i].matches(spans[j]):
                yield overlap, i, j


def _switch(pair: Pair) -> tuple[Hashable, int | None]:
    """Give the setting within which a pair has a partner, and which of the two states it is."""
    flc, step = pair.one.flc, _hwp_step(pair.one)
    if pair.line_and_continuum:
        return (flc, step, _continuum(pair.one.filter), "filters"), int(pair.swapped)
    if flc == DUBIOUS:
        return (), None
    if flc in SWITCHED:
        return (pair.one.filter, step, "FLC"), int(flc == "B")
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
    return abs(wrap(one.one.pa - two.one.pa))


def _each_once(ordered: Iterable[_T], members: Callable[[_T], tuple[Hashable, ...]]) -> list[_T]:
    """Keep what has no member in common with anything earlier."""
    used: set[Hashable] = set()
    kept = []
    for item in ordered:
        if used.isdisjoint(members(item)):
            used.update(members(item))
            kept.append(item)
    return kept
