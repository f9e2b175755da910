"""Fraunhofer images of a star through the Subaru pupil, with residual wavefront errors.

All images are computed on the detector's own pixel grid by a matrix Fourier transform (Soummer et
al. 2007, Opt. Express 15, 15935), so no interpolation enters.  The orientation is that of the sky
as a calibrated frame shows it, after the mirrored camera has been flipped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.simulate import constants as c

MAS = np.pi / 180 / 3600e3  # rad
Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


def pupil_amplitude(samples: int, offset: float, oversampling: int = 4) -> Real:
    """Transmission of the pupil, averaged over each sample.

    Parameters
    ----------
    samples
        Samples across the pupil's diameter; the array is ``(samples, samples)``.
    offset
        Rotation of the pupil on the detector, deg counter-clockwise.
    oversampling
        Points per sample and axis over which the hard edges are averaged.

    Returns
    -------
    ndarray
        ``(samples, samples)``, 0 to 1.

    Examples
    --------
    >>> pupil_amplitude(64, 140.4).shape
    (64, 64)
    """
    n = samples * oversampling
    axis = ((np.arange(n) + 0.5) / n - 0.5) * c.PUPIL_DIAMETER
    xd, yd = np.meshgrid(axis, axis)
    cos, sin = np.cos(np.deg2rad(offset)), np.sin(np.deg2rad(offset))
    x, y = cos * xd + sin * yd, -sin * xd + cos * yd
    radius = np.hypot(x, y)
    open_ = (radius <= c.PUPIL_DIAMETER / 2) & (radius >= c.CENTRAL_OBSTRUCTION / 2)
    for side in (1, -1):
        for up in (1, -1):
            angle = np.deg2rad(c.SPIDER_ANGLE)
            direction = (side * np.cos(angle), up * np.sin(angle))
            open_ &= ~_on_arm(x, y, (side * c.SPIDER_OFFSET, 0.0), direction, c.SPIDER_WIDTH)
    for ax, ay in c.ACTUATORS:
        open_ &= np.hypot(x - ax, y - ay) > c.ACTUATOR_DIAMETER / 2
    start, end = np.array(c.ACTUATOR_ARM_START), np.array(c.ACTUATORS[1])
    length = float(np.hypot(*(end - start)))
    direction = tuple((end - start) / length)
    open_ &= ~_on_arm(x, y, c.ACTUATOR_ARM_START, direction, c.ACTUATOR_ARM_WIDTH, length)
    return open_.reshape(samples, oversampling, samples, oversampling).mean((1, 3))


def _on_arm(
    x: Real,
    y: Real,
    start: tuple[float, float],
    direction: tuple[float, ...],
    width: float,
    length: float = np.inf,
) -> NDArray[np.bool_]:
    """Points within half a width of the arm that leaves ``start`` along ``direction``."""
    dx, dy = x - start[0], y - start[1]
    along = dx * direction[0] + dy * direction[1]
    across = dx * direction[1] - dy * direction[0]
    return (np.abs(across) < width / 2) & (along > 0) & (along < length)


def phase_screens(
    samples: int, strehl: float, wavelength: float, count: int, rng: np.random.Generator
) -> Real:
    """Residual optical path differences behind the adaptive optics.

    Power-law screens (power spectrum ``(f^2 + f0^2)^-1.5``, ``f0`` two cycles per pupil: the loop
    removes the low orders), a fifth of the variance common to all of them (quasi-static speckles),
    piston and tilts removed over the circular aperture.  The rms is ``sqrt(-ln S)`` radians.

    Parameters
    ----------
    samples
        Samples across the pupil.
    strehl
        Mean Strehl ratio at ``wavelength``.
    wavelength
        nm.
    count
        Number of screens.
    rng
        Random generator.

    Returns
    -------
    ndarray
        ``(count, samples, samples)`` in nm.
    """
    f = np.fft.fftfreq(2 * samples) * samples
    filter_ = (f[:, None] ** 2 + f[None, :] ** 2 + 4.0) ** -0.75
    axis = (np.arange(samples) + 0.5) / samples - 0.5
    x, y = np.meshgrid(axis, axis)
    inside = np.hypot(x, y) <= 0.5
    modes = np.stack([np.ones(inside.sum()), x[inside], y[inside]], axis=1)
    project = np.linalg.pinv(modes)
    screens = np.empty((count + 1, samples, samples))
    for k in range(count + 1):
        noise = rng.standard_normal((2 * samples, 2 * samples))
        screen = np.fft.ifft2(np.fft.fft2(noise) * filter_).real[:samples, :samples]
        a, bx, by = project @ screen[inside]
        screen = screen - (a + bx * x + by * y)
        screens[k] = screen / screen[inside].std()
    rms = np.sqrt(-np.log(strehl)) * wavelength / (2 * np.pi)
    return rms * (np.sqrt(0.8) * screens[1:] + np.sqrt(0.2) * screens[0])


def transform(pixels: Real, samples: int, scale: float, wavelength: float) -> Complex:
    """Compute the Fourier matrix from pupil samples to pixel coordinates (``scale`` mas, nm)."""
    axis = ((np.arange(samples) + 0.5) / samples - 0.5) * c.PUPIL_DIAMETER
    return np.exp(-2j * np.pi * np.outer(pixels * scale * MAS, axis) / (wavelength * 1e-9))


def band_wavelengths(band: str, count: int) -> Real:
    """Sample a band evenly: ``count`` wavelengths in nm."""
    b = c.BANDS[band]
    steps = (np.arange(count) + 0.5) / count
    return b.minimum + steps * (b.maximum - b.minimum)


def pupil_samples(size: int, scale: float, band: str) -> int:
    """Choose the samples across the pupil so that no alias of the star falls in ``size`` pixels."""
    extent = size * scale * MAS * c.PUPIL_DIAMETER / (c.BANDS[band].minimum * 1e-9)
    return max(96, 8 * int(np.ceil(1.1 * extent / 8)))


def star_psf(
    band: str,
    pixel_scale: float,
    pupil_offset: float,
    size: int,
    *,
    centre: tuple[float, float] | None = None,
    wavelengths: int = 5,
    pixel_integrated: bool = True,
) -> Real:
    """Image of a star without wavefront errors.

    Many arguments, because the optics are stated once here; the optional ones are given by name.

    Parameters
    ----------
    band
        Filter name (`vampires.simulate.constants.BANDS`).
    pixel_scale
        mas per pixel.
    pupil_offset
        Rotation of the pupil, deg.
    size
        Pixels along a side.
    centre
        Star ``(y, x)``; the image centre by default.
    wavelengths
        Number of wavelengths averaged over the band.
    pixel_integrated
        Whether the light is collected over square pixels, not sampled at their centres.

    Returns
    -------
    ndarray
        ``(size, size)``, unit sum.

    Examples
    --------
    >>> star_psf("750-50", 6.24, 140.4, 41).sum().round(6)
    np.float64(1.0)
    """
    cy, cx = centre if centre is not None else ((size - 1) / 2, (size - 1) / 2)
    samples = pupil_samples(size, pixel_scale, band)
    pupil = pupil_amplitude(samples, pupil_offset)
    image = np.zeros((size, size))
    # with pixel integration the edges need neighbours: a margin that is cut off again
    margin = 2 if pixel_integrated else 0
    pixels = np.arange(-margin, size + margin, dtype=float)
    for wavelength in band_wavelengths(band, wavelengths):
        if pixel_integrated:
            image += _pixel_mean(pupil, pixels, (cy, cx), pixel_scale, wavelength, margin)
        else:
            ay = transform(pixels - cy, samples, pixel_scale, wavelength)
            ax = transform(pixels - cx, samples, pixel_scale, wavelength)
            image += np.abs(ay @ pupil @ ax.T) ** 2
    return image / image.sum()


def _pixel_mean(
    pupil: Real,
    pixels: Real,
    centre: tuple[float, float],
    scale: float,
    wavelength: float,
    margin: int,
) -> Real:
    """Mean over each pixel by Gauss-Legendre quadrature (5 points an axis: exact to 1e-7)."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    inner = pixels[margin : len(pixels) - margin]
    samples = pupil.shape[0]
    rows = [transform(inner - centre[0] + t / 2, samples, scale, wavelength) for t in nodes]
    columns = [transform(inner - centre[1] + t / 2, samples, scale, wavelength) for t in nodes]
    image = np.zeros((len(inner), len(inner)))
    for wy, ay in zip(weights, rows, strict=True):
        half = ay @ pupil
        for wx, ax in zip(weights, columns, strict=True):
            image += 0.25 * wy * wx * np.abs(half @ ax.T) ** 2
    return image
