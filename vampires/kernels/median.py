"""Medians of many samples for many pixels, exact, at a cost per sample that hardly depends on n.

Samples are compared as integers: the bits of a float, those below the sign inverted when it is
set, are in the order of the floats. The samples of one pixel are laid side by side, where they
stay in the processor's first cache. Then they are counted, not sorted: how many lie below a probe
takes one vectorised pass, and the bracket about the median shrinks until one sample is left.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

TILE = 64
"""Pixels whose samples are gathered together: they lie on the same pages of memory."""

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
def value_of_key(key: np.int32) -> np.float32:
    """Float that a key stands for; see `gather_keys`."""
    return np.int32(_flip(key)).view(np.float32)


@kernel
def _key_of(value: float) -> np.int32:
    return _flip(np.float32(value).view(np.int32))


@kernel
def room_for_keys(n: int) -> NDArray[np.int32]:
    """Room for the keys of a tile, shape (64, n or a little more)."""
    lines = -(-n // _LINE)
    lines += 1 - lines % 2  # an odd number: the rows then share the cache evenly
    return np.empty((TILE, lines * _LINE), np.int32)


@kernel
def gather_keys(
    stack: NDArray[np.float32], first: int, width: int, keys: NDArray[np.int32]
) -> None:
    """Lay the samples of some pixels side by side, as integers of the same order.

    Parameters
    ----------
    stack : ndarray of float32, shape (n, npixels)
        Samples.
    first, width : int
        The pixels; no more than 64.
    keys : ndarray of int32
        From `room_for_keys`; `keys[p, :n]` is filled for each of the pixels. NaN becomes the
        largest integer.
    """
    bits, n = stack.view(np.int32), stack.shape[0]
    room = np.empty((_LINE, TILE), np.int32)
    for start in range(0, n, _LINE):
        count = min(_LINE, n - start)
        for i in range(count):
            row, line = bits[start + i, first : first + width], room[i]
            for p in range(width):
                missing = (row[p] & _MISSING) > _INFINITE
                line[p] = _MISSING if missing else row[p] ^ ((row[p] >> np.int32(31)) & _MISSING)
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
            value = float(value_of_key(keys[i]))
            origin = value if number == 0 else origin
            total += value - origin
            square += (value - origin) ** 2
            number += 1
    mean = total / max(number, 1)
    return origin + mean, math.sqrt(max(square / max(number, 1) - mean * mean, 0.0))


@kernel
def median_of_keys(keys: NDArray[np.int32]) -> np.float32:
    """Median of the samples that keys stand for.

    Parameters
    ----------
    keys : ndarray of int32, shape (n,)
        From `gather_keys`.

    Returns
    -------
    float32
        The middle sample, or the mean of the two; NaN when all samples are.
    """
    number = _count_below(keys, _MISSING)
    if number == 0:
        return np.float32(np.nan)
    # `below` samples are less than `low`, and `under` less than `high`; the wanted one, the
    # lower of the middle two, lies between
    wanted = (number - 1) // 2
    low, below = np.int64(_least_from(keys, _LEAST)), 0
    high, under = np.int64(_greatest_below(keys, _MISSING)) + 1, number
    least, greatest = float(value_of_key(np.int32(low))), float(value_of_key(np.int32(high - 1)))
    center, width = 0.5 * least + 0.5 * greatest, greatest / _WIDTHS - least / _WIDTHS
    if number > _SEEDED:
        center, width = _seed(keys)
    count, step = 0, 0
    while below < wanted and under > wanted + 1 and high - low > 1:
        guess = center
        if step == 1:  # of a Gaussian, whose density at the centre is n / 2.5 sigma
            guess = center + (wanted + 0.5 - count) * 2.5 * width / number
        elif step > 1:
            start, stop = float(value_of_key(np.int32(low))), float(value_of_key(np.int32(high)))
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
    value = value_of_key(key)
    if number % 2 == 0 and _count_below(keys, np.int32(key + 1)) == wanted + 1:
        following = value_of_key(_least_from(keys, np.int32(key + 1)))
        value = np.float32(0.5) * value + np.float32(0.5) * following
    return value
