"""Stokes frames of a night combined into one, and the table of what went in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from vampires.canonical import Fact, Header
from vampires.errors import MeasurementError, PolarimetryError
from vampires.header.merge import stack_headers
from vampires.images.units import ASTROPY_UNITS, RATE
from vampires.kernels.covariance import pair, places_of_variances
from vampires.mueller.components import FloatArray
from vampires.polarimetry.model_error import mean_error_cards
from vampires.polarimetry.photometry import Polarisation
from vampires.polarimetry.propagation import median_variance_factor, radial_grid
from vampires.polarimetry.shares import MasterShares
from vampires.polarimetry.stokes import StokesFrame
from vampires.sky.wcs import north_up

COLLAPSE_METHODS = ("median", "mean", "weighted")


def collapse(frames: Iterable[StokesFrame], method: str = "median") -> StokesFrame:
    """Combine Stokes frames pixel by pixel, leaving out what a frame did not see.

    Parameters
    ----------
    frames : iterable of StokesFrame
        Corrected and north up, of the same size and fields. A generator keeps memory low:
        only the median holds the four planes of every frame.
    method : str
        'median'; 'mean'; or 'weighted' by the inverse of each frame's median variance, one
        weight per frame and plane (weights per pixel would follow the noise).

    Returns
    -------
    StokesFrame
        With `count`, the number of frames that saw each pixel (the footprint). The noise of
        the frames is independent; the masters' errors are added up over the images of all
        frames (`vampires.polarimetry.shares.MasterShares`).

    Raises
    ------
    PolarimetryError
        If there are no frames, they differ in size or fields, or one is not corrected.
    """
    if method not in COLLAPSE_METHODS:
        raise PolarimetryError(
            f"collapse method {method!r}: allowed are {', '.join(COLLAPSE_METHODS)}"
        )
    sums = _Sums(method)
    for frame in frames:
        sums.add(frame)
    return sums.result()


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
        set, field, times, angles, flux, q and u before any residual correction with errors,
        subtracted q and u, efficiencies.
    """
    h = frame.header
    rows = []
    for i, name in enumerate(frame.fields):
        suffix = str(i) if len(frame.fields) > 1 else ""
        row: dict[str, object] = {"set": number, "field": name}
        for column, fact in _COLUMNS.items():
            row[column] = _number(h, fact)
        row |= _measured(frame, i, radius, radius2)
        for column, fact in _FIELD_COLUMNS.items():
            row[column] = _number(h, fact.of(suffix))
        rows.append(row)
    return rows


def stokes_table(rows: Sequence[dict[str, object]], unit: str = RATE) -> Table:
    """Table of the rows of `frame_row`, with units; `unit` is that of the frames."""
    table = Table(rows=list(rows))
    for name, own in (_UNITS | {"flux": ASTROPY_UNITS[unit]}).items():
        if name in table.colnames:
            table[name].unit = own
    return table


_COLUMNS: dict[str, Fact[Any]] = {
    "mjd": Header.mjd, "pa": Header.pa, "derotang": Header.derotation,
    "altitude": Header.altitude, "azimuth": Header.azimuth, "imr": Header.rotator,
    "tint": Header.integration, "ncoadd": Header.ncoadd,
}  # fmt: skip
_FIELD_COLUMNS: dict[str, Fact[Any]] = {
    "ip_q": Header.ip_q, "ip_u": Header.ip_u, "ip_q_err": Header.ip_q_error,
    "ip_u_err": Header.ip_u_error, "model_ip_q": Header.model_ip_q,
    "model_ip_u": Header.model_ip_u, "efficiency_q": Header.efficiency_q,
    "efficiency_u": Header.efficiency_u, "model_q_err": Header.model_error_q,
    "model_u_err": Header.model_error_u, "model_degree_err": Header.model_error_degree,
    "model_angle_err": Header.model_error_angle,
}  # fmt: skip
_UNITS = {
    "mjd": "d", "pa": "deg", "derotang": "deg", "altitude": "deg", "azimuth": "deg", "imr": "deg",
    "tint": "s", "angle": "deg", "angle_err": "deg",
}  # fmt: skip


def _measured(frame: StokesFrame, i: int, radius: float, radius2: float | None) -> dict[str, float]:
    """Measure a frame; what `StokesFrame.subtract_ip` took out is put back."""
    names = ("flux", "q", "u", "q_err", "u_err", "degree", "degree_err", "angle", "angle_err")
    try:
        p = frame.polarisation(radius, radius2)[i]
    except MeasurementError:
        return dict.fromkeys(names, float("nan"))
    suffix = str(i) if len(frame.fields) > 1 else ""
    if frame.header.has(Header.ip_q.of(suffix)):
        facts = (Header.ip_q, Header.ip_u, Header.ip_q_error, Header.ip_u_error)
        q, u, q_err, u_err = (_number(frame.header, fact.of(suffix)) for fact in facts)
        p = Polarisation(p.q + q, p.u + u, q_err, u_err, 0.0, p.flux)
    return {name: float(getattr(p, name)) for name in names}


def _number(header: Header, fact: Fact[Any]) -> float:
    return float(header.known(fact, float("nan")))


