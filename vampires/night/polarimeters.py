"""From exposure groups to the Stokes sets of a night, polarimeter by polarimeter.

A polarimeter is what meets in one difference: both cameras in one filter, or, with a narrowband
filter of its own on each camera (``OBS-MOD`` with SDI), each camera alone.

Only the standard library is imported: the task graph is made from these sets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from vampires.errors import PolarimetryError
from vampires.night.cycles import Exposure
from vampires.night.grouping import Group
from vampires.night.sets import Fate, StokesSet, find_sets

Polarimeter = tuple[str, tuple[int, ...]]
"""Filter and cameras."""


@dataclass(frozen=True)
class NightSets:
    """The Stokes sets of a night.

    Parameters
    ----------
    sets : tuple of StokesSet
        Of all polarimeters, numbered in time.
    fates : tuple of Fate
        What became of each exposure, in time.
    problem : str
        Why there is no set; empty where there is one.
    """

    sets: tuple[StokesSet, ...]
    fates: tuple[Fate, ...]
    problem: str = ""

    def by_filter(self) -> dict[str | None, list[StokesSet]]:
        """Sets of each product: by filter, or all under None where there is one filter only."""
        filters = sorted({item.filter for item in self.sets})
        if len(filters) <= 1:
            return {None: list(self.sets)} if filters else {}
        return {name: [s for s in self.sets if s.filter == name] for name in filters}


def exposure_of(group: Group) -> Exposure:
    """What set finding needs to know of a group."""
    return Exposure(
        group.key, group.camera, group.flc, group.hwp, group.mjd, group.filter, group.pa or 0.0,
        group.first["sync"],
    )  # fmt: skip


def polarimeters(groups: Iterable[Group]) -> dict[Polarimeter, list[Exposure]]:
    """Exposures of each polarimeter, in order of filter and camera.

    Parameters
    ----------
    groups : iterable of Group
        Science exposure groups, in any order.

    Returns
    -------
    dict
        By filter and cameras; see the module.
    """
    found: dict[Polarimeter, list[Exposure]] = {}
    for group in groups:
        alone = "SDI" in str(group.first["obsmod"])
        cameras = (group.camera,) if alone else (1, 2)
        found.setdefault((group.filter, cameras), []).append(exposure_of(group))
    return {key: found[key] for key in sorted(found)}


def sets_of_groups(groups: Iterable[Group], method: str, *, max_rotation: float = 4.0) -> NightSets:
    """Find the Stokes sets of a night.

    Parameters
    ----------
    groups : iterable of Group
        Science exposure groups.
    method : str
        'triplediff', 'doublediff' or 'leastsq'.
    max_rotation : float
        Largest change of parallactic angle when a gap is filled, deg.

    Returns
    -------
    NightSets
        A polarimeter without a complete set leaves the others as they are; its exposures'
        fates say so.
    """
    found: list[StokesSet] = []
    fates: list[Fate] = []
    problems: list[str] = []
    for (_, cameras), exposures in polarimeters(groups).items():
        try:
            own, own_fates = find_sets(
                exposures, method, max_rotation=max_rotation, cameras=cameras
            )
        except PolarimetryError as error:
            problems.append(str(error))
            own, own_fates = (), tuple(Fate(e, None, "no complete set") for e in exposures)
        found += own
        fates += own_fates
    sets = _numbered(found, fates)
    return sets if found else replace(sets, problem="; ".join(problems) or "no science exposures")


def _numbered(found: list[StokesSet], fates: list[Fate]) -> NightSets:
    """Number the sets of all polarimeters in time."""
    found = sorted(found, key=lambda item: (item.mjd, item.keys))
    sets = tuple(replace(item, number=number) for number, item in enumerate(found))
    home = {key: item.number for item in sets for key in item.keys}
    numbered = [
        fate if fate.set is None else replace(fate, set=home[fate.exposure.key]) for fate in fates
    ]
    return NightSets(sets, tuple(sorted(numbered, key=lambda f: (f.exposure.mjd, f.exposure.key))))
