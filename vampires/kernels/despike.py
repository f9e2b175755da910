"""Single bright pixels (hot pixels, cosmic rays) told from stars by their sharpness."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.kernels.neighbours import of_eight

#: The telescope cannot make a pixel this many times brighter than its eight neighbours.
_SHARPEST = 4.0
_SIGMAS = 5.0
_PASSES = 2
_ENOUGH = 256  # rows and columns of an image that tell its level and noise to 1 %


def sample(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every n-th pixel of an image, enough of them for its median and scatter.

    Parameters
    ----------
    image : ndarray (ny, nx)

    Examples
    --------
    >>> sample(np.zeros((536, 2240))).shape
    (268, 280)
    """
    rows, columns = (max(side // _ENOUGH, 1) for side in image.shape)
    return image[::rows, ::columns]


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
    background = np.nanmedian(sample(image))
    for _ in range(_PASSES):
        middle, mean = of_eight(image, background)
        excess = image - background
        difference = image - middle
        noise = 1.4826 * np.nanmedian(np.abs(sample(difference)))
        hot = (excess > _SHARPEST * np.abs(mean - background)) & (difference > _SIGMAS * noise)
        cold = (np.abs(excess) < (mean - background) / _SHARPEST) & (difference < -_SIGMAS * noise)
        wrong = ~np.isfinite(image) | hot | cold
        image[wrong] = middle[wrong]
    return image
