"""Cut-out, calibration and sub-pixel shift of raw frames in one pass over the rows.

Each needed raw row is calibrated into a small buffer and interpolated along x into a ring of
eight rows; each output row is then a weighted sum of the ring. A frame is never held as floats.

With masks, the interpolated value is sum(w m d) / sum(w m), m = 1 where valid, and its
variance sum(w^2 m v) / sum(w m)^2; it is NaN where sum(w m) < `sinc.MIN_WEIGHT`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.calibrate import CalibrationPlanes, calibrate_row
from vampires.kernels.sinc import MIN_WEIGHT, ORDER, TAPS, sinc_weights

_LOW = ORDER - 1  # rows before the one that holds the point


class RawBand(NamedTuple):
    """Raw frames, or a band of their rows, and the output rows they are registered to.

    Attributes
    ----------
    frames : ndarray, shape (n, rows, nx)
        Raw frames, or the band of them that is needed.
    big_endian : bool
        Whether the numbers are file bytes.
    row0 : int
        Detector row of the first row of `frames`.
    planes : CalibrationPlanes
        Their calibration.
    flip : bool
        Whether the calibrated orientation reverses the rows.
    size_y : int
        Rows of the whole output, whose centre is ((size_y - 1) / 2, (nx - 1) / 2).
    y0 : int
        Output row at which the band of the output begins.
    """

    frames: NDArray[Any]
    big_endian: bool
    row0: int
    planes: CalibrationPlanes
    flip: bool
    size_y: int
    y0: int


@kernel
def _filter(
    row: NDArray[np.float32],
    weights: NDArray[np.float32],
    ring: NDArray[np.float32],
    slot: int,
) -> None:
    """Correlate a row of n + 7 pixels with eight weights into a row of a ring.

    Written out so that it vectorises; slices are taken here because each one that a caller
    takes costs as much as ten pixels.
    """
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    w4, w5, w6, w7 = weights[4], weights[5], weights[6], weights[7]
    out = ring[slot]
    for x in range(out.size):
        out[x] = ((w0 * row[x] + w1 * row[x + 1]) + (w2 * row[x + 2] + w3 * row[x + 3])) + (
            (w4 * row[x + 4] + w5 * row[x + 5]) + (w6 * row[x + 6] + w7 * row[x + 7])
        )


@kernel
def _combine(
    ring: NDArray[np.float32],
    top: int,
    weights: NDArray[np.float32],
    image: NDArray[np.float32],
    y: int,
) -> None:
    """Weighted sum of the eight rows of a ring, the first of them at `top`."""
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    w4, w5, w6, w7 = weights[4], weights[5], weights[6], weights[7]
    r0, r1, r2, r3 = ring[top % 8], ring[(top + 1) % 8], ring[(top + 2) % 8], ring[(top + 3) % 8]
    r4, r5, r6 = ring[(top + 4) % 8], ring[(top + 5) % 8], ring[(top + 6) % 8]
    r7 = ring[(top + 7) % 8]
    out = image[y]
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
def _invert(weight: NDArray[np.float32], inverse: NDArray[np.float32]) -> None:
    """Inverse of the valid weight, NaN where there is too little of it."""
    for x in range(weight.size):
        enough = weight[x] >= np.float32(MIN_WEIGHT)
        inverse[x] = np.float32(1) / weight[x] if enough else np.float32(np.nan)


@kernel
def _normalize(
    inverse: NDArray[np.float32],
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    y: int,
) -> None:
    """Divide the sums of a row by the valid weight."""
    values, noise = data[y], variance[y]
    for x in range(values.size):
        values[x] *= inverse[x]
        noise[x] *= inverse[x] * inverse[x]


@kernel
def register_frame(
    band: RawBand,
    i: int,
    center: NDArray[np.float64],
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    usual: NDArray[np.float32],
    clean: NDArray[np.bool_],
) -> None:
    """Calibrate a raw frame and shift it so that a point falls on the output's centre.

    Many arguments, because compiled loops take arrays and numbers, not objects.

    Parameters
    ----------
    band : RawBand
        Frames and the rows wanted of them.
    i : int
        The frame.
    center : ndarray, shape (2,)
        The point (y, x), calibrated orientation, 0-based.
    data, variance : ndarray of float32, shape (rows, width)
        Filled; NaN where too few valid pixels contribute.
    usual : ndarray of float32, shape (width,)
        Filled; NaN in the columns that are invalid in rows without masked pixels.
    clean : ndarray of bool, shape (rows,)
        Filled; rows without a masked pixel within reach.
    """
    frame, planes, big_endian, row0 = band.frames[i], band.planes, band.big_endian, band.row0
    ny, nx = planes.background.shape
    height, width = data.shape
    # A flipped frame is worked on as it lies in memory, from its last output row to the first:
    # memory is slower to read backwards.
    center_y = ny - 1 - center[0] if band.flip else center[0]
    y0 = band.size_y - band.y0 - height if band.flip else band.y0
    first_y = center_y - (band.size_y - 1) / 2
    first_x = center[1] - (width - 1) / 2
    whole_y, whole_x = math.floor(first_y), math.floor(first_x)
    wy, wx = np.empty(TAPS, np.float32), np.empty(TAPS, np.float32)
    sinc_weights(first_y - whole_y, wy)
    sinc_weights(first_x - whole_x, wx)
    wy2, wx2 = wy * wy, wx * wx

    span = width + TAPS - 1
    left = whole_x - _LOW  # detector column of the first buffered pixel
    low, high = min(max(-left, 0), span), max(min(nx - left, span), 0)
    high = max(low, high)
    buffer, noise = np.zeros(span, np.float32), np.zeros(span, np.float32)
    mask = np.zeros(span, np.float32)
    mask[low:high] = 1
    pixels, pixels_noise, pixels_mask = buffer[low:high], noise[low:high], mask[low:high]
    usual_weights = np.empty((1, width), np.float32)
    _filter(mask, wx, usual_weights, 0)
    usual_weight = usual_weights[0]  # along x
    _invert(usual_weight, usual)

    sums, noises = np.empty((TAPS, width), np.float32), np.empty((TAPS, width), np.float32)
    weights = np.empty((TAPS, width), np.float32)
    weight, inverse = np.empty((1, width), np.float32), np.empty(width, np.float32)

    top = whole_y - _LOW + y0
    clean_rows = 0  # without a masked pixel, up to this one
    for r in range(top, top + height + TAPS - 1):
        slot = (r - top) % TAPS
        if 0 <= r < ny:
            masked = calibrate_row(
                frame, big_endian, row0, r, left + low, planes, pixels, pixels_noise
            )
            if masked > 0:
                _split_masked(pixels, pixels_noise, pixels_mask)
                _filter(mask, wx, weights, slot)
                pixels_mask[:] = 1
            else:
                weights[slot] = usual_weight
            _filter(buffer, wx, sums, slot)
            _filter(noise, wx2, noises, slot)
            clean_rows = clean_rows + 1 if masked == 0 else 0
        else:
            sums[slot] = 0
            noises[slot] = 0
            weights[slot] = 0
            clean_rows = 0
        if r >= top + TAPS - 1:
            turn = r - top - TAPS + 1
            y = height - 1 - turn if band.flip else turn
            _combine(sums, turn, wy, data, y)
            _combine(noises, turn, wy2, variance, y)
            clean[y] = clean_rows >= TAPS
            if clean[y]:
                _normalize(usual, data, variance, y)
            else:
                _combine(weights, turn, wy, weight, 0)
                _invert(weight[0], inverse)
                _normalize(inverse, data, variance, y)


@kernel
def register_stack(
    band: RawBand,
    centers: NDArray[np.float64],
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Register frames one by one into `data` and `variance` (n, rows, width).

    `centers` (n, 2) holds (y, x) of every frame; see `register_frame`.
    """
    usual, clean = np.empty(data.shape[2], np.float32), np.empty(data.shape[1], np.bool_)
    for i in range(len(centers)):
        register_frame(band, i, centers[i], data[i], variance[i], usual, clean)


