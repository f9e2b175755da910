"""Mean of frames as they are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vampires.io.frames import DEFAULT_MEMORY, FrameSource
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import (
    PixelCalibration,
    calibrate,
    sum_unsaturated,
)


def mean_image(
    source: FrameSource,
    cal: PixelCalibration | None = None,
    *,
    flip: bool = False,
    frames: int | None = None,
    memory: int = DEFAULT_MEMORY,
) -> NDArray[np.float32]:
    """Mean of the frames as they are, without registration.

    Parameters
    ----------
    source : FrameSource
        Raw frames.
    cal : PixelCalibration, optional
        Calibrate the mean and rebuild its bad pixels; without, it stays in adu.
    flip : bool
        Whether to reverse the rows.
    frames : int, optional
        Use this many frames, evenly spread; all by default.
    memory : int
        Bytes to stay within.

    Returns
    -------
    ndarray of float32, shape (ny, nx)
        e-/s, or adu without calibration. NaN where every frame is saturated or the pixel
        could not be rebuilt.
    """
    if frames is not None and frames < source.n:
        flags = np.zeros(source.n, bool)
        flags[np.linspace(0, source.n - 1, max(frames, 1)).round().astype(int)] = True
        source = source.select(flags)
    total = np.zeros((source.ny, source.nx))
    count = np.zeros((source.ny, source.nx), np.int32)
    saturation = math.inf if cal is None else cal.saturation
    for start, stop in source.chunks(memory):
        block = source.read(start, stop)
        sum_unsaturated(block.data, block.big_endian, saturation, total, count)
    with np.errstate(invalid="ignore"):
        image = (total / count).astype(np.float32)
    if cal is None:
        return image[::-1].copy() if flip else image
    data, _ = calibrate(RawBlock(image[None], big_endian=False), cal, flip=flip, repair=True)
    return data[0]
