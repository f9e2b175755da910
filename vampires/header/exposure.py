"""The header of an exposure group: one or several files of one camera and HWP angle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vampires.canonical import Header
from vampires.sky.geometry import Target, add_geometry
from vampires.utils.angles import circular_mean

# Angles that move during a night, with their period: averaged over the files, by frames.
_ANGLES = {
    "PA": 360, "DEROTANG": 360, "ALT_MID": 360, "AZ_MID": 360, "LST_MID": 360, "IMRANG": 180,
    "HWPSYNCA": 180,
}  # fmt: skip


def group_header(headers: Sequence[Header], target: Target | None = None) -> Header:
    """One canonical header with geometry for all the frames of a group.

    Times are the group's, angles are means over the frames (circular, so that a group may
    cross +-180 deg), integration time and frame number are sums.

    Parameters
    ----------
    headers : sequence of Header
        Canonical headers of the files, in order of time.
    target : Target, optional
        Default: the coordinates in the header, whose angles a header may have already
        (`vampires.night.raw.RawFile`).

    Returns
    -------
    Header
    """
    located = [
        header if target is None and "DEROTANG" in header else add_geometry(header, target)
        for header in headers
    ]
    out = located[0].copy()
    if len(located) == 1:
        return out
    frames = np.array([header.nframes for header in located], dtype=float)
    for key, period in _ANGLES.items():
        if key in out:
            out[key] = circular_mean([header[key] for header in located], period, frames)
    out["MJD"] = float(np.average([header.mjd for header in located], weights=frames))
    for key in ("MJD-END", "UT-END", "PA-END"):
        if key in located[-1]:
            out[key] = located[-1][key]
    out["NFRAMES"] = int(frames.sum())
    out["NDIT"] = int(frames.sum())
    out["TINT"] = float(sum(header.integration for header in located))
    return out
