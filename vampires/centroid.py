"""Rough centroids: about where the star is, found without help in the mean of some frames.

Measuring every frame needs only a place to look within a few pixels. A star is found as the
most significant compact source, a star behind a coronagraph as the centre of its four
satellite spots (`vampires.satellite_spots`), a planet by its limb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.instrument.filters import FILTERS
from vampires.instrument.telescope import PUPIL
from vampires.kernels.despike import remove_spikes
from vampires.satellite_spots import SatelliteSpots, find_spots_of_fields

__all__ = ["RoughCentroid", "find_planet", "find_star", "rough_centroids", "spot_radius"]

_RAD_PER_MAS = np.pi / 180 / 3600e3
#: Least significance of a star in a mean image.
_SIGNIFICANCE = 8.0
_RAYS = 360


@dataclass(frozen=True)
class RoughCentroid:
    """About where the star is in one field.

    Attributes
    ----------
    star : (float, float)
        (y, x), 0-based, calibrated orientation.
    spots : tuple of (float, float)
        (y, x) of the four satellite spots; empty without coronagraph.
    radius : float or None
        Of a planet's disc, pixels.
    """

    star: tuple[float, float]
    spots: tuple[tuple[float, float], ...] = ()
    radius: float | None = None

    @property
    def psfs(self) -> NDArray[np.float64]:
        """(y, x) of what is measured in every frame: the spots, or else the star; (n, 2)."""
        return np.array(self.spots or (self.star,), dtype=float)


def rough_centroids(
    mean_image: ArrayLike,
    kind: str = "star",
    *,
    centers: Sequence[tuple[float, float]] | None = None,
    width: int | None = None,
    radii: Sequence[float | None] | None = None,
) -> list[RoughCentroid]:
    """Find the star of each field of an image.

    Parameters
    ----------
    mean_image : array_like (ny, nx)
        Mean of some frames in the calibrated orientation; may hold NaN and hot pixels.
    kind : {'star', 'spots', 'planet'}
        What there is to be found.
    centers : sequence of (float, float), optional
        (y, x) of the centre of each field; default one field, the whole image.
    width : int, optional
        Side of a field, pixels; default the whole image.
    radii : sequence of (float or None), optional
        Expected distance of the spots from the star in each field, pixels.

    Returns
    -------
    list of RoughCentroid
        One for each field.

    Raises
    ------
    MeasurementError
        When nothing is found in a field; the message says how far the search came.
    """
    image = np.asarray(mean_image, dtype=float)
    if kind not in {"star", "spots", "planet"}:
        raise MeasurementError(f"rough centroid of '{kind}': use star, spots or planet")
    ny, nx = image.shape
    centers = centers if centers is not None else [((ny - 1) / 2, (nx - 1) / 2)]
    radii = radii if radii is not None else [None] * len(centers)
    cuts = [_field(image, center, width) for center in centers]
    found = _find([cut for _, _, cut in cuts], kind, radii)
    return [_shifted(one, y0, x0) for one, (y0, x0, _) in zip(found, cuts, strict=True)]


def spot_radius(header: fits.Header, filter_name: str) -> float | None:
    """Tell from the header how far the satellite spots are from the star.

    Parameters
    ----------
    header : fits.Header
        Canonical header: ``X_GRDSEP`` (lambda/D), ``X_GRDST``, ``PXSCALE``.
    filter_name : str
        Filter, or field of multiband data.

    Returns
    -------
    float or None
        Pixels; None when the header does not tell.
    """
    separation = header.get("X_GRDSEP")
    active = str(header.get("X_GRDST", "ON")).strip().upper() != "OFF"
    if not isinstance(separation, int | float) or not separation > 0 or not active:
        return None
    resolution = FILTERS[filter_name].mean * 1e-9 / PUPIL.diameter / _RAD_PER_MAS
    return float(separation * resolution / header["PXSCALE"])


def find_star(image: ArrayLike) -> tuple[float, float]:
    """Find the brightest star of an image.

    The most significant peak after smoothing to the width of a star; single hot pixels are
    removed first. The position is the moment of the core above half of the peak.

    Parameters
    ----------
    image : array_like (ny, nx)
        May hold NaN and hot pixels.

    Returns
    -------
    y, x : float
        0-based.

    Raises
    ------
    MeasurementError
        When no peak is significant (8 sigma of the smoothed image).
    """
    smooth = ndimage.gaussian_filter(_clean(image, "star"), 1.5)
    level = np.median(smooth)
    noise = max(1.4826 * float(np.median(np.abs(smooth - level))), 1e-12)
    y, x = np.unravel_index(np.argmax(smooth), smooth.shape)
    significance = (smooth[y, x] - level) / noise
    if significance < _SIGNIFICANCE:
        raise MeasurementError(
            f"no star: the brightest source, x={x + 1}, y={y + 1} (1-based), is {significance:.1f} "
            f"sigma above the sky (needs {_SIGNIFICANCE:g}): give its place in the centroid file"
        )
    low_y, low_x = max(0, y - 5), max(0, x - 5)
    core = smooth[low_y : y + 6, low_x : x + 6]
    weight = np.maximum(core - 0.5 * (smooth[y, x] + level), 0)
    yy, xx = np.indices(core.shape)
    total = weight.sum()
    return float(low_y + (weight * yy).sum() / total), float(low_x + (weight * xx).sum() / total)


def find_planet(image: ArrayLike) -> tuple[float, float, float]:
    """Fit a circle to the limb of a resolved, roughly round object.

    Along rays from the centre of light the outermost crossing of half the disc's brightness is
    the limb. The circle that most crossings lie on is fitted by least squares: others (the
    terminator of a partly lit planet, a moon) are left out.

    Parameters
    ----------
    image : array_like (ny, nx)
        May hold NaN and hot pixels.

    Returns
    -------
    y, x, radius : float
        0-based, pixels.

    Raises
    ------
    MeasurementError
        When there is no disc of at least 4 px radius, or its limb is not a circle.
    """
    smooth = ndimage.gaussian_filter(_clean(image, "planet"), 1.0)
    sky, bright = np.median(smooth[_border(smooth.shape)]), np.percentile(smooth, 99.5)
    noise = 1.4826 * np.median(np.abs(smooth[_border(smooth.shape)] - sky))
    labels, number = ndimage.label(smooth > 0.5 * (sky + bright))
    if number == 0 or bright - sky < _SIGNIFICANCE * noise:
        raise MeasurementError(
            f"no planet: the brightest part is {bright - sky:.3g} above the sky whose noise is "
            f"{noise:.3g}: give its place in the centroid file"
        )
    sizes = np.bincount(labels.ravel())[1:]
    disc = labels == 1 + int(np.argmax(sizes))
    level = 0.5 * (sky + np.median(smooth[disc]))
    y, x = ndimage.center_of_mass(disc)
    limb = _limb(smooth, (y, x), level)
    y, x, radius, scatter = _fit_circle(limb)
    peaked = np.median(smooth[disc]) - sky < 0.3 * (smooth.max() - sky)  # as a star is
    if peaked or radius < 4 or scatter > 0.1 * radius + 0.5:
        raise MeasurementError(
            f"no planet: a bright patch of {int(sizes.max())} px at x={x + 1:.1f}, y={y + 1:.1f} "
            f"(1-based), radius {radius:.1f} px, limb scatter {scatter:.1f} px, is no resolved "
            "disc: give its place in the centroid file"
        )
    return y, x, radius


def _find(
    fields: Sequence[NDArray[np.float64]], kind: str, radii: Sequence[float | None]
) -> list[RoughCentroid]:
    if kind == "spots":
        return [_from_spots(square) for square in find_spots_of_fields(fields, radii)]
    if kind == "planet":
        discs = [find_planet(image) for image in fields]
        return [RoughCentroid((y, x), radius=size) for y, x, size in discs]
    return [RoughCentroid(find_star(image)) for image in fields]


def _from_spots(square: SatelliteSpots) -> RoughCentroid:
    return RoughCentroid(square.star, tuple((float(y), float(x)) for y, x in square.positions))


def _field(
    image: NDArray[np.float64], center: tuple[float, float], width: int | None
) -> tuple[int, int, NDArray[np.float64]]:
    """Cut out one field; returns its first row and column as well."""
    if width is None:
        return 0, 0, image
    ranges = []
    for middle, size in zip(center, image.shape, strict=True):
        low = max(0, int(np.ceil(middle - width / 2)))
        ranges.append((low, min(size, low + width)))
    (y0, y1), (x0, x1) = ranges
    return y0, x0, image[y0:y1, x0:x1]


def _shifted(centroid: RoughCentroid, dy: int, dx: int) -> RoughCentroid:
    star = (centroid.star[0] + dy, centroid.star[1] + dx)
    return RoughCentroid(star, tuple((y + dy, x + dx) for y, x in centroid.spots), centroid.radius)


def _clean(image: ArrayLike, what: str) -> NDArray[np.float64]:
    clean = remove_spikes(image)
    if not np.isfinite(clean).all():
        raise MeasurementError(f"no {what}: the image has no valid pixel")
    return clean


def _border(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Outer tenth of an image on every side: sky."""
    border = np.ones(shape, dtype=bool)
    margins = [max(1, n // 10) for n in shape]
    border[margins[0] : -margins[0], margins[1] : -margins[1]] = False
    return border


def _limb(
    image: NDArray[np.float64], center: tuple[float, float], level: float
) -> NDArray[np.float64]:
    """(y, x) of the outermost crossing of a level along rays from a point within."""
    steps = np.arange(0, np.hypot(*image.shape), 0.25)
    points = []
    for angle in np.arange(_RAYS) * 2 * np.pi / _RAYS:
        y, x = center[0] + steps * np.sin(angle), center[1] + steps * np.cos(angle)
        inside = (y >= 0) & (y <= image.shape[0] - 1) & (x >= 0) & (x <= image.shape[1] - 1)
        values = ndimage.map_coordinates(image, [y[inside], x[inside]], order=1)
        falls = np.flatnonzero((values[:-1] >= level) & (values[1:] < level))
        if falls.size:
            last = falls[-1]
            part = (values[last] - level) / (values[last] - values[last + 1])
            reach = steps[last] + 0.25 * part
            points.append((center[0] + reach * np.sin(angle), center[1] + reach * np.cos(angle)))
    return np.array(points).reshape(-1, 2)


def _fit_circle(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Centre, radius and scatter (px) of the circle that most of the points lie on."""
    if len(points) < 12:
        return np.nan, np.nan, 0.0, np.inf
    keep = _largest_consensus(points)
    y = x = radius = scatter = np.nan
    for _ in range(20):
        y, x, radius = _circle_through(points[keep])
        away = np.hypot(points[:, 0] - y, points[:, 1] - x) - radius
        scatter = 1.4826 * float(np.median(np.abs(away[keep])))
        kept = np.abs(away) <= 3 * max(scatter, 0.1)
        if (kept == keep).all() or kept.sum() < 12:
            break
        keep = kept
    return y, x, radius, scatter


def _circle_through(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Algebraic least-squares circle: centre (y, x) and radius."""
    py, px = points.T
    design = np.stack([2 * py, 2 * px, np.ones_like(py)], axis=-1)
    (y, x, c), *_ = np.linalg.lstsq(design, py**2 + px**2, rcond=None)
    return float(y), float(x), float(np.sqrt(max(c + y**2 + x**2, 0.0)))


def _largest_consensus(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points within 1 px of the circle, through three of them, that has most of such points."""
    n = len(points)
    best = np.zeros(n, dtype=bool)
    for gap in (n // 3, n // 5, n // 8):
        for first in range(0, n, 4):
            triple = points[[first, (first + gap) % n, (first + 2 * gap) % n]]
            y, x, radius = _circle_through(triple)
            near = np.abs(np.hypot(points[:, 0] - y, points[:, 1] - x) - radius) <= 1.0
            if near.sum() > best.sum():
                best = near
    return best
