"""Follow the star from file to file: where it is in the mean of some frames of each.

The rough centroids of a night say where the star was in its first files. It stays there until
the telescope is offset, the crop moves or the field drifts; then every later file would be
measured in an empty window. So each file is looked at: the star is kept where it was as long as
nothing much brighter is elsewhere in its field, and followed to where it went otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.errors import MeasurementError
from vampires.measure.star import SIGNIFICANCE, RoughCentroid, Smoothed, cut_field, rough_centroids
from vampires.utils.robust import robust_std

__all__ = ["Sighting", "follow_star"]

KEEP = 0.5
"""The star is where it was if what is there is at least so bright, relative to the brightest
source of the field."""

FAINTEST_STILL = 0.05
"""Least peak of a star that stayed, relative to that in the first files: clouds of three
magnitudes; below there is no star."""

FAINTEST_MOVED = 0.3
"""The same of one that moved: below, what was found is a companion, and the star is elsewhere."""

_PEAK = 6.0
"""Height over the noise of what is light within a pattern: the highest of some thousand pixels of
noise is at four."""

REACH = 5
"""Pixels about the old place within which the star counts as unmoved."""


@dataclass(frozen=True)
class Sighting:
    """The star in one field of one file.

    Attributes
    ----------
    centroid : RoughCentroid
        Where it is; what was expected if it has not moved.
    moved : bool
        Whether it is elsewhere.
    significance : float
        Peak of the smoothed image over its noise; NaN of a disc.
    brightness : float
        Peak relative to that in the first files; NaN where that is not known.
    """

    centroid: RoughCentroid
    moved: bool
    significance: float = np.nan
    brightness: float = np.nan


def follow_star(
    image: ArrayLike,
    expected: Sequence[RoughCentroid],
    *,
    width: int | None = None,
    radii: Sequence[float | None] | None = None,
    name: str = "",
) -> list[Sighting]:
    """Find the star of each field in the mean image of one file.

    Parameters
    ----------
    image : array_like (ny, nx)
        Calibrated orientation; may hold NaN and hot pixels.
    expected : sequence of RoughCentroid
        Where the star was before, one for each field; may lie outside the image.
    width : int, optional
        Side of a field, pixels; default the whole image.
    radii : sequence of (float or None), optional
        Expected distance of satellite spots from the star in each field, pixels.
    name : str
        Name of the file, for messages.

    Returns
    -------
    list of Sighting

    Raises
    ------
    MeasurementError
        The star of a field was bright in the first files and is not in this one, or there is no
        light where spots or planet should be.
    """
    image = np.asarray(image, dtype=float)
    radii = radii if radii is not None else [None] * len(expected)
    found = []
    for place, radius in zip(expected, radii, strict=True):
        if place.radius is not None or place.spots:
            found.append(_follow_pattern(image, place, width, radius, name))
        else:
            found.append(_follow_point(image, place, width, name))
    return found


def _follow_point(
    image: NDArray[np.float64], place: RoughCentroid, width: int | None, name: str
) -> Sighting:
    y0, x0, cut = cut_field(image, place.star, width)
    smoothed = Smoothed.of(cut)
    here = smoothed.peak_near((place.star[0] - y0, place.star[1] - x0), REACH)
    moved = smoothed.significance >= SIGNIFICANCE and here < KEEP * smoothed.peak
    peak = smoothed.peak if moved else here
    brightness = np.nan if not place.peak else peak / place.peak
    if brightness < (FAINTEST_MOVED if moved else FAINTEST_STILL):
        y, x = smoothed.brightest
        raise MeasurementError(
            f"{name}: no star: the brightest source of its field, x={x + x0 + 1}, y={y + y0 + 1} "
            f"(1-based), has {brightness:.1%} of the star's peak in the first files; it is out "
            "of the frame, behind clouds, or these pixels show something else: exclude the file"
        )
    if not moved:
        return Sighting(place, False, here / smoothed.noise, brightness)
    row, column = smoothed.centroid()
    there = replace(place, star=(row + y0, column + x0))
    return Sighting(there, True, smoothed.significance, brightness)


def _follow_pattern(
    image: NDArray[np.float64],
    place: RoughCentroid,
    width: int | None,
    radius: float | None,
    name: str,
) -> Sighting:
    """Follow satellite spots or the disc of a planet.

    They stay where none is recognised but there is light, and are missing where there is none.
    """
    kind = "spots" if place.spots else "planet"
    centers = None if width is None else [place.star]
    try:
        (found,) = rough_centroids(image, kind, centers=centers, width=width, radii=[radius])
    except MeasurementError as error:
        if not _has_light(image, place, width):
            what = "satellite spots" if place.spots else "planet"
            raise MeasurementError(
                f"{name}: no {what}: nothing is brighter there than around it ({error}); it is out "
                "of the frame, behind clouds, or these pixels show something else: exclude the file"
            ) from error
        return Sighting(place, False)
    distance = np.hypot(*np.subtract(found.star, place.star))
    return Sighting(found, True) if distance > REACH else Sighting(place, False)


def _has_light(image: NDArray[np.float64], place: RoughCentroid, width: int | None) -> bool:
    """Whether a peak or the mean within the pattern stands out of what is around it."""
    y0, x0, cut = cut_field(image, place.star, width)
    size = place.radius or max(np.hypot(*np.subtract(s, place.star)) for s in place.spots)
    yy, xx = np.indices(cut.shape)
    distance = np.hypot(yy + y0 - place.star[0], xx + x0 - place.star[1])
    inside, outside = distance < size + REACH, distance > size + 3 * REACH
    smoothed = Smoothed.of(cut)
    if not inside.any():
        return False
    if (smoothed.image[inside].max() - smoothed.level) / smoothed.noise >= _PEAK:
        return True
    if outside.sum() < inside.sum() / 10:
        return True  # the pattern fills the field: there is nothing to compare with
    pixels = cut[outside & np.isfinite(cut)]
    level = np.median(pixels)
    noise = robust_std(pixels, level)
    contrast = np.nanmedian(cut[inside]) - level
    # The median's error, and a tenth of the noise: what the background's own structure may be.
    return bool(contrast > SIGNIFICANCE * noise / np.sqrt(inside.sum()) + 0.1 * noise)
