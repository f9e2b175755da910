"""Squares of four alike compact sources in an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.utils.robust import MAD_TO_SIGMA

__all__ = ["SquareRequest", "angle_between", "find_square"]

#: Least significance of the faintest corner. In 350 simulated fields (diffraction spikes,
#: companions, rings, as few as three speckle patterns) the best square of anything but spots
#: reached 2.9; this is a quarter more.
SIGNIFICANCE = 3.6
#: How far a corner may be from where the opposite two put it, pixels: whole pixels are compared,
#: and a speckle beside a spot pulls.
SLACK = 2.0
#: How far the angle may be from the requested one, degrees: a pixel or two at the least distance.
_ANGLE_TOLERANCE = 3.0
_CANDIDATES = 200
#: Copies of one star are alike: of three corners (the fourth may lie on a companion) the brightest
#: is at most so many times the faintest. In simulations it is less than 2.
_ALIKE = 3.0
#: A second square as good as this part of the best makes the result a guess.
_AMBIGUOUS = 0.6


@dataclass(frozen=True)
class SquareRequest:
    """What square is looked for.

    Attributes
    ----------
    center, reach : ndarray (2,), float
        (y, x) near which its middle must be, and how near; pixels.
    limits : (float, float)
        Least and largest distance of the corners from the middle, pixels.
    angle : float or None
        Direction of a corner from the middle, degrees counter-clockwise from +x.
    needed : float
        Least significance of the faintest corner.
    """

    center: NDArray[np.float64]
    reach: float
    limits: tuple[float, float]
    angle: float | None = None
    needed: float = SIGNIFICANCE

    def __str__(self) -> str:
        angle = "" if self.angle is None else f" at {self.angle:.0f} deg as in another field"
        return f"corners {self.limits[0]:.0f} to {self.limits[1]:.0f} px from the star{angle}"


def find_square(
    clean: NDArray[np.float64], request: SquareRequest
) -> tuple[NDArray[np.float64], float]:
    """Find the one square of compact sources that is as requested.

    The image is smoothed and freed of the halo (a running median); from each pixel the larger of
    what lies on both sides of it is subtracted, in the direction where least remains, so that
    ridges vanish and blobs stay; and the result is divided by its local scatter. Each pair of
    the strongest peaks is tried as a diagonal, with peaks at the other two corners. A square
    counts by its faintest corner.

    Parameters
    ----------
    clean : ndarray (ny, nx)
        Image without NaN and hot pixels.
    request : SquareRequest
        What is looked for.

    Returns
    -------
    corners : ndarray (4, 2)
        (y, x), whole pixels, in order around the square.
    significance : float
        Of the faintest corner, in units of the local scatter.

    Raises
    ------
    MeasurementError
        When no square is significant, or two different ones are equally so. The message says
        how far the search came.
    """
    flat = _without_halo(ndimage.gaussian_filter(clean, 1.2))
    blobs = _blob_significance(flat)
    peaks = _strongest_peaks(blobs)
    squares = _squares(peaks, blobs, flat, request)
    best = _unique_best(squares, len(peaks), request)
    return squares.corners[best], float(squares.significance[best])


def angle_between(one: ArrayLike, other: ArrayLike) -> NDArray[np.float64]:
    """Angle from the corners of one square to those of another, degrees, -45 to 45."""
    return (np.asarray(one, dtype=float) - np.asarray(other, dtype=float) + 45) % 90 - 45


@dataclass(frozen=True)
class _Squares:
    """Corners (n, 4, 2) of squares, and the significance of each's faintest one."""

    corners: NDArray[np.float64]
    significance: NDArray[np.float64]


