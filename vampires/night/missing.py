"""What a night still lacks: darks, flats, positions of the half-wave plate.

Asked while there is time to take them. Only the standard library is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vampires.errors import PolarimetryError
from vampires.night.cycles import Cycle, Exposure, nominal_hwp, split_cycles
from vampires.night.grouping import Group, group_cubes
from vampires.night.matching import Match, match_background, match_flat
from vampires.night.polarimeters import polarimeters
from vampires.night.record import Record
from vampires.night.sets import Fate, find_sets, set_states
from vampires.night.setups import Setup


@dataclass(frozen=True)
class Need:
    """Something to take before the night ends.

    Parameters
    ----------
    kind : str
        ``dark``, ``flat`` or ``HWP``.
    what : str
        The setting, or the positions.
    why : str
        What there is instead.
    files : int
        Files that would gain by it.
    """

    kind: str
    what: str
    why: str
    files: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} ({self.why}; for {self.files} files)"


def needs(
    setups: Iterable[Setup],
    calibrations: Iterable[Record],
    *,
    flats: bool = True,
    method: str | None = None,
    grouping: str = "cube",
    max_rotation: float = 4.0,
) -> list[Need]:
    """List what is missing, or there but for another setting.

    Parameters
    ----------
    setups : iterable of Setup
        Science files, split into setups.
    calibrations : iterable of Record
        Darks, skies, flats, and masters made earlier.
    flats : bool
        Whether flats are wanted.
    method : str, optional
        Of the polarimetry; None without.
    grouping : str
        What is one exposure, ``cube`` or ``pdi``.
    max_rotation : float
        As in `vampires.night.sets.find_sets`.

    Returns
    -------
    list of Need
        Darks, then flats, then positions of the wave plate.
    """
    setups, calibrations = list(setups), list(calibrations)
    science = [record for setup in setups for record in setup.records]
    lamps = [r for r in calibrations if r["kind"] == "flat" and r["format"] != "master"]
    found = _unmatched("dark", [*science, *(lamps if flats else [])], calibrations)
    if flats:
        found += _unmatched("flat", science, calibrations)
    if method is not None:
        for setup in setups:
            groups = group_cubes(setup.records, grouping)
            found += _positions(groups, setup.label, method, max_rotation)
    return found


def _unmatched(kind: str, files: Sequence[Record], calibrations: Sequence[Record]) -> list[Need]:
    """Settings for which there is no calibration, or none that fits."""
    search = match_background if kind == "dark" else match_flat
    wanted: dict[tuple[str, str], int] = {}
    for record in files:
        match = search(record, calibrations)
        if match.record is None or match.relaxed:
            key = (_setting(record, kind), _instead(match))
            wanted[key] = wanted.get(key, 0) + 1
    return [Need(kind, what, why, count) for (what, why), count in sorted(wanted.items())]


def _setting(record: Record, kind: str) -> str:
    """Setting to calibrate, as a person would set it."""
    x0, y0, nx, ny = record["crop"] or (0, 0, record["nx"], record["ny"])
    parts = [f"camera {record['camera']}", f"{nx} x {ny} px at ({x0}, {y0})"]
    if kind == "flat":
        parts.insert(0, str(record["filter"]))
    else:
        parts.insert(0, f"{record['exptime'] or 0:g} s")
    if record["readmode"]:
        parts.append(str(record["readmode"]))
    if record["detgain"]:
        parts.append(f"gain {record['detgain']:g}")
    return ", ".join(parts)


def _instead(match: Match) -> str:
    return "there is none" if match.record is None else "; ".join(match.relaxed)


def _positions(groups: Sequence[Group], label: str, method: str, max_rotation: float) -> list[Need]:
    """States that unfinished cycles of the half-wave plate lack."""
    found = []
    for (name, cameras), exposures in polarimeters(groups).items():
        left = _in_no_set(exposures, method, max_rotation, cameras)
        states = [e.flc for e in exposures if e.flc in ("A", "B")]
        flc = states[0] if states else "NA"
        known = [e for e in exposures if nominal_hwp(e.hwp) is not None and e.flc != "D"]
        ordered = sorted(known, key=lambda e: (e.mjd, e.key))
        wanted = set_states(method, flc, cameras)
        usable = [e for e in ordered if e.flc in {state[1] for state in wanted}]
        for cycle in split_cycles(usable, wanted, max_rotation):
            own = [e for e in cycle.members.values() if e.key in left]
            if own and not cycle.complete:
                where = f"{label} {name}".strip()
                found.append(Need("HWP", f"{where}: {_states(cycle)}", _begun(own), len(own)))
    return found


def _in_no_set(
    exposures: Sequence[Exposure], method: str, max_rotation: float, cameras: Sequence[int]
) -> set[str]:
    try:
        fates: Sequence[Fate] = find_sets(
            exposures, method, max_rotation=max_rotation, cameras=cameras
        )[1]
    except PolarimetryError:  # no set at all: every exposure waits for the rest of its cycle
        return {exposure.key for exposure in exposures}
    return {fate.exposure.key for fate in fates if fate.set is None}


def _states(cycle: Cycle) -> str:
    """Missing states, by position of the wave plate."""
    missing: dict[float, list[str]] = {}
    for hwp, flc, camera in cycle.states:
        if (hwp, flc, camera) not in cycle.members:
            state = f"camera {camera}" if flc == "NA" else f"FLC {flc} camera {camera}"
            missing.setdefault(hwp, []).append(state)
    full = len({state[1:] for state in cycle.states})
    return "; ".join(
        f"{hwp:g} deg" if len(states) == full else f"{hwp:g} deg {', '.join(states)}"
        for hwp, states in missing.items()
    )


def _begun(own: Sequence[Exposure]) -> str:
    first = min(own, key=lambda e: (e.mjd, e.key))
    return f"the cycle begun with {first.key} is not complete"
