"""The part of a coadd's error that all coadds with the same masters share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.images.alignment import Alignment, Size
from vampires.kernels.displaced import average_displaced
from vampires.kernels.sinc import ORDER, exact_weights

__all__ = ["pixel_shares", "systematic_variance"]

_LEAST = 0.01  # of the sum of squares: shares that together make up less are left out

Shares = tuple[NDArray[np.int64], NDArray[np.float64]]


def systematic_variance(
    alignment: Alignment,
    data: NDArray[np.float32],
    background_weight: NDArray[np.floating] | float = 1.0,
) -> tuple[NDArray[np.float32], float]:
    """Variance that the masters' errors leave in an average of registered frames.

    Parameters
    ----------
    alignment : Alignment
        The frames, whose calibration holds the variances of background and flat.
    data : ndarray of float32, shape (nfields, ny, nx)
        Their average, e-/s.
    background_weight : ndarray, shape (nfields, ny, nx)
        What the variance of the background is multiplied by, where the average does not follow
        its error one to one.

    Returns
    -------
    variance : ndarray of float32, shape (nfields, ny, nx)
        (e-/s)^2; NaN where the average is.
    pixels : float
        How many detector pixels each pixel effectively averages, ``1 / sum(K^2)``.

    Notes
    -----
    The same errors enter each frame, displaced with the star. Each pixel of the average holds
    the detector pixels that passed under it, with shares K that sum to one (see
    `pixel_shares`); errors of detector pixels are independent, so ``var = sum(K^2 sigma^2)``.
    """
    cal = alignment.cal
    unusable = cal.unusable
    background = _with_holes(cal.background_variance * cal.scale**2, unusable, alignment.flip)
    flat = _with_holes(cal.flat_variance, unusable, alignment.flip)
    shares = [pixel_shares(places, alignment.size) for places in alignment.centers]
    planes = [
        _weighted(background, own, alignment.size) * weight
        + _weighted(flat, own, alignment.size) * image.astype(float) ** 2
        for own, image, weight in zip(
            shares, data, np.broadcast_to(background_weight, data.shape), strict=True
        )
    ]
    variance = np.where(np.isnan(data), np.nan, np.stack(planes)).astype(np.float32)
    return variance, float(np.mean([1 / squares.sum() for _, squares in shares]))


def pixel_shares(places: NDArray[np.float64], size: Size) -> Shares:
    """Detector pixels that an average of registered frames mixes in each of its pixels.

    Parameters
    ----------
    places : ndarray, shape (n, 2)
        The star (y, x) in each frame, 0-based.
    size : tuple of int
        Rows and columns of the average, whose centre the star comes to.

    Returns
    -------
    offsets : ndarray of int64, shape (k, 2)
        Detector pixel (y, x) that goes into the average's first pixel.
    squares : ndarray, shape (k,)
        Squared share of each. The smallest are left out and the rest scaled up for them.
    """
    corners = places - (np.array(size) - 1) / 2
    whole = np.floor(corners).astype(np.int64)
    along_y, along_x = (exact_weights(corners[:, axis] - whole[:, axis]) for axis in (0, 1))
    low = whole.min(axis=0) + 1 - ORDER
    sums = np.zeros(whole.max(axis=0) + ORDER + 1 - low)
    taps = np.arange(2 * ORDER)
    for (y, x), wy, wx in zip(whole + 1 - ORDER - low, along_y, along_x, strict=True):
        sums[np.ix_(y + taps, x + taps)] += np.outer(wy, wx)
    squares = (sums / len(places)) ** 2
    ordered = np.sort(squares, axis=None)
    kept = squares > ordered[np.searchsorted(ordered.cumsum(), _LEAST * squares.sum())]
    kept |= squares == squares.max()
    return np.argwhere(kept) + low, squares[kept] * (squares.sum() / squares[kept].sum())


def _with_holes(
    plane: NDArray[np.floating], holes: NDArray[np.bool_], flip: bool
) -> NDArray[np.float32]:
    """Copy of a detector plane, NaN in the holes, its rows reversed if the frames' are."""
    out = np.where(holes, np.float32(np.nan), plane.astype(np.float32, copy=False))
    return np.ascontiguousarray(out[::-1] if flip else out)


def _weighted(plane: NDArray[np.float32], shares: Shares, size: Size) -> NDArray[np.float64]:
    """Sum of a detector plane over its displacements, NaN filled up by the others.

    Output pixels that no good detector pixel falls on get the plane's mean.
    """
    offsets, squares = shares
    average = np.empty(size)
    average_displaced(plane, offsets, squares, average)
    holes = np.isnan(average)
    if holes.any():
        valid = plane[np.isfinite(plane)]
        average[holes] = valid.mean(dtype=float) if valid.size else 0.0
    average *= squares.sum()
    return average
