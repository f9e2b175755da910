"""Cut-out, calibration and sub-pixel shift of raw frames in one pass over the rows.

Each needed raw row is calibrated into a small buffer and interpolated along x into a ring of
eight rows; each output row is then a weighted sum of the ring. A frame is never held as floats.

With masks, the interpolated value is sum(w m d) / sum(w m), m = 1 where valid, and its
variance sum(w^2 m v) / sum(w m)^2; it is NaN where sum(w m) < `sinc.MIN_WEIGHT`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.calibrate import CalibrationPlanes, calibrate_row
from vampires.kernels.sinc import MIN_WEIGHT, ORDER, TAPS, sinc_weights

_LOW = ORDER - 1  # rows before the one that holds the point


@kernel
def _filter(
    row: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Correlate a row of n + 7 pixels with eight weights; written out so that it vectorises."""
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    w4, w5, w6, w7 = weights[4], weights[5], weights[6], weights[7]
    for x in range(out.size):
        out[x] = ((w0 * row[x] + w1 * row[x + 1]) + (w2 * row[x + 2] + w3 * row[x + 3])) + (
            (w4 * row[x + 4] + w5 * row[x + 5]) + (w6 * row[x + 6] + w7 * row[x + 7])
        )


@kernel
def _combine(
    ring: NDArray[np.float32], top: int, weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Weighted sum of the eight rows of a ring, the first of them at `top`."""
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    w4, w5, w6, w7 = weights[4], weights[5], weights[6], weights[7]
    r0, r1, r2, r3 = ring[top % 8], ring[(top + 1) % 8], ring[(top + 2) % 8], ring[(top + 3) % 8]
    r4, r5, r6 = ring[(top + 4) % 8], ring[(top + 5) % 8], ring[(top + 6) % 8]
    r7 = ring[(top + 7) % 8]
    for x in range(out.size):
        out[x] = ((w0 * r0[x] + w1 * r1[x]) + (w2 * r2[x] + w3 * r3[x])) + (
            (w4 * r4[x] + w5 * r5[x]) + (w6 * r6[x] + w7 * r7[x])
        )


@kernel
def _split_masked(
    data: NDArray[np.float32], variance: NDArray[np.float32], mask: NDArray[np.float32]
) -> None:
    """Zero the masked pixels of a row and note the valid ones."""
    for x in range(data.size):
        valid = data[x] == data[x]
        mask[x] = np.float32(1) if valid else np.float32(0)
        data[x] = data[x] if valid else np.float32(0)
        variance[x] = variance[x] if valid else np.float32(0)


@kernel
def _normalize(
    data: NDArray[np.float32], variance: NDArray[np.float32], weight: NDArray[np.float32]
) -> None:
    """Divide sums by the valid weight, NaN where there is too little of it."""
    for x in range(data.size):
        enough = weight[x] >= np.float32(MIN_WEIGHT)
        inverse = np.float32(1) / weight[x] if enough else np.float32(np.nan)
        data[x] *= inverse
        variance[x] *= inverse * inverse


@kernel
def register_frame(
    frame: NDArray[Any],
    big_endian: bool,
    row0: int,
    planes: CalibrationPlanes,
    flip: bool,
    center_y: float,
    center_x: float,
    size_y: int,
    y0: int,
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Calibrate a raw frame and shift it so that a point falls on the output's centre.

    Parameters
    ----------
    frame : ndarray, shape (rows, nx)
        Raw frame, or the band of it that is needed.
    big_endian, row0, planes
        See `calibrate_row`.
    flip : bool
        Whether the calibrated orientation reverses the rows.
    center_y, center_x : float
        The point, calibrated orientation, 0-based.
    size_y : int
        Rows of the whole output, whose centre is ((size_y - 1) / 2, (nx - 1) / 2).
    y0 : int
        Output row of the first row of `data`.
    data, variance : ndarray of float32, shape (rows, nx)
        Filled; NaN where too few valid pixels contribute.
    """
    ny, nx = planes.background.shape
    height, width = data.shape
    first_y = center_y - (size_y - 1) / 2
    first_x = center_x - (width - 1) / 2
    whole_y, whole_x = math.floor(first_y), math.floor(first_x)
    wy, wx = np.empty(TAPS, np.float32), np.empty(TAPS, np.float32)
    sinc_weights(first_y - whole_y, wy)
    sinc_weights(first_x - whole_x, wx)
    wy2, wx2 = wy * wy, wx * wx

    span = width + TAPS - 1
    left = whole_x - _LOW  # detector column of the first buffered pixel
    low, high = min(max(-left, 0), span), max(min(nx - left, span), 0)
    high = max(low, high)
    buffer = np.zeros(span, np.float32)
    noise = np.zeros(span, np.float32)
    mask = np.zeros(span, np.float32)
    mask[low:high] = 1
    usual = np.empty(width, np.float32)  # valid weight along x of a row without masked pixels
    _filter(mask, wx, usual)

    sums = np.empty((TAPS, width), np.float32)
    noises = np.empty((TAPS, width), np.float32)
    weights = np.empty((TAPS, width), np.float32)
    clean = np.zeros(TAPS, np.bool_)
    weight = np.empty(width, np.float32)

    top = whole_y - _LOW + y0
    for r in range(top, top + height + TAPS - 1):
        slot = (r - top) % TAPS
        if 0 <= r < ny:
            row = ny - 1 - r if flip else r
            masked = calibrate_row(
                frame, big_endian, row0, row, left + low, planes, buffer[low:high], noise[low:high]
            )
            if masked > 0:
                _split_masked(buffer[low:high], noise[low:high], mask[low:high])
                _filter(mask, wx, weights[slot])
                mask[low:high] = 1
            else:
                weights[slot] = usual
            _filter(buffer, wx, sums[slot])
            _filter(noise, wx2, noises[slot])
            clean[slot] = masked == 0
        else:
            sums[slot] = 0
            noises[slot] = 0
            weights[slot] = 0
            clean[slot] = False
        y = r - top - TAPS + 1
        if y >= 0:
            _combine(sums, y, wy, data[y])
            _combine(noises, y, wy2, variance[y])
            if clean.all():
                _normalize(data[y], variance[y], usual)
            else:
                _combine(weights, y, wy, weight)
                _normalize(data[y], variance[y], weight)


@kernel
def register_stack(
    raw: NDArray[Any],
    big_endian: bool,
    row0: int,
    planes: CalibrationPlanes,
    flip: bool,
    centers: NDArray[np.float64],
    size_y: int,
    y0: int,
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Register frames one by one into `data` and `variance` (n, rows, nx).

    `centers` (n, 2) holds (y, x); the other parameters are those of `register_frame`.
    """
    for i in range(raw.shape[0]):
        register_frame(
            raw[i],
            big_endian,
            row0,
            planes,
            flip,
            centers[i, 0],
            centers[i, 1],
            size_y,
            y0,
            data[i],
            variance[i],
        )


@kernel
def accumulate(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    weight: float,
    sums: NDArray[np.float64],
    variances: NDArray[np.float64],
    weights: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Add a frame's valid pixels to the running sums of w d, w^2 v, w and their number."""
    square = weight * weight
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            valid = data[y, x] == data[y, x]
            sums[y, x] += weight * data[y, x] if valid else 0.0
            variances[y, x] += square * variance[y, x] if valid else 0.0
            weights[y, x] += weight if valid else 0.0
            count[y, x] += np.int32(1) if valid else np.int32(0)


@kernel
def register_sum(
    raw: NDArray[Any],
    big_endian: bool,
    row0: int,
    planes: CalibrationPlanes,
    flip: bool,
    centers: NDArray[np.float64],
    frame_weights: NDArray[np.float64],
    size_y: int,
    y0: int,
    sums: NDArray[np.float64],
    variances: NDArray[np.float64],
    weights: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Register frames and add them up (see `register_frame`, `accumulate`).

    Frames are added in order into double precision, so the sums do not depend on how the
    frames are split over calls. Frames of weight zero are passed over.
    """
    data = np.empty(sums.shape, np.float32)
    variance = np.empty(sums.shape, np.float32)
    for i in range(raw.shape[0]):
        if frame_weights[i] > 0:
            register_frame(
                raw[i],
                big_endian,
                row0,
                planes,
                flip,
                centers[i, 0],
                centers[i, 1],
                size_y,
                y0,
                data,
                variance,
            )
            accumulate(data, variance, frame_weights[i], sums, variances, weights, count)


@kernel
def register_rows(
    raw: NDArray[Any],
    big_endian: bool,
    row0: int,
    planes: CalibrationPlanes,
    flip: bool,
    centers: NDArray[np.float64],
    size_y: int,
    y0: int,
    stack: NDArray[np.float32],
    variances: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Register a band of rows of frames into `stack`, adding up variances and their number."""
    variance = np.empty(variances.shape, np.float32)
    for i in range(raw.shape[0]):
        register_frame(
            raw[i],
            big_endian,
            row0,
            planes,
            flip,
            centers[i, 0],
            centers[i, 1],
            size_y,
            y0,
            stack[i],
            variance,
        )
        for y in range(len(variance)):
            for x in range(len(variance[y])):
                valid = variance[y, x] == variance[y, x]
                variances[y, x] += variance[y, x] if valid else np.float32(0)
                count[y, x] += np.int32(1) if valid else np.int32(0)


@kernel
def average_displaced(
    plane: NDArray[np.float32],
    corners: NDArray[np.int64],
    times: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Average cut-outs of a plane, NaN left out.

    Parameters
    ----------
    plane : ndarray of float32, shape (ny, nx)
        What is cut out.
    corners : ndarray of int64, shape (k, 2)
        Place (y, x) in the plane of the first pixel of each cut-out; may lie outside.
    times : ndarray of int64, shape (k,)
        How often each cut-out counts.
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
            source, left = corners[k, 0] + y, corners[k, 1]
            if 0 <= source < ny:
                for x in range(max(0, -left), min(width, nx - left)):
                    value = plane[source, left + x]
                    valid = value == value
                    row[x] += times[k] * value if valid else 0.0
                    norm[x] += times[k] if valid else 0.0
        for x in range(width):
            row[x] = row[x] / norm[x] if norm[x] > 0 else np.nan