@kernel
def _count(row: NDArray[np.float32], step: int, count: NDArray[np.int32]) -> None:
    """Add `step` to the number of valid samples of a row."""
    for x in range(row.size):
        count[x] += np.int32(step) if row[x] == row[x] else np.int32(0)


@kernel
def _weigh(row: NDArray[np.float32], weight: float, weights: NDArray[np.float64]) -> None:
    """Add `weight` to the sum of weights of a row."""
    for x in range(row.size):
        weights[x] += weight if row[x] == row[x] else 0.0


@kernel
def _add(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    weight: float,
    sums: NDArray[np.float64],
    variances: NDArray[np.float64],
) -> None:
    """Add a frame's valid pixels to the running sums of w d and w^2 v."""
    square = weight * weight
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            valid = data[y, x] == data[y, x]
            sums[y, x] += weight * data[y, x] if valid else 0.0
            variances[y, x] += square * variance[y, x] if valid else 0.0


# Nearly all rows of a frame are clean, and then valid in the same columns. What follows counts
# these columns once per frame for all rows, and sets the other rows right: the planes of
# numbers and weights need not go through the cache with every frame.


@kernel
def register_sum(
    band: RawBand,
    centers: NDArray[np.float64],
    frame_weights: NDArray[np.float64],
    sums: NDArray[np.float64],
    variances: NDArray[np.float64],
    weights: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Register frames and add up their valid pixels: w d, w^2 v, w and their number.

    Many arguments, because compiled loops take arrays and numbers, not objects.

    See `register_stack`. Frames are added in order into double precision, so the sums do not
    depend on how the frames are split over calls; the sums of the weights do not if these are
    binary fractions short enough to be added exactly. Frames of weight zero are passed over.
    """
    height, width = sums.shape
    data, variance = np.empty(sums.shape, np.float32), np.empty(sums.shape, np.float32)
    usual, clean = np.empty(width, np.float32), np.empty(height, np.bool_)
    usual_count, usual_weights = np.zeros(width, np.int32), np.zeros(width)
    for i in range(len(centers)):
        weight = frame_weights[i]
        if weight == 0:
            continue
        register_frame(band, i, centers[i], data, variance, usual, clean)
        _add(data, variance, weight, sums, variances)
        _count(usual, 1, usual_count)
        _weigh(usual, weight, usual_weights)
        for y in range(height):
            if not clean[y]:
                _count(usual, -1, count[y])
                _count(data[y], 1, count[y])
                _weigh(usual, -weight, weights[y])
                _weigh(data[y], weight, weights[y])
    count += usual_count
    weights += usual_weights


@kernel
def register_rows(
    band: RawBand,
    centers: NDArray[np.float64],
    stack: NDArray[np.float32],
    variances: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Register frames into `stack` (n, rows, width), adding up variances and their number."""
    height, width = variances.shape
    variance = np.empty(variances.shape, np.float32)
    usual, clean = np.empty(width, np.float32), np.empty(height, np.bool_)
    usual_count = np.zeros(width, np.int32)
    for i in range(len(centers)):
        register_frame(band, i, centers[i], stack[i], variance, usual, clean)
        _count(usual, 1, usual_count)
        for y in range(height):
            for x in range(width):
                valid = variance[y, x] == variance[y, x]
                variances[y, x] += variance[y, x] if valid else np.float32(0)
            if not clean[y]:
                _count(usual, -1, count[y])
                _count(variance[y], 1, count[y])
    count += usual_count
