"""Flux of the satellite spots in a coadd, free of the halo of the star.

The halo under a spot is as bright as the spot or brighter, so what lies under it has to be known
well. It is taken from apertures at the same distance from the star, away from the spots. These
hold a little of the spots' own halos too, which a ring close about a spot would do much more:
a spot is a copy of the star, so its halo is that of the star times their ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.errors import MeasurementError
from vampires.flux.rates import StarRate
from vampires.images.image import CameraImage
from vampires.kernels.aperture import circle_sum

Float64 = NDArray[np.float64]

_CLEAR = 2.0  # reaches of the aperture between background and spots
_LEAST = 4  # apertures of background
_STEPS = 21  # along a spot


@dataclass(frozen=True)
class Aperture:
    """Where flux is summed.

    Parameters
    ----------
    metric : {'photometry', 'sum'}
        Circle, or square window of whole pixels.
    size : float
        Radius of the circle, or side of the window, pixels.
    """

    metric: str
    size: float

    @property
    def reach(self) -> float:
        """Half its width, pixels."""
        return self.size if self.metric == "photometry" else self.size / 2

    def flux(self, plane: NDArray, variance: NDArray, place: Float64) -> tuple[float, float]:
        """Sum and its variance at a place (y, x); NaN if it holds a masked pixel."""
        y, x = map(float, place)
        if self.metric == "photometry":
            total, spread, _ = circle_sum(plane, variance, y, x, self.size)
            return float(total), float(spread)
        half = int(self.size) // 2
        top, left = int(np.floor(y + 0.5)) - half, int(np.floor(x + 0.5)) - half
        if min(top, left) < 0:
            return np.nan, np.nan
        box = (slice(top, top + 2 * half + 1), slice(left, left + 2 * half + 1))
        if plane[box].size < (2 * half + 1) ** 2:
            return np.nan, np.nan
        return float(plane[box].sum(dtype=float)), float(variance[box].sum(dtype=float))

    def __str__(self) -> str:
        if self.metric == "photometry":
            return f"aperture of {self.size:g} px"
        return "sum of the window"


def spot_rates(
    image: CameraImage,
    offsets: Float64,
    aperture: Aperture,
    ratios: Sequence[float | None],
) -> tuple[StarRate, ...]:
    """Measure the mean rate of the satellite spots in each field.

    Parameters
    ----------
    image : CameraImage
        Coadd in e-/s, the star at its centre.
    offsets : ndarray, shape (nfields, nspots, 2)
        (y, x) of the spots from the star.
    aperture : Aperture
        Where to sum.
    ratios : sequence of float or None
        Flux of a spot over the star's in each field, as far as it is known: the spots' halos are
        taken out by it. None: the star is not occulted, so the image tells.

    Returns
    -------
    tuple of StarRate
        The error is that of photons and of the speckles under the spots.

    Raises
    ------
    MeasurementError
        No spot can be measured, or they are not brighter than the halo.
    """
    return tuple(
        _spot_rate(_Field(image, index, offsets[index], aperture), name, ratio)
        for index, (name, ratio) in enumerate(zip(image.fields, ratios, strict=True))
    )


def star_rate(image: CameraImage, index: int, aperture: Aperture) -> StarRate | None:
    """Rate of a star that is not occulted, in one field; None if it is saturated."""
    plane, variance = image.data[index], image.variance[index]
    value, spread = aperture.flux(plane, variance, (np.array(plane.shape) - 1) / 2)
    return StarRate(value, spread**0.5 / value, str(aperture)) if value > 0 else None


def kept_in_core(psf: Float64, radius: float, length: float) -> float:
    """What a small aperture keeps of a spot that the width of the band draws out to a line.

    Parameters
    ----------
    psf : ndarray (k, k)
        Image of a star, odd side, centred.
    radius : float
        Of the aperture, pixels.
    length : float
        Of the line, pixels: the distance from the star times the relative width of the band.

    Returns
    -------
    float
        Over what it holds of the star.

    Examples
    --------
    >>> y, x = np.indices((41, 41)) - 20
    >>> psf = np.exp(-0.5 * (y**2 + x**2) / 1.4**2)
    >>> round(kept_in_core(psf, 1.7, 3.4), 2), round(kept_in_core(psf, 1.7, 0.0), 6)
    (0.85, 1.0)
    """
    middle = len(psf) // 2
    along = (np.arange(_STEPS) + 0.5) / _STEPS - 0.5
    sums = [circle_sum(psf, psf, middle, middle + shift * length, radius)[0] for shift in along]
    return float(np.mean(sums) / circle_sum(psf, psf, middle, middle, radius)[0])


class _Field:
    """Apertures on one field of a coadd with spots."""

    def __init__(
        self, image: CameraImage, index: int, offsets: Float64, aperture: Aperture
    ) -> None:
        self.plane, self.variance = image.data[index], image.variance[index]
        self.aperture = aperture
        self.centre = (np.array(self.plane.shape) - 1) / 2
        self.spots = self.centre + offsets[np.isfinite(offsets).all(axis=1)]
        self.radius = float(np.hypot(*(self.spots - self.centre).T).mean())

    def fluxes(self, places: Float64) -> tuple[Float64, Float64]:
        """Fluxes that could be measured at some places, and their variances."""
        found = np.array([self.aperture.flux(self.plane, self.variance, p) for p in places])
        found = found.reshape(-1, 2)
        fluxes, variances = found[np.isfinite(found[:, 0])].reshape(-1, 2).T
        return fluxes, variances

    def ring(self, radius: float) -> Float64:
        """Places at a distance from the star, away from the spots."""
        reach = self.aperture.reach
        first = self.spots[0] - self.centre
        n = max(8, int(2 * np.pi * radius / reach))
        angle = np.arctan2(first[0], first[1]) + 2 * np.pi * np.arange(n) / n
        places = self.centre + radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        away = _distances(places, self.spots).min(axis=1) > _CLEAR * reach
        return np.asarray(places[away])

    def own_halos(self) -> float:
        """What the spots' halos add to the background less what they add to the spots.

        In units of the flux of a spot over that of the star, by the profile of the star.
        """
        reach = self.aperture.reach
        radii = np.arange(2 * reach, min(self.plane.shape) / 2 - reach, reach / 2)
        profile = [self.fluxes(self.ring(radius))[0] for radius in radii]
        seen = [(r, np.median(f)) for r, f in zip(radii, profile, strict=True) if len(f) >= _LEAST]
        if not seen:
            return 0.0
        at, halo = np.array(seen).T
        under = np.interp(_distances(self.ring(self.radius), self.spots), at, halo).sum(axis=1)
        others = _distances(self.spots, self.spots)
        np.fill_diagonal(others, np.inf)
        beside = np.interp(others, at, halo)
        np.fill_diagonal(beside, 0)
        return float(under.mean() - beside.sum(axis=1).mean())


def _spot_rate(field: _Field, name: str, ratio: float | None) -> StarRate:
    spots, spread = field.fluxes(field.spots)
    under, _ = field.fluxes(field.ring(field.radius))
    if not len(spots) or len(under) < _LEAST:
        raise MeasurementError(
            f"field {name}: {len(spots)} satellite spots and {len(under)} places of background can "
            'be measured in the coadd; use a smaller [analysis] phot_aper_rad, or unit = "e-/s"'
        )
    net = float(spots.mean() - np.median(under))
    if ratio is None:
        star = field.fluxes(field.centre[None])[0]
        ratio = net / float(star[0]) if len(star) else 0.0
    net += ratio * field.own_halos()
    if not net > 0:
        raise MeasurementError(
            f"field {name}: the satellite spots are not brighter than the halo ({net:.3g} e-/s); "
            'use unit = "e-/s", or source = "zeropoints"'
        )
    speckles = under.std(ddof=1) * np.sqrt(1 / len(spots) + np.pi / 2 / len(under))
    photons = np.sqrt(spread.sum()) / len(spots)
    return StarRate(net, float(np.hypot(speckles, photons)) / net, str(field.aperture))


def _distances(ones: Float64, others: Float64) -> Float64:
    """Between all of two sets of places, shape (n, m)."""
    return np.asarray(np.hypot(*np.moveaxis(ones[:, None] - others[None], -1, 0)))
