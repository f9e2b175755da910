"""Noise and contrast curves of whole products: every field and plane in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table, vstack
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.flux.adi import star_flux
from vampires.flux.curves import CurveSettings, contrast_curve, fwhm_of
from vampires.images.units import ASTROPY_UNITS, RATE, FluxScale

Float64 = NDArray[np.float64]

SEPARATIONS = (0.1, 0.2, 0.3, 0.5, 1.0)
"""Arcsec, at which limits are listed."""

_BOX = 4  # FWHM about the star, cut out to measure it


@dataclass(frozen=True)
class Plane:
    """One image whose noise is wanted.

    Parameters
    ----------
    image : str
        What it is: ``coadd``, ``Q``, ``ADI median`` ...
    field : str
        Filter.
    data : ndarray (ny, nx)
        The star at its centre.
    settings : CurveSettings
        See there.
    throughput : Table, optional
        Columns ``radius`` [px] and ``throughput``.
    """

    image: str
    field: str
    data: NDArray
    settings: CurveSettings
    throughput: Table | None = None


@dataclass(frozen=True)
class FluxUnit:
    """Unit of sums over pixels, and what a sum of pixel values is multiplied by to be in it."""

    unit: u.UnitBase
    factor: float

    @classmethod
    def of_header(cls, header: Header) -> FluxUnit:
        """Unit of an image; a surface brightness is summed to a flux by the area of a pixel."""
        unit = ASTROPY_UNITS[header.known(Header.unit, RATE)]
        if unit.is_equivalent(u.Jy / u.arcsec**2):
            return cls(u.Jy, header.pixel_area)
        return cls(unit, 1.0)


def settings_of(header: Header, field: str, star: float, sigma: float) -> CurveSettings:
    """Settings of a curve of an image with this header.

    Parameters
    ----------
    header : Header
        With PXSCALE.
    field : str
        Filter.
    star : float
        Sum of the star's pixels in an aperture of one FWHM; NaN: not known.
    sigma : float
        Significance of a detection.
    """
    scale = header.pixel_scale
    return CurveSettings(fwhm_of(field, scale), scale / 1000, star, sigma)


def star_of(
    data: NDArray, header: Header, fields: Sequence[str], index: int, *, covered: bool
) -> float:
    """Sum of the star's pixels in an aperture of one FWHM, in the unit of the image.

    Parameters
    ----------
    data : ndarray (ny, nx)
        Total intensity, the star at its centre.
    header : Header
        Of the image.
    fields : sequence of str
        Filters of the image.
    index : int
        Which of them `data` is.
    covered : bool
        The star is behind a coronagraph: its spots have told, or nobody knows.

    Returns
    -------
    float
        NaN where it is not known: saturated, or covered without a measured spot.
    """
    if covered:
        rate = header.known(Header.core_flux.of(index), np.nan)
        return rate * FluxScale.of_header(header, len(fields)).factors[index]
    fwhm = fwhm_of(fields[index], header.pixel_scale)
    half = int(np.ceil(_BOX * fwhm))
    y, x = ((side - 1) / 2 for side in data.shape)
    top, left = max(0, round(y) - half), max(0, round(x) - half)
    box = data[top : top + 2 * half + 1, left : left + 2 * half + 1].astype(float)
    return star_flux(box, fwhm, (y - top, x - left))


def curves(planes: Sequence[Plane], unit: FluxUnit) -> QTable:
    """Curves of some planes, one below the other.

    Parameters
    ----------
    planes : sequence of Plane
        Of one product.
    unit : FluxUnit
        Of all of them.

    Returns
    -------
    QTable
        Columns ``image``, ``field`` and those of `vampires.flux.curves.contrast_curve`, fluxes
        with their unit; ``contrast`` is NaN where the star's flux is not known.

    Raises
    ------
    FileError
        No image is large enough.
    """
    tables = [table for table in (_curve(plane, unit) for plane in planes) if len(table)]
    if not tables:
        raise FileError("no curve can be made: the image is too small, or masked")
    return vstack(tables, metadata_conflicts="silent")


def median_curve(curves: Sequence[QTable]) -> QTable:
    """Median over the curves of alike images, such as the coadds of a night.

    Parameters
    ----------
    curves : sequence of QTable
        Of `curves`, with one image and field each.

    Returns
    -------
    QTable
        One row for each radius that any of them has.
    """
    rows = vstack(list(curves), metadata_conflicts="silent")
    radius = rows["radius"].value.round(6)
    out = []
    for value in np.unique(radius):
        own = rows[radius == value]
        row = own[:1].copy()
        for key in ("mean", "noise", "limit", "contrast"):
            row[key] = np.median(own[key])
        out.append(row)
    return vstack(out)


def limits(table: QTable, separations: Sequence[float] = SEPARATIONS) -> Table:
    """Limits at some separations, one row for each image, field and separation.

    Parameters
    ----------
    table : QTable
        Of `curves`.
    separations : sequence of float
        Arcsec; what a curve does not reach is left out.

    Returns
    -------
    Table
        Columns ``image``, ``field``, ``separation`` [arcsec], ``limit`` and ``contrast``.
    """
    rows = []
    for image, field in dict.fromkeys(zip(table["image"], table["field"], strict=True)):
        own = table[(table["image"] == image) & (table["field"] == field)]
        at = own["separation"].to_value("arcsec")
        limit, contrast = (np.asarray(own[key]) for key in ("limit", "contrast"))
        rows += [
            (str(image), str(field), s, np.interp(s, at, limit), np.interp(s, at, contrast))
            for s in separations
            if at.min() <= s <= at.max()
        ]
    names = ("image", "field", "separation", "limit", "contrast")
    return Table(rows=rows or None, names=names, dtype=(str, str, float, float, float))


def _curve(plane: Plane, unit: FluxUnit) -> QTable:
    settings = replace(plane.settings, star_flux=plane.settings.star_flux * unit.factor)
    data = np.asarray(plane.data, dtype=float) * unit.factor
    table = contrast_curve(data, settings, plane.throughput)
    for key in ("mean", "noise", "limit"):
        table[key] = u.Quantity(table[key], unit.unit)
    table.add_column([plane.image] * len(table), name="image", index=0)
    table.add_column([plane.field] * len(table), name="field", index=1)
    return table
