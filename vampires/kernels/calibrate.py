"""From detector numbers to electrons per second, with variance and mask, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.block import RawBlock
from vampires.kernels.repair import RepairTable, repair_table


@dataclass(frozen=True)
class PixelCalibration:
    """What turns raw numbers into calibrated pixels; planes are in raw orientation.

    Attributes
    ----------
    background : ndarray of float32, shape (ny, nx)
        Level to subtract, bias included [adu].
    scale : ndarray of float32, shape (ny, nx)
        Effective gain / (exposure time x flat) [e-/s per adu].
    bad : ndarray of bool, shape (ny, nx)
        Pixels that cannot be used.
    bias : float
        Electronic offset [adu].
    read_noise : float
        Effective read noise, after EM gain [e-].
    excess_noise : float
        Excess noise factor of the electron multiplication (1 without).
    gain : float
        Effective gain [e-/adu].
    saturation : float
        Raw numbers from this one on are saturated [adu].
    background_variance : ndarray of float32, shape (ny, nx)
        Variance of `background` [adu^2].
    flat_variance : ndarray of float32, shape (ny, nx)
        Relative variance of the flat.
    repair : bool
        Whether bad pixels are rebuilt from their neighbours before interpolation.
    """

    background: NDArray[np.float32]
    scale: NDArray[np.float32]
    bad: NDArray[np.bool_]
    bias: float
    read_noise: float
    excess_noise: float
    gain: float
    saturation: float
    background_variance: NDArray[np.float32]
    flat_variance: NDArray[np.float32]
    repair: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.background.shape[0], self.background.shape[1]

    @property
    def unusable(self) -> NDArray[np.bool_]:
        """Pixels that are bad, or whose background or scale is not finite."""
        return self.bad | ~np.isfinite(self.background) | ~np.isfinite(self.scale)

    def window(self, rows: slice, columns: slice = slice(None)) -> PixelCalibration:
        """Return the calibration of a rectangle of the detector (raw orientation).

        Parameters
        ----------
        rows, columns : slice
            The rectangle.

        Returns
        -------
        PixelCalibration
            Fits raw blocks cut out in the same way.
        """
        planes = ("background", "scale", "bad", "background_variance", "flat_variance")
        return replace(self, **{name: getattr(self, name)[rows, columns] for name in planes})


class CalibrationPlanes(NamedTuple):
    """The calibration in the form compiled loops take.

    data = (raw - background) scale; variance = (photon (raw - bias) + read) scale^2,
    with photon = ENF^2 / gain and read = (read noise / gain)^2.
    """

    background: NDArray[np.float32]
    scale: NDArray[np.float32]
    photon: np.float32
    read: np.float32
    bias: np.float32
    saturation: np.float32
    repair: RepairTable


def calibration_planes(cal: PixelCalibration, *, repair: bool = True) -> CalibrationPlanes:
    """Prepare a calibration for compiled loops.

    Parameters
    ----------
    cal : PixelCalibration
        The calibration; pixels with a non-finite background or scale count as bad.
    repair : bool
        Whether bad pixels are to be rebuilt from neighbours, if the calibration allows it;
        otherwise they are masked.

    Returns
    -------
    CalibrationPlanes
    """
    return CalibrationPlanes(
        np.ascontiguousarray(cal.background, np.float32),
        np.ascontiguousarray(cal.scale, np.float32),
        np.float32(cal.excess_noise**2 / cal.gain),
        np.float32((cal.read_noise / cal.gain) ** 2),
        np.float32(cal.bias),
        np.float32(cal.saturation),
        repair_table(cal.unusable, rebuild=repair and cal.repair),
    )


def number(value, big_endian):  # type: ignore[no-untyped-def]
    """Raw number as float32; swaps bytes and adds BZERO for the bytes of a file."""
    raise NotImplementedError("only compiled loops call this")


@overload(number)
def _overload_number(value, big_endian):  # type: ignore[no-untyped-def]  # noqa: ARG001
    # numba compares the signatures word by word, so none of them has annotations
    if isinstance(value, types.Float):
        return lambda value, big_endian: np.float32(value)  # noqa: ARG005

    def swapped(value, big_endian):  # type: ignore[no-untyped-def]
        if big_endian:
            value = ((value >> np.uint16(8)) | (value << np.uint16(8))) ^ np.uint16(0x8000)
        return np.float32(np.uint16(value))

    return swapped


@kernel
def _repair_pixel(
    frame: NDArray[Any],
    big_endian: bool,
    row0: int,
    planes: CalibrationPlanes,
    pixel: int,
) -> tuple[np.float32, np.float32]:
    """Value and variance of a bad pixel from its neighbours.

    NaN when it has none, or when one of them is saturated: the weights only hold together.

    The variance is the weighted mean of the neighbours' variances, as a good pixel in that
    place would have: the repaired value is correlated with them, so it adds no knowledge.
    """
    table = planes.repair
    value = variance = squares = np.float32(0)
    for k in range(table.first[pixel], table.first[pixel + 1]):
        y, x = table.neighbor_row[k], table.neighbor_column[k]
        raw = number(frame[y - row0, x], big_endian)
        weight = table.weight[k]
        if not raw < planes.saturation:
            squares = np.float32(0)
            break
        scale = planes.scale[y, x]
        value += weight * (raw - planes.background[y, x]) * scale
        noise = planes.photon * (raw - planes.bias) + planes.read
        variance += weight * weight * noise * scale * scale
        squares += weight * weight
    if squares == 0:
        return np.float32(np.nan), np.float32(np.nan)
    return value, variance / squares


@kernel
def calibrate_row(
    frame: NDArray[Any],
    big_endian: bool,
    row0: int,
    row: int,
    column: int,
    planes: CalibrationPlanes,
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> int:
    """Calibrate a stretch of one raw row.

    Many arguments, because compiled loops take arrays and numbers, not objects.

    Parameters
    ----------
    frame : ndarray, shape (rows, nx)
        Raw frame, or a band of it that holds `row` and `REACH` rows around it.
    big_endian : bool
        Whether the numbers are file bytes.
    row0 : int
        Detector row of the first row of `frame`.
    row, column : int
        Detector row, and the column at which the stretch begins.
    planes : CalibrationPlanes
        The calibration.
    data, variance : ndarray of float32
        Filled; their length is that of the stretch. NaN where masked.

    Returns
    -------
    int
        Number of masked pixels.
    """
    n = data.size
    source = frame[row - row0, column : column + n]
    background = planes.background[row, column : column + n]
    scales = planes.scale[row, column : column + n]
    photon, read, bias = planes.photon, planes.read, planes.bias
    saturation = planes.saturation
    masked = 0
    for x in range(n):
        raw = number(source[x], big_endian)
        scale = scales[x]
        data[x] = (raw - background[x]) * scale
        variance[x] = (photon * (raw - bias) + read) * (scale * scale)
        masked += not raw < saturation
    if masked > 0:
        for x in range(n):
            if not number(source[x], big_endian) < saturation:
                data[x] = np.float32(np.nan)
                variance[x] = np.float32(np.nan)
    table = planes.repair
    for k in range(table.row_start[row], table.row_start[row + 1]):
        x = table.column[k] - column
        if 0 <= x < n:
            masked -= not number(source[x], big_endian) < saturation
            data[x], variance[x] = _repair_pixel(frame, big_endian, row0, planes, k)
            masked += np.isnan(data[x])
    return masked


@kernel
def calibrate_stack(
    raw: NDArray[Any],
    big_endian: bool,
    planes: CalibrationPlanes,
    flip: bool,
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Calibrate whole frames into `data` and `variance` (n, ny, nx), flipped in y if asked."""
    ny = raw.shape[1]
    for i in range(raw.shape[0]):
        for y in range(ny):
            target = ny - 1 - y if flip else y
            calibrate_row(raw[i], big_endian, 0, y, 0, planes, data[i, target], variance[i, target])


