"""The part of a coadd's error that all coadds with the same masters share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.alignment import Alignment, Size
from vampires.kernels.calibrate import PixelCalibration
from vampires.kernels.displaced import average_displaced

__all__ = ["systematic_variance"]


def systematic_variance(
    alignment: Alignment, cal: PixelCalibration, data: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Variance that the masters' errors leave in an average of registered frames.

    Parameters
    ----------
    alignment : Alignment
        The frames.
    cal : PixelCalibration
        Their calibration, with the variances of background and flat.
    data : ndarray of float32, shape (nfields, ny, nx)
        Their average, e-/s.

    Returns
    -------
    ndarray of float32, shape (nfields, ny, nx)
        (e-/s)^2; NaN where the average is.

    Notes
    -----
    The same errors enter each frame, displaced with the star by whole and broken pixels; they
    are taken as fully correlated between frames, and displaced by whole pixels only, so the
    plane is an upper limit.
    """
    bad = cal.bad | ~np.isfinite(cal.background) | ~np.isfinite(cal.scale)
    background = np.where(bad, np.nan, cal.background_variance * cal.scale**2)
    flat = np.where(bad, np.nan, cal.flat_variance)
    if alignment.flip:
        background, flat = background[::-1], flat[::-1]
    planes = [
        _average(background, places, alignment.size)
        + _average(flat, places, alignment.size) * image.astype(float) ** 2
        for places, image in zip(alignment.centers, data, strict=True)
    ]
    return np.where(np.isnan(data), np.nan, np.stack(planes)).astype(np.float32)


def _average(
    plane: NDArray[np.floating], places: NDArray[np.float64], size: Size
) -> NDArray[np.float64]:
    """Mean over the frames of a detector plane displaced by whole pixels, NaN left out.

    Output pixels that no good detector pixel falls on get the plane's mean.
    """
    corners = np.rint(places - (np.array(size) - 1) / 2).astype(np.int64)
    offsets, times = np.unique(corners, axis=0, return_counts=True)
    average = np.empty(size)
    average_displaced(np.ascontiguousarray(plane, np.float32), offsets, times, average)
    valid = plane[np.isfinite(plane)]
    return np.where(np.isnan(average), valid.mean() if valid.size else 0.0, average)
