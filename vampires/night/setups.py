"""Setups: a night split into what was observed alike, each reduced as if it were alone.

A setup is one star (by name *and* position) seen one way: filter, observing mode, generation,
masks, size of the frame, gain or read mode, and exposure time. Both cameras belong to it.
Nothing of one setup is ever combined with anything of another.

Only the standard library is imported: the task graph is made from the setups.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vampires.io.paths import safe_name
from vampires.night.choice import star_name
from vampires.night.grouping import science_records
from vampires.night.matching import same_exptime
from vampires.night.pairing import CONTINUUM
from vampires.night.record import Record

SAME_PLACE = 60.0
"""Arcseconds between two pointings, one after the other, at one star: offsets and the motion of
planets stay below, two stars that an observer calls by one name do not."""

OTHER_STAR = 600.0
"""Arcseconds from the coordinates of ``[target]`` beyond which a star is another one, where the
night has several."""


class View(NamedTuple):
    """How a file sees its star, apart from what may differ between the cameras."""

    target: str
    filter: str
    mode: str
    generation: str
    mask: str


class Readout(NamedTuple):
    """How the detector of one camera was read."""

    size: str
    gain: str
    exptime: str


@dataclass(frozen=True)
class Setup:
    """What was observed alike.

    Parameters
    ----------
    label : str
        Short name that tells it from the other setups of the night; empty when it is the only
        one.
    view : View
        Star, filter, mode, generation, masks.
    readouts : tuple of Readout
        Of camera 1 and camera 2; one if they are alike, or only one camera has files.
    records : tuple of Record
        Science files, in order of time.
    """

    label: str
    view: View
    readouts: tuple[Readout, ...]
    records: tuple[Record, ...]

    @property
    def cameras(self) -> tuple[int, ...]:
        """Cameras that have files."""
        return tuple(sorted({record["camera"] or 0 for record in self.records}))

    @property
    def position(self) -> tuple[float, float] | None:
        """Right ascension and declination of the first file that has them, deg."""
        return next(filter(None, map(place_of, self.records)), None)

    @property
    def facets(self) -> tuple[str, ...]:
        """What tells setups apart, as text, in the order of names."""
        readout = (_both(self.readouts, index) for index in range(3))
        return (*self.view, *readout)

    def __str__(self) -> str:
        facts = " ".join(text for text in self.facets if text)
        cameras = " and ".join(map(str, self.cameras))
        count = len(self.records)
        several = "s"[: len(self.cameras) != 1]
        return f"{facts}: {count} file{'s'[: count != 1]}, camera{several} {cameras}"


def find_setups(records: Iterable[Record]) -> tuple[Setup, ...]:
    """Split the science files of a night into setups.

    Parameters
    ----------
    records : iterable of Record
        The header index; files that are not usable science are passed over.

    Returns
    -------
    tuple of Setup
        In order of their first file. Every usable science file is in one of them.

    Notes
    -----
    Two files show the same star if their objects have the same name, but for case, blanks and
    punctuation, and pointings in a row differ by less than `SAME_PLACE`. A line filter and its
    continuum are one filter, as the cameras exchange them. Where the cameras were read in
    different ways (multiband crops differ in size), those ways belong together that were
    exposed at the same time.

    Examples
    --------
    >>> find_setups([])
    ()
    """
    science = science_records(records)
    targets = _targets(science)
    views: dict[View, list[Record]] = defaultdict(list)
    for record in science:
        views[_view(record, targets[record["path"]])].append(record)
    found = [
        Setup("", view, readouts, tuple(members))
        for view, own in views.items()
        for readouts, members in _by_readout(own)
    ]
    found.sort(key=lambda setup: (setup.records[0]["mjd"] or 0.0, setup.records[0]["name"]))
    labels = _labels([setup.facets for setup in found])
    return tuple(
        Setup(label, setup.view, setup.readouts, setup.records)
        for label, setup in zip(labels, found, strict=True)
    )


def place_of(record: Record) -> tuple[float, float] | None:
    """Right ascension and declination of a file, deg, if its header has them."""
    ra, dec = record["ra"], record["dec"]
    return None if ra is None or dec is None else (ra, dec)


def separation(one: tuple[float, float], two: tuple[float, float]) -> float:
    """Distance of two places on the sky, arcsec.

    Examples
    --------
    >>> round(separation((359.9, 60.0), (0.1, 60.0)), 1)
    360.0
    """
    (ra1, dec1), (ra2, dec2) = (tuple(map(math.radians, place)) for place in (one, two))
    # The haversine keeps its precision where places are close.
    h = math.sin((dec2 - dec1) / 2) ** 2
    h += math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(min(h, 1.0)))) * 3600


def _targets(science: Sequence[Record]) -> dict[str, str]:
    """Name of each file's star by its path; with the place where one name has several."""
    stars: dict[str, list[list[Record]]] = defaultdict(list)
    for record in science:
        own = stars[star_name(record["object"])]
        star = next((one for one in own if _same_place(one[-1], record)), None)
        if star is None:
            own.append([record])
        else:
            star.append(record)
    named = {}
    for own in stars.values():
        for star in own:
            name = safe_name(star[0]["object"] or "unnamed")
            place = place_of(star[0])
            if len(own) > 1 and place is not None:
                name = f"{name}_{_coordinates(place)}"
            named.update({record["path"]: name for record in star})
    return named


