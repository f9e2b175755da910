"""Which raw rows become which rows of a registered image; registered frames one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.errors import MeasurementError
from vampires.io.frames import DEFAULT_MEMORY, FrameSource
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import CalibrationPlanes, PixelCalibration, calibration_planes
from vampires.kernels.register import RawBand, register_stack
from vampires.kernels.repair import REACH
from vampires.kernels.sinc import ORDER
from vampires.log import get_logger

log = get_logger(__name__)

Size = tuple[int, int]


@dataclass(frozen=True)
class Alignment:
    """Raw frames and where each of them goes.

    Attributes
    ----------
    source : FrameSource
        The frames that are used.
    cal : PixelCalibration
        Their calibration, raw orientation.
    planes : CalibrationPlanes
        The same as compiled loops take it.
    flip : bool
        Whether the calibrated orientation reverses the rows.
    centers : ndarray, shape (nfields, n, 2)
        The star (y, x) in each field of each frame, calibrated orientation, 0-based.
    size : tuple of int
        Rows and columns of the output; the star comes to ((ny - 1) / 2, (nx - 1) / 2).
    """

    source: FrameSource
    cal: PixelCalibration
    planes: CalibrationPlanes
    flip: bool
    centers: NDArray[np.float64]
    size: Size

    @classmethod
    def of_frames(
        cls,
        source: FrameSource,
        cal: PixelCalibration,
        *,
        flip: bool,
        centers: NDArray[np.float64],
        keep: NDArray[np.bool_],
        size: Size,
    ) -> Alignment:
        """Leave out the frames that are not wanted or have no centre.

        Parameters
        ----------
        source : FrameSource
            Raw frames.
        cal : PixelCalibration
            Their calibration, raw orientation.
        flip, centers, size
            See `Alignment`.
        keep : ndarray of bool, shape (n,)
            Frames to use. Those without a finite centre in every field are left out.

        Returns
        -------
        Alignment

        Raises
        ------
        MeasurementError
            When no frame is left.
        """
        places = np.asarray(centers, np.float64)
        if places.ndim != 3 or places.shape[1:] != (source.n, 2):
            raise ValueError(f"centers {places.shape} do not fit (nfields, {source.n}, 2)")
        if cal.shape != (source.ny, source.nx):
            raise ValueError(f"calibration {cal.shape} and frames {(source.ny, source.nx)} differ")
        placed = np.isfinite(places).all(axis=(0, 2))
        wanted = np.array(keep, bool)
        kept = wanted & placed
        if not kept.any():
            raise MeasurementError(
                f"{source.paths[0]}: none of {source.n} frames is both selected and has a measured "
                "centre; loosen the selection or check the centroids"
            )
        lost = int((wanted & ~placed).sum())
        if lost:
            log.warning("frames without a centre left out", n=lost)
        places = np.ascontiguousarray(places[:, kept])
        chosen = source if kept.all() else source.select(kept)
        return cls(chosen, cal, calibration_planes(cal), flip, places, size)

    def rows(self, field: int, y0: int, y1: int) -> slice:
        """Raw rows that output rows `y0` to `y1` of a field may need."""
        ny = self.source.ny
        first = self.centers[field, :, 0] - (self.size[0] - 1) / 2
        low = math.floor(first.min()) + y0 - ORDER
        high = math.floor(first.max()) + y1 + ORDER
        low, high = (ny - high, ny - low) if self.flip else (low, high)
        low = min(max(low - REACH, 0), ny - 1)
        return slice(low, max(min(high + REACH, ny), low + 1))

    def band(self, block: RawBlock, row0: int = 0, y0: int = 0) -> RawBand:
        """Describe a block of raw rows from `row0` on, for output rows from `y0` on."""
        return RawBand(block.data, block.big_endian, row0, self.planes, self.flip, self.size[0], y0)


def align_frames(
    alignment: Alignment, memory: int = DEFAULT_MEMORY
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
    """Calibrate and register frames one by one.

    Parameters
    ----------
    alignment : Alignment
        The frames and where they go.
    memory : int
        Bytes to stay within.

    Yields
    ------
    start : int
        Number of the first frame of this part among the kept ones.
    data, variance : ndarray of float32, shape (k, nfields, ny, nx)
        Aligned frames [e-/s] and their variance.
    """
    source, size, nfields = alignment.source, alignment.size, len(alignment.centers)
    pixels = source.ny * source.nx * 2 + nfields * size[0] * size[1] * 8
    step = max(1, memory // pixels)
    for start in range(0, source.n, step):
        stop = min(start + step, source.n)
        band = alignment.band(source.read(start, stop))
        data = np.empty((nfields, stop - start, *size), np.float32)
        variance = np.empty_like(data)
        for field, places in enumerate(alignment.centers[:, start:stop]):
            register_stack(band, places, data[field], variance[field])
        yield start, np.moveaxis(data, 0, 1), np.moveaxis(variance, 0, 1)
