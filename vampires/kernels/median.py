"""Medians of many pixels, exact, at a cost per sample that hardly depends on their number.

Samples are compared as integers: the bits of a float, those below the sign inverted when it is
set, are in the order of the floats. Up to some hundreds of samples are sorted, many pixels at
once, by exchanges that do not depend on what they hold. Of more, those of one pixel are laid side
by side, where they stay in the processor's first cache, and counted: how many lie below a probe
takes one vectorised pass, and the bracket about the median shrinks until one sample is left.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

_FEW = 384  # samples up to which sorting is quicker
_SORTED_TILE = 256  # pixels sorted together
_COUNTED_TILE = 64  # pixels gathered together: their samples lie on the same pages of memory

_MISSING = np.int32(0x7FFFFFFF)  # key of NaN, above that of every number
_LEAST = np.int32(-0x80000000)
_INFINITE = np.int32(0x7F800000)
_LINE = 16  # samples of a line of the cache
_SEEDS = 64  # samples that the first probe comes from
_SEEDED = 128  # with fewer samples, the middle of the range is as good and quicker
_WIDTHS = 5.0  # standard deviations that the range of some tens of samples spans


@kernel
def _flip(bits: np.int32) -> np.int32:
    """From the bits of a float to its key, and back."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & _MISSING))


@kernel
def _value_of(key: np.int32) -> np.float32:
    return np.int32(_flip(key)).view(np.float32)


@kernel
def _key_of(value: float) -> np.int32:
    return _flip(np.float32(value).view(np.int32))


@kernel
def _key_or_missing(bits: np.int32) -> np.int32:
    """Key of the bits of a float; the largest integer for NaN."""
    return _MISSING if (bits & _MISSING) > _INFINITE else _flip(bits)


@kernel
def tile_width(n: int) -> int:
    """Pixels whose medians of `n` samples are best found together."""
    return _SORTED_TILE if n <= _FEW else _COUNTED_TILE


