"""Frames whose pixels cannot be data, by what is measured on every frame anyway.

Damaged bytes look like light: a stretch of random ones, a block of zeros, a flipped bit. Each
frame is compared with what a detector can give and with its siblings, the other frames of its
group. Clouds, seeing and lucky moments change a frame's light by factors; the tests are of
quantities that those leave alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vampires.utils.robust import robust_std

if TYPE_CHECKING:
    from vampires.measure.metrics import FrameMetrics

Flags = NDArray[np.bool_]

STRAY_SIGMA = 20.0
"""Single pixels that stand out by so many standard deviations are masked where there are strays."""

_SIBLINGS = 5  # frames from which on they can tell
_SCATTERS = 20.0  # robust standard deviations from the siblings
_EMPTY = 0.03  # part of the frame, by its level, that is zero
_RATIO = 3.0  # light of the frame over that of the star, relative to the siblings
_SATURATED = 0.005  # part of the frame
_TIMES_SATURATED = 10.0
_STRAY = 1.5  # largest pixel over that about the star, relative to the siblings
_HIGH_BIT = 0.2  # of the range of the detector


def impossible_frames(metrics: FrameMetrics) -> Mapping[str, Flags]:
    """Frames that cannot be data, with the reason.

    Parameters
    ----------
    metrics : FrameMetrics

    Returns
    -------
    mapping of str to ndarray of bool, shape (nframes,)
        Only reasons that hold for a frame:

        * no signal: the mean lies below the background, by 3 % of the way to a pixel value of
          zero and far from the siblings; or by half of that way, whatever they are;
        * more saturated pixels than 1/200 of the frame, and ten times the siblings' median;
        * three times the light, relative to that of the star, of the siblings.

        Where there are fewer than five frames only the first test is made.
    """
    zero = metrics.zero_level
    mean, star = metrics.frame_mean, _of_star(metrics.photf)
    several = np.isfinite(mean).sum() >= _SIBLINGS
    with np.errstate(divide="ignore", invalid="ignore"):
        low = mean < 0.5 * zero
        low |= several & (mean < _EMPTY * zero) & (_deviation(mean) < -_SCATTERS)
        pixels = metrics.nx * metrics.ny
        typical = np.median(metrics.frame_nsat)
        saturated = metrics.frame_nsat > _SATURATED * pixels + _TIMES_SATURATED * typical
        light = np.log(mean / star)
        bright = (light > np.nanmedian(light) + np.log(_RATIO)) if several else low
        bright &= _deviation(light) > _SCATTERS
    found = {
        "pixels without any signal": low,
        "far more saturated pixels than the other frames": saturated & several,
        "far more light, for its star, than the other frames": bright & several,
    }
    return {reason: flags for reason, flags in found.items() if flags.any()}


def stray_pixels(metrics: FrameMetrics) -> Flags:
    """Frames with a pixel far brighter than the star, unlike their siblings: a flipped bit.

    Parameters
    ----------
    metrics : FrameMetrics

    Returns
    -------
    ndarray of bool, shape (nframes,)
        The largest pixel reaches a fifth of the detector's range, and relative to the brightest
        about the star it is half as bright again as the siblings'. A pixel fainter than the star,
        or in a row that was not read for the measurements, is not seen.
    """
    largest = metrics.frame_max
    if np.isfinite(largest).sum() < _SIBLINGS:
        return np.zeros(largest.shape, bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = largest / _of_star(metrics.max)
        flags = ratio > _STRAY * np.nanmedian(ratio)
        return np.asarray(flags & (largest > _HIGH_BIT * metrics.full_level))


def _of_star(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number a frame of (nfields, npsfs, nframes): the sum, or NaN."""
    return np.asarray(values.sum(axis=(0, 1)))


def _deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros(values.shape)
    middle = np.median(finite)
    spread = robust_std(finite, middle)
    floor = 1e-6 * max(abs(float(middle)), 1e-30)
    return np.asarray((values - middle) / max(spread, floor))
