"""Azimuthal Stokes parameters, polarised intensity and angle from Q and U, with errors.

Plain functions of arrays of any shape. NaN stays NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Standard deviation of an angle of polarisation about which nothing is known, deg.
_UNKNOWN_ANGLE = 180.0 / np.sqrt(12.0)

STOKES = ("I_Q", "I_U", "Q", "U")
PRODUCTS = (*STOKES, "Q_PHI", "U_PHI", "LP_I", "AOLP")
"""Planes of a Stokes product, in order."""


def azimuth(shape: tuple[int, int], center: tuple[float, float] | None = None) -> NDArray:
    """Angle of each pixel about the star, from north through east.

    Parameters
    ----------
    shape : (int, int)
        (ny, nx) of an image with north up and east left.
    center : (float, float), optional
        Star (y, x), 0-based; by default the centre of the image.

    Returns
    -------
    ndarray of float64
        Shape (ny, nx), rad, from -pi to pi.

    Examples
    --------
    A pixel left of the star is east of it:

    >>> round(float(np.rad2deg(azimuth((3, 3))[1, 0])), 6)
    90.0
    """
    dy, dx = _offsets(shape, center)
    return np.arctan2(-dx, dy)


def radius(shape: tuple[int, int], center: tuple[float, float] | None = None) -> NDArray:
    """Distance of each pixel from the star, pixels; parameters as in `azimuth`."""
    dy, dx = _offsets(shape, center)
    return np.hypot(dy, dx)


def azimuthal_stokes(
    Q: ArrayLike, U: ArrayLike, phi: ArrayLike, *, radial: bool = False
) -> tuple[NDArray, NDArray]:
    """Turn Q and U into the frame of the azimuth.

    ``Q_phi = -Q cos 2phi - U sin 2phi``, ``U_phi = Q sin 2phi - U cos 2phi`` (Schmid et al. 2006;
    Monnier et al. 2019): Q_phi is positive for polarisation across the radius.

    Parameters
    ----------
    Q, U : array_like
        Stokes parameters referred to north.
    phi : array_like
        Azimuth from `azimuth`, rad.
    radial : bool
        The opposite sign: positive for polarisation along the radius.

    Returns
    -------
    Q_phi, U_phi : ndarray
    """
    c, s = np.cos(2 * np.asarray(phi)), np.sin(2 * np.asarray(phi))
    sign = -1.0 if radial else 1.0
    Q, U = np.asarray(Q), np.asarray(U)
    return sign * (-Q * c - U * s), sign * (Q * s - U * c)


def azimuthal_variance(
    var_q: ArrayLike, var_u: ArrayLike, cov_qu: ArrayLike, phi: ArrayLike
) -> tuple[NDArray, NDArray]:
    """Variances of Q_phi and U_phi from those of Q and U and their covariance."""
    c, s = np.cos(2 * np.asarray(phi)), np.sin(2 * np.asarray(phi))
    var_q, var_u, cross = np.asarray(var_q), np.asarray(var_u), 2 * np.asarray(cov_qu) * s * c
    return var_q * c**2 + var_u * s**2 + cross, var_q * s**2 + var_u * c**2 - cross


def linear_polarisation(Q: ArrayLike, U: ArrayLike) -> NDArray:
    """Polarised intensity ``sqrt(Q^2 + U^2)``.

    Noise makes it positive where there is no polarisation; `debiased_lp` takes that out.
    """
    return np.hypot(np.asarray(Q), np.asarray(U))


def lp_variance(
    Q: ArrayLike, U: ArrayLike, var_q: ArrayLike, var_u: ArrayLike, cov_qu: ArrayLike
) -> NDArray:
    """Variance of the polarised intensity to first order.

    It is the variance along the direction of (Q, U); where both are zero, the mean of the two.
    """
    var_q, var_u = np.asarray(var_q), np.asarray(var_u)
    p, c, s = _direction(Q, U)
    along = c**2 * var_q + s**2 * var_u + 2 * c * s * np.asarray(cov_qu)
    return np.where(p == 0, (var_q + var_u) / 2, along)


def debiased_lp(lp: ArrayLike, variance: ArrayLike) -> NDArray:
    """Polarised intensity with most of its noise bias removed.

    The modified asymptotic estimator ``P - s^2 (1 - exp(-P^2/s^2)) / (2 P)`` (Plaszczynski et
    al. 2014), never negative, unbiased above two standard deviations.

    Parameters
    ----------
    lp : array_like
        Polarised intensity.
    variance : array_like
        Variance of Q and U there.

    Examples
    --------
    >>> round(float(debiased_lp(3.0, 1.0)), 4)
    2.8334
    """
    p, v = np.asarray(lp, dtype=float), np.asarray(variance, dtype=float)
    usable = (p > 0) & (v > 0)
    safe_p, safe_v = np.where(usable, p, 1.0), np.where(usable, v, 1.0)
    return p - np.where(usable, -safe_v * np.expm1(-(safe_p**2) / safe_v) / (2 * safe_p), 0.0)


def polarisation_angle(Q: ArrayLike, U: ArrayLike) -> NDArray:
    """Angle of linear polarisation ``atan2(U, Q) / 2``, deg, east of north, in [-90, 90]."""
    return np.rad2deg(0.5 * np.arctan2(np.asarray(U), np.asarray(Q)))


def angle_error(
    Q: ArrayLike, U: ArrayLike, var_q: ArrayLike, var_u: ArrayLike, cov_qu: ArrayLike
) -> NDArray:
    """Error of the angle of polarisation, deg: first order, at most that of a random angle."""
    p, c, s = _direction(Q, U)
    across = s**2 * np.asarray(var_q) + c**2 * np.asarray(var_u) - 2 * c * s * np.asarray(cov_qu)
    error = np.rad2deg(0.5 * np.sqrt(np.maximum(across, 0)) / np.where(p == 0, 1, p))
    return np.where(p == 0, _UNKNOWN_ANGLE, np.minimum(error, _UNKNOWN_ANGLE))


def _direction(Q: ArrayLike, U: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Polarised intensity, and the unit vector along (Q, U): in Jy, squares leave float32."""
    p = linear_polarisation(Q, U)
    safe = np.where(p == 0, 1, p)
    return p, np.asarray(Q) / safe, np.asarray(U) / safe


def _offsets(shape: tuple[int, int], center: tuple[float, float] | None) -> tuple[NDArray, NDArray]:
    ny, nx = shape
    y0, x0 = ((ny - 1) / 2, (nx - 1) / 2) if center is None else center
    y, x = np.ogrid[:ny, :nx]
    return np.broadcast_to(y - y0, shape), np.broadcast_to(x - x0, shape)