def _same_place(one: Record, two: Record) -> bool:
    first, second = place_of(one), place_of(two)
    return first is None or second is None or separation(first, second) < SAME_PLACE


def _coordinates(place: tuple[float, float]) -> str:
    """Short designation by position, as ``J0455+3033``."""
    minutes, arcmin = int(place[0] * 4) % 1440, int(abs(place[1]) * 60)
    sign = "-" if place[1] < 0 else "+"
    return f"J{minutes // 60:02d}{minutes % 60:02d}{sign}{arcmin // 60:02d}{arcmin % 60:02d}"


def _view(record: Record, target: str) -> View:
    name = record["filter"] or "unknown"
    stops = [record["fieldstop"] or "", record["mask"] or ""]
    mode = (record["obsmod"] or "").strip().upper()
    return View(
        target, CONTINUUM.get(name, name), mode, record["generation"] or "",
        "_".join(stop for stop in stops if stop),
    )  # fmt: skip


def _by_readout(records: Sequence[Record]) -> Iterator[tuple[tuple[Readout, ...], list[Record]]]:
    """Split files of one view by how they were read, keeping the cameras together."""
    exposures = _exposure_classes(records)
    ways: dict[int, dict[Readout, list[Record]]] = {1: defaultdict(list), 2: defaultdict(list)}
    for record in records:
        ways[record["camera"] or 1][_readout(record, exposures)].append(record)
    one, two = ways[1], ways[2]
    alike = [way for way in one if way in two]
    for way in alike:
        yield (way,), _in_time([*one.pop(way), *two.pop(way)])
    for first, second in _simultaneous(one, two):
        yield (first, second), _in_time([*one.pop(first), *two.pop(second)])
    for rest in (one, two):
        for way, members in rest.items():
            yield (way,), members


def _readout(record: Record, exposures: Mapping[float, float]) -> Readout:
    seconds = exposures[record["exptime"] or 0.0]
    gain = [record["readmode"] or ""]
    if record["detgain"] is not None:
        gain.append(f"g{record['detgain']:g}")
    return Readout(
        f"{record['nx']}x{record['ny']}", "_".join(part for part in gain if part),
        f"{seconds:.4g}s",
    )  # fmt: skip


def _exposure_classes(records: Iterable[Record]) -> dict[float, float]:
    """Exposure time that stands for each: the shortest of those that are one setting."""
    classes: dict[float, float] = {}
    current = -math.inf
    for seconds in sorted({record["exptime"] or 0.0 for record in records}):
        if not same_exptime(current if math.isfinite(current) else None, seconds):
            current = seconds
        classes[seconds] = current
    return classes


def _simultaneous(
    one: Mapping[Readout, Sequence[Record]], two: Mapping[Readout, Sequence[Record]]
) -> list[tuple[Readout, Readout]]:
    """Pair the ways in which the two cameras were read, by the time exposed together."""
    common = sorted(
        ((-_overlap(a, b), first, second) for first, a in one.items() for second, b in two.items()),
    )
    pairs: list[tuple[Readout, Readout]] = []
    for days, first, second in common:
        if days < 0 and all(first != f and second != s for f, s in pairs):
            pairs.append((first, second))
    return pairs


def _overlap(ones: Sequence[Record], twos: Sequence[Record]) -> float:
    """Days during which files of both cameras were exposed; files are in order of time."""
    spans = [(record["mjd_start"], record["mjd_end"]) for record in twos]
    known = [(start, end) for start, end in spans if start is not None and end is not None]
    total, first = 0.0, 0
    for record in ones:
        start, end = record["mjd_start"], record["mjd_end"]
        if start is None or end is None:
            continue
        while first < len(known) and known[first][1] <= start:
            first += 1
        for other in known[first:]:
            if other[0] >= end:
                break
            total += max(min(end, other[1]) - max(start, other[0]), 0.0)
    return total


def _in_time(records: Iterable[Record]) -> list[Record]:
    return science_records(records)


def _both(readouts: Sequence[Readout], index: int) -> str:
    texts = [readout[index] for readout in readouts]
    return "+".join(dict.fromkeys(text for text in texts if text))


def _labels(facets: Sequence[tuple[str, ...]]) -> list[str]:
    """Name each setup by what tells it from all the others; nothing if there is one.

    Facets are added in their order as long as they tell it from another, so that most names
    stay as they are when the night brings a new setup.
    """
    labels = []
    for own in facets:
        others, parts = [other for other in facets if other is not own], []
        for index, value in enumerate(own):
            alike = [other for other in others if other[index] == value]
            if len(alike) < len(others):
                parts.append(value)
            others = alike
        labels.append(safe_name("_".join(filter(None, parts))) if parts else "")
    counts, seen = Counter(labels), Counter[str]()
    for index, label in enumerate(labels):
        if counts[label] > 1:
            seen[label] += 1
            labels[index] = f"{label}-{seen[label]}"
    return labels
