"""Screen raw frames for cosmic rays and spikes while they are read."""

from __future__ import annotations

import math

import numpy as np

from vampires.io.formats import FrameFile, Rows
from vampires.io.frames import FrameSource, RawBlock
from vampires.kernels.calibrate import PixelCalibration
from vampires.kernels.outliers import mask_outliers


class ScreenedFile:
    """A file of frames in which outlying pixels read as saturated, so that they are masked.

    Parameters
    ----------
    file : FrameFile
        The raw file.
    calibration : PixelCalibration
        Background, bad pixels, gain and noise of its frames.
    threshold : float
        Standard deviations, see `vampires.kernels.outliers.mask_outliers`.
    """

    def __init__(self, file: FrameFile, calibration: PixelCalibration, threshold: float) -> None:
        self.path, self.n, self.ny, self.nx = file.path, file.n, file.ny, file.nx
        self._file, self._calibration, self._threshold = file, calibration, threshold

    def read(self, start: int, stop: int, rows: Rows) -> RawBlock:
        """Read frames, each row screened with its neighbours on either side."""
        numbers = np.arange(self.ny)[rows]
        beside = numbers[:, None] + np.arange(-1, 2)
        around = np.unique(beside.clip(0, self.ny - 1))
        raw = self._file.read(start, stop, around).native()
        out = raw.copy()
        cal = self._calibration
        mask_outliers(
            raw, out, cal.background[around], cal.bad[around], cal.gain, cal.read_noise,
            cal.excess_noise**2, self._threshold, float(math.ceil(cal.saturation)),
        )  # fmt: skip
        inner = np.searchsorted(around, numbers)
        return RawBlock(np.ascontiguousarray(out[:, inner]), big_endian=False)


def screen(source: FrameSource, calibration: PixelCalibration, threshold: float) -> FrameSource:
    """Frames in which outlying pixels count as saturated.

    Parameters
    ----------
    source : FrameSource
        Raw frames.
    calibration : PixelCalibration
        Of these frames.
    threshold : float
        Standard deviations.

    Returns
    -------
    FrameSource
        The same frames, screened as they are read; the files are untouched.
    """
    return source.with_files([ScreenedFile(file, calibration, threshold) for file in source.files])
