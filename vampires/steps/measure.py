"""Find the star, follow it from file to file, and measure every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vampires.config import Config
from vampires.cube import CameraCube, find_in_cubes
from vampires.images.following import follow_files, runs_of_places, table_of_places
from vampires.log import get_logger
from vampires.measure.follow import Sighting
from vampires.measure.metrics import FrameMetrics
from vampires.measure.plausible import impossible_frames, stray_pixels
from vampires.measure.star import RoughCentroid, shifted, spot_radius

log = get_logger(__name__)

Sightings = dict[int, list[Sighting]]


def find_star(
    cubes: Sequence[CameraCube], config: Config
) -> tuple[np.ndarray, dict[str, RoughCentroid]]:
    """Find the star, the satellite spots or the planet; see `vampires.cube.find_in_cubes`."""
    kind = "spots" if config.coronagraphic else "planet" if config.planetary else "star"
    return find_in_cubes(cubes, kind)


def followed(
    cube: CameraCube, places: Sequence[RoughCentroid], origin: tuple[int, int]
) -> Sightings:
    """Where the star is in each file of a cube; see `vampires.images.following.follow_files`.

    Parameters
    ----------
    cube : CameraCube
        Calibrated.
    places : sequence of RoughCentroid
        Where to look in each field, in frames whose crop begins at ``origin``.
    origin : (int, int)
        x and y of the first pixel, detector pixels.
    """
    several = len(cube.fields) > 1
    return follow_files(
        cube.source, cube.pixel_calibration, moved_with_crop(places, cube, origin),
        flip=cube.flip, width=cube.crop(min(cube.shape[1:]))[0] if several else None,
        radii=[spot_radius(cube.header, name) for name in cube.fields], memory=cube.memory,
    )  # fmt: skip


def moved_with_crop(
    places: Sequence[RoughCentroid], cube: CameraCube, origin: tuple[int, int]
) -> list[RoughCentroid]:
    """Places as they would be had only the crop moved on the detector."""
    dx, dy = origin[0] - cube.header.crop_x, origin[1] - cube.header.crop_y
    return [shifted(place, -dy if cube.flip else dy, dx) for place in places]


def measured(
    cube: CameraCube, found: Sightings, config: Config, psfs: Sequence[np.ndarray] = ()
) -> CameraCube:
    """Measure every frame of a calibrated cube.

    Parameters
    ----------
    cube : CameraCube
        Calibrated.
    found : dict
        Where the star is, from `followed`.
    config : Config
        Settings.
    psfs : sequence of ndarray, shape (k, k)
        Reference PSF of each field; default: synthetic ones.
    """
    stack = np.stack(psfs) if len(psfs) else None
    parts = []
    for source, there in runs_of_places(cube.source, found):
        part = replace(cube, source=source)
        if config.planetary:
            part = part.measure_discs(there, config.analysis)
        else:
            part = part.measure(config.analysis, stack, np.stack([place.psfs for place in there]))
        parts.append(part.measured)
    table = table_of_places(found, len(cube.source.paths))
    metrics = replace(FrameMetrics.join(parts), places=table)
    _warn_of_doubts(metrics, cube.source.paths[0].name)
    return cube.with_metrics(metrics)


def _warn_of_doubts(measured: FrameMetrics, name: str) -> None:
    """Say which frames are left out because they cannot be data."""
    doubts = {
        **impossible_frames(measured),
        "single pixels far brighter than the star; they are masked": stray_pixels(measured),
    }
    for reason, flags in doubts.items():
        if flags.any():
            frames = [int(number) for number in measured.frame_index[flags][:10]]
            what = "masked" if "masked" in reason else "left out"
            log.warning(f"frames {what}", file=name, n=int(flags.sum()), first=frames, why=reason)