@kernel
def room_for_keys(n: int) -> NDArray[np.int32]:
    """Room for `median_tile`, to be allocated once for many tiles."""
    if n <= _FEW:
        return np.empty((n, _SORTED_TILE), np.int32)
    lines = -(-n // _LINE)
    lines += 1 - lines % 2  # an odd number: the rows then share the cache evenly
    return np.empty((_COUNTED_TILE, lines * _LINE), np.int32)


@kernel
def median_tile(
    stack: NDArray[np.float32], first: int, out: NDArray[np.float32], keys: NDArray[np.int32]
) -> None:
    """Median of each of some pixels, NaN left out.

    Parameters
    ----------
    stack : ndarray of float32, shape (n, npixels)
        Samples.
    first : int
        The first of the pixels.
    out : ndarray of float32
        Filled; at most `tile_width(n)` pixels. The middle sample, or the mean of the two; NaN
        where all samples are.
    keys : ndarray of int32
        From `room_for_keys(n)`; overwritten.
    """
    n, bits = stack.shape[0], stack.view(np.int32)
    if n <= _FEW:
        for i in range(n):
            row, line = bits[i, first : first + out.size], keys[i]
            for p in range(out.size):
                line[p] = _key_or_missing(row[p])
        sort_columns(keys, out.size)
        for p in range(out.size):
            out[p] = _middle_of_sorted(keys, p)
    else:
        _gather(bits, first, out.size, keys)
        for p in range(out.size):
            out[p] = _median_by_counting(keys[p][:n])


@kernel
def sort_columns(keys: NDArray[Any], width: int) -> None:
    """Sort columns, many side by side, by Batcher's merge exchange.

    Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M: some n log2(n)^2 / 4 exchanges
    of two rows, the same whatever they hold.
    """
    n = keys.shape[0]
    top = 1
    while 2 * top < n:
        top *= 2
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while d > 0:
            for k in range(n - d):
                if k & p == r:
                    _exchange(keys[k], keys[k + d], width)
            d, q, r = q - p, q // 2, p
        p //= 2


@kernel
def _exchange(upper: NDArray[Any], lower: NDArray[Any], width: int) -> None:
    """Put the smaller of two samples into the upper row.

    Written out in the loops over rows, this would not vectorise.
    """
    for p in range(width):
        one, other = upper[p], lower[p]
        upper[p] = min(one, other)
        lower[p] = max(one, other)


@kernel
def _middle_of_sorted(keys: NDArray[np.int32], p: int) -> np.float32:
    number = keys.shape[0]
    while number > 0 and keys[number - 1, p] == _MISSING:
        number -= 1
    if number == 0:
        return np.float32(np.nan)
    one, other = _value_of(keys[(number - 1) // 2, p]), _value_of(keys[number // 2, p])
    return np.float32(0.5) * one + np.float32(0.5) * other


@kernel
def _gather(bits: NDArray[np.int32], first: int, width: int, keys: NDArray[np.int32]) -> None:
    """Lay the keys of some pixels side by side: those of pixel `p` into `keys[p, :n]`."""
    n = bits.shape[0]
    room = np.empty((_LINE, _COUNTED_TILE), np.int32)
    for start in range(0, n, _LINE):
        count = min(_LINE, n - start)
        for i in range(count):
            row, line = bits[start + i, first : first + width], room[i]
            for p in range(width):
                line[p] = _key_or_missing(row[p])
        for p in range(width):
            samples = keys[p]
            for i in range(count):
                samples[start + i] = room[i, p]


@kernel
def _count_below(keys: NDArray[np.int32], limit: np.int32) -> int:
    count = np.int32(0)
    for i in range(keys.size):
        count += np.int32(1) if keys[i] < limit else np.int32(0)
    return int(count)


@kernel
def _least_from(keys: NDArray[np.int32], limit: np.int32) -> np.int32:
    """Least key that is not below a limit."""
    least = _MISSING
    for i in range(keys.size):  # `min` and `max` vectorise, comparing and choosing does not
        least = min(least, keys[i] if keys[i] >= limit else _MISSING)
    return least


@kernel
def _greatest_below(keys: NDArray[np.int32], limit: np.int32) -> np.int32:
    greatest = _LEAST
    for i in range(keys.size):
        greatest = max(greatest, keys[i] if keys[i] < limit else _LEAST)
    return greatest


@kernel
def _seed(keys: NDArray[np.int32]) -> tuple[float, float]:
    """Mean and standard deviation of some of the samples."""
    total, square, number, origin = 0.0, 0.0, 0, 0.0
    for i in range(0, keys.size, keys.size // _SEEDS + 1):
        if keys[i] < _MISSING:
            value = float(_value_of(keys[i]))
            origin = value if number == 0 else origin
            total += value - origin
            square += (value - origin) ** 2
            number += 1
    mean = total / max(number, 1)
    return origin + mean, math.sqrt(max(square / max(number, 1) - mean * mean, 0.0))


@kernel
def _median_by_counting(keys: NDArray[np.int32]) -> np.float32:
    """Median of the samples that keys stand for."""
    number = _count_below(keys, _MISSING)
    if number == 0:
        return np.float32(np.nan)
    # `below` samples are less than `low`, and `under` less than `high`; the wanted one, the
    # lower of the middle two, lies between
    wanted = (number - 1) // 2
    low, below = np.int64(_least_from(keys, _LEAST)), 0
    high, under = np.int64(_greatest_below(keys, _MISSING)) + 1, number
    least, greatest = float(_value_of(np.int32(low))), float(_value_of(np.int32(high - 1)))
    center, width = 0.5 * least + 0.5 * greatest, greatest / _WIDTHS - least / _WIDTHS
    if number > _SEEDED:
        center, width = _seed(keys)
    count, step = 0, 0
    while below < wanted and under > wanted + 1 and high - low > 1:
        guess = center
        if step == 1:  # of a Gaussian, whose density at the centre is n / 2.5 sigma
            guess = center + (wanted + 0.5 - count) * 2.5 * width / number
        elif step > 1:
            start, stop = float(_value_of(np.int32(low))), float(_value_of(np.int32(high)))
            guess = start + (stop - start) * (wanted + 0.5 - below) / (under - below)
        probe = np.int64(_key_of(guess))
        if step % 4 == 3 or not low < probe < high:
            probe = (low + high) // 2
        count = _count_below(keys, np.int32(probe))
        if count <= wanted:
            low, below = probe, count
        else:
            high, under = probe, count
        step += 1
    first = below == wanted
    key = _least_from(keys, np.int32(low)) if first else _greatest_below(keys, np.int32(high))
    value = _value_of(key)
    if number % 2 == 0 and _count_below(keys, np.int32(key + 1)) == wanted + 1:
        following = _value_of(_least_from(keys, np.int32(key + 1)))
        value = np.float32(0.5) * value + np.float32(0.5) * following
    return value
