"""The Subaru telescope: where it is, and its pupil as SCExAO masks it."""

from __future__ import annotations

from dataclasses import dataclass

from vampires.instrument.tables import load_table, value

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Site:
    """Place of the telescope: degrees eastward and northward, metres above the ellipsoid."""

    longitude: float
    latitude: float
    height: float


@dataclass(frozen=True, slots=True)
class Spider:
    """A straight bar across the pupil, in metres, from a point outwards.

    Attributes
    ----------
    start : tuple of float
        Where it begins (x, y).
    angle : float
        Direction in which it runs to the edge, deg counter-clockwise from the x axis.
    width : float
    """

    start: Point
    angle: float
    width: float


@dataclass(frozen=True, slots=True)
class Disc:
    """An opaque disc in the pupil, metres."""

    center: Point
    diameter: float


@dataclass(frozen=True, slots=True)
class Pupil:
    """What light passes, in metres, not yet turned by the pupil offset.

    Attributes
    ----------
    diameter, obstruction : float
        Outer diameter and diameter of the central obstruction.
    area : float
        Collecting area, m^2.
    spiders : tuple of Spider
        The four spiders of the secondary and the thin arm of the actuator masks.
    discs : tuple of Disc
        Masks of the dead actuators.
    """

    diameter: float
    obstruction: float
    area: float
    spiders: tuple[Spider, ...]
    discs: tuple[Disc, ...]


def _site() -> Site:
    table = load_table("telescope")["site"]
    return Site(*(float(value(table[key])) for key in ("longitude", "latitude", "height")))


def _pupil() -> Pupil:
    table = load_table("telescope")["pupil"]
    legs, arm, masks = table["spiders"], table["actuator_spider"], table["actuators"]
    offset, angle, width = legs["offset"], legs["angle"], legs["width"]
    directions = ((offset, angle), (-offset, 180 - angle), (-offset, 180 + angle), (offset, -angle))
    return Pupil(
        diameter=value(table["diameter"]),
        obstruction=value(table["obstruction"]),
        area=value(table["area"]),
        spiders=(
            *(Spider((x, 0.0), direction, width) for x, direction in directions),
            Spider((arm["start"][0], arm["start"][1]), 180 + angle, arm["width"]),
        ),
        discs=tuple(Disc((x, y), masks["diameter"]) for x, y in masks["centers"]),
    )


SUBARU: Site = _site()
PUPIL: Pupil = _pupil()
