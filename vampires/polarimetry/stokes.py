"""StokesFrame: I_Q, I_U, Q and U of one HWP cycle, or of a night, with errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.header.fields import field_index
from vampires.images.derotate import rotate_planes
from vampires.images.units import ASTROPY_UNITS, RATE, FluxScale
from vampires.io.products import Parts, Pixels
from vampires.kernels.covariance import pair, places_of_variances
from vampires.mueller.components import FloatArray
from vampires.mueller.model import LightPathAngles
from vampires.polarimetry import planes as pl
from vampires.polarimetry.correction import Correction, Models, per_field, set_response
from vampires.polarimetry.model_error import ModelError, mean_of_fields
from vampires.polarimetry.photometry import Polarisation, measure_polarisation
from vampires.polarimetry.propagation import (
    sum_variance_gain,
    transform_covariance,
    transform_planes,
)
from vampires.polarimetry.readouts import r2_scaled, radial_profile, snr_map
from vampires.polarimetry.shares import MasterShares
from vampires.polarimetry.stokes_files import read_stokes, write_stokes
from vampires.sky.export import export_wcs
from vampires.sky.wcs import turn_wcs
from vampires.utils.html import facts_table
from vampires.utils.threads import side_by_side

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.figure import Figure

    from vampires.plotting.stokes import StokesPlanes

NamedPlanes: TypeAlias = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class StokesFrame:
    """Stokes images of every field, with what is needed to correct and propagate them.

    Parameters
    ----------
    data : ndarray of float32
        (I_Q, I_U, Q, U), shape (nfields, 4, ny, nx), e-/s of one camera, or the unit of BUNIT.
        NaN where unseen.
    covariance : ndarray of float32
        Covariance of the four from independent noise, shape (nfields, 10, ny, nx); that of
        planes `a` and `b` is at `vampires.kernels.covariance.pair` ``(a, b)``.
    systematic : ndarray of float32
        The same from the errors of the masters, which frames share.
    shares : MasterShares
        How they went in, for the collapse of several frames.
    header : Header
        Merged header.
    fields : tuple of str
        Filter of each field.
    weights : ndarray, optional
        What each image went in with, shape (4, n); None once corrected.
    angles : tuple of LightPathAngles
        Of each of those images.
    count : ndarray of int, optional
        Frames combined per pixel, shape (nfields, ny, nx).
    """

    data: NDArray[np.float32]
    covariance: NDArray[np.float32]
    systematic: NDArray[np.float32]
    shares: MasterShares
    header: Header
    fields: tuple[str, ...]
    weights: FloatArray | None = None
    angles: tuple[LightPathAngles, ...] = ()
    count: NDArray[np.int32] | None = None

    @property
    def corrected(self) -> bool:
        """Whether Q and U are those of the sky; before `correct` they are the instrument's."""
        return self.weights is None

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.data.shape[-2], self.data.shape[-1]

    @property
    def footprint(self) -> NDArray[np.int32]:
        """Frames combined per pixel, (nfields, ny, nx): `count`, or one where a lone frame sees."""
        if self.count is not None:
            return self.count
        seen = np.asarray(np.isfinite(self.data).all(axis=1))
        return np.asarray(seen, dtype=np.int32)

    @property
    def radial(self) -> bool:
        """Whether Q_phi follows the radial convention (set by `with_convention`)."""
        return self.header.convention == "radial"

    def with_convention(self, convention: str) -> StokesFrame:
        """Choose the sign of Q_phi: 'azimuthal' (disks) or 'radial' (planets)."""
        if convention not in ("azimuthal", "radial"):
            raise PolarimetryError(
                f"cyl_stokes = {convention!r}: allowed are 'azimuthal' and 'radial'"
            )
        header = self.header.copy()
        header.put(convention=convention)
        return replace(self, header=header)

    def response(self, models: Models) -> FloatArray:
        """Matrices from (I_Q, I_U, Q, U) on the sky to this frame's planes.

        Parameters
        ----------
        models : MuellerModel or sequence of them
            One for all fields, or one per field.

        Returns
        -------
        ndarray
            Shape (nfields, 4, 4).
        """
        return set_response(per_field(models, self.fields), self._weights(), self.angles)

    def correct(self, models: Models, *, instrumental: bool = True) -> StokesFrame:
        """Remove instrumental polarisation and cross-talk: Q and U on the sky, north up.

        `vampires.polarimetry.inversion.reduce_set` does the same before it sums the images.

        Parameters
        ----------
        models : MuellerModel or sequence of them
            One for all fields, or one per field.
        instrumental : bool
            What the header is told: False when the models are only there for the geometry.

        Raises
        ------
        PolarimetryError
            If the frame is corrected already, or its exposures do not tell Q from U.
        """
        correction = Correction.of_set(
            per_field(models, self.fields), self._weights(), self.angles, instrumental=instrumental
        )
        header = self.header.copy()
        header.update(correction.cards)
        moved = self._transformed(correction.matrices)
        return replace(moved, header=header, weights=None, angles=())

    def polarisation(self, radius: float, radius2: float | None = None) -> tuple[Polarisation, ...]:
        """Polarisation of the light in an aperture or annulus about the star, per field.

        Parameters
        ----------
        radius, radius2 : float
            Radius of the aperture; or inner and outer radius of the annulus, pixels.

        Returns
        -------
        tuple of Polarisation
            One per field; with an aperture on an unobscured star, the star's own.
        """
        part = (..., *_about_center(self.shape, max(radius, radius2 or 0.0)))
        # Interpolation spread the noise over neighbours: sums have more of it than pixels tell.
        total = self.covariance[part] + self.systematic[part]
        total *= np.float32(sum_variance_gain(self.header.interpolations or 0))
        return tuple(
            measure_polarisation(data, covariance, radius, radius2)
            for data, covariance in zip(self.data[part], total, strict=True)
        )

    def subtract_ip(self, residual: Polarisation | Sequence[Polarisation]) -> StokesFrame:
        """Subtract a polarisation in proportion to the intensity: ``Q - q I_Q``, ``U - u I_U``.

        Parameters
        ----------
        residual : Polarisation or sequence of them
            One for all fields or one per field; for instance from `polarisation`. Its errors
            are those of this frame alone, so they go into `covariance`.

        Returns
        -------
        StokesFrame
            Its header holds q, u and their errors (IPQ, IPU, IPQERR, IPUERR).
        """
        many = [residual] * len(self.fields) if isinstance(residual, Polarisation) else residual
        if len(many) != len(self.fields):
            raise PolarimetryError(f"{len(many)} polarisations for {len(self.fields)} fields")
        transforms = np.tile(np.eye(4), (len(many), 1, 1))
        header = self.header.copy()
        for i, p in enumerate(many):
            transforms[i, 2, 0], transforms[i, 3, 1] = -p.q, -p.u
            header.update(_ip_cards(p, str(i) if len(many) > 1 else ""))
        header.put(star_corrected=True)
        out = self._transformed(transforms)
        covariance = out.covariance.copy()
        for i, p in enumerate(many):
            i_q, i_u = self.data[i, 0], self.data[i, 1]
            covariance[i, pair(2, 2)] += (p.q_err * i_q) ** 2
            covariance[i, pair(3, 3)] += (p.u_err * i_u) ** 2
            covariance[i, pair(2, 3)] += p.cov_qu * i_q * i_u
        return replace(out, header=header, covariance=covariance)

    def rotate(self, angle: float) -> StokesFrame:
        """Turn images and polarisation counter-clockwise by ``angle`` deg about the star.

        Q and U then refer to the new vertical axis; Q_phi and U_phi turn with the picture.
        """
        data, covariance, systematic = rotate_planes(
            self.data, self.covariance, self.systematic, angle
        )
        header = self.header.copy()
        turn_wcs(header, angle)
        header.put(turned=(header.turned or 0.0) + angle)
        turned = replace(
            self, data=data, covariance=covariance, systematic=systematic, header=header,
            shares=self.shares.turned(angle), count=None,
        )  # fmt: skip
        return turned.turn_polarisation(angle)

    def turn_polarisation(self, angle: float) -> StokesFrame:
        """Turn Q and U counter-clockwise by ``angle`` deg, leaving the images as they are."""
        c, s = np.cos(2 * np.deg2rad(angle)), np.sin(2 * np.deg2rad(angle))
        turn = np.eye(4)
        turn[2:, 2:] = [[c, -s], [s, c]]
        return self._transformed(np.tile(turn, (len(self.fields), 1, 1)))

    def in_unit(self, scale: FluxScale) -> StokesFrame:
        """Multiply a frame in e-/s, and its errors, by one factor a field."""
        if scale.unit == RATE:
            return self
        header = self.header.copy()
        scale.stamp(header)
        matrices = np.array([factor * np.eye(4) for factor in scale.factors])
        return replace(self._transformed(matrices), header=header)

    def model_variance(self) -> NDArray[np.float32]:
        """Variance of Q and U from the errors of the light path, shape (nfields, 2, ny, nx).

        It is common to all pixels and sets: `errors` does not hold it.
        """
        return np.stack([self._model_variance(i) for i in range(len(self.data))])

    def _model_variance(self, field: int) -> NDArray[np.float32]:
        suffix = str(field) if len(self.fields) > 1 else ""
        return ModelError.from_header(self.header, suffix).variance(self.data[field])

    def products(self) -> NamedPlanes:
        """Make the eight planes I_Q, I_U, Q, U, Q_PHI, U_PHI, LP_I, AOLP.

        Returns
        -------
        dict
            Arrays (nfields, ny, nx), e-/s or the unit of BUNIT; AOLP in deg east of north.
        """
        return self._of_fields(self._products)

    def errors(self) -> NamedPlanes:
        """One-sigma errors of `products`, masters' errors included where they do not cancel."""
        return self._of_fields(self._errors)

    def _of_fields(self, make: Callable[[int], NDArray[np.float32]]) -> NamedPlanes:
        return _named(np.stack([make(field) for field in range(len(self.fields))], axis=1))

    @cached_property
    def _azimuth(self) -> NDArray[np.float32]:
        return pl.azimuth(self.shape).astype(np.float32)

    def _products(self, field: int) -> NDArray[np.float32]:
        """Planes of `products` of a field, shape (8, ny, nx)."""
        planes = np.empty((len(pl.PRODUCTS), *self.shape), np.float32)
        Q, U = self.data[field, 2:]
        planes[:4] = self.data[field]
        planes[4:6] = pl.azimuthal_stokes(Q, U, self._azimuth, radial=self.radial)
        planes[6], planes[7] = pl.linear_polarisation(Q, U), pl.polarisation_angle(Q, U)
        return planes

    def _errors(self, field: int) -> NDArray[np.float32]:
        """Planes of `errors` of a field, shape (8, ny, nx)."""
        planes = np.empty((len(pl.PRODUCTS), *self.shape), np.float32)
        Q, U = self.data[field, 2:]
        total = [self._total(field, k, k) for k in range(4)]
        together = total[2], total[3], self._total(field, 2, 3)
        variances = (
            *total,
            *pl.azimuthal_variance(*together, self._azimuth),
            pl.lp_variance(Q, U, *together),
        )
        for plane, variance in zip(planes, variances, strict=False):
            np.sqrt(np.maximum(variance, 0), out=plane)
        planes[7] = pl.angle_error(Q, U, *together)
        return planes

    def _systematic_errors(self, field: int) -> NDArray[np.float32]:
        """Errors of a field's first four planes by masters and light path, (4, ny, nx)."""
        variance = np.maximum(self.systematic[field, places_of_variances()], 0)
        variance[2:] += self._model_variance(field)
        return np.sqrt(variance, out=variance)

    def _total(self, fields: int | slice, k: int, m: int) -> NDArray[np.float32]:
        """Covariance of two planes of a field or several, noise and masters."""
        place = fields, pair(k, m)
        total: NDArray[np.float32] = self.covariance[place] + self.systematic[place]
        return total

    def debiased_lp(self) -> NDArray[np.float32]:
        """LP_I with its positive noise bias removed, shape (nfields, ny, nx)."""
        every = slice(None)
        variance = (self._total(every, 2, 2) + self._total(every, 3, 3)) / 2
        lp = pl.linear_polarisation(self.data[:, 2], self.data[:, 3])
        return pl.debiased_lp(lp, variance).astype(np.float32)

    def planes(self) -> dict[str, Pixels]:
        """Product planes as they are stored: data, ERR, and what `read` needs to propagate on.

        Returns
        -------
        dict
            '' (nfields, 8, ny, nx) and ERR alike; SYS (nfields, 4, ny, nx) the masters' part of
            the first four errors and, in Q and U, the light path's, which ERR does not hold;
            COV (nfields, ny, nx) the noise covariance of Q and U;
            COUNT when known. A single field has no field axis. The first three are made field
            by field when they are written, so that each takes the memory of the one before.
        """
        out: dict[str, Pixels] = {
            "": self._by_field(len(pl.PRODUCTS), self._products),
            "ERR": self._by_field(len(pl.PRODUCTS), self._errors),
            "SYS": self._by_field(self.data.shape[1], self._systematic_errors),
        }
        single = slice(None) if len(self.fields) > 1 else 0
        out["COV"] = self.covariance[single, pair(2, 3)]
        if self.count is not None:
            out["COUNT"] = self.count[single]
        return out

    def _by_field(self, planes: int, make: Callable[[int], NDArray[np.float32]]) -> Parts:
        own = (planes, *self.shape)
        nf = len(self.fields)
        return Parts(own if nf == 1 else (nf, *own), nf, make)

    def mean_field(self) -> StokesFrame:
        """Mean over the fields of multiband data: a frame with a single field.

        In each pixel the fields count that saw it: where one is NaN, the others remain.
        """
        seen: NDArray[np.bool_] = np.asarray(np.isfinite(self.data).all(axis=1))
        n = seen.sum(axis=0)
        count = None
        if self.count is not None:
            least = np.where(seen, self.count, np.iinfo(self.count.dtype).max).min(axis=0)
            count = np.where(n > 0, least, 0).astype(self.count.dtype)[None]
        header = self.header.copy()
        header.put(fields_averaged="mean", nfields=1, field_names=["+".join(self.fields)])
        header.update(mean_of_fields(header, len(self.fields)))
        return replace(
            self,
            data=_over_fields(self.data, seen[:, None], n),
            covariance=_over_fields(self.covariance, seen[:, None], n**2),
            systematic=_over_fields(self.systematic, seen[:, None], n**2),
            shares=self.shares.mean_field(),
            header=header,
            fields=("+".join(self.fields),),
            count=count,
        )

    def ccddata(self, plane: str, field_name: str | None = None) -> CCDData:
        """One product plane as `~astropy.nddata.CCDData` with error, mask, unit and WCS.

        Examples
        --------
        ``frame.ccddata("Q_PHI").uncertainty.array``
        """
        index = field_index(self.fields, field_name)
        data = _named(self._products(index))[plane]
        return CCDData(
            data,
            uncertainty=StdDevUncertainty(_named(self._errors(index))[plane]),
            mask=~np.isfinite(data),
            unit=ASTROPY_UNITS["deg" if plane == "AOLP" else self.header.known(Header.unit, RATE)],
            meta=self.header.to_fits(),
            wcs=export_wcs(self.header),
        )

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel."""
        return self.header.known(Header.pixel_scale, 1000.0) / 1000

    @property
    def unit(self) -> str:
        """Of the planes, AOLP aside."""
        return self.header.known(Header.unit, RATE)

    def profile(self, width: float = 2.0, field_name: str | None = None) -> Table:
        """Mean Q_phi and U_phi in annuli of `width` pixels, with errors and S/N.

        Returns
        -------
        Table
            See `vampires.polarimetry.readouts.radial_profile`.
        """
        index = field_index(self.fields, field_name)
        return radial_profile(
            _named(self._products(index)),
            _named(self._errors(index)),
            pixel_scale=self.pixel_scale,
            width=width,
            variance_gain=sum_variance_gain(self.header.interpolations or 0),
        )

    def r2_scaled(self, plane: str = "Q_PHI", field_name: str | None = None) -> NDArray[np.float64]:
        """One plane times the squared distance from the star (arcsec^2), shape (ny, nx)."""
        index = field_index(self.fields, field_name)
        return r2_scaled(_named(self._products(index))[plane], self.pixel_scale)

    def snr_map(self, field_name: str | None = None, width: float = 4.0) -> NDArray[np.float64]:
        """Q_phi over the rms of U_phi in annuli of `width` pixels, shape (ny, nx)."""
        planes = _named(self._products(field_index(self.fields, field_name)))
        return snr_map(planes["Q_PHI"], planes["U_PHI"], width)

    def write(self, path: str | Path) -> None:
        """Write as FITS: the eight planes, ERR, a header per field, SYS, COV and COUNT."""
        write_stokes(self, path)

    @classmethod
    def read(cls, path: str | Path) -> StokesFrame:
        """Read a frame written by `write`."""
        return cls(**read_stokes(path))

    def plot(self, field_name: str | None = None) -> Figure:
        """Draw Q_phi and U_phi, in arcsec from the star."""
        from vampires.plotting.stokes import plot_azimuthal

        return plot_azimuthal(self._drawn(field_name))

    def plot_overview(self, field_name: str | None = None) -> Figure:
        """Draw all eight planes."""
        from vampires.plotting.stokes import plot_overview

        return plot_overview(self._drawn(field_name))

    def _drawn(self, field_name: str | None) -> StokesPlanes:
        from vampires.plotting.stokes import StokesPlanes

        index = field_index(self.fields, field_name)
        object_, date = self.header.known(Header.object), self.header.known(Header.date)
        return StokesPlanes(
            planes=_named(self._products(index)),
            errors=_named(self._errors(index)),
            title=" ".join(part for part in (object_, self.fields[index], date) if part),
            pixel_scale=self.pixel_scale,
            north_up=self.header.known(Header.north_up, True),
            unit=self.unit,
        )

    def __repr__(self) -> str:
        h, (ny, nx) = self.header, self.shape
        what = f"{h.known(Header.nimages, '?')} images" if h.nsets is None else f"{h.nsets} sets"
        state = (
            h.known(Header.model_source, "sky")
            if self.corrected
            else "instrument frame, not corrected"
        )
        return (
            f"<StokesFrame {h.known(Header.object, '?')} {'+'.join(self.fields)} "
            f"{len(self.fields)} x 4 x {ny} x {nx}, {what}; {state}>"
        )

    def _repr_html_(self) -> str:
        h = self.header
        facts = {
            "object": h.known(Header.object),
            "fields": ", ".join(self.fields),
            "shape": " x ".join(map(str, self.data.shape)),
            "unit": h.known(Header.unit),
            "sets": h.nsets,
            "images": h.nimages,
            "Mueller model": h.model_source if self.corrected else "not corrected yet",
            "north up": h.north_up,
        }
        return facts_table("StokesFrame", facts)

    def _weights(self) -> FloatArray:
        if self.weights is None:
            raise PolarimetryError("this Stokes frame is on the sky already: correct it only once")
        return self.weights

    def _transformed(self, matrices: FloatArray) -> StokesFrame:
        """Apply one 4 x 4 matrix per field to the planes and their covariances."""
        data = np.empty(self.data.shape, np.float32)
        covariance = np.empty(self.covariance.shape, np.float32)
        systematic = np.empty(self.systematic.shape, np.float32)

        def fill(field: int) -> None:
            transform_planes(matrices[field], self.data[field], data[field])
            transform_covariance(matrices[field], self.covariance[field], covariance[field])
            transform_covariance(matrices[field], self.systematic[field], systematic[field])

        side_by_side(fill, range(len(self.fields)))
        return replace(
            self, data=data, covariance=covariance, systematic=systematic,
            shares=self.shares.transformed(matrices),
        )  # fmt: skip


def _named(planes: NDArray[np.float32]) -> NamedPlanes:
    return dict(zip(pl.PRODUCTS, planes, strict=True))


def _ip_cards(p: Polarisation, suffix: str) -> dict[str, tuple[float, str]]:
    cards = Header.declared(
        ip_q=float(f"{p.q:.7g}"), ip_u=float(f"{p.u:.7g}"),
        ip_q_error=float(f"{p.q_err:.4g}"), ip_u_error=float(f"{p.u_err:.4g}"),
    )  # fmt: skip
    return {f"{key}{suffix}": card for key, card in cards.items()}


def _over_fields(
    planes: NDArray[np.float32], seen: NDArray[np.bool_], divisor: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Sum over the fields that saw each pixel, over a divisor; NaN where that is zero."""
    total = np.where(seen, planes, 0).sum(axis=0, keepdims=True, dtype=planes.dtype)
    out = np.full(total.shape, np.nan, total.dtype)
    np.divide(total, divisor, out=out, where=divisor > 0, casting="unsafe")
    return out


def _about_center(shape: tuple[int, int], reach: float) -> tuple[slice, slice]:
    """Part of an image, with the same centre, that holds a circle about it."""
    edges = [max(int((size - 1) / 2 - reach) - 1, 0) for size in shape]
    low, left = edges
    return slice(low, shape[0] - low), slice(left, shape[1] - left)
