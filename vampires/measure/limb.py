"""The limb of a resolved object: where a planet is in an image, without help.

A darkened limb, clouds and the terminator of a partly lit disc move the centre of light, and the
line where the brightness is half of the disc's; they hardly move the line along which it falls
most steeply. That line is the limb here, and in the measurement of single frames
(`vampires.measure.discs`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.kernels.despike import remove_spikes
from vampires.utils.robust import robust_std

__all__ = ["find_planet"]

#: Least height of the disc above the sky, in units of the noise.
_SIGNIFICANCE = 8.0
_SMALLEST = 4.0
_RAYS = 360
#: Points on the limb below which there is no circle to speak of.
_FEWEST = 12
#: Distance of samples along a ray, pixels.
_STEP = 0.25
#: Blur before the brightness is differentiated, pixels: about that of the PSF, twice.
_BLUR = 2.0
#: Part of the radius within which the limb is from the line of half brightness.
_REACH = 0.15
#: Slope of the gentlest part of the limb that counts, relative to the steepest.
_GENTLEST = 0.75


def find_planet(image: ArrayLike) -> tuple[float, float, float]:
    """Fit a circle to the limb of a resolved, roughly round object.

    A first circle goes through the outermost crossings of half the disc's brightness along rays
    from the middle of the bright patch: the one that most crossings lie on, by least squares
    (the terminator of a partly lit planet and moons are left out). A second circle goes, in the
    same way, through the points near those of the first where the brightness falls most steeply.

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
    clean = remove_spikes(image)
    if not np.isfinite(clean).all():
        raise MeasurementError("no planet: the image has no valid pixel")
    disc, level = _bright_patch(clean)
    smooth = ndimage.gaussian_filter(clean, 1.0)
    middle = ndimage.center_of_mass(disc)
    outline = _outermost(smooth, middle, level)
    y, x, radius, scatter, kept = _fit_circle(outline)
    sky = 2 * level - np.median(smooth[disc])
    peaked = level - sky < 0.15 * (smooth.max() - sky)  # as a star is
    found = not peaked and radius >= _SMALLEST and scatter <= 0.1 * radius + 0.5
    limb = _steepest(clean, outline[kept] - (y, x), (y, x), radius) if found else outline[:0]
    if len(limb) < _FEWEST:
        raise MeasurementError(
            f"no planet: a bright patch of {int(disc.sum())} px about x={middle[1] + 1:.1f}, "
            f"y={middle[0] + 1:.1f} (1-based){' with a peak' if peaked else ''}, its edge found in "
            f"{len(outline)} of {_RAYS} directions, radius {radius:.1f} px, scatter "
            f"{scatter:.1f} px, is no resolved disc: give its place in the centroid file"
        )
    return _fit_circle(limb)[:3]


def _bright_patch(image: NDArray[np.float64]) -> tuple[NDArray[np.bool_], float]:
    """Largest connected patch of bright pixels, and half its brightness above the sky."""
    smooth = ndimage.gaussian_filter(image, 1.0)
    border = smooth[_border(smooth.shape)]
    sky, bright = np.median(border), np.percentile(smooth, 99.5)
    noise = robust_std(border, sky)
    labels, number = ndimage.label(smooth > 0.5 * (sky + bright))
    if number == 0 or bright - sky < _SIGNIFICANCE * noise:
        raise MeasurementError(
            f"no planet: the brightest part is {bright - sky:.3g} above the sky whose noise is "
            f"{noise:.3g} (needs {_SIGNIFICANCE:g} times that): give its place in the centroid file"
        )
    disc = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return disc, float(0.5 * (sky + np.median(smooth[disc])))


def _border(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Outer tenth of an image on every side: sky."""
    border = np.ones(shape, dtype=bool)
    margins = [max(1, n // 10) for n in shape]
    border[margins[0] : -margins[0], margins[1] : -margins[1]] = False
    return border


def _along_rays(
    image: NDArray[np.float64],
    center: tuple[float, float],
    directions: NDArray[np.float64],
    distances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Values (rays, distances) of an image along unit vectors from a point; NaN outside of it."""
    places = np.array(center)[:, None, None] + directions.T[:, :, None] * distances
    values: NDArray[np.float64] = ndimage.map_coordinates(image, places, order=1, cval=np.nan)
    return values


def _outermost(
    image: NDArray[np.float64], center: tuple[float, float], level: float
) -> NDArray[np.float64]:
    """(y, x) of the outermost crossing of a level along rays from a point within."""
    distances = np.arange(0, np.hypot(*image.shape), _STEP)
    angles = np.arange(_RAYS) * 2 * np.pi / _RAYS
    directions = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    values = _along_rays(image, center, directions, distances)
    falls = (values[:, :-1] >= level) & (values[:, 1:] < level)
    rays = np.flatnonzero(falls.any(axis=1))
    last = falls.shape[1] - 1 - np.argmax(falls[rays, ::-1], axis=1)
    inner, outer = values[rays, last], values[rays, last + 1]
    reach = distances[last] + _STEP * (inner - level) / (inner - outer)
    points: NDArray[np.float64] = np.array(center) + reach[:, None] * directions[rays]
    return points


def _steepest(
    image: NDArray[np.float64],
    offsets: NDArray[np.float64],
    center: tuple[float, float],
    radius: float,
) -> NDArray[np.float64]:
    """(y, x) where the brightness falls most steeply near some points of a circle.

    Of the slope times the distance, as in the sum of the slopes along a whole circle: blurred, a
    circle shrinks, which the factor makes up for. The terminator, whose slope is gentle, is left
    out.
    """
    reach = max(_SMALLEST, _REACH * radius)
    distances = np.arange(max(_STEP, radius - reach), radius + reach, _STEP)
    directions = offsets / np.hypot(*offsets.T)[:, None]
    values = _along_rays(ndimage.gaussian_filter(image, _BLUR), center, directions, distances)
    slope = -np.gradient(values, _STEP, axis=1) * distances
    inside = np.isfinite(slope).all(axis=1)
    if not inside.any():
        return np.empty((0, 2))
    slope, directions = slope[inside], directions[inside]
    best, steepest = np.argmax(slope, axis=1), np.max(slope, axis=1)
    within = (best > 0) & (best < len(distances) - 1)
    rays = np.flatnonzero(within & (steepest >= _GENTLEST * np.percentile(steepest, 90)))
    best = best[rays]
    before, top, after = (slope[rays, best + shift] for shift in (-1, 0, 1))
    curvature = np.maximum(2 * top - before - after, np.finfo(float).tiny)
    edge = distances[best] + 0.5 * _STEP * (after - before) / curvature
    points: NDArray[np.float64] = np.array(center) + edge[:, None] * directions[rays]
    return points


def _fit_circle(
    points: NDArray[np.float64],
) -> tuple[float, float, float, float, NDArray[np.bool_]]:
    """Centre, radius and scatter (px) of the circle that most points lie on, and which do."""
    y = x = np.nan
    radius, scatter = 0.0, np.inf
    keep = np.zeros(len(points), dtype=bool)
    if len(points) < _FEWEST:
        return y, x, radius, scatter, keep
    kept = _largest_consensus(points)
    for _ in range(20):
        if (kept == keep).all() or kept.sum() < _FEWEST:
            break
        keep = kept
        y, x, radius = _circle_through(points[keep])
        away = np.hypot(points[:, 0] - y, points[:, 1] - x) - radius
        scatter = robust_std(away[keep], 0.0)
        kept = np.abs(away) <= 3 * max(scatter, 0.1)
    return y, x, radius, scatter, keep


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
