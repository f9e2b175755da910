"""Mean, median and biweight of a stack of frames, pixel by pixel, blind to NaN."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

BIWEIGHT_TUNING = 6.0
"""Samples further than this many median absolute deviations get no weight."""

MEDIAN_VARIANCE = math.pi / 2
"""Variance of the median of many Gaussian samples, in units of that of their mean."""

BIWEIGHT_VARIANCE = 1.0944
"""The same for the biweight location with a tuning constant of 6."""

TILE = 128
"""Pixels worked on together; of 1000 frames they fit in a core's cache."""


@kernel
def _bracket(
    stack: NDArray[np.float32],
    first: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    mean: NDArray[np.float32],
    number: NDArray[np.int32],
) -> None:
    """Extremes, mean and number of the valid samples of each pixel."""
    size = low.size
    total = np.zeros(size)
    low[:] = np.float32(np.inf)
    high[:] = -np.float32(np.inf)
    number[:] = 0
    for i in range(stack.shape[0]):
        row = stack[i, first : first + size]
        for p in range(size):
            value = row[p]
            valid = value == value
            low[p] = value if value < low[p] else low[p]
            high[p] = value if value > high[p] else high[p]
            total[p] += value if valid else np.float32(0)
            number[p] += np.int32(1) if valid else np.int32(0)
    for p in range(size):
        mean[p] = total[p] / number[p] if number[p] > 0 else np.float32(np.nan)


@kernel
def _median_tile(stack: NDArray[np.float32], first: int, out: NDArray[np.float32]) -> None:
    """Medians of the pixels from `first` on, as many as `out` holds.

    Between `low` and `high` lies the wanted sample: `below` samples are less than `low`, and
    `under` less than `high`. A pass over the frames counts, for all pixels at once, the
    samples less than a probe in between, until one sample (or equal ones) is left.
    """
    n, size = stack.shape[0], out.size
    low, high = np.empty(size, np.float32), np.empty(size, np.float32)
    probe = np.empty(size, np.float32)
    number, count = np.empty(size, np.int32), np.empty(size, np.int32)
    _bracket(stack, first, low, high, probe, number)
    below, under = np.zeros(size, np.int32), number.copy()
    for p in range(size):
        high[p] += abs(high[p]) * np.float32(2.4e-7) + np.float32(1e-37)
    step = 0
    while True:
        open_pixels = 0
        for p in range(size):
            wanted = (number[p] - 1) // 2
            middle = np.float32(0.5) * low[p] + np.float32(0.5) * high[p]
            inside = low[p] < middle < high[p]
            if number[p] > 0 and under[p] - below[p] > 1 and inside:
                open_pixels += 1
                if step > 0:
                    # interpolate the rank, aiming a little to either side in turn
                    share = under[p] - below[p]
                    aim = wanted + 0.5 - below[p] + (0.6 if step % 2 else -0.6) * share**0.5
                    guess = low[p] + (high[p] - low[p]) * np.float32(aim / share)
                    probe[p] = guess if step % 4 and low[p] < guess < high[p] else middle
                elif not low[p] < probe[p] < high[p]:
                    probe[p] = middle
            else:
                probe[p] = low[p]
        if open_pixels == 0:
            break
        count[:] = 0
        for i in range(n):
            row = stack[i, first : first + size]
            for p in range(size):
                count[p] += np.int32(1) if row[p] < probe[p] else np.int32(0)
        for p in range(size):
            if count[p] <= (number[p] - 1) // 2:
                low[p], below[p] = probe[p], count[p]
            else:
                high[p], under[p] = probe[p], count[p]
        step += 1
    _snap(stack, first, low, high, under, number, out)


@kernel
def _snap(
    stack: NDArray[np.float32],
    first: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    under: NDArray[np.int32],
    number: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """From the brackets to samples: the least not below `low`, and for even numbers the next."""
    size = out.size
    lower = np.full(size, np.inf, np.float32)
    upper = np.full(size, np.inf, np.float32)
    for i in range(stack.shape[0]):
        row = stack[i, first : first + size]
        for p in range(size):
            value = row[p]
            lower[p] = value if low[p] <= value < lower[p] else lower[p]
            upper[p] = value if high[p] <= value < upper[p] else upper[p]
    for p in range(size):
        if number[p] == 0:
            out[p] = np.float32(np.nan)
        elif number[p] % 2 == 1:
            out[p] = lower[p]
        else:
            following = lower[p] if under[p] > number[p] // 2 else upper[p]
            out[p] = np.float32(0.5) * lower[p] + np.float32(0.5) * following


@kernel
def median_columns(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Median over the first axis of a stack (n, npixels); see `median`."""
    size = out.size
    for first in range(0, size, TILE):
        _median_tile(stack, first, out[first : min(first + TILE, size)])


@kernel
def biweight_columns(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Biweight location over the first axis of a stack (n, npixels); see `biweight`."""
    n, size = stack.shape[0], out.size
    deviation = np.empty((n, min(TILE, size)), np.float32)
    spread = np.empty(min(TILE, size), np.float32)
    for first in range(0, size, TILE):
        last = min(first + TILE, size)
        width = last - first
        center = out[first:last]
        _median_tile(stack, first, center)
        for i in range(n):
            for p in range(width):
                deviation[i, p] = abs(stack[i, first + p] - center[p])
        _median_tile(deviation, 0, spread[:width])
        total, weights = np.zeros(width), np.zeros(width)
        for i in range(n):
            row = stack[i, first:last]
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
    for first in range(0, out.size, TILE):
        last = min(first + TILE, out.size)
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
        Samples, converted to float32; fastest with 128 pixels or more.

    Returns
    -------
    ndarray of float32, shape (...)
        The middle sample, or the mean of the two; NaN only where every sample is.

    Notes
    -----
    Found by counting instead of sorting: the samples below a probe value are counted for
    many pixels at once, and the bracket around the median shrinks until one sample is left.

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
    2.03
    """
    columns, out = _columns(stack)
    biweight_columns(columns, out.ravel())
    return out
