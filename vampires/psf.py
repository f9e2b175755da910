"""The synthetic point-spread function: what the telescope would deliver without an atmosphere.

The broadband Fraunhofer image of the Subaru pupil as VAMPIRES sees it - undersized secondary,
spiders, two masked actuators of the deformable mirror - computed by matrix Fourier transform
[1]_, so that every pixel scale is sampled exactly, and integrated over the pixels.

A pupil without aberrations is real, hence its image is point-symmetric: the centre is exact
by construction, and angles matter modulo 180 degrees only.

References
----------
.. [1] Soummer, R. et al. 2007, Optics Express 15, 15935, "Fast computation of Lyot-style
   coronagraph propagation".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from vampires.errors import MeasurementError
from vampires.instrument.filters import FILTERS

__all__ = ["Pupil", "fraunhofer_psf", "header_psf", "subaru_pupil", "synthetic_psf"]

_RAD_PER_MAS = np.pi / 180 / 3600e3
#: Samples across the pupil: the thinnest vane (0.089 m of 7.92 m) covers three of them.
_PUPIL_SAMPLES = 256
_SUPERSAMPLING = 4
#: Gauss-Legendre nodes per pixel and axis; three leave < 1e-5 of the peak at lambda/D = 2.5 px.
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(3)
_WAVELENGTHS = 11


@dataclass(frozen=True)
class Pupil:
    """A telescope pupil, in metres, seen at zero pupil angle (x right, y up).

    Attributes
    ----------
    diameter, obstruction : float
        Outer and inner diameter.
    vanes : tuple of (y0, x0, angle, width)
        Half-infinite bars that start at (y0, x0) and run outwards at `angle` degrees
        (counter-clockwise from x).
    discs : tuple of (y0, x0, diameter)
        Opaque discs.
    """

    diameter: float
    obstruction: float = 0.0
    vanes: tuple[tuple[float, float, float, float], ...] = ()
    discs: tuple[tuple[float, float, float], ...] = ()

    def transmission(self, angle: float = 0.0, samples: int = _PUPIL_SAMPLES) -> NDArray:
        """Sample the pupil on a square grid that spans its diameter.

        Parameters
        ----------
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
        axis = ((np.arange(fine) + 0.5) / fine - 0.5) * self.diameter
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        y, x = np.meshgrid(axis, axis, indexing="ij")
        x, y = c * x + s * y, c * y - s * x
        open_ = self._is_open(y, x).astype(float)
        cells = open_.reshape(samples, _SUPERSAMPLING, samples, _SUPERSAMPLING)
        return cells.mean(axis=(1, 3))

    def _is_open(self, y: NDArray, x: NDArray) -> NDArray[np.bool_]:
        r2 = y**2 + x**2
        is_open = (r2 <= (self.diameter / 2) ** 2) & (r2 >= (self.obstruction / 2) ** 2)
        for y0, x0, angle, width in self.vanes:
            c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
            along, across = c * (x - x0) + s * (y - y0), c * (y - y0) - s * (x - x0)
            is_open &= ~((along >= 0) & (np.abs(across) <= width / 2))
        for y0, x0, diameter in self.discs:
            is_open &= (y - y0) ** 2 + (x - x0) ** 2 > (diameter / 2) ** 2
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
        Pupil on a square grid that spans `diameter`.
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
    >>> disc = Pupil(diameter=7.92).transmission()
    >>> fraunhofer_psf(disc, 7.92, [750e-9], [1.0], 6.24, 21).shape
    (21, 21)
    """
    pupil = np.asarray(transmission, dtype=float)
    n = len(pupil)
    u = ((np.arange(n) + 0.5) / n - 0.5) * diameter
    centres = np.arange(size) - (size - 1) / 2
    angles = (centres[:, None] + 0.5 * _NODES).ravel() * pixel_scale_mas * _RAD_PER_MAS
    image = np.zeros((size, size))
    for wavelength, weight in zip(np.atleast_1d(wavelengths), np.atleast_1d(weights), strict=True):
        kernel = np.exp(-2j * np.pi / wavelength * np.outer(angles, u))
        intensity = np.abs(kernel @ pupil @ kernel.T) ** 2 / wavelength**2
        cells = intensity.reshape(size, len(_NODES), size, len(_NODES))
        image += weight * np.einsum("iajb,a,b->ij", cells, _NODE_WEIGHTS, _NODE_WEIGHTS)
    image += image[::-1, ::-1]  # point symmetry, exact to the last bit
    return image / image.sum()


def subaru_pupil() -> Pupil:
    """Pupil of Subaru as VAMPIRES sees it (L24; public pipeline 0.14.3)."""
    angle, offset, width = 51.75, 0.639, 0.1735
    spiders = tuple(
        (0.0, side * offset, direction, width)
        for side, direction in ((1, angle), (-1, 180 - angle), (-1, 180 + angle), (1, -angle))
    )
    thin = (-1.045, 0.521, 180 + angle, 0.089)
    actuators = ((1.431, 1.765, 0.632), (-2.331, -0.498, 0.632))
    return Pupil(7.92, 2.403, vanes=(*spiders, thin), discs=actuators)


@lru_cache(maxsize=8)
def _rotated_pupil(angle: float) -> NDArray:
    return subaru_pupil().transmission(angle)


@lru_cache(maxsize=64)
def _synthetic_psf(name: str, scale: float, angle: float, size: int) -> NDArray[np.float32]:
    band = FILTERS[name]
    # midpoints of equal steps between the wavelengths of half transmission
    steps = (np.arange(_WAVELENGTHS) + 0.5) / _WAVELENGTHS
    wavelengths = (band.minimum + steps * (band.maximum - band.minimum)) * 1e-9
    pupil = _rotated_pupil(angle)
    psf = fraunhofer_psf(
        pupil, subaru_pupil().diameter, wavelengths, np.ones(_WAVELENGTHS), scale, size
    ).astype(np.float32)
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
    All wavelengths between those of half transmission weigh the same. The sense of rotation and
    the parity were checked against images of both cameras.

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


def header_psf(header: fits.Header, filter_name: str, size: int) -> NDArray[np.float32]:
    """Synthetic PSF for calibrated frames with this header.

    Parameters
    ----------
    header : fits.Header
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
    return synthetic_psf(filter_name, header["PXSCALE"], header["INST-PA"], size)
