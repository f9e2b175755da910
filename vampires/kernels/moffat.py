r"""Least-squares fit of a circular Moffat profile, all frames in one call.

.. math:: f(r) = b + A \left(1 + r^2 / \gamma^2\right)^{-\beta}

by Levenberg-Marquardt with analytic derivatives. For steep profiles (a diffraction core falls
more steeply than any Moffat) gamma and beta degenerate; the fit uses ``ln s`` and ``q`` with
``q = 1 / beta`` and ``s^2 = gamma^2 / beta``, in which the Gaussian limit, q = 0, is regular.

References
----------
Moffat, A. F. J. 1969, A&A 3, 455. Marquardt, D. 1963, SIAM J. Appl. Math. 11, 431.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

_ITERATIONS = 60
#: Relative decrease of the sum of squares at which a fit has converged.
_TOLERANCE = 1e-9
_PARAMETERS = 6
#: Bounds of q: exponents from 50 to 0.67.
_MIN_Q = 0.02
_MAX_Q = 1.5


@kernel
def _normal_equations(window: NDArray, p: NDArray, jtj: NDArray, jtr: NDArray) -> float:
    """Accumulate J^T J and J^T r over the good pixels; return the sum of squares."""
    a, y0, x0, q, b = p[0], p[1], p[2], p[4], p[5]
    s2 = np.exp(2 * p[3])
    jtj[:] = 0.0
    jtr[:] = 0.0
    cost = 0.0
    g = np.empty(_PARAMETERS)
    g[5] = 1.0
    for i in range(window.shape[0]):
        for j in range(window.shape[1]):
            if np.isnan(window[i, j]):
                continue
            dy, dx = i - y0, j - x0
            z = (dy * dy + dx * dx) / s2
            u = 1.0 + q * z
            log_u = np.log(u)
            g[0] = np.exp(-log_u / q)
            model = a * g[0]
            slope = 2.0 * model / u
            g[1], g[2], g[3] = slope * dy / s2, slope * dx / s2, slope * z
            g[4] = model * (log_u / q - z / u) / q
            residual = window[i, j] - b - model
            cost += residual * residual
            for m in range(_PARAMETERS):
                jtr[m] += g[m] * residual
                for n in range(m + 1):
                    jtj[m, n] += g[m] * g[n]
    for m in range(_PARAMETERS):
        for n in range(m):
            jtj[n, m] = jtj[m, n]
    return cost


@kernel
def _freeze_exponent(p: NDArray, jtj: NDArray, jtr: NDArray) -> None:
    """Take q out of the equations where it stands at a bound and would leave it."""
    if (p[4] <= _MIN_Q and jtr[4] < 0) or (p[4] >= _MAX_Q and jtr[4] > 0):
        jtj[4, :] = 0.0
        jtj[:, 4] = 0.0
        jtj[4, 4] = 1.0
        jtr[4] = 0.0


@kernel
def _solve(matrix: NDArray, vector: NDArray, out: NDArray) -> bool:
    """Cholesky solution of a small positive-definite system; False when it is not one."""
    n = vector.shape[0]
    low = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= low[i, k] * low[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                low[i, i] = np.sqrt(total)
            else:
                low[i, j] = total / low[j, j]
    for i in range(n):
        out[i] = vector[i]
        for k in range(i):
            out[i] -= low[i, k] * out[k]
        out[i] /= low[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            out[i] -= low[k, i] * out[k]
        out[i] /= low[i, i]
    return True


@kernel
def fit_moffat(window: NDArray, start: NDArray) -> NDArray[np.float64]:
    """Fit one window.

    Parameters
    ----------
    window : ndarray (ny, nx)
        NaN pixels are left out; all others weigh the same.
    start : ndarray (6,)
        First guess: A, y, x, ln s, q, b.

    Returns
    -------
    ndarray (6,)
        The same parameters, ``1/50 <= q <= 1.5``; NaN when the fit ends outside the window or
        without a peak.
    """
    p, trial = start.copy(), start.copy()
    jtj, jtr = np.empty((_PARAMETERS, _PARAMETERS)), np.empty(_PARAMETERS)
    next_jtj, next_jtr = np.empty_like(jtj), np.empty_like(jtr)
    damped, step = np.empty_like(jtj), np.empty_like(jtr)
    damping = 1e-3
    cost = _normal_equations(window, p, jtj, jtr)
    _freeze_exponent(p, jtj, jtr)
    for _ in range(_ITERATIONS):
        damped[:] = jtj
        for m in range(_PARAMETERS):
            damped[m, m] *= 1.0 + damping
        better = np.inf
        if _solve(damped, jtr, step):
            trial[:] = p + step
            trial[4] = min(max(trial[4], _MIN_Q), _MAX_Q)
            better = _normal_equations(window, trial, next_jtj, next_jtr)
        if better < cost:
            converged = cost - better <= _TOLERANCE * cost
            p[:], jtj[:], jtr[:] = trial, next_jtj, next_jtr
            cost = better
            _freeze_exponent(p, jtj, jtr)
            damping = max(damping * 0.1, 1e-9)
            if converged:
                break
        else:
            damping *= 10.0
            if damping > 1e6:  # rounding: no step lowers the sum any more
                break
    inside = 0 <= p[1] <= window.shape[0] - 1 and 0 <= p[2] <= window.shape[1] - 1
    if not (inside and p[0] > 0):
        p[:] = np.nan
    return p


@kernel
def fit_windows(
    stamps: NDArray, centres: NDArray, half: int, positions: NDArray
) -> NDArray[np.float64]:
    """Moffat centre in one window per frame.

    Parameters
    ----------
    stamps : ndarray (n, s, s)
        Calibrated cut-outs.
    centres : ndarray (n, 2), int64
        Window centre (y, x) within the stamp.
    half : int
        The window is ``2 half + 1`` wide.
    positions : ndarray (n, 2)
        First guess of (y, x) within the stamp; NaN: the window's centre.

    Returns
    -------
    ndarray (n, 6)
        A, y, x (within the stamp), gamma, beta, b; NaN where the fit failed or fewer than half of
        the pixels are good.
    """
    n = stamps.shape[0]
    length = 2 * half + 1
    out = np.full((n, _PARAMETERS), np.nan)
    start = np.empty(_PARAMETERS)
    for k in range(n):
        y0, x0 = centres[k, 0] - half, centres[k, 1] - half
        window = stamps[k, y0 : y0 + length, x0 : x0 + length].astype(np.float64)
        good = window.ravel()[~np.isnan(window.ravel())]
        if 2 * good.size < window.size:
            continue
        b = np.median(good)
        y, x = positions[k, 0] - y0, positions[k, 1] - x0
        if np.isnan(y) or np.isnan(x):
            y, x = float(half), float(half)
        start[0], start[1], start[2] = good.max() - b, y, x
        start[3], start[4], start[5] = np.log(2.0), 0.3, b
        if not start[0] > 0:
            continue
        p = fit_moffat(window, start)
        out[k, 0], out[k, 1], out[k, 2] = p[0], p[1] + y0, p[2] + x0
        out[k, 3], out[k, 4], out[k, 5] = np.exp(p[3]) / np.sqrt(p[4]), 1 / p[4], p[5]
    return out
