r"""All the light of a star, the halo beyond any aperture included.

Behind adaptive optics a star is a diffraction-limited core on a wide halo of speckles, and most
of the halo lies where the sky and the read-out cannot be told from it by eye. The mean of some
frames is described, by rings about the star, as

.. math:: I(r) = a\,P(r) + h\,H(r) + b, \qquad
          H = (x^2 + x_0^2)^{-\beta/2} \text{ up to } x_c, \text{ then falling as } x^{-11/3},

with the synthetic PSF ``P``, ``x`` in units of lambda/D, and a constant ``b``: the halo of the
residual phase within the control radius ``x_c`` of the deformable mirror, and that of the
uncorrected atmosphere (Kolmogorov) beyond. A grid of ``x_0`` and ``beta`` is tried, and the
results are weighted by how well they fit. The level of a ring is the median of sectors, and rings
that are brighter than the model, by a disk, companions or another field's ghost, are left out.
What is beyond the aperture is then the integral of the model.

References
----------
Fusco, T. & Conan, J.-M. 2004, JOSA A 21, 1277, "On- and off-axis statistical behavior of
adaptive-optics-corrected short-exposure Strehl ratio".
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.kernels.aperture import circle_sum
from vampires.kernels.positive import fit_dim_points
from vampires.kernels.rings import ring_sums
from vampires.utils.robust import MAD_TO_SIGMA

Float64 = NDArray[np.float64]

CONTROL_RADIUS = 22.0  # lambda/D: 45 actuators across the pupil
_STEEP = tuple((core, slope) for slope in (2.5, 2.75, 3.0) for core in (1.5, 2.0, 2.5, 3.0, 3.5))
_FLAT = tuple((core, slope) for slope in (1.0, 1.25, 1.5, 1.75, 2.0, 2.25) for core in (1.5, 3.0))
_SHAPES = (*_STEEP, *_FLAT)  # (x_0 in lambda/D, beta)
_KOLMOGOROV = 11 / 3
_RING = 2.0  # pixels
_LEAST_RINGS = 8
_SECTORS = 16
_LEAST_PIXELS = 3  # of a sector
_MEDIAN_ERROR = 1.25  # of a median over that of a mean
_MODEL_ERROR = 0.03  # relative, of the model in one ring
_TOO_BRIGHT = 2.5  # standard deviations above the model
_LEAST_KEPT = 0.45  # part of the rings that stays
_FAR = 4000.0  # pixels, where the integral ends
_DARKEST = 0.2  # of the level of the last ring, by which the constant may be below zero
_TAIL_ERROR = 0.5  # relative, of what is beyond the image


@dataclass(frozen=True)
class Halo:
    """Light of a star beyond an aperture.

    Parameters
    ----------
    flux : float
        Beyond the aperture, e-/s.
    error : float
        Its error: noise, choice of the model, extrapolation.
    background : float
        Constant level, e-/s/px.
    background_error : float
        Its error; an error of the level is the opposite of one of the flux.
    """

    flux: float
    error: float
    background: float
    background_error: float


def measure_halo(
    image: Float64,
    center: tuple[float, float],
    psf: Float64,
    resolution: float,
    radii: tuple[float, float],
) -> Halo | None:
    """Measure the light of a star beyond an aperture.

    Parameters
    ----------
    image : ndarray (ny, nx)
        Mean of some frames, e-/s; NaN pixels are left out.
    center : (float, float)
        (y, x) of the star.
    psf : ndarray (k, k)
        Synthetic PSF, its sum over the whole plane 1 (`whole_psf`).
    resolution : float
        lambda/D in pixels.
    radii : (float, float)
        Radius of the aperture, and of the last ring, pixels.

    Returns
    -------
    Halo or None
        None where there are too few rings, or no halo comes out.
    """
    r, level, noise = _rings(image, center, *radii)
    if len(r) < _LEAST_RINGS:
        return None
    middle = (len(psf) - 1) / 2
    own_r, own, _ = _rings(psf, (middle, middle), *radii)
    core = np.interp(r, own_r, own)
    sigma = np.hypot(noise, _MODEL_ERROR * np.abs(level))
    shapes = np.array(_SHAPES).T[..., None]
    halo = _halo(r / resolution, *shapes)
    terms = np.stack(np.broadcast_arrays(core, halo, 1.0), axis=-1) / sigma[:, None]
    # light is positive, and the sky not much below nothing
    fits = _fit(terms, level / sigma, -_DARKEST * abs(float(level[-1])))
    outside = 1.0 - _encircled(psf, radii[0])
    lights = [
        _with_tail(fit, outside, *(_integral(shape, resolution, radius) for radius in radii))
        for shape, fit in zip(_SHAPES, fits, strict=True)
        if fit.values[1] > 0
    ]
    return _weighted(lights) if lights else None


@dataclass(frozen=True)
class _Fit:
    """Parameters (a, h, b), their covariance, and the misfit in units of the errors."""

    values: Float64
    covariance: Float64
    misfit: float


@dataclass(frozen=True)
class _Light:
    """What a fit says of the light beyond the aperture."""

    flux: float
    variance: float
    background: float
    background_variance: float
    misfit: float


def _with_tail(fit: _Fit, outside: float, tail: float, beyond: float) -> _Light:
    """Flux beyond the aperture.

    There are `outside` of the PSF and the integral `tail` of the halo, and `beyond` of that
    beyond the image.
    """
    gain = np.array([outside, tail, 0.0])
    excess = max(1.0, fit.misfit)
    variance = float(gain @ fit.covariance @ gain) * excess
    variance += (_TAIL_ERROR * fit.values[1] * beyond) ** 2
    flux, background = float(gain @ fit.values), float(fit.values[2])
    return _Light(flux, variance, background, float(fit.covariance[2, 2]) * excess, fit.misfit)


def _weighted(fits: list[_Light]) -> Halo:
    """Mean of the fits, weighted by how well they fit; their scatter is part of the error."""
    misfit = np.array([fit.misfit for fit in fits])
    weight = np.exp(-0.5 * _LEAST_RINGS * (misfit - misfit.min()))
    weight /= weight.sum()
    columns = np.array(
        [(fit.flux, fit.variance, fit.background, fit.background_variance) for fit in fits]
    )
    flux, variance, background, level = weight @ columns
    scatter = weight @ (columns[:, [0, 2]] - [flux, background]) ** 2
    return Halo(
        float(flux), float(np.sqrt(variance + scatter[0])),
        float(background), float(np.sqrt(level + scatter[1])),
    )  # fmt: skip


def _fit(terms: Float64, level: Float64, darkest: float) -> list[_Fit]:
    """Least squares without the rings that are too bright; misfit in units of the errors."""
    least = max(_LEAST_RINGS, _LEAST_KEPT * len(level))
    values, keep = fit_dim_points(terms, level, darkest, _TOO_BRIGHT, least)
    kept = terms * keep[..., None]
    covariance = np.linalg.pinv(kept.swapaxes(1, 2) @ kept)
    off = np.clip(level - (terms @ values[..., None])[..., 0], -4, 4) ** 2 * keep
    count = keep.sum(axis=1)
    misfit = off.sum(axis=1) / count / (count / len(level)) ** 2
    return [_Fit(*one) for one in zip(values, covariance, misfit.tolist(), strict=True)]


def _halo(x: Float64, core: float | Float64, slope: float | Float64) -> Float64:
    beyond = np.maximum(x / CONTROL_RADIUS, 1.0) ** (slope - _KOLMOGOROV)
    shape: Float64 = (x**2 + core**2) ** (-slope / 2) * beyond
    return shape


@functools.lru_cache(maxsize=1024)  # the same few for all files of a night
def _integral(shape: tuple[float, float], resolution: float, radius: float) -> float:
    """Integral of the halo over the plane beyond a radius, for unit h."""
    r = np.geomspace(radius, _FAR, 2000)
    return float(np.trapezoid(2 * np.pi * r * _halo(r / resolution, *shape), r))


def _rings(
    image: Float64, center: tuple[float, float], inner: float, outer: float
) -> tuple[Float64, Float64, Float64]:
    """Radius, level and its error of rings: the median of the means of sectors."""
    count = int((outer - inner) / _RING)
    n, total, way = ring_sums(image, center, inner, _RING, count, _SECTORS)
    means = np.full(n.shape, np.nan)
    np.divide(total, n, out=means, where=n >= _LEAST_PIXELS)
    sectors = np.isfinite(means).sum(axis=1)
    seen = 2 * sectors >= _SECTORS
    level = _medians(means[seen])
    spread = MAD_TO_SIGMA * _medians(np.abs(means[seen] - level[:, None]))
    noise = _MEDIAN_ERROR * spread / np.sqrt(sectors[seen])
    return way[seen].sum(axis=1) / n[seen].sum(axis=1), level, noise


def _medians(rows: Float64) -> Float64:
    """Median of every row, NaN left out; no row is all NaN."""
    ordered, count = np.sort(rows, axis=1), np.isfinite(rows).sum(axis=1)  # NaN go last
    row = np.arange(len(rows))
    medians: Float64 = 0.5 * (ordered[row, (count - 1) // 2] + ordered[row, count // 2])
    return medians


def _encircled(psf: Float64, radius: float) -> float:
    middle = (len(psf) - 1) / 2
    return circle_sum(psf, psf, middle, middle, radius)[0]


def whole_psf(psf: Float64) -> Float64:
    """Scale a PSF so that its sum over the plane, and not over its array, is one.

    The light of a pupil with hard edges beyond a radius falls as 1/r: two apertures in the array
    tell how much is outside.
    """
    near, far = len(psf) / 4, len(psf) / 2 - 1
    inside = [_encircled(psf, radius) for radius in (near, far)]
    missing = (inside[1] - inside[0]) / (1 / near - 1 / far) / far
    whole: Float64 = psf / (inside[1] + missing)
    return whole
