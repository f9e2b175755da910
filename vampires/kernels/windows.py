"""Cut-outs about a star, calibrated on the way, and their simple statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.calibrate import CalibrationPlanes, calibrate_row


@kernel
def cut_stamps(
    raw: NDArray,
    big_endian: bool,
    row0: int,
    planes: CalibrationPlanes,
    corner: tuple[int, int],
    size: int,
    flip: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut one square out of every raw frame, calibrated and with bad pixels rebuilt.

    Many arguments, because compiled loops take arrays and numbers, not objects.

    Parameters
    ----------
    raw : ndarray (n, rows, nx)
        Rows `row0` and up of the raw frames; what the square needs and
        `vampires.kernels.repair.REACH` rows around.
    big_endian : bool
        Whether the numbers are still bytes of a FITS file.
    row0 : int
        Detector row of ``raw[:, 0]``.
    planes : CalibrationPlanes
        The calibration of the whole detector.
    corner : tuple of (int, int)
        (y, x) of the square's first pixel in the calibrated orientation. It may lie outside the
        frame: pixels outside are NaN.
    size : int
        Side of the square.
    flip : bool
        Whether calibrated rows run against raw rows.

    Returns
    -------
    data, variance : ndarray (n, size, size), float32
        e-/s and (e-/s)^2 in the calibrated orientation; NaN where saturated or not repairable.
    """
    n, _, nx = raw.shape
    ny = planes.background.shape[0]
    data = np.full((n, size, size), np.nan, np.float32)
    variance = np.full((n, size, size), np.nan, np.float32)
    y0, x0 = corner
    low, high = max(0, -x0), min(size, nx - x0)
    if low >= high:
        return data, variance
    for k in range(n):
        for i in range(size):
            row = ny - 1 - (y0 + i) if flip else y0 + i
            if 0 <= row < ny:
                calibrate_row(
                    raw[k], big_endian, row0, row, x0 + low, planes,
                    data[k, i, low:high], variance[k, i, low:high],
                )  # fmt: skip
    return data, variance


@kernel
def fill_holes(window: NDArray, out: NDArray) -> int:
    """Copy a window, NaN pixels replaced by the mean of good neighbours (radius growing).

    For centroids only: sums and fluxes never see these values.

    Parameters
    ----------
    window : ndarray (ny, nx)
        May hold NaN.
    out : ndarray (ny, nx), float64
        Result; all NaN where the window has no good pixel at all.

    Returns
    -------
    int
        Number of pixels that were filled.
    """
    ny, nx = window.shape
    holes = 0
    for y in range(ny):
        for x in range(nx):
            out[y, x] = window[y, x]
            if not np.isnan(window[y, x]):
                continue
            holes += 1
            for radius in range(1, max(ny, nx)):
                total, count = 0.0, 0
                for ys in range(max(0, y - radius), min(ny, y + radius + 1)):
                    for xs in range(max(0, x - radius), min(nx, x + radius + 1)):
                        if not np.isnan(window[ys, xs]):
                            total += window[ys, xs]
                            count += 1
                if count > 0:
                    out[y, x] = total / count
                    break
    return holes


@kernel
def _binomial(image: NDArray, rows: NDArray, out: NDArray) -> None:
    """Weighted sums with (1 4 6 4 1) along both axes, nothing beyond the borders."""
    ny, nx = image.shape
    taps = (1.0, 4.0, 6.0, 4.0, 1.0)
    rows[:] = 0.0
    out[:] = 0.0
    for y in range(ny):
        for t in range(max(0, y - 2), min(ny, y + 3)):
            tap = taps[t - y + 2]
            for x in range(nx):
                rows[y, x] += tap * image[t, x]
        for shift in range(-2, 3):
            tap = taps[shift + 2]
            for x in range(max(0, -shift), min(nx, nx - shift)):
                out[y, x] += tap * rows[y, x + shift]


@kernel
def smooth_window(window: NDArray, out: NDArray) -> None:
    """Binomial smoothing (1 4 6 4 1)/16 along both axes, NaN left out of the weights.

    Parameters
    ----------
    window : ndarray (ny, nx)
        May hold NaN.
    out : ndarray (ny, nx), float64
        Result; NaN where no good pixel is within two pixels.
    """
    ny, nx = window.shape
    values = np.empty((ny, nx))
    weights = np.empty((ny, nx))
    rows = np.empty((ny, nx))
    norms = np.empty((ny, nx))
    for y in range(ny):
        for x in range(nx):
            good = not np.isnan(window[y, x])
            weights[y, x] = 1.0 if good else 0.0
            values[y, x] = window[y, x] if good else 0.0
    _binomial(values, rows, out)
    _binomial(weights, rows, norms)
    for y in range(ny):
        for x in range(nx):
            out[y, x] = out[y, x] / norms[y, x] if norms[y, x] > 0 else np.nan


