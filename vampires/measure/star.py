"""Rough centroids: about where the star is, found without help in the mean of some frames.

Measuring every frame needs only a place to look within a few pixels. A star is found as the
most significant compact source, a star behind a coronagraph as the centre of its four
satellite spots (`vampires.measure.spots`), a planet by its limb (`vampires.measure.limb`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from vampires.canonical import Header
from vampires.errors import MeasurementError
from vampires.instrument.filters import FILTERS
from vampires.instrument.telescope import PUPIL
from vampires.kernels.despike import remove_spikes, sample
from vampires.measure.limb import find_planet
from vampires.measure.spots import SatelliteSpots, find_spots_of_fields
from vampires.utils.robust import robust_std

__all__ = ["RoughCentroid", "find_star", "find_stars", "rough_centroids", "spot_radius"]

_RAD_PER_MAS = np.pi / 180 / 3600e3
#: Least significance of a star in a mean image.
SIGNIFICANCE = 8.0


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
    peak : float or None
        Height of the star in the smoothed image, e-/s; None where it is not known.
    """

    star: tuple[float, float]
    spots: tuple[tuple[float, float], ...] = ()
    radius: float | None = None
    peak: float | None = None

    @property
    def psfs(self) -> NDArray[np.float64]:
        """(y, x) of what is measured in every frame: the spots, or else the star; (n, 2)."""
        return np.array(self.spots or (self.star,), dtype=float)

    def mirrored(self, ny: int) -> RoughCentroid:
        """Place in a frame of `ny` rows that is turned upside down, raw or calibrated.

        Examples
        --------
        >>> RoughCentroid((10.0, 3.0)).mirrored(64).star
        (53.0, 3.0)
        """
        star, *spots = [(ny - 1 - y, x) for y, x in (self.star, *self.spots)]
        return RoughCentroid(star, tuple(spots), self.radius)


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
    cuts = [cut_field(image, center, width) for center in centers]
    found = _find([cut for _, _, cut in cuts], kind, radii)
    return [shifted(one, y0, x0) for one, (y0, x0, _) in zip(found, cuts, strict=True)]


def spot_radius(header: Header, filter_name: str) -> float | None:
    """Tell from the header how far the satellite spots are from the star.

    Parameters
    ----------
    header : Header
        Canonical header: ``X_GRDSEP`` (lambda/D), ``X_GRDST``, ``PXSCALE``.
    filter_name : str
        Filter, or field of multiband data.

    Returns
    -------
    float or None
        Pixels; None when the header does not tell.
    """
    separation = header.grid_separation
    active = (header.grid_state or "ON").strip().upper() != "OFF"
    if separation is None or not separation > 0 or not active:
        return None
    resolution = FILTERS[filter_name].mean * 1e-9 / PUPIL.diameter / _RAD_PER_MAS
    return separation * resolution / header.pixel_scale


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
    return _significant(Smoothed.of(image)).centroid()


