"""The synthetic point-spread function: what the telescope would deliver without an atmosphere.

The broadband Fraunhofer image of the Subaru pupil as VAMPIRES sees it - undersized secondary,
spiders, two masked actuators of the deformable mirror - computed by matrix Fourier transform
(Soummer et al. 2007), so that every pixel scale is sampled exactly, and integrated over the pixels
by the pixel's transfer function, which is exact as the intensity is band-limited.

A pupil without aberrations is real, hence its image is point-symmetric: the centre is exact
by construction, and angles matter modulo 180 degrees only.

References
----------
Soummer, R. et al. 2007, Optics Express 15, 15935, "Fast computation of Lyot-style coronagraph
propagation".
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.canonical import Header
from vampires.errors import MeasurementError
from vampires.instrument.curves import filter_curve
from vampires.instrument.filters import FILTERS
from vampires.instrument.telescope import PUPIL, Pupil
from vampires.kernels.aperture import overlap

__all__ = ["disc_psf", "fraunhofer_psf", "header_psf", "pupil_transmission", "synthetic_psf"]

_RAD_PER_MAS = np.pi / 180 / 3600e3
#: Samples across the pupil: the thinnest vane (0.089 m of 7.92 m) covers three of them.
_PUPIL_SAMPLES = 256
_SUPERSAMPLING = 4
#: Rows of the pupil at once: no more than stays in the processor's cache.
_BAND = 2
#: Samples per lambda/D that the intensity needs (two, for its spatial frequencies end there).
_NYQUIST = 2.1
#: Pixels around what is asked for, which the transform needs: it takes the image as periodic.
_MARGIN = 12
_WAVELENGTHS = 11


def pupil_transmission(
    pupil: Pupil, angle: float = 0.0, samples: int = _PUPIL_SAMPLES
) -> NDArray[np.float64]:
    """Sample a pupil on a square grid that spans its diameter.

    Parameters
    ----------
    pupil : Pupil
        Diameter, obstruction, spiders and discs.
    angle : float
        Counter-clockwise rotation of the pupil, degrees.
    samples : int
        Grid points across the diameter.

    Returns
    -------
    ndarray (samples, samples)
        Mean transmission of each cell, 0 to 1.
    """
    fine = samples * _SUPERSAMPLING
    axis = ((np.arange(fine) + 0.5) / fine - 0.5) * pupil.diameter
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    transmission = np.empty((samples, samples))
    for first in range(0, samples, _BAND):
        band = slice(first, first + _BAND)
        y = axis.reshape(samples, _SUPERSAMPLING)[band].reshape(-1, 1)
        cells = _is_open(pupil, c * y - s * axis, c * axis + s * y)
        shape = -1, _SUPERSAMPLING, samples, _SUPERSAMPLING
        transmission[band] = cells.reshape(shape).mean(axis=(1, 3))
    return transmission


def _is_open(pupil: Pupil, y: NDArray, x: NDArray) -> NDArray[np.bool_]:
    r2 = y**2 + x**2
    is_open = (r2 <= (pupil.diameter / 2) ** 2) & (r2 >= (pupil.obstruction / 2) ** 2)
    for spider in pupil.spiders:
        x0, y0 = spider.start
        c, s = np.cos(np.deg2rad(spider.angle)), np.sin(np.deg2rad(spider.angle))
        along, across = c * (x - x0) + s * (y - y0), c * (y - y0) - s * (x - x0)
        is_open &= ~((along >= 0) & (np.abs(across) <= spider.width / 2))
    for disc in pupil.discs:
        x0, y0 = disc.center
        is_open &= (y - y0) ** 2 + (x - x0) ** 2 > (disc.diameter / 2) ** 2
    return is_open


def fraunhofer_psf(
    transmission: ArrayLike,
    diameter: float,
    wavelengths: ArrayLike,
    weights: ArrayLike,
    pixel_scale_mas: float,
    size: int,
) -> NDArray[np.float64]:
    """Broadband image of a pupil, integrated over square pixels.

    The field at angle a is the sum over the pupil of ``P(u) exp(-2 pi i u.a / lambda)``;
    intensities of the wavelengths are averaged with `weights` (photons, not energy).

    Parameters
    ----------
    transmission : array_like (n, n)
        Pupil on a square grid that spans `diameter`; complex to include phase errors.
    diameter : float
        Width of that grid, metres.
    wavelengths, weights : array_like (m,)
        Metres, and relative number of photons.
    pixel_scale_mas : float
        Pixel size on the sky, milliarcseconds.
    size : int
        Pixels per side, odd or even; the star is at ``((size - 1) / 2, (size - 1) / 2)``.

    Returns
    -------
    ndarray (size, size), float64
        Sums to one.

    Examples
    --------
    >>> disc = pupil_transmission(Pupil(7.92, 0.0, 49.3, (), ()))
    >>> fraunhofer_psf(disc, 7.92, [750e-9], [1.0], 6.24, 21).shape
    (21, 21)
    """
    pupil = np.asarray(transmission)
    lengths, photons = np.atleast_1d(wavelengths), np.atleast_1d(weights)
    finest = lengths.min() / diameter / (pixel_scale_mas * _RAD_PER_MAS)
    fine = int(np.ceil(_NYQUIST / finest)) | 1  # samples per pixel and axis; 1 for our cameras
    wide = (size + 2 * _MARGIN) * fine
    angles = _upper(wide) / fine * pixel_scale_mas * _RAD_PER_MAS
    u = _upper(len(pupil)) / len(pupil) * diameter
    phases, parities = 2 * np.pi * np.outer(angles, u), _parities(pupil)
    quadrants = sum(
        weight / wavelength**2 * _quadrants(parities, phases / wavelength)
        for wavelength, weight in zip(lengths, photons, strict=True)
    )
    inside = slice(_MARGIN, _MARGIN + size)
    image = _over_pixels(_assembled(quadrants, wide), fine)[inside, inside]
    if not np.iscomplexobj(pupil):
        image = image + image[::-1, ::-1]  # point-symmetric, to the last bit
    return image / image.sum()


def _upper(number: int) -> NDArray[np.float64]:
    """Distances from the middle of a row of points, those not below it."""
    return np.arange(number // 2, number, dtype=np.float64) - (number - 1) / 2


def _parities(pupil: NDArray) -> NDArray:
    """Even and odd part along both axes, upper half of each, shape (2, 2, n, n).

    The transform of the even part is a cosine transform and that of the odd part a sine transform:
    matrices of real numbers a quarter as large, instead of complex ones.
    """

    def parts(rows: NDArray) -> NDArray:
        above, below = rows[len(rows) // 2 :], rows[::-1][len(rows) // 2 :]
        both = np.array([above + below, above - below])
        if len(rows) % 2:
            both[:, 0] /= 2  # the row in the middle
        return both

    return np.array([[part.T for part in parts(half.T)] for half in parts(pupil)])


def _quadrants(parities: NDArray, phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity above and below the middle, and there right and left of it, shape (4, n, n)."""
    waves = np.cos(phases), np.sin(phases)
    (even, across), (along, odd) = (
        [rows @ part @ columns.T for part, columns in zip(parts, waves, strict=True)]
        for parts, rows in zip(parities, waves, strict=True)
    )
    amplitudes = (
        even - y * x * odd - 1j * (y * along + x * across) for y, x in product((1, -1), repeat=2)
    )
    return np.array([a.real**2 + a.imag**2 for a in amplitudes])


