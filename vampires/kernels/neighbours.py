"""Medians over the neighbours of every pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.median import sort_columns

_TILE = 512  # pixels sorted together: their samples stay in the processor's first cache


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
            sort_columns(samples, width)
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


_EXCHANGES = np.array([
    (0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7), (0, 1), (2, 3),
    (4, 5), (6, 7), (2, 4), (3, 5), (1, 4), (3, 6), (1, 2), (3, 4), (5, 6),
])  # fmt: skip
"""Sorting network of eight (Batcher's odd-even merge)."""


@kernel
def _gather(
    padded: NDArray[np.float64], y: int, first: int, width: int,
    samples: NDArray[np.float64], count: NDArray[np.int64], total: NDArray[np.float64],
) -> None:  # fmt: skip
    """Lay the neighbours of a part of a row side by side; NaN become infinite."""
    count[:width], total[:width] = 0, 0.0
    k = 0
    for i in range(3):
        for j in range(3):
            if i == 1 and j == 1:
                continue
            row = padded[y + i, first + j : first + j + width]
            for p in range(width):
                seen = row[p] == row[p]
                samples[k, p] = row[p] if seen else np.inf
                total[p] += row[p] if seen else 0.0
                count[p] += 1 if seen else 0
            k += 1


@kernel
def _of_eight(
    padded: NDArray[np.float64],
    background: float,
    middle: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> None:
    ny, nx = middle.shape
    samples = np.empty((8, _TILE))
    count, total = np.empty(_TILE, np.int64), np.empty(_TILE)
    for y in range(ny):
        for first in range(0, nx, _TILE):
            width = min(_TILE, nx - first)
            _gather(padded, y, first, width, samples, count, total)
            for k in range(len(_EXCHANGES)):
                one, two = samples[_EXCHANGES[k, 0]], samples[_EXCHANGES[k, 1]]
                for p in range(width):
                    low, high = min(one[p], two[p]), max(one[p], two[p])
                    one[p], two[p] = low, high
            for p in range(width):
                n = count[p]
                low, high = samples[max(n - 1, 0) // 2, p], samples[min(n // 2, 7), p]
                middle[y, first + p] = low + 0.5 * (high - low) if n > 0 else background
                mean[y, first + p] = total[p] / n if n > 0 else background


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
    padded = np.pad(np.asarray(image, float), 1, constant_values=np.nan)
    _of_eight(padded, float(background), middle, mean)
    return middle, mean
