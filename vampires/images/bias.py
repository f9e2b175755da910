"""Whether a robust average of frames is biased, because they hold too few photons.

The amplifying register of an EMCCD turns one electron into an exponentially distributed
number of them: with n electrons on a pixel the output follows a gamma distribution of shape n
(Basden et al. 2003), and n follows a Poisson distribution. Both are skewed, so that the median
and the biweight of frames lie below their mean; the mean is what the light is. At 0.1 electron
per frame most frames hold nothing and the median is next to nothing; at ten it is 5 % low.
The biweight is taken to be as biased as the median.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header

ROBUST = ("median", "biweight")
"""Coadd methods that a skewed distribution biases; the mean is never biased by it."""

TOLERANCE = 0.02
"""Relative bias that counts."""

_MOST = 60  # electrons; beyond, the bias has fallen like 1/level below 1 %
_SAMPLES = 40_000


def coadd_is_biased(
    header: Header, method: str, level: float, *, tolerance: float = TOLERANCE
) -> bool:
    """Tell whether a coadd method falsifies the flux of pixels with a given light.

    Parameters
    ----------
    header : Header
        Canonical: ENF (above 1 behind an amplifying register), RN (e-, effective), EXPTIME (s).
    method : str
        'mean', 'varmean', 'median' or 'biweight'.
    level : float
        Typical flux of the pixels that matter, above the background, e-/s per pixel; for a halo
        or disk the median of the light around the star.
    tolerance : float
        Relative bias that counts.

    Examples
    --------
    >>> h = Header({"ENF": 1.414, "RN": 0.3, "EXPTIME": 0.1})
    >>> coadd_is_biased(h, "median", 20.0), coadd_is_biased(h, "mean", 20.0)
    (True, False)
    """
    if method not in ROBUST:
        return False
    amplified = header.excess_noise > 1.2
    electrons = level * header.exptime
    return abs(median_bias(electrons, header.read_noise, amplified=amplified)) > tolerance


def halo_level(data: NDArray[np.float32], radius: float = 20.0) -> float:
    """Typical flux around the star, e-/s per pixel: the median beyond ``radius`` pixels.

    Parameters
    ----------
    data : ndarray, shape (..., ny, nx)
        Coadd or coadds, the star at the centre.
    radius : float
        Pixels.
    """
    ny, nx = data.shape[-2:]
    y, x = np.ogrid[:ny, :nx]
    outside = np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2) > radius
    values = data[..., outside]
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else 0.0


def median_bias(electrons: float, read_noise: float, *, amplified: bool) -> float:
    """Relative bias of the median of many frames.

    Parameters
    ----------
    electrons : float
        Mean number per frame and pixel.
    read_noise : float
        Electrons.
    amplified : bool
        Whether the pixels went through an amplifying register.

    Returns
    -------
    float
        (median - mean) / mean of the noise distribution, from a fixed sample of it, good to
        about 0.01; -1 where the median frame holds nothing. Nothing above 60 electrons.

    Examples
    --------
    >>> median_bias(0.1, 0.3, amplified=True) < -0.5
    True
    """
    if not 0 < electrons < _MOST:
        return 0.0
    return _sampled_bias(round(float(electrons), 3), round(float(read_noise), 3), amplified)


@functools.cache
def _sampled_bias(electrons: float, read_noise: float, amplified: bool) -> float:
    rng = np.random.default_rng(20240101)
    counts = rng.poisson(electrons, _SAMPLES).astype(float)
    if amplified:
        counts = np.where(counts > 0, rng.gamma(np.maximum(counts, 1)), 0.0)
    signal = counts + rng.normal(0.0, read_noise, _SAMPLES)
    mean = signal.mean()
    return max(float((np.median(signal) - mean) / electrons), -1.0) if electrons else 0.0
