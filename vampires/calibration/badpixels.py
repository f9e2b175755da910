"""Hot, noisy and dead pixels, found in master frames by their own robust statistics.

Every test compares a pixel with the median of its neighbours, in units of the noise of the
master, which is itself measured by medians: outliers do not raise the threshold that should
catch them, and a single hot pixel is found as well as a cluster. Tests that have the two
halves of the frames ask both halves to agree, so that a cosmic ray or a burst of
electrons in one frame is not taken for a property of the pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels.neighbours import running_median
from vampires.utils.robust import robust_std

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

NEIGHBOURHOOD = 7
"""Side, pixels, of the square whose median a pixel is compared with."""

HOT_SIGMA = 4.5
"""Threshold for hot and cold pixels: 7e-6 of purely Gaussian pixels exceed it."""

NOISY_SIGMA = 6.0
"""Threshold in the logarithm of the temporal variance, whose tails are wider."""

RESPONSE_LIMIT = 0.3
"""Relative departure from the neighbours' response that makes a pixel unusable in a flat."""

_ENOUGH = 300_000  # values that medians and quantiles of a master are taken of
_MIN_FRAMES = 8  # below, the variance of one pixel says too little
_AGREEMENT = 0.3  # each half of the frames must show this fraction of the excess


def local_median(image: Plane, size: int = NEIGHBOURHOOD) -> Plane:
    """Typical value around each pixel: the median along the row, then along the column.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Without NaN.
    size : int
        Side of the neighbourhood, pixels; odd. Borders are mirrored.

    Returns
    -------
    ndarray, shape (ny, nx)
        As robust against clusters of up to ``size // 2`` pixels a side as the median of
        the square, and as faithful to straight edges, at a sixth of the cost.
    """
    return running_median(running_median(image, size, axis=1), size, axis=0)


def sample(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Evenly spread values of an array, enough to know a quantile to a few parts in a thousand.

    Parameters
    ----------
    values : ndarray
        Any shape.

    Returns
    -------
    ndarray, shape (n,)
        All values of small arrays.

    Examples
    --------
    >>> sample(np.zeros((2, 3))).shape, sample(np.zeros((1100, 2240))).shape
    ((6,), (308000,))
    """
    return values.ravel()[:: max(1, values.size // _ENOUGH)]


def robust_sigma(values: NDArray[np.floating]) -> float:
    """Measure the standard deviation of the core of a distribution.

    Parameters
    ----------
    values : ndarray
        Sample; NaN is left out.

    Returns
    -------
    float
        The larger of 1.4826 MAD and a quarter of the span between the 2.3 and 97.7 percent
        points: the second is the wider one for skewed or coarsely quantised data. 0 for
        an empty sample.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> round(robust_sigma(rng.normal(scale=2.0, size=100_000)), 1)
    2.0
    """
    values = sample(values)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0
    low, high = np.percentile(values, (2.275, 97.725))
    return max(robust_std(values), float(high - low) / 4.0)


def hot_pixels(
    master: Plane,
    error: Plane,
    halves: NDArray[np.float32] | None = None,
    threshold: float = HOT_SIGMA,
) -> Mask:
    """Pixels brighter or darker than their neighbours by more than the master's noise.

    Parameters
    ----------
    master : ndarray, shape (ny, nx)
        Master background, adu.
    error : ndarray, shape (ny, nx)
        Its standard error; only its variation over the frame matters, the scale of the
        noise is measured in the master itself.
    halves : ndarray, shape (2, ny, nx), optional
        The same master from the even and the odd frames.
    threshold : float
        In standard deviations.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
    """
    smooth = local_median(master)
    residual = master - smooth
    noise = local_median(error)
    floor = float(np.median(sample(noise))) or 1.0
    z = residual / np.maximum(noise, 0.1 * floor)
    scale = robust_sigma(z)
    # A noiseless master (tests, constant fill) has no scale: any difference then counts.
    hot: Mask = np.asarray(np.abs(z) > threshold * scale if scale > 0 else residual != 0)
    if halves is not None:
        hot[hot] = _both_halves_agree(halves[:, hot] - smooth[hot], residual[hot])
    return hot


def noisy_pixels(variances: NDArray[np.float32], nframes: int) -> Mask:
    """Pixels whose values jump from frame to frame more than their neighbours', or never.

    Parameters
    ----------
    variances : ndarray, shape (2, ny, nx)
        Temporal variance in the even and in the odd frames, adu^2.
    nframes : int
        Number of frames; with fewer than 8 no pixel is flagged.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
    """
    if nframes < _MIN_FRAMES:
        return np.zeros(variances.shape[1:], dtype=bool)
    typical = float(np.median(sample(variances)))
    stuck: Mask = (variances == 0).all(axis=0) & (typical > 0.25)
    floor = max(1e-3 * typical, 1e-6)
    combined = np.log(np.maximum(variances.mean(axis=0), floor)).astype(np.float32)
    smooth = local_median(combined)
    excess = combined - smooth
    noisy: Mask = excess > NOISY_SIGMA * max(robust_sigma(excess), 1e-3)
    logs = np.log(np.maximum(variances[:, noisy], floor)).astype(np.float32)
    noisy[noisy] = _both_halves_agree(logs - smooth[noisy], excess[noisy])
    return noisy | stuck


def unresponsive_pixels(flat: Plane, error: Plane, lit: Mask, smooth: Plane) -> Mask:
    """Dead, weak or over-responsive pixels of a flat.

    Parameters
    ----------
    flat : ndarray, shape (ny, nx)
        Background-subtracted flat, any unit.
    error : ndarray, shape (ny, nx)
        Its standard error.
    lit : ndarray of bool, shape (ny, nx)
        Where the lamp reaches the detector; no other pixel is flagged.
    smooth : ndarray, shape (ny, nx)
        Local median of the flat.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
        True where the response departs from the neighbours' by more than 30 % and by more
        than five standard deviations.
    """
    reference = np.where(lit, smooth, 1.0)
    departure = np.where(lit, flat / reference - 1.0, 0.0)
    noise = np.maximum(robust_sigma(departure[lit]), local_median(error) / reference)
    bad: Mask = lit & (np.abs(departure) > np.maximum(RESPONSE_LIMIT, 5.0 * noise))
    return bad


def _both_halves_agree(halves: NDArray[np.float32], combined: Plane) -> Mask:
    same: Mask = np.all(halves * np.sign(combined) > _AGREEMENT * np.abs(combined), axis=0)
    return same
