"""Covariances of the Stokes planes, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@kernel
def _add_radial(out: Float32, table: Float64, place: Float32, scale: Float32) -> None:
    k, _, ny, nx = out.shape
    last = table.shape[2] - 2
    for y in range(ny):
        for a in range(k):
            for b in range(a, k):
                row, values = out[a, b, y], table[a, b]
                for x in range(nx):
                    index = min(int(place[y, x]), last)
                    part = place[y, x] - index
                    value = values[index] + part * (values[index + 1] - values[index])
                    row[x] += np.float32(value * scale[y, x])
                if a != b:
                    out[b, a, y] = row


def add_radial(out: Float32, table: Float64, place: Float32, scale: Float32) -> None:
    """Add covariances that depend on the distance from the centre, times a map.

    Parameters
    ----------
    out : ndarray of float32, shape (k, k, ny, nx)
        Added to in place; symmetric.
    table : ndarray, shape (k, k, n)
        Covariances on a grid of radii; symmetric.
    place : ndarray of float32, shape (ny, nx)
        Where each pixel lies on that grid: index and fraction, 0 to n - 1.
    scale : ndarray of float32, shape (ny, nx)
        Map of variances.

    Examples
    --------
    >>> out, table = np.zeros((1, 1, 1, 2), np.float32), np.array([[[1.0, 3.0]]])
    >>> add_radial(out, table, np.float32([[0.5, 1.0]]), np.float32([[1.0, 10.0]]))
    >>> out.tolist()
    [[[[2.0, 30.0]]]]
    """
    _add_radial(out, np.ascontiguousarray(table, float), place, scale)


@kernel
def _transform(matrix: Float64, covariance: Float32, out: Float32) -> None:
    k, _, ny, nx = covariance.shape
    half, total = np.empty((k, nx)), np.empty(nx)
    for y in range(ny):
        for a in range(k):
            for d in range(k):  # row a of T C
                part = half[d]
                part[:] = 0.0
                for c in range(k):
                    factor, row = matrix[a, c], covariance[c, d, y]
                    if factor != 0.0:
                        for x in range(nx):
                            part[x] += factor * row[x]
            for b in range(a, k):
                total[:] = 0.0
                for d in range(k):
                    factor, part = matrix[b, d], half[d]
                    if factor != 0.0:
                        for x in range(nx):
                            total[x] += factor * part[x]
                above, below = out[a, b, y], out[b, a, y]
                for x in range(nx):
                    above[x] = below[x] = total[x]


def transform(matrix: Float64, covariance: Float32, out: Float32 | None = None) -> Float32:
    """``T C T^t`` of every pixel; a zero coefficient does not spread NaN.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)
        T.
    covariance : ndarray of float32, shape (k, k, ny, nx)
        C, symmetric.
    out : ndarray of float32, shape (k, k, ny, nx), optional
        To be filled; a new one by default.

    Returns
    -------
    ndarray of float32, shape (k, k, ny, nx)

    Examples
    --------
    >>> c = np.array([[2.0, 0.0], [0.0, 3.0]], np.float32).reshape(2, 2, 1, 1)
    >>> transform(np.array([[1.0, 1.0], [0.0, 2.0]]), c)[..., 0, 0].tolist()
    [[5.0, 6.0], [6.0, 12.0]]
    """
    given = np.ascontiguousarray(covariance, np.float32)
    if out is None:
        out = np.empty_like(given)
    _transform(np.ascontiguousarray(matrix, float), given, out)
    return out
