"""Static bad pixels rebuilt from their good neighbours.

Interpolation that merely leaves a bad pixel out loses accuracy around it. The image is
band-limited by the telescope, hence a missing pixel follows from its neighbours: the weights
are those of ordinary kriging with the diffraction pattern as covariance.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

REACH = 2
"""Neighbours up to this many rows and columns away take part."""

_RESOLUTION = 3.0  # lambda/D in pixels: the finest that any filter and camera delivers is 2.6
_NUGGET = 1e-3  # relative white noise; keeps the sum of squared weights near 1.5
_LEAST_ADJACENT = 3  # of the eight adjacent pixels, those that must be good


class RepairTable(NamedTuple):
    """Bad pixels row by row, and the neighbours each is rebuilt from.

    Attributes
    ----------
    row_start : int32 (ny + 1,)
        Bad pixels `row_start[y]` to `row_start[y + 1]` lie in row `y`.
    column : int32 (nbad,)
        Their columns.
    first : int32 (nbad + 1,)
        Their neighbours are `first[k]` to `first[k + 1]`; none when a pixel cannot be rebuilt.
    neighbor_row, neighbor_column : int32
        Places of the neighbours.
    weight : float32
        Their weights; those of one pixel sum to one.
    """

    row_start: NDArray[np.int32]
    column: NDArray[np.int32]
    first: NDArray[np.int32]
    neighbor_row: NDArray[np.int32]
    neighbor_column: NDArray[np.int32]
    weight: NDArray[np.float32]


def _covariance(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Airy pattern: the covariance of an image whose spectrum is the telescope's MTF."""
    x = np.maximum(np.pi * distance / _RESOLUTION, 1e-9)
    return (2 * j1(x) / x) ** 2


def kriging_weights(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that predict the value at the origin from values at `offsets`.

    Parameters
    ----------
    offsets : ndarray, shape (n, 2)
        Places of the neighbours relative to the pixel to be predicted, in pixels.

    Returns
    -------
    ndarray, shape (n,)
        Weights with unit sum (ordinary kriging: Cressie 1993, *Statistics for Spatial
        Data*, section 3.2).
    """
    n = len(offsets)
    distance = np.hypot(*(offsets[:, None] - offsets[None]).transpose(2, 0, 1))
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _covariance(distance) + _NUGGET * np.eye(n)
    system[n, n] = 0
    target = np.append(_covariance(np.hypot(offsets[:, 0], offsets[:, 1])), 1.0)
    return np.linalg.solve(system, target)[:n]


def repair_table(bad: NDArray[np.bool_], *, rebuild: bool = True) -> RepairTable:
    """List for each bad pixel its good neighbours and their weights.

    A pixel is rebuilt when at least three of the eight pixels that touch it are good, so
    lone pixels, pairs, blocks of 2 x 2 and single columns are; the middle of a larger
    cluster is not, and stays masked.

    Parameters
    ----------
    bad : ndarray of bool, shape (ny, nx)
        True where a pixel's value cannot be used.
    rebuild : bool
        False: the pixels are listed without neighbours, and so stay masked.

    Returns
    -------
    RepairTable

    Examples
    --------
    >>> bad = np.zeros((5, 5), bool)
    >>> bad[2, 2] = True
    >>> len(repair_table(bad).weight)
    24
    """
    table = _table_of(np.packbits(bad).tobytes(), bad.shape, rebuild)
    return RepairTable._make(part.copy() for part in table)


@lru_cache(maxsize=8)  # the files of a night share few masters, and windows of them
def _table_of(packed: bytes, shape: tuple[int, int], rebuild: bool) -> RepairTable:
    count = shape[0] * shape[1]
    bad = np.unpackbits(np.frombuffer(packed, np.uint8), count=count).view(bool).reshape(shape)
    side = 2 * REACH + 1
    rows, columns = np.nonzero(bad)
    good = np.pad(~bad if rebuild else np.zeros_like(bad), REACH)
    windows = np.lib.stride_tricks.sliding_window_view(good, (side, side))[rows, columns]
    patterns, which = np.unique(windows.reshape(-1, side * side), axis=0, return_inverse=True)
    solved = [_solve_pattern(pattern.reshape(side, side)) for pattern in patterns]
    chosen = [solved[i] for i in which.ravel()]
    counts = [len(weights) for _, weights in chosen]
    offsets = np.concatenate([np.empty((0, 2), np.int32), *(o for o, _ in chosen)])
    place = np.repeat(np.stack([rows, columns], axis=-1), counts, axis=0) + offsets
    return RepairTable(
        np.searchsorted(rows, np.arange(bad.shape[0] + 1)).astype(np.int32),
        columns.astype(np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        np.ascontiguousarray(place[:, 0], np.int32),
        np.ascontiguousarray(place[:, 1], np.int32),
        np.concatenate([np.empty(0), *(w for _, w in chosen)]).astype(np.float32),
    )


def _solve_pattern(good: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Offsets and weights for one arrangement of good pixels around a bad one."""
    adjacent = good[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2].sum()
    if adjacent < _LEAST_ADJACENT:
        return np.empty((0, 2), np.int32), np.empty(0)
    offsets = np.argwhere(good).astype(np.int32) - REACH
    return offsets, kriging_weights(offsets.astype(float))
