"""Mean and variance in time of every pixel, for the even and the odd frames, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

Real = NDArray[np.float64]


@kernel
def _half_sums(frames: NDArray[Any], sums: Real, squares: Real) -> None:
    """Sum differences from the first frame, and their squares; the even frames are half 0."""
    n, ny, nx = frames.shape
    for y in range(ny):  # row by row: the accumulators of a row stay in the cache
        for i in range(n):
            total, square = sums[i % 2, y], squares[i % 2, y]
            for x in range(nx):
                difference = np.float64(frames[i, y, x]) - np.float64(frames[0, y, x])
                total[x] += difference
                square[x] += difference * difference


def half_moments(frames: NDArray[Any]) -> tuple[Real, Real]:
    """Mean and variance over the even and over the odd frames.

    Parameters
    ----------
    frames : ndarray, shape (n, ny, nx)
        Native numbers of any kind.

    Returns
    -------
    means, variances : ndarray, shape (2, ny, nx)
        Variances are unbiased (n - 1), 0 with fewer than two frames; the mean of no frame
        is that of the others.

    Notes
    -----
    Differences from the first frame are summed in double precision: exact for 16-bit data,
    and free of the cancellation that sums of squares of large numbers suffer from.

    Examples
    --------
    >>> means, variances = half_moments(np.array([[[1]], [[10]], [[3]], [[10]]], np.uint16))
    >>> means.ravel().tolist(), variances.ravel().tolist()
    ([2.0, 10.0], [2.0, 0.0])
    """
    n = frames.shape[0]
    sums, squares = np.zeros((2, *frames.shape[1:])), np.zeros((2, *frames.shape[1:]))
    _half_sums(frames, sums, squares)
    if n == 1:
        sums[1], squares[1] = sums[0], squares[0]
    counts = np.array([(n + 1) // 2, max(n // 2, 1)]).reshape(2, 1, 1)
    offsets = sums / counts
    variances = (squares - sums * offsets) / np.maximum(counts - 1, 1)
    return frames[0].astype(np.float64) + offsets, np.maximum(variances, 0.0)


def pooled_moments(means: Real, variances: Real, n: int) -> tuple[Real, Real]:
    """Mean and variance over all frames, from those of the two halves.

    Parameters
    ----------
    means, variances : ndarray, shape (2, ny, nx)
        From `half_moments`.
    n : int
        Number of frames.

    Returns
    -------
    mean, variance : ndarray, shape (ny, nx)

    Examples
    --------
    >>> halves = half_moments(np.array([[[1]], [[10]], [[3]], [[10]]], np.uint16))
    >>> mean, variance = pooled_moments(*halves, 4)
    >>> mean.item(), variance.item()
    (6.0, 22.0)
    """
    even, odd = (n + 1) // 2, n // 2
    mean = (even * means[0] + odd * means[1]) / n
    between = even * (means[0] - mean) ** 2 + odd * (means[1] - mean) ** 2
    within = max(even - 1, 0) * variances[0] + max(odd - 1, 0) * variances[1]
    return mean, (within + between) / max(n - 1, 1)