def _without_halo(smooth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the median within some 17 pixels, from every second pixel (it is slow)."""
    halo = ndimage.median_filter(smooth[::2, ::2], 9)
    rows, columns = (np.arange(n) / 2 for n in smooth.shape)
    places = np.meshgrid(rows, columns, indexing="ij")
    flat: NDArray[np.float64] = smooth - ndimage.map_coordinates(
        halo, places, order=1, mode="nearest"
    )
    return flat


def _blob_significance(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much every pixel stands out in all directions, over the local scatter of that."""
    step = 5.0  # beyond the core of a spot, whose radius is 3 to 4 px
    blob = np.full(flat.shape, np.inf)
    curvatures = []
    for angle in np.arange(8) * np.pi / 8:
        move = np.rint([step * np.sin(angle), step * np.cos(angle)])
        one = ndimage.shift(flat, move, order=0, mode="nearest")
        other = ndimage.shift(flat, -move, order=0, mode="nearest")
        blob = np.minimum(blob, flat - np.maximum(one, other))
        curvatures.append(np.abs(flat - (one + other) / 2))
    scatter = MAD_TO_SIGMA * _local_median(np.median(curvatures, axis=0))
    significance: NDArray[np.float64] = blob / np.maximum(scatter, 1e-30)
    return significance


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


def _strongest_peaks(blobs: NDArray[np.float64]) -> NDArray[np.int_]:
    """Positions (n, 2) of the strongest local maxima, strongest first."""
    top = (blobs == ndimage.maximum_filter(blobs, 5)) & (blobs > 0)
    order = np.argsort(-blobs[top], kind="stable")[:_CANDIDATES]
    return np.argwhere(top)[order]


def _squares(
    peaks: NDArray[np.int_],
    blobs: NDArray[np.float64],
    flat: NDArray[np.float64],
    request: SquareRequest,
) -> _Squares:
    """Squares of four peaks that are as requested, the same one perhaps twice."""
    one, other = np.triu_indices(len(peaks), 1)
    middle, arm = (peaks[one] + peaks[other]) / 2, (peaks[other] - peaks[one]) / 2
    size = np.hypot(arm[:, 0], arm[:, 1])
    fits = (request.limits[0] <= size) & (size <= request.limits[1])
    fits &= np.linalg.norm(middle - request.center, axis=1) <= request.reach
    if request.angle is not None:
        angle = np.rad2deg(np.arctan2(arm[:, 0], arm[:, 1]))
        fits &= np.abs(angle_between(angle, request.angle)) <= _ANGLE_TOLERANCE
    one, other, middle, arm = one[fits], other[fits], middle[fits], arm[fits]
    turned = np.stack([arm[:, 1], -arm[:, 0]], axis=-1)
    second, second_there = _peaks_near(middle - turned, peaks)
    fourth, fourth_there = _peaks_near(middle + turned, peaks)
    corners = peaks[np.stack([one, second, other, fourth], axis=-1)]
    corners = corners[second_there & fourth_there]
    light = np.sort(flat[corners[..., 0], corners[..., 1]], axis=-1)
    corners = corners[light[:, 2] <= _ALIKE * light[:, 0]]
    faintest = blobs[corners[..., 0], corners[..., 1]].min(axis=-1)
    return _Squares(corners.astype(float), faintest)


def _peaks_near(
    places: NDArray[np.float64], peaks: NDArray[np.int_]
) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """Index of the strongest peak within the slack of each place, and whether there is one."""
    if not len(places):
        return np.zeros(0, dtype=int), np.zeros(0, dtype=bool)
    near = np.linalg.norm(places[:, None] - peaks, axis=-1) <= SLACK
    return near.argmax(axis=1), near.any(axis=1)


def _unique_best(squares: _Squares, npeaks: int, request: SquareRequest) -> int:
    """Index of the most significant square."""
    count = len({tuple(sorted(map(tuple, corners))) for corners in squares.corners.tolist()})
    found = f"satellite spots: {npeaks} point sources, {count} squares with {request}"
    best = int(np.argmax(squares.significance)) if count else -1
    if not count or squares.significance[best] < request.needed:
        top = f"{squares.significance[best]:.1f}" if count else "none"
        raise MeasurementError(
            f"{found}; significance of the best one's faintest corner: {top} "
            f"(needs {request.needed:g}): give the spots in the centroid file"
        )
    equal = squares.significance > _AMBIGUOUS * squares.significance[best]
    rivals = [
        k for k in np.flatnonzero(equal) if not _same(squares.corners[best], squares.corners[k])
    ]
    if rivals:
        (y, x), (v, u) = (squares.corners[k].mean(axis=0) for k in (best, rivals[0]))
        raise MeasurementError(
            f"{found}; two of them, about x={x + 1:.0f}, y={y + 1:.0f} and x={u + 1:.0f}, "
            f"y={v + 1:.0f} (1-based), are as significant: give the spots in the centroid file"
        )
    return best


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two squares have their corners in the same places, in any order."""
    apart = np.linalg.norm(one[:, None] - other[None], axis=-1)
    return bool((apart.min(axis=1) <= 2 * SLACK + 1).all())
