"""Mean and variance in time of every pixel, for the even and the odd frames, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import number

Real = NDArray[np.float64]


@kernel
def _split(
    raw: NDArray[Any], big_endian: bool, samples: NDArray[np.float32], means: Real, variances: Real
) -> None:
    """Put the even frames before the odd ones, and sum differences from the first frame."""
    n, ny, nx = raw.shape
    counts = (n + 1) // 2, n // 2
    sums, squares = np.empty((2, nx)), np.empty((2, nx))
    for y in range(ny):  # row by row: what belongs to a row stays in the cache
        sums[:], squares[:] = 0.0, 0.0
        for half in range(2):
            for k in range(counts[half]):
                row = samples[half * counts[0] + k, y]
                for x in range(nx):
                    row[x] = number(raw[2 * k + half, y, x], big_endian)
                for x in range(nx):
                    difference = np.float64(row[x]) - np.float64(samples[0, y, x])
                    sums[half, x] += difference
                    squares[half, x] += difference * difference
        for half in range(2):
            count = counts[half]
            for x in range(nx):
                offset = sums[half, x] / max(count, 1)
                means[half, y, x] = np.float64(samples[0, y, x]) + offset
                scatter = squares[half, x] - sums[half, x] * offset
                variances[half, y, x] = max(scatter / max(count - 1, 1), 0.0)


def split_halves(block: RawBlock) -> tuple[NDArray[np.float32], Real, Real]:
    """Even and odd frames apart, with the mean and variance of each half.

    Parameters
    ----------
    block : RawBlock
        n frames.

    Returns
    -------
    samples : ndarray of float32, shape (n, ny, nx)
        The even frames, then the odd ones.
    means, variances : ndarray, shape (2, ny, nx)
        Variances are unbiased (n - 1), 0 with fewer than two frames; the mean of no frame
        is that of the others.

    Notes
    -----
    Differences from the first frame are summed in double precision: exact for 16-bit data,
    and free of the cancellation that sums of squares of large numbers suffer from.

    Examples
    --------
    >>> frames = np.array([[[1]], [[10]], [[3]], [[10]]], np.uint16)
    >>> samples, means, variances = split_halves(RawBlock(frames, big_endian=False))
    >>> samples.ravel().tolist(), means.ravel().tolist(), variances.ravel().tolist()
    ([1.0, 3.0, 10.0, 10.0], [2.0, 10.0], [2.0, 0.0])
    """
    shape = block.data.shape
    samples = np.empty(shape, np.float32)
    means, variances = np.empty((2, *shape[1:])), np.empty((2, *shape[1:]))
    _split(block.data, block.big_endian, samples, means, variances)
    return samples, means, variances


def pooled_moments(means: Real, variances: Real, n: int) -> tuple[Real, Real]:
    """Mean and variance over all frames, from those of the two halves.

    Parameters
    ----------
    means, variances : ndarray, shape (2, ny, nx)
        From `split_halves`.
    n : int
        Number of frames.

    Returns
    -------
    mean, variance : ndarray, shape (ny, nx)

    Examples
    --------
    >>> frames = np.array([[[1]], [[10]], [[3]], [[10]]], np.uint16)
    >>> _, means, variances = split_halves(RawBlock(frames, big_endian=False))
    >>> mean, variance = pooled_moments(means, variances, 4)
    >>> mean.item(), variance.item()
    (6.0, 22.0)
    """
    even, odd = (n + 1) // 2, n // 2
    mean = (even * means[0] + odd * means[1]) / n
    between = even * (means[0] - mean) ** 2 + odd * (means[1] - mean) ** 2
    within = max(even - 1, 0) * variances[0] + max(odd - 1, 0) * variances[1]
    return mean, (within + between) / max(n - 1, 1)