def _assembled(quadrants: NDArray[np.float64], wide: int) -> NDArray[np.float64]:
    image = np.empty((wide, wide))
    halves = slice(wide // 2, None), slice((wide - 1) // 2, None, -1)
    for (rows, columns), quadrant in zip(product(halves, repeat=2), quadrants, strict=True):
        image[rows, columns] = quadrant
    return image


def _over_pixels(intensity: NDArray[np.float64], fine: int) -> NDArray[np.float64]:
    """Integrate over square pixels what is sampled well, `fine` times per pixel and axis."""
    transfer = np.sinc(fine * np.fft.fftfreq(len(intensity)))
    waves = np.fft.fft2(intensity) * transfer[:, None] * transfer
    return np.fft.ifft2(waves).real[fine // 2 :: fine, fine // 2 :: fine]


@lru_cache(maxsize=8)
def _rotated_pupil(angle: float) -> NDArray[np.float64]:
    return pupil_transmission(PUPIL, angle)


@lru_cache(maxsize=64)
def _synthetic_psf(name: str, scale: float, angle: float, size: int) -> NDArray[np.float32]:
    wavelengths, weights = filter_curve(name).sample(_WAVELENGTHS)
    image = fraunhofer_psf(
        _rotated_pupil(angle), PUPIL.diameter, wavelengths * 1e-9, weights, scale, size
    )
    psf = image.astype(np.float32)
    psf.flags.writeable = False
    return psf


def synthetic_psf(
    filter_name: str, pixel_scale_mas: float, pupil_offset_deg: float, size: int
) -> NDArray[np.float32]:
    """Broadband PSF of the telescope without atmosphere, in the calibrated orientation.

    Parameters
    ----------
    filter_name : str
        'Open', '750-50', 'F720', 'Halpha' ...
    pixel_scale_mas : float
        ``PXSCALE``.
    pupil_offset_deg : float
        ``INST-PA``: the pupil is turned counter-clockwise by it on the detector. In the
        calibrated orientation both cameras see the pupil with the same parity, whichever of
        them had its rows reversed; reverse the rows of the result for raw frames of that camera.
    size : int
        Pixels per side.

    Returns
    -------
    ndarray (size, size), float32, read-only
        Unit sum, centred at ``((size - 1) / 2, (size - 1) / 2)``.

    Raises
    ------
    MeasurementError
        When the filter is unknown.

    Notes
    -----
    Wavelengths between those of half transmission, weighted by the filter's curve. The sense of
    rotation and the parity were checked against images of both cameras.

    Examples
    --------
    >>> psf = synthetic_psf("750-50", 6.24, 140.4, 21)
    >>> psf.shape, round(float(psf.sum()), 4)
    ((21, 21), 1.0)
    """
    if filter_name not in FILTERS:
        raise MeasurementError(
            f"no synthetic PSF for filter '{filter_name}': known are {', '.join(FILTERS)}"
        )
    angle = float(pupil_offset_deg) % 180.0  # the image is point-symmetric
    return _synthetic_psf(filter_name, float(pixel_scale_mas), angle, int(size))


def header_psf(header: Header, filter_name: str, size: int) -> NDArray[np.float32]:
    """Synthetic PSF for calibrated frames with this header.

    Parameters
    ----------
    header : Header
        Canonical header: ``PXSCALE``, ``INST-PA``.
    filter_name : str
        Filter, or field of multiband data.
    size : int
        Pixels per side.

    Returns
    -------
    ndarray (size, size), float32
        As of `synthetic_psf`.
    """
    return synthetic_psf(*header_psf_key(header, filter_name), size)


PsfKey: TypeAlias = tuple[str, float, float]
"""What a synthetic PSF depends on: filter, pixel scale (mas), orientation (deg)."""


def header_psf_key(header: Header, filter_name: str) -> PsfKey:
    """First arguments of `synthetic_psf` for calibrated frames with this header."""
    return filter_name, header.pixel_scale, header.pupil_angle


def disc_psf(radius: float, size: int) -> NDArray[np.float32]:
    """Uniform disc: what a resolved planet is compared with in place of a PSF.

    Parameters
    ----------
    radius : float
        Pixels; at most half of `size`.
    size : int
        Pixels per side.

    Returns
    -------
    ndarray (size, size), float32
        Unit sum, exact overlap of disc and pixels, centred at ``((size - 1) / 2,) * 2``.

    Examples
    --------
    >>> round(float(disc_psf(4.0, 11).max() * np.pi * 16), 4)
    1.0
    """
    axis = np.arange(size) - (size - 1) / 2
    disc = np.array([[overlap(y, x, radius) for x in axis] for y in axis])
    return (disc / disc.sum()).astype(np.float32)
