"""Resolved objects: planets and moons, whose disc takes the place of the star's PSF.

A disc has no sharp peak to look for, so each frame's window is put on the centre of light and
then correlated with a uniform disc of the limb's radius. The limb decides; a darkened limb or
a bright cloud moves the result far less than it moves the centre of light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vampires.centroid import RoughCentroid
from vampires.config import AnalysisSettings
from vampires.cube import CameraCube
from vampires.errors import MeasurementError
from vampires.kernels.windows import measure_windows
from vampires.metrics import measure_frames
from vampires.psf import disc_psf

MARGIN = 10
"""Pixels by which the disc's image is wider than the window it is compared with."""


def measure_discs(
    cube: CameraCube, discs: Sequence[RoughCentroid], settings: AnalysisSettings
) -> CameraCube:
    """Measure every frame of a resolved object.

    Parameters
    ----------
    cube : CameraCube
        Its frames.
    discs : sequence of RoughCentroid
        One per field, each with its radius.
    settings : AnalysisSettings
        The window is made narrower where it would leave the frame; there is no Strehl ratio.

    Returns
    -------
    CameraCube
        With `metrics`: ``dftx`` and ``dfty`` are the centre of the disc.

    Raises
    ------
    MeasurementError
        A radius is missing, or a disc does not fit in the frame.
    """
    rough = np.array([[disc.star] for disc in discs])
    room = np.minimum(rough, np.array(cube.shape[1:]) - 1 - rough).min()
    half = min(settings.window_size // 2, int(room))
    radii = [disc.radius for disc in discs]
    for name, radius in zip(cube.fields, radii, strict=True):
        if radius is None or not 0 < radius < half:
            raise MeasurementError(
                f"field {name}: a disc of radius {radius} px at x={rough[0, 0, 1] + 1:.1f}, "
                f"y={rough[0, 0, 0] + 1:.1f} (1-based) is not within a window of "
                f"{2 * half + 1} px; correct the centroid file or widen [analysis] window_size"
            )
    window = 2 * half + 1
    psfs = np.stack([disc_psf(radius, window + MARGIN) for radius in radii if radius is not None])
    metrics = measure_frames(
        cube.source, cube.pixel_calibration, flip=cube.flip, rough=rough, psfs=psfs,
        settings=replace(settings, window_size=window, strehl=False), memory=cube.memory,
        fields=cube.fields, locate=centre_of_light,
    )  # fmt: skip
    return replace(cube, metrics=metrics, rough=rough)


def centre_of_light(stamps: NDArray[np.float32], reach: int) -> NDArray[np.int64]:
    """Pixel of the centre of light of every frame, near the stamps' centre.

    Parameters
    ----------
    stamps : ndarray (1, n, s, s)
        Of one object; ``s`` at least ``4 reach + 1``.
    reach : int
        Largest offset from the centre along either axis, and half the width of the window
        whose light counts, pixels.

    Returns
    -------
    ndarray (n, 2), int64
        (y, x) within the stamp; its centre when no pixel is good.
    """
    middle = stamps.shape[-1] // 2
    centres = np.full((stamps.shape[1], 2), middle, dtype=np.int64)
    for _ in range(2):  # the second time with the whole disc in the window
        light = measure_windows(stamps[0], centres, reach)[:, 5:7]
        moved = np.clip(np.rint(np.nan_to_num(light - middle)), -reach, reach)
        centres = middle + moved.astype(np.int64)
    return centres
