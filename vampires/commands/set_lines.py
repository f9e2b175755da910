"""A line for each Stokes set of a night: what an observer wants to know before the next one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vampires.night.grouping import Group
from vampires.night.plan import Plan
from vampires.polarimetry.stokes import StokesFrame
from vampires.report.groups import GroupReport, Measured
from vampires.report.parts import iso, median
from vampires.tasks.sets import product_layout, sets_of

_ENOUGH = 30
"""Pixels of an annulus whose rms of U_phi says what the noise is; the star's core has fewer."""


def lines(plan: Plan) -> Iterator[tuple[Path, str]]:
    """Describe what has been made.

    Parameters
    ----------
    plan : Plan
        Of the night so far.

    Yields
    ------
    path : Path
        The product that the line is about: a Stokes frame, the product of the night, or without
        polarimetry the measurements of an exposure group.
    line : str
        S/N of Q_phi, Strehl ratio, flux of the star, saturated frames.
    """
    for part in plan.parts:
        groups = {group.key: group for group in part.groups}
        if part.config.polarimetry is None:
            for key, group in groups.items():
                yield part.layout.metrics(key), f"{key} {_when([group])}: {_star(part, [group])}"
            continue
        found = sets_of(part)
        for item in found.sets:
            path, own = part.layout.stokes(item.number), [groups[key] for key in item.keys]
            if path.exists():
                label = part.named(f"set {item.number}")
                yield path, f"{label} {_when(own)}: {_signal(path)}, {_star(part, own)}"
        for name, sets in found.by_filter().items():
            path = product_layout(part.layout, name).stokes_collapsed()
            if path.exists():
                label = " ".join(filter(None, ("night", part.label, name)))
                yield path, f"{label}, {len(sets)} sets: {_signal(path)}"


def _when(groups: Sequence[Group]) -> str:
    times = [iso(group.mjd)[11:16] for group in sorted(groups, key=lambda group: group.mjd)]
    return f"{groups[0].filter} {times[0]}-{times[-1]} UTC"


def _signal(path: Path) -> str:
    """Best S/N of Q_phi of an annulus, and its radius, field by field."""
    frame = StokesFrame.read(path)
    found = []
    for name in frame.fields:
        table = frame.profile(field_name=name)
        snr = np.where(table["n"] >= _ENOUGH, table["snr"], np.nan)
        where = f"{name} " if len(frame.fields) > 1 else ""
        if np.isfinite(snr).any():
            best = int(np.nanargmax(snr))
            radius = float(table["r_arcsec"][best])
            found.append(f'{where}{snr[best]:.1f} at {radius:.2f}"')
        else:
            found.append(f"{where}unknown")
    return f"S/N of Q_phi {', '.join(found)}"


def _star(part: Plan, groups: Sequence[Group]) -> str:
    """Strehl ratio, flux and saturation of the star in some groups, first field."""
    paths = [(group, part.layout.metrics(group.key)) for group in groups]
    measured = [Measured.of(GroupReport(g, path, None)) for g, path in paths if path.exists()]
    if not measured:
        return "not measured"
    strehl = median(np.concatenate([one.strehl[0] for one in measured]))
    flux = median(np.concatenate([one.flux[0] for one in measured]))
    saturated = sum(int((one.saturated > 0).sum()) for one in measured)
    frames = sum(len(one.saturated) for one in measured)
    return f"Strehl {strehl:.2f}, flux {flux:.3g} e-/s, {saturated} of {frames} frames saturated"
