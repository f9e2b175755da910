"""Sums over the sectors of rings about a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel


@kernel
def _ring_sums(
    image: NDArray[np.float64], y0: float, x0: float, inner: float, width: float,
    sums: NDArray[np.float64],
) -> None:  # fmt: skip
    count, sectors = sums.shape[1], sums.shape[2]
    outer = inner + count * width
    first, last = max(int(y0 - outer), 0), min(int(y0 + outer) + 2, image.shape[0])
    left, right = max(int(x0 - outer), 0), min(int(x0 + outer) + 2, image.shape[1])
    for y in range(first, last):
        for x in range(left, right):
            value = image[y, x]
            r = np.sqrt((y - y0) ** 2 + (x - x0) ** 2)
            if not np.isfinite(value) or r < inner:
                continue
            ring = int((r - inner) / width)
            if ring >= count:
                continue
            turn = np.arctan2(y - y0, x - x0) / (2 * np.pi) + 0.5
            sector = int(turn * sectors) % sectors
            sums[0, ring, sector] += 1.0
            sums[1, ring, sector] += value
            sums[2, ring, sector] += r


def ring_sums(
    image: NDArray[np.float64],
    center: tuple[float, float],
    inner: float,
    width: float,
    count: int,
    sectors: int,
) -> NDArray[np.float64]:
    """Number, sum and radii of the pixels in every sector of rings about a point.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Pixels that are not finite are left out.
    center : (float, float)
        (y, x).
    inner : float
        Where the first ring begins, pixels.
    width : float
        Of a ring, pixels.
    count, sectors : int
        Rings, and sectors of each.

    Returns
    -------
    ndarray, shape (3, count, sectors)
        Number of pixels, sum of their values, sum of their distances.

    Examples
    --------
    >>> number, total, _ = ring_sums(np.full((9, 9), 2.0), (4, 4), 0.5, 1.0, 1, 4)
    >>> float(number.sum()), float(total.sum())
    (8.0, 16.0)
    """
    sums = np.zeros((3, max(count, 0), sectors))
    values = np.ascontiguousarray(image, float)
    _ring_sums(values, float(center[0]), float(center[1]), float(inner), float(width), sums)
    return sums