def calibrate(
    block: RawBlock,
    cal: PixelCalibration,
    *,
    flip: bool,
    repair: bool = False,
    out: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Calibrate raw frames to e-/s, with their variance.

    Parameters
    ----------
    block : RawBlock
        Frames (n, ny, nx); cut out as `cal` is (see `PixelCalibration.window`).
    cal : PixelCalibration
        The calibration, raw orientation.
    flip : bool
        Whether to reverse the rows (calibrated orientation of a flipped camera).
    repair : bool
        Rebuild static bad pixels from good neighbours (see `repair_table`) rather than mask
        them; next to saturated pixels they stay masked.
    out : pair of ndarray of float32, optional
        Arrays (n, ny, nx) to fill, to spare the cost of fresh memory.

    Returns
    -------
    data, variance : ndarray of float32, shape (n, ny, nx)
        e-/s and (e-/s)^2. NaN where a pixel is bad (unless repaired) or saturated.

    Notes
    -----
    variance = [ENF^2 gain (raw - bias) + RN^2] (scale / gain)^2. It is not clipped where the
    signal is below the bias: clipping would bias every sum over faint pixels. It can therefore
    be slightly negative in one pixel of one frame. Errors of background and flat are common
    to all frames and not part of it.

    Examples
    --------
    >>> one = np.ones((1, 1), np.float32)
    >>> cal = PixelCalibration(100 * one, 2 * one, one < 0, 90, 3, 1, 1, 6e4, 0 * one, 0 * one)
    >>> data, variance = calibrate(RawBlock(np.full((1, 1, 1), 110, np.uint16), False), cal,
    ...                            flip=False)
    >>> data.item(), variance.item()
    (20.0, 116.0)
    """
    raw = np.ascontiguousarray(block.data)
    if raw.shape[1:] != cal.shape:
        raise ValueError(f"frames {raw.shape[1:]} and calibration {cal.shape} differ in shape")
    planes = calibration_planes(cal, repair=repair)
    data, variance = out or (np.empty(raw.shape, np.float32), np.empty(raw.shape, np.float32))
    calibrate_stack(raw, block.big_endian, planes, flip, data, variance)
    return data, variance


@kernel
def frame_variances(
    raw: NDArray[Any], big_endian: bool, planes: CalibrationPlanes, out: NDArray[np.float64]
) -> None:
    """Mean variance of each frame's unsaturated good pixels [(e-/s)^2] into `out` (n,)."""
    ny, nx = planes.background.shape
    data, variance = np.empty(nx, np.float32), np.empty(nx, np.float32)
    for i in range(raw.shape[0]):
        total, number = 0.0, 0
        for y in range(ny):
            calibrate_row(raw[i], big_endian, 0, y, 0, planes, data, variance)
            for x in range(nx):
                if variance[x] == variance[x]:
                    total += variance[x]
                    number += 1
        out[i] = total / number if number > 0 else np.nan


@kernel
def sum_unsaturated(
    raw: NDArray[Any],
    big_endian: bool,
    saturation: float,
    total: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Add to `total` (ny, nx) the raw numbers below saturation, and to `count` how many."""
    for y in range(total.shape[0]):
        for i in range(raw.shape[0]):
            row = raw[i, y]
            for x in range(total.shape[1]):
                value = number(row[x], big_endian)
                valid = value < saturation
                total[y, x] += value if valid else np.float32(0)
                count[y, x] += np.int32(1) if valid else np.int32(0)