class _Sums:
    """What a collapse keeps of the frames: running sums, and for the median their planes."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.data: list[NDArray[np.float32]] = []
        self.headers: list[Header] = []
        self.weights: list[FloatArray] = []
        self.shares: list[MasterShares] = []

    def add(self, frame: StokesFrame) -> None:
        if not frame.corrected:
            raise PolarimetryError("a Stokes frame in the instrument's frame cannot be collapsed")
        if not self.headers:
            self.first = frame
            self.covariance = np.zeros(frame.covariance.shape, np.float32)
            self.masters = np.zeros((len(frame.fields), *frame.shape))
            self.total = np.zeros(frame.data.shape)
            self.norm = np.zeros(frame.data.shape)
            self.count = np.zeros((len(frame.fields), *frame.shape), dtype=np.int32)
        elif frame.data.shape != self.first.data.shape or frame.fields != self.first.fields:
            raise PolarimetryError(
                f"Stokes frames of {frame.data.shape} {frame.fields} and {self.first.data.shape} "
                f"{self.first.fields} cannot be collapsed together: reduce them apart, leaving the "
                "others out by [data] exclude"
            )
        weight = _weights(frame) if self.method == "weighted" else np.ones(frame.data.shape[:2])
        outer = weight[:, :, None] * weight[:, None, :]
        if self.method == "median":
            self.data.append(frame.data)
        self.headers.append(frame.header)
        self.weights.append(weight)
        for f, planes in enumerate(frame.data):  # field by field, in the same memory
            seen, own = np.isfinite(planes), weight[f][:, None, None]
            self.count[f] += seen.all(axis=0)
            self.total[f] += own * np.where(seen, planes, 0.0)
            self.norm[f] += own * seen
        for f, k, m in self._pairs():
            covariance = frame.covariance[f, pair(k, m)]
            if covariance.any():  # a frame that was read has kept half of them
                weighted = np.nan_to_num(covariance) * np.float32(outer[f, k, m])
                self.covariance[f, pair(k, m)] += weighted
        self.shares.append(frame.shares)
        self.masters += _master_variance(frame)

    def result(self) -> StokesFrame:
        if not self.headers:
            raise PolarimetryError("no Stokes frames to collapse")
        header = stack_headers(self.headers)
        header.update(mean_error_cards(self.headers))
        header.put(collapse=self.method)
        if header.known(Header.north_up, True):
            header = north_up(header, self.first.shape)
        covariance = np.zeros(self.covariance.shape, np.float32)
        loss = [median_variance_factor(n) if self.method == "median" else 1.0 for n in self.count]
        for f, k, m in self._pairs():
            own = self.covariance[f, pair(k, m)]
            if own.any():
                norm = self.norm[f, k] * self.norm[f, m] / loss[f]
                covariance[f, pair(k, m)] = _divide(own, norm)
        shares = self._shares()
        return StokesFrame(
            data=self._planes(),
            covariance=covariance,
            systematic=self._systematic(shares),
            shares=shares,
            header=header,
            fields=self.first.fields,
            count=self.count,
        )

    def _pairs(self) -> Iterator[tuple[int, int, int]]:
        """Field and two planes of each covariance."""
        fields, planes = range(len(self.first.fields)), range(self.first.data.shape[1])
        return ((f, k, m) for f in fields for k in planes for m in planes if m >= k)

    def _planes(self) -> NDArray[np.float32]:
        out = np.empty(self.norm.shape, np.float32)
        for f, k in np.ndindex(out.shape[:2]):  # one plane at a time, for the sake of memory
            if self.method == "median":
                out[f, k] = _nanmedian(np.stack([d[f, k] for d in self.data]))
            else:
                out[f, k] = _divide(self.total[f, k], self.norm[f, k])
        return out

    def _shares(self) -> MasterShares:
        """Shares of all images in the weighted mean of the frames."""
        parts = np.array(self.weights) / np.sum(self.weights, axis=0)
        return MasterShares.joined(
            [
                replace(shares, weights=part[..., None] * shares.weights)
                for part, shares in zip(parts, self.shares, strict=True)
            ]
        )

    def _systematic(self, shares: MasterShares) -> NDArray[np.float32]:
        return shares.covariance({None: self.masters / np.maximum(self.count, 1)})


def _master_variance(frame: StokesFrame) -> FloatArray:
    """Variance that the masters leave in one image, from what is left in the intensities.

    In intensities all images have a positive share, so it is never lost in a difference.
    """
    radii, place = radial_grid(frame.shape)
    factor = frame.shares.factor(radii)
    on_grid = np.arange(len(radii))
    out = np.empty((len(frame.fields), *frame.shape))
    for f, (own, systematic) in enumerate(zip(factor, frame.systematic, strict=True)):
        share = np.interp(place, on_grid, own[0, 0] + own[1, 1])
        out[f] = np.nan_to_num(systematic[pair(0, 0)] + systematic[pair(1, 1)]) / share
    return out


def _weights(frame: StokesFrame) -> FloatArray:
    """Inverse median variance of each field and plane; one where it is unknown."""
    own = places_of_variances()
    return np.array([[_inverse_median(planes[p]) for p in own] for planes in frame.covariance])


def _inverse_median(variance: NDArray) -> float:
    finite = variance[np.isfinite(variance)]
    median = float(np.median(finite)) if finite.size else 0.0
    return 1 / median if median > 0 else 1.0


def _nanmedian(data: NDArray) -> NDArray:
    """Median over the first axis without NaN, and without the warning where all are NaN."""
    ordered = np.sort(data, axis=0)  # NaN goes last
    count = np.isfinite(data).sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    high = np.take_along_axis(ordered, (count // 2).clip(max=len(data) - 1)[None], axis=0)[0]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _divide(a: NDArray, b: NDArray) -> NDArray:
    return np.divide(a, b, out=np.full(np.broadcast_shapes(a.shape, b.shape), np.nan), where=b > 0)
