"""The four satellite spots of a coronagraphic image.

A pattern on the deformable mirror (the "astrogrid") makes four copies of the star at the corners
of a square about it. They are looked for as that: compact sources, wherever four of them
make a square, in any orientation. Companions, hot pixels and the ridges of diffraction spikes
do not come in squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.kernels.despike import remove_spikes

__all__ = ["SatelliteSpots", "find_satellite_spots"]

#: Least distance of a spot from the star, pixels.
_NEAREST = 18.0
#: How far the distance may differ from the expected one.
_TOLERANCE = 0.12
#: How far a corner may be from where the opposite two put it, pixels.
_SLACK = 2
_CANDIDATES = 80
#: Least significance of the two faintest corners; noise and speckles alone reach 1.8.
_SIGNIFICANCE = 2.6
#: A second square as good as this part of the best makes the result a guess.
_AMBIGUOUS = 0.85


@dataclass(frozen=True)
class SatelliteSpots:
    """Four spots and the star between them.

    Attributes
    ----------
    positions : ndarray (4, 2)
        (y, x), 0-based, corners of a square fitted to the centroids; counter-clockwise from the
        one nearest to the direction of +x.
    star : (float, float)
        (y, x) of its centre.
    radius : float
        Distance of the spots from the star, pixels.
    angle : float
        Direction of the first spot, degrees counter-clockwise from +x, -45 to 45.
    significance : float
        Of the two faintest spots, in units of the local noise.
    """

    positions: NDArray[np.float64]
    star: tuple[float, float]
    radius: float
    angle: float
    significance: float


def find_satellite_spots(
    image: ArrayLike,
    *,
    radius: float | None = None,
    center: tuple[float, float] | None = None,
    reach: float | None = None,
) -> SatelliteSpots:
    """Find the square of satellite spots in the mean image of a coronagraphic observation.

    Parameters
    ----------
    image : array_like (ny, nx)
        Mean of some frames, calibrated or not; may hold NaN and hot pixels.
    radius : float, optional
        Expected distance of the spots from the star, pixels (12 % tolerance). Without it every
        size is tried.
    center : (float, float), optional
        (y, x) near which the star must be; default the image's centre.
    reach : float, optional
        How near, pixels; default a quarter of the image's smaller side.

    Returns
    -------
    SatelliteSpots

    Raises
    ------
    MeasurementError
        When no square is significant, or two different ones are equally so. The message says
        how far the search came.

    Notes
    -----
    The image is smoothed to the width of a spot; from each pixel the larger of what lies on
    both sides of it is subtracted, in the direction where most remains, so that ridges vanish
    and blobs stay; and the result is divided by its local scatter. Each pair of the strongest
    peaks is tried as a diagonal; a square counts by the mean of its two faintest corners.
    """
    image = np.asarray(image, dtype=float)
    ny, nx = image.shape
    center = center if center is not None else ((ny - 1) / 2, (nx - 1) / 2)
    reach = reach if reach is not None else min(ny, nx) / 4
    clean = remove_spikes(image)
    if not np.isfinite(clean).all():
        raise MeasurementError("satellite spots: the image has no valid pixel")
    blobs = _blob_significance(clean, radius)
    limits = _radius_limits(radius, min(ny, nx))
    peaks = _strongest_peaks(blobs)
    squares = _squares(blobs, peaks, limits, np.asarray(center), reach)
    best = _unique_best(squares, len(peaks), limits)
    spots = np.array([_refine(clean, corner) for corner in best.corners])
    return _assemble(spots, best.significance)


@dataclass(frozen=True)
class _Square:
    significance: float
    middle: NDArray[np.float64]
    corners: NDArray[np.float64]


def _radius_limits(radius: float | None, side: int) -> tuple[float, float]:
    if radius is None:
        return _NEAREST, 0.5 * side * np.sqrt(2)
    return radius * (1 - _TOLERANCE), radius * (1 + _TOLERANCE)


def _blob_significance(image: NDArray[np.float64], radius: float | None) -> NDArray[np.float64]:
    """How much every pixel stands out in all directions, over the local scatter of that."""
    smooth = ndimage.gaussian_filter(image, 1.5)
    best = np.zeros(image.shape)
    # spots far out are drawn along the radius by the filter's width
    steps = (5.0, 8.0) if radius is None or radius > 70 else (5.0,)
    for step in steps:
        blob = np.full(image.shape, np.inf)
        curvatures = []
        for angle in np.arange(8) * np.pi / 8:
            dy, dx = np.rint(step * np.sin(angle)), np.rint(step * np.cos(angle))
            one, other = _moved(smooth, dy, dx), _moved(smooth, -dy, -dx)
            blob = np.minimum(blob, smooth - np.maximum(one, other))
            curvatures.append(np.abs(smooth - (one + other) / 2))
        scatter = 1.4826 * _local_median(np.median(curvatures, axis=0))
        best = np.maximum(best, blob / np.maximum(scatter, 1e-30))
    return best


def _local_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median within some forty pixels, from coarse cells."""
    side = 8
    ny, nx = (n // side * side for n in values.shape)
    cells = values[:ny, :nx].reshape(ny // side, side, nx // side, side).swapaxes(1, 2)
    middle = np.median(cells.reshape(*cells.shape[:2], -1), axis=-1)
    middle = ndimage.median_filter(middle, 5)
    rows = np.minimum(np.arange(values.shape[0]) // side, middle.shape[0] - 1)
    columns = np.minimum(np.arange(values.shape[1]) // side, middle.shape[1] - 1)
    coarse: NDArray[np.float64] = middle[np.ix_(rows, columns)]
    return coarse


def _moved(image: NDArray[np.float64], dy: float, dx: float) -> NDArray[np.float64]:
    return np.asarray(ndimage.shift(image, (dy, dx), order=0, mode="nearest"))


def _strongest_peaks(blobs: NDArray[np.float64]) -> NDArray[np.int_]:
    """Positions (n, 2) of the strongest local maxima, strongest first."""
    top = (blobs == ndimage.maximum_filter(blobs, 7)) & (blobs > 0)
    peaks = np.argwhere(top)
    order = np.argsort(-blobs[top], kind="stable")[:_CANDIDATES]
    return peaks[order]


def _squares(
    blobs: NDArray[np.float64],
    peaks: NDArray[np.int_],
    limits: tuple[float, float],
    center: NDArray[np.float64],
    reach: float,
) -> Iterator[_Square]:
    """Squares that have two of the peaks for a diagonal."""
    highest = ndimage.maximum_filter(blobs, 2 * _SLACK + 1)
    for i, first in enumerate(peaks):
        for second in peaks[i + 1 :]:
            middle, arm = (first + second) / 2, (second - first) / 2
            size = np.hypot(*arm)
            offset = np.hypot(*(middle - center))
            if not (limits[0] <= size <= limits[1] and offset <= reach):
                continue
            turned = np.array([arm[1], -arm[0]])
            corners = np.array([first, middle - turned, second, middle + turned])
            cells = np.rint(corners).astype(int)
            if (cells < 0).any() or (cells >= blobs.shape).any():
                continue
            yield _Square(float(np.sort(highest[tuple(cells.T)])[:2].mean()), middle, corners)


def _unique_best(squares: Iterator[_Square], npeaks: int, limits: tuple[float, float]) -> _Square:
    ranked: list[_Square] = sorted(squares, key=lambda square: -square.significance)
    found = (
        f"satellite spots: {npeaks} point sources, {len(ranked)} squares with corners "
        f"{limits[0]:.0f} to {limits[1]:.0f} px from the star"
    )
    if not ranked or ranked[0].significance < _SIGNIFICANCE:
        top = f"{ranked[0].significance:.1f}" if ranked else "none"
        raise MeasurementError(
            f"{found}; significance of the best one's faintest corners: {top} "
            f"(needs {_SIGNIFICANCE:g}): give the spots in the centroid file"
        )
    best = ranked[0]
    rivals = [
        other
        for other in ranked[1:]
        if not _same(best, other) and other.significance > _AMBIGUOUS * best.significance
    ]
    if rivals:
        (y, x), (v, u) = best.middle, rivals[0].middle
        raise MeasurementError(
            f"{found}; two of them, about x={x + 1:.0f}, y={y + 1:.0f} and x={u + 1:.0f}, "
            f"y={v + 1:.0f} (1-based), are as significant: give the spots in the centroid file"
        )
    return best


def _same(one: _Square, other: _Square) -> bool:
    """Whether two squares have their corners in the same places, in any order."""
    apart = np.linalg.norm(one.corners[:, None] - other.corners[None], axis=-1)
    return bool((apart.min(axis=1) <= 2 * _SLACK + 1).all())


def _refine(image: NDArray[np.float64], corner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroid of one spot: moment of its brighter part above a plane through its surroundings."""
    half = 8
    y, x = corner
    for _ in range(6):
        y0 = int(np.clip(round(y) - half, 0, image.shape[0] - 2 * half - 1))
        x0 = int(np.clip(round(x) - half, 0, image.shape[1] - 2 * half - 1))
        yy, xx = np.mgrid[y0 : y0 + 2 * half + 1, x0 : x0 + 2 * half + 1]
        cut = image[y0 : y0 + 2 * half + 1, x0 : x0 + 2 * half + 1]
        far = np.hypot(yy - y, xx - x) > 6
        basis = np.stack([np.ones(cut.shape), yy - y, xx - x], axis=-1)
        plane, *_ = np.linalg.lstsq(basis[far], cut[far], rcond=None)
        above = ndimage.gaussian_filter(cut - basis @ plane, 1.0)
        above[np.hypot(yy - y, xx - x) > 4.5] = 0
        weight = np.maximum(above - 0.3 * above.max(), 0)
        if not weight.sum() > 0:
            break
        y, x = (weight * yy).sum() / weight.sum(), (weight * xx).sum() / weight.sum()
    return np.array([y, x])


def _assemble(spots: NDArray[np.float64], significance: float) -> SatelliteSpots:
    """Fit the square ``c + a i^k`` (complex, k = 0..3) to the spots in their order around it.

    A spot on a speckle or on a diffraction spike is drawn away from its place: it loses weight
    with its distance (Cauchy, 0.3 px).
    """
    turns = 1j ** np.arange(4)
    measured = spots[:, 1] + 1j * spots[:, 0]
    weights = np.ones(4)
    for _ in range(30):
        design = np.sqrt(weights)[:, None] * np.stack([np.ones(4), turns], axis=-1)
        (middle, arm), *_ = np.linalg.lstsq(design, np.sqrt(weights) * measured, rcond=None)
        away = np.abs(measured - middle - arm * turns)
        weights = 1 / (1 + (away / 0.3) ** 2)
    if np.median(away) > _SLACK:
        raise MeasurementError(
            f"satellite spots: four sources about x={middle.real + 1:.0f}, "
            f"y={middle.imag + 1:.0f} (1-based), but {np.median(away):.1f} px from a square: "
            "give the spots in the centroid file"
        )
    fitted = middle + arm * turns
    order = np.argsort((np.angle(fitted - middle, deg=True) + 45) % 360, kind="stable")
    fitted = fitted[order]
    return SatelliteSpots(
        np.stack([fitted.imag, fitted.real], axis=-1),
        (float(middle.imag), float(middle.real)),
        float(np.abs(arm)),
        float(np.angle(fitted[0] - middle, deg=True)),
        significance,
    )
