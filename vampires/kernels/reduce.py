"""Mean, median and biweight of a stack of frames, pixel by pixel, blind to NaN."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.median import median_tile, room_for_keys, tile_width

AVERAGES = ("mean", "median", "varmean", "biweight")
"""Ways to combine frames; ``varmean`` is a mean with a weight for each frame."""

BIWEIGHT_TUNING = 6.0
"""Samples further than this many median absolute deviations get no weight."""

MEDIAN_VARIANCE = math.pi / 2
"""Variance of the median of many Gaussian samples, in units of that of their mean."""

BIWEIGHT_VARIANCE = 1.0944
"""The same for the biweight location with a tuning constant of 6."""

_TILE = 128  # pixels averaged together: their sums stay in the processor's first cache


@kernel
def median_columns(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Median over the first axis of a stack (n, npixels); see `median`."""
    n, size = stack.shape[0], out.size
    room, tile = room_for_keys(n), tile_width(n)
    for first in range(0, size, tile):
        median_tile(stack, first, out[first : min(first + tile, size)], room)


@kernel
def biweight_columns(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Biweight location over the first axis of a stack (n, npixels); see `biweight`."""
    n, size = stack.shape[0], out.size
    room, tile = room_for_keys(n), tile_width(n)
    deviation, spread = np.empty((n, tile), np.float32), np.empty(tile, np.float32)
    total, weights = np.empty(tile), np.empty(tile)
    for first in range(0, size, tile):
        width = min(tile, size - first)
        center = out[first : first + width]
        median_tile(stack, first, center, room)
        for i in range(n):
            row, away = stack[i, first : first + width], deviation[i]
            for p in range(width):
                away[p] = abs(row[p] - center[p])
        median_tile(deviation, 0, spread[:width], room)
        total[:], weights[:] = 0, 0
        for i in range(n):
            row = stack[i, first : first + width]
            for p in range(width):
                difference = row[p] - center[p]
                u = difference / (np.float32(BIWEIGHT_TUNING) * spread[p])
                square = np.float32(1) - u * u
                weight = square * square if abs(u) < 1 else np.float32(0)
                total[p] += weight * difference if weight > 0 else np.float32(0)
                weights[p] += weight
        for p in range(width):
            if weights[p] > 0:
                center[p] += total[p] / weights[p]


@kernel
def mean_columns(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Mean over the first axis of a stack (n, npixels); see `mean`."""
    for first in range(0, out.size, _TILE):
        last = min(first + _TILE, out.size)
        total, number = np.zeros(last - first), np.zeros(last - first, np.int32)
        for i in range(stack.shape[0]):
            row = stack[i, first:last]
            for p in range(last - first):
                valid = row[p] == row[p]
                total[p] += row[p] if valid else np.float32(0)
                number[p] += np.int32(1) if valid else np.int32(0)
        for p in range(last - first):
            out[first + p] = total[p] / number[p] if number[p] > 0 else np.float32(np.nan)


def _columns(stack: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Stack as (n, npixels) and room for the result."""
    values = np.ascontiguousarray(stack, np.float32)
    if values.shape[0] == 0:
        raise ValueError("a stack of no frames has no average")
    return values.reshape(values.shape[0], -1), np.empty(values.shape[1:], np.float32)


def mean(stack: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mean over the first axis, NaN left out; summed in double precision.

    Parameters
    ----------
    stack : ndarray, shape (n, ...)
        Samples, converted to float32.

    Returns
    -------
    ndarray of float32, shape (...)
        NaN only where every sample is.

    Examples
    --------
    >>> mean(np.array([[1.0], [np.nan], [4.0]])).item()
    2.5
    """
    columns, out = _columns(stack)
    mean_columns(columns, out.ravel())
    return out


def median(stack: NDArray[np.floating]) -> NDArray[np.float32]:
    """Median over the first axis, NaN left out; exact.

    Parameters
    ----------
    stack : ndarray, shape (n, ...)
        Samples, converted to float32.

    Returns
    -------
    ndarray of float32, shape (...)
        The middle sample, or the mean of the two; NaN only where every sample is.

    Notes
    -----
    Found by counting instead of sorting, see `vampires.kernels.median`.

    Examples
    --------
    >>> median(np.array([[1.0], [np.nan], [4.0], [2.0]])).item()
    2.0
    """
    columns, out = _columns(stack)
    median_columns(columns, out.ravel())
    return out


def biweight(stack: NDArray[np.floating]) -> NDArray[np.float32]:
    """Biweight location over the first axis, NaN left out.

    Parameters
    ----------
    stack : ndarray, shape (n, ...)
        Samples, converted to float32.

    Returns
    -------
    ndarray of float32, shape (...)
        As `astropy.stats.biweight_location` with ``c=6``: the median where the median
        absolute deviation is zero, NaN where every sample is.

    Notes
    -----
    Beers, Flynn & Gebhardt 1990, AJ 100, 32, equation 5.

    Examples
    --------
    >>> round(biweight(np.array([[1.0], [2.0], [3.0], [99.0]])).item(), 2)
    2.04
    """
    columns, out = _columns(stack)
    biweight_columns(columns, out.ravel())
    return out
