"""Stokes frames of a night combined into one, and the table of what went in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from vampires.errors import MeasurementError, PolarimetryError
from vampires.polarimetry.components import FloatArray
from vampires.polarimetry.headers import stack_headers
from vampires.polarimetry.planes import radius
from vampires.polarimetry.propagation import common_factor, median_variance_factor
from vampires.polarimetry.stokes import StokesFrame

METHODS = ("median", "mean", "weighted")


def collapse(frames: Iterable[StokesFrame], method: str = "median") -> StokesFrame:
    """Combine Stokes frames pixel by pixel, leaving out what a frame did not see.

    Parameters
    ----------
    frames : iterable of StokesFrame
        Corrected and north up, of the same size and fields.
    method : str
        'median'; 'mean'; or 'weighted' by the inverse of each frame's median variance, one
        weight per frame and plane (weights per pixel would follow the noise).

    Returns
    -------
    StokesFrame
        With `count`, the number of frames that saw each pixel (the footprint). The noise of
        the frames is independent; the masters' errors are common to all frames as far as the
        field did not turn between them (`vampires.polarimetry.propagation.common_factor`).

    Raises
    ------
    PolarimetryError
        If there are no frames, they differ in size or fields, or one is not corrected.
    """
    if method not in METHODS:
        raise PolarimetryError(f"collapse method {method!r}: allowed are {', '.join(METHODS)}")
    many = list(frames)
    _check(many)
    data = np.stack([f.data for f in many])
    weights = _frame_weights(many) if method == "weighted" else np.ones(data.shape[:3])
    seen = np.isfinite(data)
    norm = np.einsum("nfk,nfkyx->fkyx", weights, seen)
    if method == "median":
        combined = _nanmedian(data)
        boost = median_variance_factor(seen.sum(axis=0))
    else:
        total = np.einsum("nfk,nfkyx->fkyx", weights, np.where(seen, data, 0.0))
        combined = _divide(total, norm)
        boost = np.ones_like(combined)
    covariance = _mean_covariance(many, weights, norm)
    gain = np.sqrt(boost)
    covariance = covariance * gain[:, :, None] * gain[:, None]
    header = stack_headers([f.header for f in many])
    header["COLLAPSE"] = (method, "how the Stokes frames were combined")
    return StokesFrame(
        data=combined.astype(np.float32),
        covariance=covariance.astype(np.float32),
        systematic=_mean_systematic(many, weights),
        header=header,
        fields=many[0].fields,
        count=seen.all(axis=2).sum(axis=0, dtype=np.int32),
        field_headers=many[0].field_headers,
    )


def frame_row(
    frame: StokesFrame, number: int, radius: float, radius2: float | None = None
) -> list[dict[str, object]]:
    """Rows of the Stokes table for one frame, one per field.

    Parameters
    ----------
    frame : StokesFrame
    number : int
        Of the set.
    radius, radius2 : float
        Aperture or annulus of the fluxes and polarisation, pixels.

    Returns
    -------
    list of dict
        set, field, times, angles, I_Q and I_U fluxes, measured q and u with errors,
        subtracted q and u, efficiencies.
    """
    h = frame.header
    rows = []
    for i, name in enumerate(frame.fields):
        suffix = str(i) if len(frame.fields) > 1 else ""
        row: dict[str, object] = {"set": number, "field": name}
        for column, key in _COLUMNS.items():
            row[column] = _number(h, key)
        row |= _measured(frame, i, radius, radius2)
        for column, key in _FIELD_COLUMNS.items():
            row[column] = _number(h, key + suffix)
        rows.append(row)
    return rows


def stokes_table(rows: Sequence[dict[str, object]]) -> Table:
    """Table of the rows of `frame_row`, with units."""
    table = Table(rows=list(rows))
    for name, unit in _UNITS.items():
        if name in table.colnames:
            table[name].unit = unit
    return table


_COLUMNS = {
    "mjd": "MJD", "pa": "PA", "derotang": "DEROTANG", "altitude": "ALT_MID", "azimuth": "AZ_MID",
    "imr": "IMRANG", "tint": "TINT", "ncoadd": "NCOADD",
}  # fmt: skip
_FIELD_COLUMNS = {
    "ip_q": "IPQ", "ip_u": "IPU", "ip_q_err": "IPQERR", "ip_u_err": "IPUERR",
    "model_ip_q": "MMIPQ", "model_ip_u": "MMIPU", "efficiency_q": "EFFQ", "efficiency_u": "EFFU",
}  # fmt: skip
_UNITS = {
    "mjd": "d", "pa": "deg", "derotang": "deg", "altitude": "deg", "azimuth": "deg", "imr": "deg",
    "tint": "s", "flux_q": "electron / s", "flux_u": "electron / s", "angle": "deg",
    "angle_err": "deg",
}  # fmt: skip


def _measured(frame: StokesFrame, i: int, radius: float, radius2: float | None) -> dict[str, float]:
    names = ("flux", "q", "u", "q_err", "u_err", "degree", "degree_err", "angle", "angle_err")
    try:
        p = frame.polarisation(radius, radius2)[i]
    except MeasurementError:
        return dict.fromkeys(names, float("nan"))
    return {name: float(getattr(p, name)) for name in names}


def _number(header: fits.Header, key: str) -> float:
    value = header.get(key)
    return float(value) if isinstance(value, int | float) else float("nan")


def _check(frames: Sequence[StokesFrame]) -> None:
    if not frames:
        raise PolarimetryError("no Stokes frames to collapse")
    first = frames[0]
    for frame in frames:
        if not frame.corrected:
            raise PolarimetryError("a Stokes frame in the instrument's frame cannot be collapsed")
        if frame.data.shape != first.data.shape or frame.fields != first.fields:
            raise PolarimetryError(
                f"Stokes frames of {frame.data.shape} {frame.fields} and {first.data.shape} "
                f"{first.fields} cannot be collapsed together"
            )


def _frame_weights(frames: Sequence[StokesFrame]) -> FloatArray:
    """Inverse median variance of each frame, field and plane, largest one."""
    variances = np.array(
        [[np.nanmedian(f.covariance[i, [0, 1, 2, 3], [0, 1, 2, 3]], axis=(1, 2))
          for i in range(len(f.fields))] for f in frames]
    )  # fmt: skip
    usable = np.isfinite(variances) & (variances > 0)
    if not usable.all():
        return np.ones_like(variances)
    return variances.min(axis=0) / variances


def _mean_covariance(
    frames: Sequence[StokesFrame], weights: FloatArray, norm: FloatArray
) -> FloatArray:
    total = np.zeros(frames[0].covariance.shape)
    for frame, w in zip(frames, weights, strict=True):
        outer = w[:, :, None] * w[:, None, :]
        total += np.nan_to_num(frame.covariance) * outer[..., None, None]
    return _divide(total, norm[:, :, None] * norm[:, None])


def _mean_systematic(frames: Sequence[StokesFrame], weights: FloatArray) -> NDArray[np.float32]:
    """Weighted mean of the frames' systematic covariance, lowered by the turn between them."""
    shape = frames[0].shape
    angles = [float(f.header.get("DEROTANG", 0.0)) for f in frames]
    share = weights / weights.sum(axis=0)
    out = np.zeros(frames[0].systematic.shape)
    for frame, s in zip(frames, share, strict=True):
        mean_share = np.sqrt(s[:, :, None] * s[:, None, :])
        out += np.nan_to_num(frame.systematic) * mean_share[..., None, None]
    mean = share.mean(axis=(1, 2))
    factor = common_factor(mean[None], angles, radius(shape))[0, 0]
    return (out * factor).astype(np.float32)


def _nanmedian(data: NDArray) -> NDArray:
    """Median over the first axis without NaN, and without the warning where all are NaN."""
    ordered = np.sort(data, axis=0)  # NaN goes last
    count = np.isfinite(data).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    high = np.take_along_axis(ordered, (count // 2).clip(max=len(data) - 1)[None], axis=0)[0]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _divide(a: NDArray, b: NDArray) -> NDArray:
    return np.divide(a, b, out=np.full(np.broadcast_shapes(a.shape, b.shape), np.nan), where=b > 0)
