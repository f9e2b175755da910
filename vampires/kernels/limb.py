"""Whole-pixel search for the limb of a resolved object, frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

#: Width of the rims on either side of the limb at which the search ends, pixels.
_NARROWEST = 4.0
_FEWEST_RAYS = 16


@kernel
def _tabulate(image: NDArray, sums: NDArray, counts: NDArray) -> None:
    """Sums, and numbers, of the good pixels below and left of each corner of pixels."""
    for y in range(image.shape[0]):
        total, number = 0.0, 0.0
        for x in range(image.shape[1]):
            if not np.isnan(image[y, x]):
                total += image[y, x]
                number += 1
            sums[y + 1, x + 1] = sums[y, x + 1] + total
            counts[y + 1, x + 1] = counts[y, x + 1] + number


@kernel
def _box_mean(sums: NDArray, counts: NDArray, y: float, x: float, half: int) -> float:
    """Mean of the good pixels of a square; NaN without any."""
    ny, nx = sums.shape
    yc, xc = int(np.rint(y)), int(np.rint(x))
    y0, y1 = min(max(yc - half, 0), ny - 1), min(max(yc + half + 1, 0), ny - 1)
    x0, x1 = min(max(xc - half, 0), nx - 1), min(max(xc + half + 1, 0), nx - 1)
    number = counts[y1, x1] - counts[y0, x1] - counts[y1, x0] + counts[y0, x0]
    total = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return total / number if number > 0 else np.nan


@kernel
def _contrast(
    sums: NDArray, counts: NDArray, y: float, x: float, radius: float, width: float
) -> float:
    """Mean step of the brightness across a circle: rim within less rim without."""
    half = int(width / 2)
    rays = max(_FEWEST_RAYS, int(2 * np.pi * radius / width))
    total, count = 0.0, 0
    for ray in range(rays):
        sine, cosine = np.sin(2 * np.pi * ray / rays), np.cos(2 * np.pi * ray / rays)
        inner, outer = radius - width / 2, radius + width / 2
        step = _box_mean(sums, counts, y + inner * sine, x + inner * cosine, half)
        step -= _box_mean(sums, counts, y + outer * sine, x + outer * cosine, half)
        if not np.isnan(step):
            total += step
            count += 1
    return total / count if count > 0 else -np.inf


@kernel
def find_limbs(stamps: NDArray, starts: NDArray, radius: float, reach: int) -> NDArray[np.int64]:
    """Pixel about which the limb of every frame lies.

    A coarse-to-fine, discrete form of the integro-differential operator (Daugman
    1993): the circle with the largest step of the brightness across it, between rims on either
    side. They are half a radius wide at first, and then halved down to 4 px; at each width the
    centre moves by at most the width. All light in the rims counts.

    Parameters
    ----------
    stamps : ndarray (n, s, s)
        Calibrated cut-outs, s odd; NaN pixels are left out.
    starts : ndarray (n, 2), int64
        (y, x) within the stamp.
    radius : float
        Of the limb, pixels.
    reach : int
        Largest offset from the stamp's centre along either axis, pixels.

    Returns
    -------
    ndarray (n, 2), int64
        (y, x) within the stamp.

    References
    ----------
    Daugman, J. 1993, IEEE Trans. Pattern Anal. Mach. Intell. 15, 1148.
    """
    n, size, _ = stamps.shape
    middle = size // 2
    centres = starts.copy()
    sums, counts = np.zeros((size + 1, size + 1)), np.zeros((size + 1, size + 1))
    for k in range(n):
        _tabulate(stamps[k], sums, counts)
        y, x = starts[k, 0], starts[k, 1]
        width = max(radius / 2, _NARROWEST)
        while width >= _NARROWEST:
            best = _contrast(sums, counts, y, x, radius, width)
            step = max(1, int(width / 3))
            y0, x0 = y, x
            moved = True
            while moved:
                moved = False
                for dy, dx in ((step, 0), (-step, 0), (0, step), (0, -step)):
                    if max(abs(y + dy - middle), abs(x + dx - middle)) > reach:
                        continue
                    if max(abs(y + dy - y0), abs(x + dx - x0)) > width:
                        continue
                    value = _contrast(sums, counts, y + dy, x + dx, radius, width)
                    if value > best:
                        best, y, x, moved = value, y + dy, x + dx, True
            width /= 2
        centres[k, 0], centres[k, 1] = y, x
    return centres
