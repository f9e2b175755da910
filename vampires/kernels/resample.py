"""Shift, rotation and affine transformation of images with variance and mask.

Windowed-sinc interpolation (8 x 8 pixels, see `sinc`) over the valid pixels:
data = sum(w m d) / sum(w m) and variance = sum(w^2 m v) / sum(w m)^2, with m = 1 for valid
pixels. An output pixel is NaN where sum(w m) < `sinc.MIN_WEIGHT`, which is the case outside
the image and, for a lone masked pixel, at most at the one output pixel that falls on it.

Values are interpolated, not rescaled: where `affine` changes the scale, the value of a pixel
stays a flux per input pixel.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import inlined, kernel, reordered
from vampires.kernels.sinc import MIN_WEIGHT, ORDER, TAPS, look_up, sinc_weights

Planes = tuple[NDArray[np.float32], NDArray[np.float32]]


@kernel
def _taps_inside(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    first_y: int,
    first_x: int,
    wy: NDArray[np.float32],
    wx: NDArray[np.float32],
) -> tuple[float, float]:
    """Value and variance of the valid taps that lie in the image; NaN where they are too few."""
    ny, nx = data.shape
    norm = value = noise = 0.0
    for j in range(max(0, -first_y), min(TAPS, ny - first_y)):
        row_norm = row_value = row_noise = 0.0
        for i in range(max(0, -first_x), min(TAPS, nx - first_x)):
            sample = data[first_y + j, first_x + i]
            if sample == sample:
                row_norm += wx[i]
                row_value += wx[i] * sample
                row_noise += wx[i] * wx[i] * variance[first_y + j, first_x + i]
        norm += wy[j] * row_norm
        value += wy[j] * row_value
        noise += wy[j] * wy[j] * row_noise
    if norm < MIN_WEIGHT:
        return np.nan, np.nan
    return value / norm, noise / (norm * norm)


@inlined
def _down(
    image: NDArray[np.float32], p: np.uint64, nx: np.uint64, w: tuple[np.float32, ...]
) -> np.float32:
    """Weighted sum of eight pixels down a column, from the pixel `p` of a flat image on."""
    down = w[0] * image[p]
    p += nx
    down += w[1] * image[p]
    p += nx
    down += w[2] * image[p]
    p += nx
    down += w[3] * image[p]
    p += nx
    down += w[4] * image[p]
    p += nx
    down += w[5] * image[p]
    p += nx
    down += w[6] * image[p]
    p += nx
    down += w[7] * image[p]
    return down


@inlined
def _all_taps(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    first: np.uint64,
    nx: np.uint64,
    wy: NDArray[np.float32],
    wx: NDArray[np.float32],
    taps: np.uint64,
) -> tuple[float, float]:
    """Value and variance where all taps are valid pixels; their weights sum to one.

    Eight columns side by side. The images are flat and the pixels counted from `first` on, without
    a sign: a slice for each row would cost more than its pixels, and numba tests each index that
    has one.
    """
    value, noise = np.float32(0), np.float32(0)
    w = wy[0], wy[1], wy[2], wy[3], wy[4], wy[5], wy[6], wy[7]
    for i in range(taps):
        value += wx[i] * _down(data, first + i, nx, w)
    squares = (
        w[0] * w[0], w[1] * w[1], w[2] * w[2], w[3] * w[3],
        w[4] * w[4], w[5] * w[5], w[6] * w[6], w[7] * w[7],
    )  # fmt: skip
    for i in range(taps):
        noise += wx[i] * wx[i] * _down(variance, first + i, nx, squares)
    return float(value), float(noise)


@kernel
def _solid_part(data: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the square of taps that begins at a pixel lies in the image and is all valid."""
    ny, nx = data.shape
    above = np.zeros(nx, np.int64)  # valid pixels in a row, up to and with this one
    solid = np.zeros((ny, nx), np.bool_)
    for y in range(ny):
        beside = 0
        for x in range(nx):
            above[x] = 0 if np.isnan(data[y, x]) else above[x] + 1
            beside = beside + 1 if above[x] >= TAPS else 0
            if beside >= TAPS:
                solid[y - TAPS + 1, x - TAPS + 1] = True
    return solid


