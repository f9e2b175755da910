"""The four satellite spots of a coronagraphic image.

A pattern on the deformable mirror (the "astrogrid") makes four copies of the star at the corners
of a square about it. They are looked for as that: compact sources of one brightness, wherever
four of them make a square, in any orientation. Companions, hot pixels and the ridges of
diffraction spikes do not come in squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.kernels.despike import remove_spikes
from vampires.measure.squares import SLACK, SquareRequest, angle_between, find_square

__all__ = ["SatelliteSpots", "find_satellite_spots", "find_spots_of_fields"]

#: Least distance of a spot from the star, pixels.
_NEAREST = 18.0
#: How far the distance may differ from the expected one.
_TOLERANCE = 0.12
#: The same, and how far the angle (degrees), when another field of the detector shows the spots.
_TOLERANCE_KNOWN = 0.04
_ANGLE_KNOWN = 3.0
#: Least significance where another field tells size and angle: of squares of chance one in
#: fifteen has that angle, and one in three of these the size.
_SIGNIFICANCE_KNOWN = 2.4


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
        Of the faintest spot, in units of the local noise.
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
    """
    clean = remove_spikes(image)
    if not np.isfinite(clean).all():
        raise MeasurementError("satellite spots: the image has no valid pixel")
    ny, nx = clean.shape
    center = center if center is not None else ((ny - 1) / 2, (nx - 1) / 2)
    reach = reach if reach is not None else min(ny, nx) / 4
    limits = (_NEAREST, 0.5 * min(ny, nx) * np.sqrt(2))
    if radius is not None:
        limits = (radius * (1 - _TOLERANCE), radius * (1 + _TOLERANCE))
    return _measure(clean, SquareRequest(np.array(center), reach, limits))


def find_spots_of_fields(
    images: Sequence[ArrayLike], radii: Sequence[float | None]
) -> list[SatelliteSpots]:
    """Find the spots in each field of a detector.

    The angle is the same in all fields, and the size goes with the wavelength as the expected
    ones do. Where a field shows no spots, or others than the field with the most significant
    ones, those of its angle and size are looked for.

    Parameters
    ----------
    images : sequence of array_like (ny, nx)
        One per field, as for `find_satellite_spots`.
    radii : sequence of (float or None)
        Expected distances of the spots from the star, pixels.

    Returns
    -------
    list of SatelliteSpots

    Raises
    ------
    MeasurementError
        When a field does not show the spots that the others show, or none shows any.
    """
    found: list[SatelliteSpots | None] = []
    failures: list[MeasurementError] = []
    for image, radius in zip(images, radii, strict=True):
        try:
            found.append(find_satellite_spots(image, radius=radius))
        except MeasurementError as error:
            found.append(None)
            failures.append(error)
    known = [(one.significance, k, one) for k, one in enumerate(found) if one is not None]
    if not known:
        raise failures[0]
    _, index, best = max(known)
    return [
        _like(best, radii[index], one, np.asarray(image), radius)
        for one, image, radius in zip(found, images, radii, strict=True)
    ]


def _like(
    best: SatelliteSpots,
    best_radius: float | None,
    found: SatelliteSpots | None,
    image: NDArray[np.float64],
    radius: float | None,
) -> SatelliteSpots:
    """Spots of a field if they are like the best ones of all fields, or else such as are."""
    ny, nx = image.shape
    limits = (_NEAREST, 0.5 * min(ny, nx) * np.sqrt(2))
    if radius is not None and best_radius is not None:
        size = best.radius * radius / best_radius
        limits = (size * (1 - _TOLERANCE_KNOWN), size * (1 + _TOLERANCE_KNOWN))
    alike = found is not None and (
        limits[0] <= found.radius <= limits[1]
        and abs(angle_between(found.angle, best.angle)) <= _ANGLE_KNOWN
    )
    if found is not None and alike:
        return found
    center = np.array([(ny - 1) / 2, (nx - 1) / 2])
    request = SquareRequest(center, min(ny, nx) / 4, limits, best.angle, _SIGNIFICANCE_KNOWN)
    return _measure(remove_spikes(image), request)


def _measure(clean: NDArray[np.float64], request: SquareRequest) -> SatelliteSpots:
    corners, significance = find_square(clean, request)
    return _assemble(np.array([_refine(clean, corner) for corner in corners]), significance)


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
    if np.median(away) > SLACK:
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
