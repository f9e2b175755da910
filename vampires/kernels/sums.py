"""Weighted sums of images, and the covariances of such sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@kernel
def weighted_sums(weights: Float64, images: Float32, out: Float32) -> None:
    """Sum images with several sets of weights; a zero weight spreads no NaN.

    Parameters
    ----------
    weights : ndarray, shape (k, n)
    images : ndarray of float32, shape (n, ny, nx)
    out : ndarray of float32, shape (k, ny, nx)
        Filled.
    """
    n, ny, nx = images.shape
    total = np.empty(nx)
    for y in range(ny):
        for k in range(len(weights)):
            total[:] = 0.0
            for i in range(n):
                weight, row = weights[k, i], images[i, y]
                if weight != 0.0:
                    for x in range(nx):
                        total[x] += weight * row[x]
            out[k, y] = total


@kernel
def sums_covariance(weights: Float64, variances: Float32, out: Float32) -> None:
    """Covariance of `weighted_sums` of images with independent noise.

    Parameters
    ----------
    weights : ndarray, shape (k, n)
    variances : ndarray of float32, shape (n, ny, nx)
    out : ndarray of float32, shape (k (k + 1) / 2, ny, nx)
        Filled; each pair once (`vampires.kernels.covariance`).
    """
    n, ny, nx = variances.shape
    if len(out) != len(weights) * (len(weights) + 1) // 2:  # compiled loops check no index
        raise ValueError("room for each pair of planes once is needed")
    total = np.empty(nx)
    for y in range(ny):
        pair = 0
        for k in range(len(weights)):
            for m in range(k, len(weights)):
                total[:] = 0.0
                for i in range(n):
                    factor, row = weights[k, i] * weights[m, i], variances[i, y]
                    if factor != 0.0:
                        for x in range(nx):
                            total[x] += factor * row[x]
                out[pair, y] = total
                pair += 1
