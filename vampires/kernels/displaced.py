"""Average of a detector plane over the places where it was seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel


@kernel
def average_displaced(
    plane: NDArray[np.float32],
    corners: NDArray[np.int64],
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Average cut-outs of a plane, NaN left out.

    Parameters
    ----------
    plane : ndarray of float32, shape (ny, nx)
        What is cut out.
    corners : ndarray of int64, shape (k, 2)
        Place (y, x) in the plane of the first pixel of each cut-out; may lie outside.
    weights : ndarray of float64, shape (k,)
        How much each cut-out counts.
    out : ndarray of float64
        Filled; its shape is that of the cut-outs. NaN where no valid pixel falls.
    """
    ny, nx = plane.shape
    width = out.shape[1]
    norm = np.empty(width)
    for y in range(out.shape[0]):
        row = out[y]
        row[:] = 0
        norm[:] = 0
        for k in range(len(corners)):
            source, left, weight = corners[k, 0] + y, corners[k, 1], weights[k]
            low, high = max(0, -left), min(width, nx - left)
            if 0 <= source < ny and low < high:
                seen = plane[source, left + low : left + high]
                total, count = row[low:high], norm[low:high]
                for x in range(high - low):
                    valid = seen[x] == seen[x]
                    total[x] += weight * seen[x] if valid else 0.0
                    count[x] += weight if valid else 0.0
        for x in range(width):
            row[x] = row[x] / norm[x] if norm[x] > 0 else np.nan
