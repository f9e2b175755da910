r"""Noise and contrast curves with the correction for small samples.

At a distance ``r`` from the star there is room for ``n = 2 pi r / FWHM`` independent apertures of
one FWHM. One of them is tested against the mean and the standard deviation of the others, of
which there are few near the star, so the threshold of a false-alarm probability is that of
Student's distribution [1]_:

.. math:: t = T^{-1}_{n-2}\left(\Phi(\tau)\right) s \sqrt{1 + \frac{1}{n-1}}

for ``tau`` sigma of a normal one. The contrast is that over the flux of the star in the same
aperture and the throughput of the subtraction.

References
----------
.. [1] Mawet, D. et al. 2014, ApJ 792, 97, "Fundamental limitations of high contrast imaging set by
   small sample statistics".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable, Table
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, special

from vampires.instrument.curves import filter_curve
from vampires.instrument.telescope import PUPIL
from vampires.kernels.aperture import circle_sum
from vampires.utils.robust import robust_std

Float64 = NDArray[np.float64]

_RAD_PER_MAS = np.pi / 180 / 3600e3
_FWHM_OF_RESOLUTION = 1.03  # of a circular pupil, lambda/D; the obstruction makes it 1 % less
_LEAST_APERTURES = 4  # at 0.64 FWHM; below no standard deviation means anything
_CLIPPED = 3.0


@dataclass(frozen=True)
class CurveSettings:
    """What a curve is made with.

    Parameters
    ----------
    fwhm : float
        Pixels.
    pixel_scale : float
        Arcsec.
    star_flux : float
        Of the star in an aperture of one FWHM diameter, in the unit of the image; NaN: no
        contrast.
    sigma : float
        Significance of a detection, as a normal distribution has it.
    """

    fwhm: float
    pixel_scale: float
    star_flux: float
    sigma: float = 5.0


def fwhm_of(filter_name: str, pixel_scale_mas: float) -> float:
    """Full width at half maximum of a diffraction-limited star, pixels.

    Examples
    --------
    >>> round(fwhm_of("750-50", 5.91), 2)
    3.4
    """
    wavelength = filter_curve(filter_name).mean * 1e-9
    return float(_FWHM_OF_RESOLUTION * wavelength / PUPIL.diameter / _RAD_PER_MAS / pixel_scale_mas)


def aperture_fluxes(image: Float64, radius: float, fwhm: float) -> Float64:
    """Fluxes in the apertures of one FWHM that fit on a circle about the image's centre.

    They touch each other, from the right counter-clockwise, as those of VIP do.

    Parameters
    ----------
    image : ndarray (ny, nx)
        The star at its centre.
    radius, fwhm : float
        Pixels.

    Returns
    -------
    ndarray
        Those without NaN.
    """
    angle = fwhm / radius * np.arange(int(2 * np.pi * radius / fwhm))
    middle = (np.array(image.shape) - 1) / 2
    y, x = middle[0] + radius * np.sin(angle), middle[1] + radius * np.cos(angle)
    sums = [circle_sum(image, image, yi, xi, fwhm / 2)[0] for yi, xi in zip(y, x, strict=True)]
    fluxes = np.array(sums, dtype=float)
    return fluxes[np.isfinite(fluxes)]


def student_factor(apertures: ArrayLike, sigma: float) -> Float64:
    """Threshold in standard deviations, for a number of apertures on the circle.

    Examples
    --------
    >>> student_factor([6, 12, 62], 5.0).round(2).tolist()
    [62.27, 11.66, 5.64]
    """
    n = np.asarray(apertures, dtype=float)
    tail = special.ndtr(-sigma)
    factor: Float64 = -special.stdtrit(n - 2, tail) * np.sqrt(1 + 1 / (n - 1))
    return factor


def contrast_curve(
    image: ArrayLike, settings: CurveSettings, throughput: Table | None = None
) -> QTable:
    """Noise and limit of detection against the distance from the star.

    Parameters
    ----------
    image : array_like (ny, nx)
        Any unit; the star at its centre. NaN pixels, and apertures that hold one, are left out.
    settings : CurveSettings
    throughput : Table, optional
        Columns ``radius`` [px] and ``throughput`` of the subtraction; interpolated.

    Returns
    -------
    QTable
        Columns ``radius`` [pix], ``separation`` [arcsec], ``apertures`` (n: few near the star,
        where the limit rests on the assumption of normal noise), ``mean``, ``noise`` (standard
        deviation), ``factor``, ``throughput``, ``limit`` (flux of a source at the limit, in an
        aperture of one FWHM, corrected for the throughput) and ``contrast``.

    Examples
    --------
    >>> image = np.random.default_rng(1).normal(size=(101, 101))
    >>> curve = contrast_curve(image, CurveSettings(4.0, 0.006, 1e6))
    >>> float(curve["radius"][0].value), int(curve["apertures"][0])
    (4.0, 6)
    """
    data = np.asarray(image, dtype=float)
    fwhm = settings.fwhm
    rows = []
    for radius in np.arange(fwhm, min(data.shape) / 2 - fwhm / 2, fwhm / 2):
        fluxes = aperture_fluxes(data, radius, fwhm)
        if len(fluxes) >= _LEAST_APERTURES:
            rows.append((radius, len(fluxes), fluxes.mean(), fluxes.std(ddof=1)))
    columns = np.array(rows, dtype=float).reshape(-1, 4)
    radius, count, mean, noise = columns.T
    passed = np.ones(len(radius))
    if throughput is not None:
        passed = np.interp(radius, throughput["radius"], throughput["throughput"])
    factor = student_factor(count, settings.sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(passed > 0, factor * noise / passed, np.inf)
    table = QTable()
    table["radius"], table["radius"].unit = radius, "pix"
    table["separation"], table["separation"].unit = radius * settings.pixel_scale, "arcsec"
    table["apertures"] = count.astype(int)
    table["mean"], table["noise"], table["factor"] = mean, noise, factor
    table["throughput"], table["limit"] = passed, limit
    table["contrast"] = limit / settings.star_flux
    return table


def snr_map(image: ArrayLike, fwhm: float) -> NDArray[np.float32]:
    """Signal-to-noise ratio of a point source at every pixel, with the small-sample correction.

    Parameters
    ----------
    image : array_like (ny, nx)
        The star at its centre.
    fwhm : float
        Pixels.

    Returns
    -------
    ndarray (ny, nx)
        Flux in an aperture of one FWHM less the mean of its ring, over the standard deviation of
        the ring (both without what is 3 sigma off, such as the source itself) times
        ``sqrt(1 + 1/(n-1))``. NaN within one FWHM of the star and where the aperture holds NaN.
    """
    data = np.asarray(image, dtype=float)
    half = int(np.ceil(fwhm / 2)) + 1
    axis = np.arange(-half, half + 1)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    aperture = np.clip(fwhm / 2 + 0.5 - np.hypot(y, x), 0, 1)
    fluxes = ndimage.convolve(data, aperture, mode="constant", cval=np.nan)
    yy, xx = np.indices(data.shape)
    radius = np.hypot(yy - (data.shape[0] - 1) / 2, xx - (data.shape[1] - 1) / 2)
    ring = np.rint(radius).astype(int)
    out = np.full(data.shape, np.nan, np.float32)
    for r in range(int(np.ceil(fwhm)), ring.max() + 1):
        inside = (ring == r) & np.isfinite(fluxes)
        if inside.sum() < 2 * np.pi * fwhm:
            continue
        values = fluxes[inside]
        mean, noise = _clipped(values)
        n = max(2 * np.pi * r / fwhm, 2.5)
        out[inside] = (values - mean) / (noise * np.sqrt(1 + 1 / (n - 1)))
    return out


def ring_noise(image: ArrayLike) -> NDArray[np.float32]:
    """Standard deviation of the ring about the star that a pixel is in, outliers left out.

    Parameters
    ----------
    image : array_like (ny, nx)
        The star at its centre.

    Returns
    -------
    ndarray (ny, nx)
        One-sigma noise of each pixel: an error plane for images whose residuals are speckles.
    """
    data = np.asarray(image, dtype=float)
    y, x = np.indices(data.shape)
    ring = np.rint(np.hypot(y - (data.shape[0] - 1) / 2, x - (data.shape[1] - 1) / 2)).astype(int)
    out = np.full(data.shape, np.nan, np.float32)
    for r in range(ring.max() + 1):
        inside = (ring == r) & np.isfinite(data)
        if inside.sum() >= _LEAST_APERTURES:
            out[inside] = _clipped(data[inside])[1]
    return out


def _clipped(values: Float64) -> tuple[float, float]:
    """Mean and standard deviation without outliers."""
    kept = values
    for _ in range(5):
        middle = np.median(kept)
        spread = robust_std(kept, middle)
        near = values[np.abs(values - middle) <= _CLIPPED * max(spread, 1e-300)]
        if len(near) == len(kept):
            break
        kept = near
    return float(kept.mean()), float(max(kept.std(ddof=1), 1e-300))