@kernel
def window_statistics(window: NDArray) -> tuple[float, float, float, float, float]:
    """Sum, mean, median, variance, maximum of the good pixels of a window.

    Parameters
    ----------
    window : ndarray (ny, nx)
        NaN pixels are left out. The variance is the population's, about the mean.

    Returns
    -------
    maximum, total, mean, median, variance : float
        All NaN when no pixel is good.
    """
    values = np.empty(window.size)
    n = 0
    total = 0.0
    maximum = -np.inf
    for y in range(window.shape[0]):
        for x in range(window.shape[1]):
            value = np.float64(window[y, x])
            if not np.isnan(value):
                values[n] = value
                n += 1
                total += value
                maximum = max(maximum, value)
    if n == 0:
        return np.nan, np.nan, np.nan, np.nan, np.nan
    mean = total / n
    scatter = 0.0
    for i in range(n):
        scatter += (values[i] - mean) ** 2
    return maximum, total, mean, np.median(values[:n]), scatter / n


@kernel
def centre_of_mass(window: NDArray, floor: float) -> tuple[float, float]:
    """First moment of what exceeds `floor`; NaN pixels are left out.

    Parameters
    ----------
    window : ndarray (ny, nx)
        Pixel values.
    floor : float
        Subtracted; pixels below it weigh nothing. It keeps the far pixels of the window, whose
        noise has a long lever, out of the moment, and removes the pull of a flat background
        towards the window's centre.

    Returns
    -------
    y, x : float
        NaN when nothing exceeds the floor.
    """
    mass, my, mx = 0.0, 0.0, 0.0
    for y in range(window.shape[0]):
        for x in range(window.shape[1]):
            weight = window[y, x] - floor
            if weight > 0:  # false for NaN
                mass += weight
                my += weight * y
                mx += weight * x
    if mass == 0.0:
        return np.nan, np.nan
    return my / mass, mx / mass


@kernel
def brightest(stamps: NDArray, reach: int) -> NDArray[np.int64]:
    """Pixel of the smoothed maximum of every frame, near the stamps' centre.

    The stamps of one frame (one star, or its four satellite spots, which move together) are
    smoothed by `smooth_window`, scaled to unit maximum and added, so that a speckle beside one
    spot does not mislead.

    Parameters
    ----------
    stamps : ndarray (p, n, s, s)
        s odd.
    reach : int
        Largest offset from the centre along either axis, pixels.

    Returns
    -------
    ndarray (n, 2), int64
        (y, x) within the stamp; its centre when no pixel is good.
    """
    number, n, size, _ = stamps.shape
    low = max(0, size // 2 - reach - 2)
    high = min(size, size // 2 + reach + 3)
    width = high - low
    peaks = np.full((n, 2), size // 2, np.int64)
    smooth = np.empty((width, width))
    for k in range(n):
        total = np.zeros((width, width))
        for p in range(number):
            smooth_window(stamps[p, k, low:high, low:high], smooth)
            top = 0.0
            for y in range(width):
                for x in range(width):
                    top = max(top, smooth[y, x])  # NaN compares false
            for y in range(width):
                for x in range(width):
                    if top > 0 and not np.isnan(smooth[y, x]):
                        total[y, x] += smooth[y, x] / top
        best = 0.0
        for y in range(width):
            for x in range(width):
                near = abs(low + y - size // 2) <= reach and abs(low + x - size // 2) <= reach
                if near and total[y, x] > best:
                    best = total[y, x]
                    peaks[k, 0], peaks[k, 1] = low + y, low + x
    return peaks


@kernel
def measure_windows(stamps: NDArray, centres: NDArray, half: int) -> NDArray[np.float64]:
    """Statistics, centre of mass and peak of one window per frame.

    Parameters
    ----------
    stamps : ndarray (n, s, s)
        Calibrated cut-outs.
    centres : ndarray (n, 2), int64
        Window centre (y, x) within the stamp; the window must fit in it.
    half : int
        The window is ``2 half + 1`` wide.

    Returns
    -------
    ndarray (n, 9)
        Maximum, sum, mean, median, variance; y, x of the centre of mass; y, x of the smoothed
        maximum (whole pixels). Positions within the stamp. The centre of mass counts what
        exceeds the median by a tenth of the way to the smoothed maximum.
    """
    n = stamps.shape[0]
    length = 2 * half + 1
    out = np.full((n, 9), np.nan)
    smooth = np.empty((length, length))
    for k in range(n):
        y0, x0 = centres[k, 0] - half, centres[k, 1] - half
        window = stamps[k, y0 : y0 + length, x0 : x0 + length]
        statistics = window_statistics(window)
        for i in range(5):
            out[k, i] = statistics[i]
        if np.isnan(statistics[0]):
            continue
        smooth_window(window, smooth)
        best = -np.inf
        for y in range(length):
            for x in range(length):
                if smooth[y, x] > best:
                    best = smooth[y, x]
                    out[k, 7], out[k, 8] = y0 + y, x0 + x
        mass_y, mass_x = centre_of_mass(window, statistics[3] + 0.1 * (best - statistics[3]))
        out[k, 5], out[k, 6] = y0 + mass_y, x0 + mass_x
    return out
