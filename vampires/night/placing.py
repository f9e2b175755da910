"""Exposures whose headers do not tell where the target is: the configuration must."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from vampires.night.record import Record

if TYPE_CHECKING:
    from vampires.sky.target import Target


def placed(records: Iterable[Record], target: Callable[[], Target | None]) -> list[Record]:
    """Give the parallactic angle to records that have none, or mark them as unusable.

    Parameters
    ----------
    records : iterable of Record
        The header index.
    target : callable
        Gives the target of the configuration, or None; called when it is needed, since that
        loads astropy.

    Returns
    -------
    list of Record
        Other records as they are.
    """
    out = []
    star = None
    for record in records:
        if record["ok"] and record["unplaced"] is not None:
            star = star or target()
            if star is None:
                changes = {"ok": False, "kind": "unusable", "reason": record["unplaced"]}
            else:
                changes = {"pa": _parallactic_angle(record, star)}
            record = Record(**{**record, **changes})  # type: ignore[typeddict-item]
        out.append(record)
    return out


def _parallactic_angle(record: Record, star: Target) -> float:
    # Imported here: planning does without numpy and astropy as long as headers are good.
    import numpy as np

    from vampires.sky.geometry import parallactic_angles

    mjd = float(record["mjd"] or 0.0)
    ra, dec = star.at(mjd)
    return float(parallactic_angles(np.array([mjd]), ra, dec, star.parallax or 0.0)[0])
