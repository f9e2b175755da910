"""Instantaneous images of a point of light, kept as transfer functions on a periodic grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.special import j1

from vampires.simulate import constants as c
from vampires.simulate.optics import (
    MAS,
    Complex,
    Real,
    band_wavelengths,
    pupil_amplitude,
    transform,
)


@dataclass(frozen=True)
class PsfBank:
    """Optical transfer functions of a set of instantaneous images, on one pixel grid.

    Images have their origin at pixel ``[0, 0]`` of a periodic ``(size, size)`` grid and unit sum
    where the star is not behind a coronagraph.  Pixel integration is included.

    Attributes
    ----------
    size
        Side of the grid, px.
    off_axis
        ``(count, size, size // 2 + 1)`` transfer functions of unocculted light.
    on_axis
        The same for the star: behind the coronagraph and with satellite spots, if any.
    strehl
        Strehl ratio of each off-axis image.
    encircled
        ``(count, nradii)`` fraction of the star's light in apertures of `radii` px.
    spots
        Satellite spots ``(dy, dx)`` in px from the star in calibrated orientation, and the flux
        ratio of one spot; empty without them.
    """

    size: int
    off_axis: Complex
    on_axis: Complex
    strehl: Real
    radii: tuple[float, ...]
    encircled: Real
    spots: tuple[tuple[float, float], ...] = ()
    spot_ratio: float = 0.0

    def image(self, otf: Complex) -> Real:
        """Image of a transfer function, star at the centre pixel ``size // 2``."""
        return np.fft.fftshift(irfft2(otf, s=(self.size, self.size)))


@dataclass(frozen=True)
class SatelliteSpots:
    """Four copies of the star made by a grid on the deformable mirror.

    ``amplitude`` is mechanical (um), ``separation`` in lambda/D, ``angle`` the rotation in deg of
    the X they form (0: at 45, 135, ... deg from the +x axis of a calibrated frame).
    """

    amplitude: float
    separation: float
    angle: float

    def ratio(self, wavelength: float) -> float:
        """Flux of one spot over that of the star at ``wavelength`` nm (L24)."""
        separation, c0, c1 = np.transpose(c.ASTROGRID)
        a = self.amplitude * 1e3 / wavelength
        linear = np.interp(self.separation, separation, c0)
        return float(max(linear * a + np.interp(self.separation, separation, c1) * a**2, 0.0))

    def offsets(self, wavelength: float, scale: float) -> Real:
        """``(4, 2)`` offsets ``(dy, dx)`` in px."""
        radius = self.separation * wavelength * 1e-9 / c.PUPIL_DIAMETER / (scale * MAS)
        angle = np.deg2rad(self.angle + 45 + 90 * np.arange(4))
        return radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def make_bank(
    band: str,
    pixel_scale: float,
    pupil_offset: float,
    size: int,
    screens: Real,
    *,
    radii: tuple[float, ...] = (),
    wavelengths: int = 3,
    coronagraph: float = 0.0,
    spots: SatelliteSpots | None = None,
) -> PsfBank:
    """Compute the images of a star for each phase screen.

    Many arguments, because the optics are stated once here; the optional ones are given by name.

    Behind the coronagraph the star's field is ``P (exp(i phi) - r <exp(i phi)>)``: an ideal mask
    that rejects a fraction `coronagraph` = r of the coherent light (Cavarroc et al. 2006).

    Parameters
    ----------
    band, pixel_scale, pupil_offset
        As in `vampires.simulate.optics.star_psf`.
    size
        Side of the periodic grid, px.
    screens
        ``(count, samples, samples)`` optical path differences in nm.
    radii
        Aperture radii (px) for `PsfBank.encircled`.
    wavelengths
        Number of wavelengths averaged.
    coronagraph
        Rejected fraction of the amplitude; 0: none.
    spots
        Satellite spots, or None.

    Returns
    -------
    PsfBank
    """
    samples = screens.shape[-1]
    pupil = pupil_amplitude(samples, pupil_offset)
    pixels = np.asarray(np.fft.fftfreq(size, 1 / size), dtype=np.float64)
    off_axis = np.zeros((len(screens), size, size // 2 + 1), complex)
    special = coronagraph > 0 or spots is not None
    on_axis = np.zeros_like(off_axis) if special else off_axis
    perfect, peak = 0.0, np.zeros(len(screens))
    for wavelength in band_wavelengths(band, wavelengths):
        matrix = transform(pixels, samples, pixel_scale, wavelength)
        perfect += pupil.sum() ** 2 / _image(matrix, pupil).sum()
        grid = _spot_factor(spots, size, wavelength, pixel_scale)
        for k, screen in enumerate(screens):
            field = pupil * np.exp(2j * np.pi * screen / wavelength)
            psf = _image(matrix, field)
            total = psf.sum()
            peak[k] += psf[0, 0] / total
            otf = rfft2(psf / total)
            off_axis[k] += otf / wavelengths
            if special:
                leak = field - coronagraph * field.sum() / pupil.sum() * pupil
                star = rfft2(_image(matrix, leak) / total)
                on_axis[k] += (star + grid * otf) / wavelengths
    off_axis *= pixel_response(size)
    if special:
        on_axis *= pixel_response(size)
    middle = c.BANDS[band].wavelength
    places = spots.offsets(middle, pixel_scale) if spots else np.zeros((0, 2))
    return PsfBank(
        size=size,
        off_axis=off_axis,
        on_axis=on_axis,
        strehl=peak / perfect,
        radii=radii,
        encircled=_encircled(on_axis, size, radii),
        spots=tuple((float(y), float(x)) for y, x in places),
        spot_ratio=spots.ratio(middle) if spots else 0.0,
    )


def _image(matrix: Complex, field: Real | Complex) -> Real:
    return np.asarray(np.abs(matrix @ field @ matrix.T) ** 2)


def _spot_factor(
    spots: SatelliteSpots | None, size: int, wavelength: float, scale: float
) -> Complex:
    """Transfer function of the satellite spots over that of the star."""
    factor = np.zeros((size, size // 2 + 1), complex)
    if spots is not None:
        for dy, dx in spots.offsets(wavelength, scale):
            factor += spots.ratio(wavelength) * shift_phase(size, dy, dx)
    return factor


def shift_phase(size: int, dy: float, dx: float) -> Complex:
    """Factor of a transfer function that moves its image by ``(dy, dx)`` px."""
    fy = np.exp(-2j * np.pi * np.fft.fftfreq(size) * dy)
    fx = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * dx)
    return fy[:, None] * fx[None, :]


def pixel_response(size: int) -> Real:
    """Transfer function of square pixels on a periodic grid, ``(size, size // 2 + 1)``."""
    return np.sinc(np.fft.fftfreq(size))[:, None] * np.sinc(np.fft.rfftfreq(size))[None, :]


def _encircled(otf: Complex, size: int, radii: tuple[float, ...]) -> Real:
    """Fraction of the light in circles about the origin, by Parseval's theorem.

    The circle is blurred by a pixel, as exact-overlap photometry does.
    """
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    f = np.hypot(fy, fx)
    f[0, 0] = 1.0
    weight = np.full(f.shape, 2.0)  # the half plane stands for both
    weight[:, 0] = 1.0
    if size % 2 == 0:
        weight[:, -1] = 1.0
    fractions = np.empty((len(otf), len(radii)))
    for j, radius in enumerate(radii):
        circle = radius * j1(2 * np.pi * radius * f) / f
        circle[0, 0] = np.pi * radius**2
        aperture = circle * pixel_response(size) * weight / size**2
        fractions[:, j] = (otf.real * aperture).sum((1, 2))
    return fractions
