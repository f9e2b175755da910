"""Least squares with positive coefficients, for a few terms and many sets of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

Float64 = NDArray[np.float64]


@kernel
def solve_positive(normal: Float64, projection: Float64) -> Float64:
    """Coefficients, none negative, that minimise ``x N x - 2 p x``.

    With few terms every set of positive ones is tried: of those whose solution is positive the
    best is the answer, as in the algorithm of Lawson and Hanson.

    Parameters
    ----------
    normal : ndarray (k, k)
        ``A^t A`` of the terms, k at most 6 or so.
    projection : ndarray (k,)
        ``A^t b``.

    Returns
    -------
    ndarray (k,)
    """
    k = len(projection)
    best, least = np.zeros(k), 0.0
    work, x = np.empty((k, k + 1)), np.zeros(k)
    for chosen in range(1, 1 << k):
        terms = [i for i in range(k) if chosen >> i & 1]
        n = len(terms)
        for a in range(n):
            for b in range(n):
                work[a, b] = normal[terms[a], terms[b]]
            work[a, n] = projection[terms[a]]
        if not _solve(work, n):
            continue
        gain = 0.0
        positive = True
        x[:] = 0.0
        for a in range(n):
            x[terms[a]] = work[a, n]
            gain += work[a, n] * projection[terms[a]]
            positive &= work[a, n] >= 0.0
        if positive and gain > least:
            least = gain
            best[:] = x
    return best


@kernel
def _solve(work: Float64, n: int) -> bool:
    """Solve a system of positive definite equations, in place; its last column is the right side.

    False where it is singular.
    """
    for pivot in range(n):
        if not work[pivot, pivot] > 1e-13:
            return False
        work[pivot, pivot:] /= work[pivot, pivot]
        for row in range(n):
            if row != pivot:
                work[row, pivot:] -= work[row, pivot] * work[pivot, pivot:]
    return True


@kernel
def fit_dim_points(
    terms: Float64, level: Float64, floor: float, too_bright: float, least: float
) -> tuple[Float64, NDArray[np.bool_]]:
    """Fit points with positive terms, leaving out those that are brighter than the fit.

    Parameters
    ----------
    terms : ndarray (m, n, k)
        Several sets of k terms, in units of the errors of n points; the last term may be negative
        down to `floor`.
    level : ndarray (n,)
        Points in units of their errors.
    floor : float
        Of the last coefficient.
    too_bright : float
        Standard deviations above the fit.
    least : float
        Number of points that stay.

    Returns
    -------
    values : ndarray (m, k)
    keep : ndarray of bool (m, n)
        Points that each fit is of.
    """
    m, n, k = terms.shape
    values, keep = np.zeros((m, k)), np.ones((m, n), np.bool_)
    dim = np.empty(n, np.bool_)
    normal, projection, size = np.empty((k, k)), np.empty(k), np.empty(k)
    for s in range(m):
        for _ in range(10):
            normal[:] = 0.0
            projection[:] = 0.0
            for i in range(n):
                if keep[s, i]:
                    target = level[i] - floor * terms[s, i, k - 1]
                    for a in range(k):
                        projection[a] += terms[s, i, a] * target
                        for b in range(k):
                            normal[a, b] += terms[s, i, a] * terms[s, i, b]
            for a in range(k):  # terms of unit length: nothing is lost in small ones
                size[a] = np.sqrt(normal[a, a]) + 1e-300
            for a in range(k):
                projection[a] /= size[a]
                for b in range(k):
                    normal[a, b] /= size[a] * size[b]
            values[s] = solve_positive(normal, projection) / size
            values[s, k - 1] += floor
            for i in range(n):
                off = level[i]
                for c in range(k):
                    off -= terms[s, i, c] * values[s, c]
                dim[i] = off < too_bright
            if dim.sum() < least or (dim == keep[s]).all():
                break
            keep[s] = dim
    return values, keep
