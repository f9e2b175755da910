"""Aperture photometry with the exact overlap of circle and pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel


@kernel
def _quadrant_area(x: float, y: float, r: float) -> float:
    """Area of the circle of radius r about the origin within [0, x] x [0, y], x, y >= 0."""
    if x <= 0.0 or y <= 0.0:
        return 0.0
    if x * x + y * y <= r * r:
        return x * y
    x, y = min(x, r), min(y, r)
    x_corner = np.sqrt(r * r - y * y)  # the arc leaves the top edge here
    if x_corner >= x:
        return x * y
    # rectangle up to there, then the area under the arc
    upper = x * np.sqrt(max(r * r - x * x, 0.0)) + r * r * np.arcsin(min(x / r, 1.0))
    lower = x_corner * y + r * r * np.arcsin(x_corner / r)
    return x_corner * y + 0.5 * (upper - lower)


@kernel
def _corner_area(x: float, y: float, r: float) -> float:
    """Signed area of the circle within the rectangle from the origin to (x, y)."""
    area = _quadrant_area(abs(x), abs(y), r)
    return area if (x >= 0) == (y >= 0) else -area


@kernel
def overlap(y: float, x: float, r: float) -> float:
    """Area of a circle about the origin within the unit pixel centred at (y, x).

    Parameters
    ----------
    y, x : float
        Pixel centre relative to the circle's centre, pixels.
    r : float
        Radius, pixels.

    Returns
    -------
    float
        0 to 1, exact.
    """
    y, x = abs(y), abs(x)
    near_y, near_x = max(y - 0.5, 0.0), max(x - 0.5, 0.0)
    if near_y * near_y + near_x * near_x >= r * r:
        return 0.0
    if (y + 0.5) ** 2 + (x + 0.5) ** 2 <= r * r:
        return 1.0
    low_y, high_y, low_x, high_x = y - 0.5, y + 0.5, x - 0.5, x + 0.5
    return (
        _corner_area(high_x, high_y, r)
        - _corner_area(low_x, high_y, r)
        - _corner_area(high_x, low_y, r)
        + _corner_area(low_x, low_y, r)
    )


@kernel
def circle_weights(ny: int, nx: int, y: float, x: float, r: float) -> NDArray[np.float64]:
    """Overlap of every pixel of an image with a circle.

    Parameters
    ----------
    ny, nx : int
        Shape of the image.
    y, x, r : float
        Centre and radius of the circle, pixels.

    Returns
    -------
    ndarray (ny, nx)
        0 to 1, exact.
    """
    weights = np.zeros((ny, nx))
    for i in range(max(0, int(y - r)), min(ny, int(y + r) + 2)):
        for j in range(max(0, int(x - r)), min(nx, int(x + r) + 2)):
            weights[i, j] = overlap(i - y, j - x, r)
    return weights


@kernel
def circle_sum(
    data: NDArray, variance: NDArray, y: float, x: float, r: float
) -> tuple[float, float, float]:
    """Sum of the pixels in a circle, weighted by their exact overlap.

    Parameters
    ----------
    data, variance : ndarray (ny, nx)
        Image and its variance.
    y, x : float
        Centre of the circle.
    r : float
        Radius.

    Returns
    -------
    total, variance, area : float
        Sum of ``w d``, of ``w v`` (as photutils has it: an upper limit of ``w^2 v``), of ``w``.
        NaN pixels make the sums NaN, and so does a circle that reaches beyond the image: a flux
        with a hole in it is not a flux.
    """
    ny, nx = data.shape
    total, scatter, area = 0.0, 0.0, 0.0
    if not (y - r >= -0.5 and x - r >= -0.5 and y + r <= ny - 0.5 and x + r <= nx - 0.5):
        return np.nan, np.nan, np.nan
    for i in range(int(np.floor(y - r + 0.5)), int(np.floor(y + r + 0.5)) + 1):
        for j in range(int(np.floor(x - r + 0.5)), int(np.floor(x + r + 0.5)) + 1):
            if i < 0 or i >= ny or j < 0 or j >= nx:
                continue  # touched at one point
            weight = overlap(i - y, j - x, r)
            if weight > 0.0:
                total += weight * data[i, j]
                scatter += weight * variance[i, j]
                area += weight
    return total, scatter, area


@kernel
def annulus_mean(
    data: NDArray, variance: NDArray, y: float, x: float, inner: float, outer: float
) -> tuple[float, float]:
    """Mean of the good pixels in an annulus, weighted by their exact overlap.

    Parameters
    ----------
    data, variance : ndarray (ny, nx)
        NaN pixels, and pixels outside, are left out.
    y, x : float
        Centre.
    inner, outer : float
        Radii.

    Returns
    -------
    mean, variance of the mean : float
        NaN when no good pixel is in the annulus.
    """
    ny, nx = data.shape
    total, scatter, area = 0.0, 0.0, 0.0
    for i in range(max(0, int(y - outer)), min(ny, int(y + outer) + 2)):
        for j in range(max(0, int(x - outer)), min(nx, int(x + outer) + 2)):
            if np.isnan(data[i, j]):
                continue
            weight = overlap(i - y, j - x, outer) - overlap(i - y, j - x, inner)
            total += weight * data[i, j]
            scatter += weight * variance[i, j]
            area += weight
    if not area > 0.0:
        return np.nan, np.nan
    return total / area, scatter / area**2


@kernel
def measure_apertures(
    data: NDArray, variance: NDArray, centres: NDArray, r: float, inner: float, outer: float
) -> NDArray[np.float64]:
    """Flux, error and background in one aperture per frame.

    Flux ``sum(w d) - b A``, error ``sqrt(sum(w v) + A^2 var(b))`` with area A and the mean b of
    the annulus.

    Parameters
    ----------
    data, variance : ndarray (n, s, s)
        Calibrated cut-outs and their variances.
    centres : ndarray (n, 2)
        (y, x) of the star within the stamp; NaN gives NaN.
    r : float
        Radius of the aperture, pixels.
    inner, outer : float
        Radii of the annulus; ``outer <= inner``: no background is subtracted.

    Returns
    -------
    ndarray (n, 3)
        Flux, error, background per pixel (zero without annulus).
    """
    n = data.shape[0]
    out = np.full((n, 3), np.nan)
    for k in range(n):
        y, x = centres[k, 0], centres[k, 1]
        if np.isnan(y) or np.isnan(x):
            continue
        flux, scatter, area = circle_sum(data[k], variance[k], y, x, r)
        background, error2 = 0.0, 0.0
        if outer > inner:
            background, error2 = annulus_mean(data[k], variance[k], y, x, inner, outer)
        out[k, 0] = flux - background * area
        out[k, 1] = np.sqrt(max(scatter + area * area * error2, 0.0))
        out[k, 2] = background
    return out
