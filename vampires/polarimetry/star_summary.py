"""Polarisation of the star per set and of the night, with its kinds of error apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from vampires.mueller.components import FloatArray
from vampires.polarimetry.planes import angle_error, debiased_lp, lp_variance

_ANGLES = ("altitude", "pa")


def star_polarisation(table: Table) -> Table:
    """Degree and angle of the star's polarisation, set by set and for the night.

    Parameters
    ----------
    table : Table
        From `vampires.polarimetry.collapse.stokes_table`: q, u, q_err, u_err per set and field, and
        the model's errors of them.

    Returns
    -------
    Table
        A row per set and field, then one per field with ``set`` = -1: the mean of the sets.
        ``..._photon`` is what noise does, ``..._scatter`` the scatter of the sets (of their
        mean, in the row of the night; NaN with fewer than two sets), ``..._model`` what the errors
        of the light path do. The degree is free of noise bias.
    """
    rows = []
    for field in dict.fromkeys(table["field"]):
        own = table[table["field"] == field]
        known = np.isfinite(own["q"]) & np.isfinite(own["u"])
        own = own[known]
        if not len(own):
            continue
        spread = _covariance(own)
        rows += [_row(int(line["set"]), field, line, _photon([line]), spread) for line in own]
        mean = {name: float(np.mean(own[name])) for name in ("q", "u", *_ANGLES)}
        mean |= {name: float(np.mean(own[name])) for name in own.colnames if name[:6] == "model_"}
        rows.append(_row(-1, field, mean, _photon(own), spread / max(len(own), 1)))
    return Table(rows=rows)


def _photon(lines: Any) -> FloatArray:
    """Covariance of the mean of some sets from their own noise."""
    n = len(lines)
    return np.diag([sum(float(x[k]) ** 2 for x in lines) / n**2 for k in ("q_err", "u_err")])


def _covariance(own: Table) -> FloatArray:
    """Covariance of q and u of one set, from the scatter of all."""
    if len(own) < 2:
        return np.full((2, 2), np.nan)
    return np.cov(np.array([own["q"], own["u"]], dtype=float))


def _row(
    number: int, field: str, line: Any, photon: FloatArray, scatter: FloatArray
) -> dict[str, object]:
    q, u = float(line["q"]), float(line["u"])
    degree = float(np.hypot(q, u))
    row: dict[str, object] = {"set": number, "field": field}
    row |= {name: float(line[name]) for name in _ANGLES}
    noise = np.trace(photon) / 2
    row |= {"q": q, "u": u, "degree": float(debiased_lp(degree, noise))}
    row["angle"] = float(np.rad2deg(0.5 * np.arctan2(u, q)) % 180)
    for kind, covariance in (
        ("photon", photon), ("scatter", scatter), ("model", _model(line, q, u)),
    ):  # fmt: skip
        (qq, qu), (_, uu) = covariance
        row[f"degree_{kind}"] = float(np.sqrt(np.maximum(lp_variance(q, u, qq, uu, qu), 0.0)))
        row[f"angle_{kind}"] = float(angle_error(q, u, qq, uu, qu))
    return row


def _model(line: Any, q: float, u: float) -> FloatArray:
    """Covariance of q and u from the errors of the light path."""
    error_q, error_u, scale, angle = (
        float(line[f"model_{name}_err"]) for name in ("q", "u", "degree", "angle")
    )
    direction, across = np.array([q, u]), 2 * np.deg2rad(angle) * np.array([-u, q])
    along: Sequence[FloatArray] = (
        np.diag([error_q**2, error_u**2]),
        scale**2 * np.outer(direction, direction),
        np.outer(across, across),
    )
    return np.nan_to_num(sum(along))
