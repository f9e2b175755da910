"""Weights of the windowed-sinc (Lanczos) interpolation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

ORDER = 4
"""Lobes of the kernel on each side."""

TAPS = 2 * ORDER
"""Pixels that contribute to an interpolated value along each axis."""

MIN_WEIGHT = 0.25
"""Least sum of the valid weights (of 1) for an interpolated pixel to be valid.

At this value a lone masked pixel or column masks at most the one output pixel that lies
within 0.4 px of it, and none when the output falls between two pixels.
"""


@kernel
def lanczos_weights(fraction: float, weights: NDArray[np.float32]) -> None:
    """Weights of the pixels around a point, summing to one.

    L(x) = sinc(x) sinc(x / 4) for |x| < 4 (Duchon 1979, J. Appl. Meteor. 18, 1016), divided
    by the sum of the eight weights, so that a constant stays a constant and a uniform shift
    conserves flux.

    Parameters
    ----------
    fraction : float
        Position of the point past the pixel `k = 0`, in [0, 1).
    weights : ndarray of float32, shape (8,)
        Filled with the weights of the pixels `k` = -3 ... 4.
    """
    total = 0.0
    raw = np.empty(TAPS)
    for tap in range(TAPS):
        x = tap - (ORDER - 1) - fraction
        if abs(x) < 1e-9:
            raw[tap] = 1.0
        elif abs(x) >= ORDER:
            raw[tap] = 0.0
        else:
            angle = math.pi * x
            raw[tap] = ORDER * math.sin(angle) * math.sin(angle / ORDER) / (angle * angle)
        total += raw[tap]
    for tap in range(TAPS):
        weights[tap] = raw[tap] / total
