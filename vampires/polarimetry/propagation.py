"""How errors travel through sums of images.

Every Stokes plane is a weighted sum of images, ``S_k = sum_i W_ki image_i``. Two kinds of noise
travel differently. Photon and read-out noise is independent from image to image, so its
covariance is ``sum_i W_ki W_li var_i``. The errors of the master background and flat are *common*
to all images of a camera: they cancel in a difference and do not average down in a sum. Field
rotation carries them round the star, so two images share them only where their turn moves a
pixel by less than about the width over which the star's motion smeared them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.kernels.covariance import transform
from vampires.kernels.sinc import exact_weights
from vampires.kernels.sums import weighted_sums
from vampires.mueller.components import FloatArray
from vampires.polarimetry.planes import radius

_RADII = 120  # at which a common factor is worked out


def common_factor(
    weights: ArrayLike, angles: ArrayLike, radii: ArrayLike, pixels: float = 1.0
) -> FloatArray:
    """Factor by which noise common to turned images goes into their weighted sums.

    ``F_km(r) = sum_ij W_ki W_mj c_ij(r)``, with the correlation of two images that a turn has
    moved by d against each other ``c = exp(-pi d^2 / N)``. It is exact for independent errors of
    detector pixels smeared by a Gaussian, which averages ``N = 4 pi s^2`` of them.

    Parameters
    ----------
    weights : array_like
        Shape (k, n).
    angles : array_like
        Derotation angle of each image, deg, shape (n,).
    radii : array_like
        Distances from the centre, pixels, any shape.
    pixels : float
        Detector pixels N that each pixel of an image averages (MASTNPIX of coadds).

    Returns
    -------
    ndarray
        Shape ``(k, k) + radii.shape``.

    Examples
    --------
    The difference of two images that did not turn is free of common noise, their mean keeps it:

    >>> common_factor([[0.5, 0.5], [1, -1]], [0.0, 0.0], 10.0).diagonal().tolist()
    [1.0, 0.0]
    """
    w, r = np.asarray(weights, dtype=float), np.asarray(radii, dtype=float)
    theta = np.deg2rad(np.asarray(angles, dtype=float))
    turn = np.abs(np.angle(np.exp(1j * (theta[:, None] - theta[None, :]))))
    chord2 = 4 * np.sin(turn / 2) ** 2
    correlation = np.exp(-np.pi / pixels * r[..., None, None] ** 2 * chord2)
    return np.moveaxis(w @ correlation @ w.T, (-2, -1), (0, 1))


@lru_cache(maxsize=4)
def radial_grid(shape: tuple[int, int]) -> tuple[FloatArray, NDArray[np.float32]]:
    """Radii at which `common_factor` is worked out for an image, and where its pixels lie there.

    Parameters
    ----------
    shape : (int, int)
        (ny, nx) of the image.

    Returns
    -------
    radii : ndarray, shape (n,)
        Pixels, in steps of 5 %: the correlation falls with their logarithm no faster than that.
    place : ndarray of float32, shape (ny, nx)
        Index and fraction of every pixel between the radii.
    """
    r = radius(shape)
    radii = np.append(0.0, np.geomspace(1, max(r.max(), 2), _RADII))
    place = np.interp(r, radii, np.arange(len(radii))).astype(np.float32)
    return radii, place


def median_variance_factor(count: ArrayLike) -> FloatArray:
    """Variance of the median of ``count`` normal values over that of their mean.

    One up to two values, pi/2 for very many; between them a fit to the exact order statistics,
    good to 1 %.

    Examples
    --------
    >>> median_variance_factor([1, 2, 5]).round(2).tolist()
    [1.0, 1.0, 1.43]
    """
    n = np.maximum(np.asarray(count, dtype=float), 1.0)
    odd = 1 - 0.435 / n
    even = 1 - 1.41 / n + 1.9 / n**2
    factor = np.pi / 2 * np.where(n % 2 == 1, odd, even)
    return np.where(n <= 2, 1.0, factor)


def sum_variance_gain(interpolations: int) -> float:
    """Variance of a sum over many interpolated pixels, over the sum of their variances.

    Interpolation by a fraction of a pixel lowers the variance of each pixel to the sum of the
    squared weights, 0.81 in the mean over all fractions, and spreads the difference over the
    correlation of neighbours. A sum over an area keeps all of the noise.

    Parameters
    ----------
    interpolations : int
        How often the image was interpolated.

    Examples
    --------
    >>> round(sum_variance_gain(2), 2)
    1.53
    """
    weights = exact_weights(np.linspace(0, 1, 513)[:-1])
    one_axis = float(np.mean(np.sum(weights**2, axis=1)))
    return one_axis ** (-2 * interpolations)


def transform_covariance(
    matrix: ArrayLike, covariance: NDArray, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Covariance of ``matrix @ planes``: ``T C T^t`` for every pixel; a zero spreads no NaN.

    Parameters
    ----------
    matrix : array_like
        Shape (k, k).
    covariance : ndarray
        Shape (k (k + 1) / 2, ny, nx), each pair once (`vampires.kernels.covariance`).
    out : ndarray of float32, optional
        Of the same shape; to be filled.
    """
    return transform(np.asarray(matrix, dtype=float), covariance, out)


def transform_planes(
    matrix: ArrayLike, planes: NDArray, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """``matrix @ planes`` over the first axis of (k, ny, nx); a zero does not spread NaN."""
    if out is None:
        out = np.empty(planes.shape, np.float32)
    weighted_sums(
        np.ascontiguousarray(matrix, float), np.ascontiguousarray(planes, np.float32), out
    )
    return out
