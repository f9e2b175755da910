"""What is in the sky, and its image on a camera.

Sky offsets are ``east`` and ``north`` of the star in arcsec; Stokes Q and U follow the IAU: angle
of polarisation from north through east.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft2, rfft2

from vampires.simulate.bank import PsfBank, shift_phase
from vampires.simulate.optics import Complex

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Ring:
    """Inclined dust ring with Gaussian radial profile, polarised along circles.

    Brightness follows Henyey and Greenstein (1941), the degree of polarisation Rayleigh:
    ``p = p_max sin^2 theta / (1 + cos^2 theta)`` at the scattering angle theta.

    Attributes
    ----------
    contrast
        Total scattered light over the star's.
    radius, width
        Of the ring and the standard deviation of its profile, arcsec.
    inclination, position_angle
        deg; the position angle is that of the major axis, north through east.
    max_polarisation
        p_max, 0 to 1.
    asymmetry
        Henyey-Greenstein g; positive: the near side is the brighter one.
    """

    contrast: float = 0.3
    radius: float = 0.30
    width: float = 0.05
    inclination: float = 40.0
    position_angle: float = 60.0
    max_polarisation: float = 0.4
    asymmetry: float = 0.3

    def brightness(self, east: Real, north: Real) -> Real:
        """Stokes ``(3, ...)`` surface brightness per arcsec^2, for a star of unit flux."""
        intensity, polarisation = self._relative(east, north)
        return _azimuthal(intensity * self._scale(), -polarisation, east, north)

    def _relative(self, east: Real, north: Real) -> tuple[Real, Real]:
        pa, inc = np.deg2rad(self.position_angle), np.deg2rad(self.inclination)
        along = east * np.sin(pa) + north * np.cos(pa)
        across = (east * np.cos(pa) - north * np.sin(pa)) / np.cos(inc)
        radius = np.hypot(along, across)
        cosine = np.sin(inc) * across / np.where(radius > 0, radius, 1.0)
        g = self.asymmetry
        phase = (1 - g**2) / (1 + g**2 - 2 * g * cosine) ** 1.5
        profile = np.exp(-0.5 * ((radius - self.radius) / self.width) ** 2)
        degree = self.max_polarisation * (1 - cosine**2) / (1 + cosine**2)
        return profile * phase, degree

    @lru_cache(maxsize=8)  # noqa: B019 - frozen and tiny
    def _scale(self) -> float:
        """Factor that makes the integral over the sky equal to the contrast."""
        half = self.radius + 6 * self.width
        axis = (np.arange(600) + 0.5) / 300 * half - half
        east, north = np.meshgrid(axis, axis)
        total = self._relative(east, north)[0].sum() * (half / 300) ** 2
        return float(self.contrast / total)


@dataclass(frozen=True)
class Planet:
    """Resolved disc in place of the star, darkened and radially polarised towards its limb.

    Attributes
    ----------
    diameter
        arcsec.
    limb_darkening
        Exponent k of ``mu^k``.
    limb_polarisation
        Degree of polarisation at the limb; falls as ``(1 - mu)^2`` towards the centre.
    """

    diameter: float = 0.6
    limb_darkening: float = 0.5
    limb_polarisation: float = 0.05

    def brightness(self, east: Real, north: Real) -> Real:
        """Stokes ``(3, ...)`` surface brightness per arcsec^2, for unit total flux."""
        radius = self.diameter / 2
        r = np.hypot(east, north)
        mu = np.sqrt(np.clip(1 - (r / radius) ** 2, 0, 1))
        # the edge is a little soft so that sampling at pixel centres stays accurate
        edge = np.clip((radius - r) / 0.006 + 0.5, 0, 1)
        k = self.limb_darkening
        total = np.pi * radius**2 * 2 / (k + 2)
        intensity = edge * np.maximum(mu, 0.02) ** k / total
        return _azimuthal(intensity, self.limb_polarisation * (1 - mu) ** 2, east, north)


def _azimuthal(intensity: Real, degree: Real, east: Real, north: Real) -> Real:
    """Stokes planes of light polarised along the radius (``degree`` > 0) or across it (< 0)."""
    angle = 2 * np.arctan2(east, north)
    p = intensity * degree
    return np.stack([intensity, p * np.cos(angle), p * np.sin(angle)])


@dataclass(frozen=True)
class Companion:
    """Unpolarised point source: flux over the star's, separation (arcsec), position angle (deg).

    ``line_excess`` multiplies its flux in emission-line filters.
    """

    contrast: float = 0.05
    separation: float = 0.35
    position_angle: float = 110.0
    line_excess: float = 1.0


@dataclass(frozen=True)
class Scene:
    """Everything in the field: a star (or planet), a ring, a companion."""

    star_stokes: tuple[float, float, float] = (1.0, 0.0, 0.0)
    ring: Ring | None = None
    companion: Companion | None = None
    planet: Planet | None = None

    def extended(self, east: Real, north: Real) -> Real:
        """Stokes ``(3, ...)`` brightness per arcsec^2 of the resolved sources, unit star flux."""
        stokes = np.zeros((3, *east.shape))
        for source in (self.ring, self.planet):
            if source is not None:
                stokes += source.brightness(east, north)
        return stokes

    @property
    def resolved(self) -> bool:
        """Whether anything in the field is not a point."""
        return self.ring is not None or self.planet is not None


def detector_to_sky(y: Real, x: Real, derotation: float, scale: float) -> tuple[Real, Real]:
    """East and north (arcsec) of calibrated detector offsets (px), ``scale`` in mas.

    Turning the frame counter-clockwise by the derotation angle brings north up and east left.
    """
    a = np.deg2rad(derotation)
    right = np.cos(a) * x - np.sin(a) * y
    up = np.sin(a) * x + np.cos(a) * y
    return -right * scale / 1000, up * scale / 1000


def sky_to_detector(
    east: float, north: float, derotation: float, scale: float
) -> tuple[float, float]:
    """Calibrated detector offset ``(dy, dx)`` in px: the inverse of `detector_to_sky`."""
    a = np.deg2rad(derotation)
    right, up = -east * 1000 / scale, north * 1000 / scale
    return float(-np.sin(a) * right + np.cos(a) * up), float(np.cos(a) * right + np.sin(a) * up)


@dataclass(frozen=True)
class FieldRenderer:
    """Renders noise-free images of a scene in one field of one camera.

    Resolved sources are evaluated analytically at each frame's field rotation and convolved in
    Fourier space, where the star is placed at its sub-pixel position; nothing is interpolated.

    Attributes
    ----------
    scene, bank
        What is looked at and the images of a point.
    pixel_scale
        mas.
    flux
        Star flux, e-/s.
    line
        Whether the filter holds an emission line.
    """

    scene: Scene
    bank: PsfBank
    pixel_scale: float
    flux: float
    line: bool = False

    def image(
        self,
        row: ArrayLike,
        draws: NDArray[np.int64],
        derotation: float,
        position: tuple[float, float],
        shape: tuple[int, int],
    ) -> Real:
        """Render the expected e-/s per pixel.

        Parameters
        ----------
        row
            ``(3,)`` or ``(4,)`` first row of the Mueller matrix: weights of I, Q, U.
        draws
            Members of the bank that are averaged.
        derotation
            deg.
        position
            Star ``(y, x)`` in the image, calibrated orientation.
        shape
            Of the image; not larger than the bank's grid.
        """
        weights = np.asarray(row, float)[:3]
        off_axis = self.bank.off_axis[draws].mean(0)
        spectrum = off_axis * self._others(weights, derotation)
        if self.scene.planet is None:
            star = float(weights @ np.array(self.scene.star_stokes))
            spectrum += star * self.bank.on_axis[draws].mean(0)
        spectrum *= shift_phase(self.bank.size, *position) * self.flux
        image = irfft2(spectrum, s=(self.bank.size, self.bank.size))
        return np.asarray(image)[: shape[0], : shape[1]]

    def _others(self, weights: Real, derotation: float) -> Complex:
        """Spectrum, about the star, of all but the star; unit star flux."""
        n = self.bank.size
        spectrum = np.zeros((n, n // 2 + 1), complex)
        if self.scene.resolved:
            axis = np.fft.fftfreq(n, 1 / n)
            x, y = np.meshgrid(axis, axis)
            sky = detector_to_sky(y, x, derotation, self.pixel_scale)
            stokes = self.scene.extended(*sky) * (self.pixel_scale / 1000) ** 2
            spectrum += rfft2(np.tensordot(weights, stokes, 1))
        companion = self.scene.companion
        if companion is not None:
            pa = np.deg2rad(companion.position_angle)
            east, north = companion.separation * np.sin(pa), companion.separation * np.cos(pa)
            offset = sky_to_detector(east, north, derotation, self.pixel_scale)
            ratio = companion.contrast * (companion.line_excess if self.line else 1.0)
            spectrum += weights[0] * ratio * shift_phase(n, *offset)
        return spectrum
