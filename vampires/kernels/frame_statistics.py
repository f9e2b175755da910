"""Statistics of whole frames from a sample of their rows.

A frame that is read as a whole only to be described would cost more than everything else that
is measured on it, all the more when its rows must be decompressed. The rows about the star are
needed anyway and count in full; the others are a stratified sample (Cochran 1977, *Sampling
Techniques*, chapter 5), in blocks of neighbouring rows because each separate place of a file
costs as much as several rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.calibrate import CalibrationPlanes, number

_BLOCK = 4  # rows; 536 pixels wide, they are a page of the system's cache
_SPACING = 96  # rows from block to block at most
_BLOCKS = 6  # a frame too small for as many at that spacing has them closer


def row_weights(needed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Choose the rows by which frames are described.

    Parameters
    ----------
    needed : ndarray of bool, shape (ny,)
        Rows that are read in any case.

    Returns
    -------
    ndarray of float64, shape (ny,)
        How many rows each row stands for: 1 where needed; of each stretch between needed rows
        the middle four rows of every 96, or of every sixth of all that are left over if that
        is fewer, stand for all of them; 0 elsewhere. Where no more than 24 rows are left over,
        each counts by itself. The sum is `ny`.

    Examples
    --------
    >>> weights = row_weights(np.arange(112) < 64)
    >>> weights[:64].tolist() == [1.0] * 64
    True
    >>> weights[64:80].tolist()
    [0.0, 0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0]
    """
    weights = needed.astype(float)
    rest = np.flatnonzero(~needed)
    spacing = min(max(len(rest) / _BLOCKS, _BLOCK), _SPACING)
    for gap in np.split(rest, np.flatnonzero(np.diff(rest) != 1) + 1):
        for stratum in np.array_split(gap, max(1, int(np.ceil(len(gap) / spacing)))):
            first = max(0, len(stratum) - _BLOCK) // 2
            block = stratum[first : first + _BLOCK]
            weights[block] = len(stratum) / max(len(block), 1)
    return weights


@kernel
def _calibrate_good(
    source: NDArray[Any],
    big_endian: bool,
    background: NDArray[np.float32],
    scale: NDArray[np.float32],
    saturation: np.float32,
    bad: NDArray[np.int32],
    data: NDArray[np.float32],
) -> int:
    """Calibrate a raw row; NaN where bad or saturated. Number of good saturated pixels."""
    saturated = np.int32(0)
    for x in range(data.size):
        value = number(source[x], big_endian)
        data[x] = (value - background[x]) * scale[x]
        saturated = np.int32(saturated + (not value < saturation))  # 32 bits like the pixels
    if saturated > 0:
        for x in range(data.size):
            if not number(source[x], big_endian) < saturation:
                data[x] = np.float32(np.nan)
    for x in bad:
        saturated -= not number(source[x], big_endian) < saturation
        data[x] = np.float32(np.nan)
    return int(saturated)


@kernel
def _add_rows(
    data: NDArray[np.float32],
    weight: float,
    total: NDArray[np.float64],
    squares: NDArray[np.float64],
    top: NDArray[np.float32],
) -> None:
    """Add four calibrated rows to the sums of their columns, NaN left out."""
    zero = np.float32(0)
    first, second, third, fourth = data[0], data[1], data[2], data[3]
    for x in range(top.size):
        a, b, c, d = first[x], second[x], third[x], fourth[x]
        highest = top[x]
        highest = a if a > highest else highest  # NaN compares false
        highest = b if b > highest else highest
        highest = c if c > highest else highest
        top[x] = d if d > highest else highest
        a = a if a == a else zero
        b = b if b == b else zero
        c = c if c == c else zero
        d = d if d == d else zero
        total[x] += weight * ((a + b) + (c + d))
        squares[x] += weight * ((a * a + b * b) + (c * c + d * d))


@kernel
def frame_statistics(
    raw: NDArray[Any],
    big_endian: bool,
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    planes: CalibrationPlanes,
) -> NDArray[np.float64]:
    """Statistics of the calibrated pixels of every frame.

    Parameters
    ----------
    raw : ndarray (n, m, nx)
        Some rows of the raw frames.
    big_endian : bool
        Whether the numbers are still bytes of a FITS file.
    rows : ndarray of int64 (m,)
        Detector row of each.
    weights : ndarray of float64 (m,)
        How many rows each stands for.
    planes : CalibrationPlanes
        The calibration of the whole detector.

    Returns
    -------
    ndarray (n, 4)
        Largest pixel, mean, variance, number of saturated pixels. Bad pixels take no part, and
        saturated ones only in their number. Of a frame without a pixel left the first three
        are NaN.

    Notes
    -----
    With weights w, mean = sum(w v) / sum(w) and variance = sum(w v^2) / sum(w) - mean^2, good to
    1e-7 of mean^2; the number of saturated pixels is the sum of their weights. The largest pixel
    is the largest in these rows. Sums run down the columns first, always in the same order.
    """
    n, m, nx = raw.shape
    background, scale, saturation = planes.background, planes.scale, planes.saturation
    first, columns = planes.repair.row_start, planes.repair.column
    out = np.full((n, 4), np.nan)
    data = np.empty((_BLOCK, nx), np.float32)
    total, squares, top = np.empty(nx), np.empty(nx), np.empty(nx, np.float32)
    for k in range(n):
        total[:], squares[:], top[:] = 0.0, 0.0, -np.inf
        count = saturated = 0.0
        i = 0
        while i < m:
            weight, j = weights[i], 0
            while j < _BLOCK and i < m and weights[i] == weight:
                y = rows[i]
                bad = columns[first[y] : first[y + 1]]
                masked = _calibrate_good(
                    raw[k, i], big_endian, background[y], scale[y], saturation, bad, data[j]
                )
                saturated += weight * masked
                count += weight * (nx - masked - bad.size)
                i, j = i + 1, j + 1
            data[j:] = np.nan
            _add_rows(data, weight, total, squares, top)
        out[k, 3] = saturated
        if count > 0:
            mean = total.sum() / count
            out[k, 0], out[k, 1] = top.max(), mean
            out[k, 2] = max(squares.sum() / count - mean * mean, 0.0)
    return out
