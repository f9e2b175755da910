"""Covariances of the Stokes planes, pixel by pixel.

Of a symmetric matrix each pair is kept once, row by row: (0, 0), (0, 1) ... (1, 1), (1, 2) ...
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import inlined, kernel

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
_T = TypeVar("_T", bound=np.generic)


def pair(a: int, b: int, k: int = 4) -> int:
    """Place of the covariance of two of `k` planes.

    Examples
    --------
    >>> [pair(a, b, 3) for a in range(3) for b in range(3)]
    [0, 1, 2, 1, 3, 4, 2, 4, 5]
    """
    low, high = min(a, b), max(a, b)
    return low * k - low * (low + 1) // 2 + high


_pair = inlined(pair)


def places_of_variances(k: int = 4) -> list[int]:
    """Places of the variances of `k` planes among their covariances."""
    return [pair(a, a, k) for a in range(k)]


def number_of_pairs(k: int) -> int:
    """How many covariances `k` planes have."""
    return k * (k + 1) // 2


def pack(full: NDArray[_T]) -> NDArray[_T]:
    """Symmetric matrices (k, k, ...) with each pair once, (k (k + 1) / 2, ...)."""
    k = len(full)
    return np.stack([full[a, b] for a in range(k) for b in range(a, k)])


def unpack(packed: NDArray[_T]) -> NDArray[_T]:
    """Undo `pack`.

    Examples
    --------
    >>> unpack(np.array([1.0, 2.0, 3.0])).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    k = (math.isqrt(8 * len(packed) + 1) - 1) // 2
    return packed[[[pair(a, b, k) for b in range(k)] for a in range(k)]]


@kernel
def _add_radial(out: Float32, table: Float64, place: Float32, scale: Float32) -> None:
    pairs, ny, nx = out.shape
    last = table.shape[1] - 2
    for y in range(ny):
        for p in range(pairs):
            row, values = out[p, y], table[p]
            for x in range(nx):
                index = min(int(place[y, x]), last)
                part = place[y, x] - index
                value = values[index] + part * (values[index + 1] - values[index])
                row[x] += np.float32(value * scale[y, x])


def add_radial(out: Float32, table: Float64, place: Float32, scale: Float32) -> None:
    """Add covariances that depend on the distance from the centre, times a map.

    Parameters
    ----------
    out : ndarray of float32, shape (pairs, ny, nx)
        Added to in place.
    table : ndarray, shape (pairs, n)
        Covariances on a grid of radii.
    place : ndarray of float32, shape (ny, nx)
        Where each pixel lies on that grid: index and fraction, 0 to n - 1.
    scale : ndarray of float32, shape (ny, nx)
        Map of variances.

    Examples
    --------
    >>> out, table = np.zeros((1, 1, 2), np.float32), np.array([[1.0, 3.0]])
    >>> add_radial(out, table, np.float32([[0.5, 1.0]]), np.float32([[1.0, 10.0]]))
    >>> out.tolist()
    [[[2.0, 30.0]]]
    """
    _check_room(out, len(table))
    _add_radial(out, np.ascontiguousarray(table, float), place, scale)


@kernel
def _transform(matrix: Float64, covariance: Float32, out: Float32) -> None:
    k = len(matrix)
    _, ny, nx = covariance.shape
    half, total = np.empty((k, nx)), np.empty(nx)
    for y in range(ny):
        for a in range(k):
            for d in range(k):  # row a of T C
                part = half[d]
                part[:] = 0.0
                for c in range(k):
                    factor, row = matrix[a, c], covariance[_pair(c, d, k), y]
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
                out[_pair(a, b, k), y] = total


def transform(matrix: Float64, covariance: Float32, out: Float32 | None = None) -> Float32:
    """``T C T^t`` of every pixel; a zero coefficient does not spread NaN.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)
        T.
    covariance : ndarray of float32, shape (k (k + 1) / 2, ny, nx)
        C, each pair once.
    out : ndarray of float32, of the same shape, optional
        To be filled; a new one by default.

    Returns
    -------
    ndarray of float32, of the same shape

    Examples
    --------
    >>> c = np.array([2.0, 0.0, 3.0], np.float32).reshape(3, 1, 1)
    >>> transform(np.array([[1.0, 1.0], [0.0, 2.0]]), c)[:, 0, 0].tolist()
    [5.0, 6.0, 12.0]
    """
    given = np.ascontiguousarray(covariance, np.float32)
    if out is None:
        out = np.empty_like(given)
    _check_room(given, number_of_pairs(len(matrix)))
    _check_room(out, len(given))
    _transform(np.ascontiguousarray(matrix, float), given, out)
    return out


def _check_room(planes: Float32, number: int) -> None:
    """Refuse another number of planes: compiled loops check no index."""
    if planes.ndim != 3 or len(planes) != number:
        raise ValueError(f"{planes.shape}: room for {number} planes, each pair once, is needed")
