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


_STRIDED_FRAMES = 2000  # of more, samples far apart in memory evict each other: copy them first
_SEED_ROWS = 64  # samples from which the first guesses are made
_TIES_FROM = 5  # passes after which equal samples are suspected


@kernel
def _extremes(
    stack: NDArray[np.float32],
    first: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    number: NDArray[np.int32],
) -> None:
    """Least and greatest sample of each pixel from `first` on, and the number of valid ones."""
    low[:], high[:], number[:] = np.inf, -np.inf, 0
    for i in range(stack.shape[0]):
        row = stack[i, first : first + low.size]
        for p in range(low.size):
            value = row[p]
            low[p] = value if value < low[p] else low[p]
            high[p] = value if value > high[p] else high[p]
            number[p] += np.int32(1) if value == value else np.int32(0)


@kernel
def _seed(
    stack: NDArray[np.float32], first: int, mean: NDArray[np.float32], width: NDArray[np.float32]
) -> None:
    """Mean and standard deviation of some of the samples: they only guide the search."""
    size = mean.size
    total, square = np.zeros(size, np.float32), np.zeros(size, np.float32)
    origin, number = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for i in range(0, stack.shape[0], stack.shape[0] // _SEED_ROWS + 1):
        row = stack[i, first : first + size]
        for p in range(size):
            valid = row[p] == row[p]
            origin[p] = row[p] if valid and number[p] == 0 else origin[p]
            difference = row[p] - origin[p] if valid else np.float32(0)
            total[p] += difference
            square[p] += difference * difference
            number[p] += np.float32(1) if valid else np.float32(0)
    for p in range(size):
        offset = total[p] / max(number[p], np.float32(1))
        spread = square[p] / max(number[p], np.float32(1)) - offset * offset
        mean[p] = origin[p] + offset
        width[p] = math.sqrt(max(spread, np.float32(0)))


@kernel
def _count_below(
    stack: NDArray[np.float32], first: int, limit: NDArray[np.float32], count: NDArray[np.int32]
) -> None:
    """Count for each pixel from `first` on the samples less than its limit."""
    n, size = stack.shape[0], limit.size
    one, zero = np.int32(1), np.int32(0)
    count[:] = zero
    for i in range(0, n - 3, 4):  # four rows a turn spare loads and stores of the counts
        r0, r1 = stack[i, first : first + size], stack[i + 1, first : first + size]
        r2, r3 = stack[i + 2, first : first + size], stack[i + 3, first : first + size]
        for p in range(size):
            bound = limit[p]
            count[p] += ((one if r0[p] < bound else zero) + (one if r1[p] < bound else zero)) + (
                (one if r2[p] < bound else zero) + (one if r3[p] < bound else zero)
            )
    for i in range(n - n % 4, n):
        row = stack[i, first : first + size]
        for p in range(size):
            count[p] += one if row[p] < limit[p] else zero


@kernel
def _inner_extremes(
    stack: NDArray[np.float32],
    first: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    least: NDArray[np.float32],
    greatest: NDArray[np.float32],
) -> None:
    """Least sample not below `low`, greatest sample below `high`."""
    least[:], greatest[:] = np.inf, -np.inf
    for i in range(stack.shape[0]):
        row = stack[i, first : first + low.size]
        for p in range(low.size):
            value = row[p]
            least[p] = value if (value >= low[p]) & (value < least[p]) else least[p]
            greatest[p] = value if (value < high[p]) & (value > greatest[p]) else greatest[p]


@kernel
def _above(value: float) -> np.float32:
    """Return a number a few units in the last place above another."""
    return np.float32(value + abs(value) * np.float32(2.4e-7) + np.float32(1e-37))


@kernel
def _median_tile(stack: NDArray[np.float32], first: int, out: NDArray[np.float32]) -> None:
    """Medians of the pixels from `first` on, as many as `out` holds.

    `below` samples are less than `low`, and `under` less than `high`; the wanted one lies
    between. The search ends when it is the first or the last of these, or they are equal.
    """
    size = out.size
    low, high = np.empty(size, np.float32), np.empty(size, np.float32)
    probe, width = np.empty(size, np.float32), np.empty(size, np.float32)
    number, count = np.empty(size, np.int32), np.zeros(size, np.int32)
    _extremes(stack, first, low, high, number)
    _seed(stack, first, probe, width)
    below, under = np.zeros(size, np.int32), number.copy()
    for p in range(size):
        high[p] = _above(high[p])
    searching, step = True, 0
    while searching:
        searching = False
        ties = step > _TIES_FROM and step % 3 == 2
        if ties:
            _inner_extremes(stack, first, low, high, out, width)
        for p in range(size):
            wanted = (number[p] - 1) // 2
            middle = np.float32(0.5) * low[p] + np.float32(0.5) * high[p]
            if below[p] >= wanted or under[p] <= wanted + 1 or not low[p] < middle < high[p]:
                probe[p] = low[p]
                continue
            searching = True
            guess = middle
            if ties:  # is the least sample of the bracket the wanted one, several times over?
                low[p] = out[p]
                probe[p] = min(_above(out[p]), high[p])
                continue
            if step == 0:
                guess = probe[p]
            elif step == 1:  # a step as if the samples were Gaussian, with density n / 2.5 sigma
                missing = np.float32(wanted + 0.5 - count[p])
                guess = probe[p] + missing * np.float32(2.5) * width[p] / number[p]
            elif step < 4 or step % 3:
                share = np.float32(wanted + 0.5 - below[p]) / np.float32(under[p] - below[p])
                guess = low[p] + (high[p] - low[p]) * share
            probe[p] = guess if low[p] < guess < high[p] else middle
        if not searching:
            break
        _count_below(stack, first, probe, count)
        for p in range(size):
            if count[p] <= (number[p] - 1) // 2:
                low[p], below[p] = probe[p], count[p]
            else:
                high[p], under[p] = probe[p], count[p]
        step += 1
    _inner_extremes(stack, first, low, high, probe, width)
    for p in range(size):
        wanted = (number[p] - 1) // 2
        out[p] = width[p] if under[p] == wanted + 1 and below[p] < wanted else probe[p]
        if number[p] == 0:
            out[p] = np.float32(np.nan)
    _average_middle(stack, first, number, out)


@kernel
def _average_middle(
    stack: NDArray[np.float32],
    first: int,
    number: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Where the number of samples is even, average the lower middle one with the next."""
    size = out.size
    if (number % 2).all():
        return
    following = np.full(size, np.inf, np.float32)
    count = np.zeros(size, np.int32)
    for i in range(stack.shape[0]):
        row = stack[i, first : first + size]
        for p in range(size):
            value = row[p]
            following[p] = value if (value > out[p]) & (value < following[p]) else following[p]
            count[p] += np.int32(1) if value <= out[p] else np.int32(0)
    for p in range(size):
        if number[p] % 2 == 0 and count[p] <= number[p] // 2:
            out[p] = np.float32(0.5) * out[p] + np.float32(0.5) * following[p]


@kernel
def median_columns(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Median over the first axis of a stack (n, npixels); see `median`."""
    n, size = stack.shape[0], out.size
    if n <= _STRIDED_FRAMES:
        for first in range(0, size, TILE):
            _median_tile(stack, first, out[first : min(first + TILE, size)])
        return
    room = np.empty((n, TILE // 2), np.float32)
    for first in range(0, size, TILE // 2):
        last = min(first + TILE // 2, size)
        for i in range(n):
            room[i, : last - first] = stack[i, first:last]
        _median_tile(room, 0, out[first:last])


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
    2.04
    """
    columns, out = _columns(stack)
    biweight_columns(columns, out.ravel())
    return out
