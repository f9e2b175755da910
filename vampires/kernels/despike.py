"""Single bright pixels (hot pixels, cosmic rays) told from stars by their sharpness."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: The telescope cannot make a pixel this many times brighter than its eight neighbours.
_SHARPEST = 4.0
_SIGMAS = 5.0
_PASSES = 2


def remove_spikes(image: ArrayLike) -> NDArray[np.float64]:
    """Replace NaN and pixels sharper than any star by the median of their neighbours.

    A star sampled at 2.5 px per resolution element or more leaves at least half of its peak
    in the mean of the eight pixels around. Cold pixels are replaced likewise.

    Parameters
    ----------
    image : array_like (ny, nx)
        Any unit; may hold NaN.

    Returns
    -------
    ndarray (ny, nx), float64
        Without NaN, unless all of it is.
    """
    image = np.array(image, dtype=float)
    if not np.isfinite(image).any():
        return image
    background = np.nanmedian(image)
    for _ in range(_PASSES):
        middle, mean = _around(image, background)
        excess = image - background
        difference = image - middle
        noise = 1.4826 * np.nanmedian(np.abs(difference))
        hot = (excess > _SHARPEST * np.abs(mean - background)) & (difference > _SIGMAS * noise)
        cold = (np.abs(excess) < (mean - background) / _SHARPEST) & (difference < -_SIGMAS * noise)
        wrong = ~np.isfinite(image) | hot | cold
        image[wrong] = middle[wrong]
    return image


def _around(
    image: NDArray[np.float64], background: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and mean of the eight neighbours of every pixel, NaN left out."""
    ny, nx = image.shape
    padded = np.pad(image, 1, constant_values=np.nan)
    offsets = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    ordered = np.sort([padded[i : i + ny, j : j + nx] for i, j in offsets], axis=0)  # NaN last
    count = (~np.isnan(ordered)).sum(axis=0)
    middle = np.full(image.shape, background)
    for number in range(1, 9):
        pixels = count == number
        low, high = ordered[(number - 1) // 2, pixels], ordered[number // 2, pixels]
        middle[pixels] = low + 0.5 * (high - low)
    mean = np.full(image.shape, background)
    np.divide(np.nansum(ordered, axis=0), count, out=mean, where=count > 0)
    return middle, mean
