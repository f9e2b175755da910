"""Medians over the neighbours of every pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

_TILE = 512  # pixels sorted together: their samples stay in the processor's first cache


@kernel
def _sorted_middle(samples: NDArray[np.float32], width: int) -> None:
    """Sort samples (size, tile) along the first axis by exchanges of neighbours (odd-even)."""
    size = samples.shape[0]
    for turn in range(size):
        for k in range(turn % 2, size - 1, 2):
            one, two = samples[k], samples[k + 1]
            for p in range(width):
                low, high = min(one[p], two[p]), max(one[p], two[p])
                one[p], two[p] = low, high


@kernel
def _running_medians(
    padded: NDArray[np.float32], dy: int, dx: int, size: int, out: NDArray[np.float32]
) -> None:
    """Median of `size` pixels of a padded image that follow each other by steps (dy, dx)."""
    ny, nx = out.shape
    samples = np.empty((size, _TILE), np.float32)
    for y in range(ny):
        for first in range(0, nx, _TILE):
            width = min(_TILE, nx - first)
            for k in range(size):
                start = first + k * dx
                samples[k, :width] = padded[y + k * dy, start : start + width]
            _sorted_middle(samples, width)
            out[y, first : first + width] = samples[size // 2, :width]


def running_median(image: NDArray[np.float32], size: int, axis: int) -> NDArray[np.float32]:
    """Median of each pixel and its neighbours along an axis.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Without NaN.
    size : int
        Number of pixels, odd. Borders are mirrored.
    axis : int
        0: along the column; 1: along the row.

    Returns
    -------
    ndarray of float32, shape (ny, nx)

    Examples
    --------
    >>> running_median(np.array([[1, 9, 2, 3]], np.float32), 3, 1).tolist()
    [[9.0, 2.0, 3.0, 2.0]]
    """
    border = [(0, 0), (0, 0)]
    border[axis] = (size // 2, size // 2)
    padded = np.pad(np.asarray(image, np.float32), border, mode="reflect")
    out = np.empty(image.shape, np.float32)
    _running_medians(padded, 1 - axis, axis, size, out)
    return out


@kernel
def _of_eight(
    image: NDArray[np.float64],
    background: float,
    middle: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> None:
    ny, nx = image.shape
    seen = np.empty(8)
    for y in range(ny):
        for x in range(nx):
            count, total = 0, 0.0
            for i in range(max(y - 1, 0), min(y + 2, ny)):
                for j in range(max(x - 1, 0), min(x + 2, nx)):
                    value = image[i, j]
                    if (i == y and j == x) or value != value:
                        continue
                    place = count
                    while place > 0 and seen[place - 1] > value:
                        seen[place] = seen[place - 1]
                        place -= 1
                    seen[place] = value
                    total += value
                    count += 1
            if count == 0:
                middle[y, x], mean[y, x] = background, background
                continue
            low, high = seen[(count - 1) // 2], seen[count // 2]
            middle[y, x], mean[y, x] = low + 0.5 * (high - low), total / count


def of_eight(
    image: NDArray[np.float64], background: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and mean of the eight neighbours of every pixel, NaN left out.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        May hold NaN.
    background : float
        What a pixel without neighbours gets.

    Returns
    -------
    middle, mean : ndarray, shape (ny, nx)

    Examples
    --------
    >>> middle, mean = of_eight(np.array([[1.0, np.nan], [2.0, 6.0]]), 0.0)
    >>> middle.tolist()
    [[4.0, 2.0], [3.5, 1.5]]
    """
    middle, mean = np.empty(image.shape), np.empty(image.shape)
    _of_eight(np.ascontiguousarray(image, float), float(background), middle, mean)
    return middle, mean