@kernel
def _reach(data: NDArray[np.float32]) -> NDArray[np.int64]:
    """Columns, from the first to before the last, whose taps may meet a valid pixel.

    For the taps about each row from -ORDER on: padded images are blank in a half of their pixels.
    """
    ny, nx = data.shape
    reach = np.empty((ny + 2 * ORDER, 2), np.int64)
    reach[:, 0], reach[:, 1] = nx + ORDER, -ORDER
    for y in range(ny):
        first, last = 0, nx - 1
        while first < nx and np.isnan(data[y, first]):
            first += 1
        while last >= first and np.isnan(data[y, last]):
            last -= 1
        if first <= last:
            for row in range(y, y + 2 * ORDER):
                reach[row, 0] = min(reach[row, 0], first - ORDER)
                reach[row, 1] = max(reach[row, 1], last + ORDER)
    return reach


@reordered
def _affine(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    out: NDArray[np.float32],
    noise: NDArray[np.float32],
    taps: np.uint64,
) -> None:
    """Fill `out` and `noise`.

    `taps` is always TAPS: a loop of a length known beforehand is unrolled, and then not vectorised.
    """
    ny, nx = data.shape
    reach, solid = _reach(data), _solid_part(data)
    flat, flat_variance, wide = data.ravel(), variance.ravel(), np.uint64(nx)
    wy, wx = np.empty(TAPS, np.float32), np.empty(TAPS, np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            source_y = matrix[0, 0] * y + matrix[0, 1] * x + offset[0]
            source_x = matrix[1, 0] * y + matrix[1, 1] * x + offset[1]
            whole_y, whole_x = math.floor(source_y), math.floor(source_x)
            first_y, first_x = whole_y - ORDER + 1, whole_x - ORDER + 1
            whole = 0 <= first_y < ny and 0 <= first_x < nx and solid[first_y, first_x]
            near = whole
            if not whole and 0 <= whole_y + ORDER < len(reach):
                near = reach[whole_y + ORDER, 0] <= whole_x < reach[whole_y + ORDER, 1]
            value = error = math.nan
            if near:
                look_up(source_y - whole_y, wy, taps)
                look_up(source_x - whole_x, wx, taps)
                if whole:
                    first = np.uint64(first_y * nx + first_x)
                    value, error = _all_taps(flat, flat_variance, first, wide, wy, wx, taps)
                else:
                    value, error = _taps_inside(data, variance, first_y, first_x, wy, wx)
            out[y, x], noise[y, x] = value, error


@kernel
def _affine_linear(
    data: NDArray[np.float32],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    ny, nx = data.shape
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            source_y = matrix[0, 0] * y + matrix[0, 1] * x + offset[0]
            source_x = matrix[1, 0] * y + matrix[1, 1] * x + offset[1]
            row, column = math.floor(source_y), math.floor(source_x)
            norm = value = 0.0
            for j in range(max(row, 0), min(row + 2, ny)):
                for i in range(max(column, 0), min(column + 2, nx)):
                    weight = (1 - abs(source_y - j)) * (1 - abs(source_x - i))
                    if not np.isnan(data[j, i]):
                        norm += weight
                        value += weight * data[j, i]
            out[y, x] = value / norm if norm > 0 else np.nan


def affine(
    data: NDArray[np.floating],
    variance: NDArray[np.floating],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    shape: tuple[int, int] | None = None,
    out: Planes | None = None,
) -> Planes:
    """Sample an image at matrix @ (y, x) + offset for each output pixel (y, x).

    Parameters
    ----------
    data, variance : ndarray, shape (ny, nx)
        Image and its variance; NaN in `data` masks a pixel.
    matrix : ndarray, shape (2, 2)
        From output to input coordinates, as in `scipy.ndimage.affine_transform`.
    offset : ndarray, shape (2,)
        Input coordinates (y, x) of the output's pixel (0, 0).
    shape : tuple of int, optional
        Output shape; that of `data` by default.
    out : pair of ndarray of float32, optional
        Arrays to fill instead of new ones.

    Returns
    -------
    data, variance : ndarray of float32
        NaN where too few valid pixels lie around the point.
    """
    image = np.ascontiguousarray(data, np.float32)
    noise = np.ascontiguousarray(variance, np.float32)
    size = shape or image.shape
    filled = out or (np.empty(size, np.float32), np.empty(size, np.float32))
    linear, start = (np.ascontiguousarray(given, np.float64) for given in (matrix, offset))
    _affine(image, noise, linear, start, *filled, np.uint64(TAPS))
    return filled


def rotate(
    data: NDArray[np.floating],
    variance: NDArray[np.floating],
    angle: float,
    out: Planes | None = None,
) -> Planes:
    """Rotate an image counter-clockwise about its centre ((ny - 1) / 2, (nx - 1) / 2).

    Parameters
    ----------
    data, variance : ndarray, shape (ny, nx)
        Image and its variance; NaN masks a pixel.
    angle : float
        Degrees. With the origin at the lower left, +90 takes the pixel left of the centre
        to below it.
    out : pair of ndarray of float32, shape (ny, nx), optional
        Arrays to fill instead of new ones.

    Returns
    -------
    data, variance : ndarray of float32, shape (ny, nx)
        NaN where the output falls outside the input.

    Examples
    --------
    >>> image = np.zeros((9, 9), np.float32)
    >>> image[4, 3] = 1
    >>> turned, _ = rotate(image, image, 90)
    >>> int(np.nanargmax(turned)) == 3 * 9 + 4
    True
    """
    matrix, offset = _rotation(np.shape(data), angle)
    return affine(data, variance, matrix, offset, out=out)


def rotate_smooth(data: NDArray[np.floating], angle: float) -> NDArray[np.float32]:
    """Rotate a smooth map as `rotate` does an image, by linear interpolation.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        NaN masks a pixel.
    angle : float
        Degrees, counter-clockwise.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        NaN where none of the four nearest pixels is valid.

    Examples
    --------
    >>> rotate_smooth(np.ones((5, 5), np.float32), 45)[2].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    image = np.ascontiguousarray(data, np.float32)
    out = np.empty_like(image)
    _affine_linear(image, *_rotation(image.shape, angle), out)
    return out


def _rotation(
    shape: tuple[int, ...], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset that take the pixels of a turned image to those of the image."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    center = (np.array(shape) - 1) / 2
    return matrix, center - matrix @ center


@kernel
def _shift_rows(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    whole: int,
    weights: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """Interpolate each row along x: sums of w m d, w^2 m v and w m into `out` (3, ny, nx)."""
    ny, nx = data.shape
    out[:] = 0
    for y in range(ny):
        for tap in range(TAPS):
            weight = weights[tap]
            offset = whole - ORDER + 1 + tap
            low, high = max(0, -offset), min(nx, nx - offset)
            if low < high:
                value = data[y, low + offset : high + offset]
                noise = variance[y, low + offset : high + offset]
                total, spread, norm = out[0, y, low:high], out[1, y, low:high], out[2, y, low:high]
                for x in range(high - low):
                    valid = value[x] == value[x]
                    total[x] += weight * value[x] if valid else 0.0
                    spread[x] += weight * weight * noise[x] if valid else 0.0
                    norm[x] += weight if valid else 0.0


@kernel
def _shift_columns(
    rows: NDArray[np.float64],
    whole: int,
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
    noise: NDArray[np.float32],
) -> None:
    """Interpolate along y what `_shift_rows` left, and divide by the valid weight."""
    ny, nx = out.shape
    sums = np.empty((3, nx))
    for y in range(ny):
        sums[:] = 0
        for tap in range(TAPS):
            source = y + whole - ORDER + 1 + tap
            if 0 <= source < ny:
                weight = np.float64(weights[tap])
                for x in range(nx):
                    sums[0, x] += weight * rows[0, source, x]
                    sums[1, x] += weight * weight * rows[1, source, x]
                    sums[2, x] += weight * rows[2, source, x]
        for x in range(nx):
            enough = sums[2, x] >= MIN_WEIGHT
            out[y, x] = sums[0, x] / sums[2, x] if enough else np.nan
            noise[y, x] = sums[1, x] / sums[2, x] ** 2 if enough else np.nan


def shift(
    data: NDArray[np.floating], variance: NDArray[np.floating], dy: float, dx: float
) -> Planes:
    """Move an image by (dy, dx) pixels.

    Parameters
    ----------
    data, variance : ndarray, shape (ny, nx)
        Image and its variance; NaN masks a pixel.
    dy, dx : float
        What was at (y, x) comes to (y + dy, x + dx).

    Returns
    -------
    data, variance : ndarray of float32, shape (ny, nx)
        NaN where the output falls outside the input.

    Examples
    --------
    >>> image = np.arange(400, dtype=np.float32).reshape(20, 20)
    >>> moved, _ = shift(image, image, 0, 0.5)
    >>> round(moved[10, 10].item(), 2)
    209.5
    """
    image = np.ascontiguousarray(data, np.float32)
    errors = np.ascontiguousarray(variance, np.float32)
    whole_y, whole_x = math.floor(-dy), math.floor(-dx)
    wy, wx = np.empty(TAPS, np.float32), np.empty(TAPS, np.float32)
    sinc_weights(-dy - whole_y, wy)
    sinc_weights(-dx - whole_x, wx)
    rows = np.empty((3, *image.shape))
    _shift_rows(image, errors, whole_x, wx, rows)
    out, noise = np.empty_like(image), np.empty_like(image)
    _shift_columns(rows, whole_y, wy, out, noise)
    return out, noise