@dataclass(frozen=True)
class Smoothed:
    """An image without hot pixels, smoothed to the width of a star.

    Attributes
    ----------
    image : ndarray (ny, nx)
    level, noise : float
        Median, and scatter by the median absolute deviation.
    """

    image: NDArray[np.float64]
    level: float
    noise: float

    @classmethod
    def of(cls, image: ArrayLike) -> Smoothed:
        """Smooth an image.

        Raises
        ------
        MeasurementError
            It has no valid pixel.
        """
        clean = remove_spikes(image)
        if not np.isfinite(clean).all():
            raise MeasurementError("no star: the image has no valid pixel")
        smooth = ndimage.gaussian_filter(clean, 1.5)
        some = sample(smooth)
        level = np.median(some)
        noise = max(robust_std(some, level), 1e-12)
        return cls(smooth, level, noise)

    @property
    def brightest(self) -> tuple[int, int]:
        """(y, x) of the brightest pixel."""
        y, x = np.unravel_index(np.argmax(self.image), self.image.shape)
        return int(y), int(x)

    @property
    def peak(self) -> float:
        """Height of the brightest pixel above the level."""
        return float(self.image[self.brightest] - self.level)

    @property
    def significance(self) -> float:
        """Height of the brightest pixel over the noise."""
        return float((self.image[self.brightest] - self.level) / self.noise)

    def peak_near(self, place: tuple[float, float], reach: int) -> float:
        """Height of the brightest pixel near a place; minus infinity outside the image."""
        low = [max(0, round(v) - reach) for v in place]
        high = [max(0, round(v) + reach + 1) for v in place]
        part = self.image[low[0] : high[0], low[1] : high[1]]
        return float(part.max() - self.level) if part.size else -np.inf

    def centroid(self) -> tuple[float, float]:
        """(y, x) of the brightest source: moment of its core above half of the peak."""
        y, x = self.brightest
        low_y, low_x = max(0, y - 5), max(0, x - 5)
        core = self.image[low_y : y + 6, low_x : x + 6]
        weight = np.maximum(core - 0.5 * (self.image[y, x] + self.level), 0)
        yy, xx = np.indices(core.shape)
        total = weight.sum()
        return float(low_y + (weight * yy).sum() / total), float(
            low_x + (weight * xx).sum() / total
        )


def _significant(smoothed: Smoothed) -> Smoothed:
    if smoothed.significance < SIGNIFICANCE:
        y, x = smoothed.brightest
        raise MeasurementError(
            f"no star: the brightest source, x={x + 1}, y={y + 1} (1-based), is "
            f"{smoothed.significance:.1f} sigma above the sky (needs {SIGNIFICANCE:g}): give its "
            "place in the centroid file"
        )
    return smoothed


def find_stars(
    image: ArrayLike, most: int = 4, apart: float = 8.0, faintest: float = 0.03
) -> list[tuple[float, float, float]]:
    """Find the stars of a close group, the brightest first.

    Parameters
    ----------
    image : array_like (ny, nx)
        May hold NaN and hot pixels.
    most : int
        How many to look for.
    apart : float
        Light within this distance of a star is taken for its own, pixels.
    faintest : float
        Height at which to stop, relative to the brightest.

    Returns
    -------
    list of (float, float, float)
        y, x (0-based) and height relative to the brightest; empty if there is none.
    """
    image = remove_spikes(image)
    yy, xx = np.indices(image.shape)
    level = float(np.median(image))
    smooth = ndimage.gaussian_filter(image, 1.5) - level
    found: list[tuple[float, float, float]] = []
    while len(found) < most:
        try:
            y, x = find_star(image)
        except MeasurementError:
            break
        height = float(smooth[round(y), round(x)])
        if found and height < faintest * found[0][2]:
            break
        found.append((y, x, height))
        image[np.hypot(yy - y, xx - x) < apart] = level
    return [(y, x, height / found[0][2]) for y, x, height in found]


def _find(
    fields: Sequence[NDArray[np.float64]], kind: str, radii: Sequence[float | None]
) -> list[RoughCentroid]:
    if kind == "spots":
        return [_from_spots(square) for square in find_spots_of_fields(fields, radii)]
    if kind == "planet":
        discs = [find_planet(image) for image in fields]
        return [RoughCentroid((y, x), radius=size) for y, x, size in discs]
    stars = [_significant(Smoothed.of(image)) for image in fields]
    return [RoughCentroid(star.centroid(), peak=star.peak) for star in stars]


def _from_spots(square: SatelliteSpots) -> RoughCentroid:
    return RoughCentroid(square.star, tuple((float(y), float(x)) for y, x in square.positions))


def cut_field(
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


def shifted(centroid: RoughCentroid, dy: float, dx: float) -> RoughCentroid:
    """Centroid moved by some pixels."""
    star = (centroid.star[0] + dy, centroid.star[1] + dx)
    spots = tuple((y + dy, x + dx) for y, x in centroid.spots)
    return replace(centroid, star=star, spots=spots)
