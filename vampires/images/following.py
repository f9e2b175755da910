"""Where the star is in each file of an exposure group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vampires.images.mean import mean_image
from vampires.io.frames import DEFAULT_MEMORY, FrameSource
from vampires.kernels.calibrate import PixelCalibration
from vampires.log import get_logger
from vampires.measure.follow import Sighting, follow_star
from vampires.measure.star import RoughCentroid

log = get_logger(__name__)

FRAMES = 8
"""Frames of each file that are looked at, evenly spread."""


def follow_files(
    source: FrameSource,
    cal: PixelCalibration,
    expected: Sequence[RoughCentroid],
    *,
    flip: bool,
    width: int | None = None,
    radii: Sequence[float | None] | None = None,
    memory: int = DEFAULT_MEMORY,
) -> dict[int, list[Sighting]]:
    """Look for the star in each file of a sequence, each seeded by the place in the last.

    Many arguments, because images, expectation and detector come from different hands; all but
    three are given by name.

    Parameters
    ----------
    source : FrameSource
        Raw frames of one or several files.
    cal : PixelCalibration
        Calibration of the detector.
    expected : sequence of RoughCentroid
        Where the star was before the first file, one per field.
    flip : bool
        Whether the camera's rows are reversed to match the sky.
    width, radii
        As in `vampires.measure.follow.follow_star`.
    memory : int
        Bytes to stay within.

    Returns
    -------
    dict
        One sighting per field, by index into the files of the source; files without frames are
        not among them.

    Raises
    ------
    MeasurementError
        A file does not show the star; the message names it.
    """
    places = list(expected)
    found = {}
    for index in np.unique(source.file_index).tolist():
        own = source.select(source.file_index == index)
        name = source.paths[index].name
        image = mean_image(own, cal, flip=flip, frames=FRAMES, memory=memory)
        found[index] = follow_star(image, places, width=width, radii=radii, name=name)
        moved = [sighting for sighting in found[index] if sighting.moved]
        if moved:
            here = [tuple(round(v, 1) for v in s.centroid.star) for s in found[index]]
            log.info("the star moved and is followed", file=name, places=here)
        places = [sighting.centroid for sighting in found[index]]
    return found


def runs_of_places(
    source: FrameSource, found: dict[int, list[Sighting]]
) -> Iterator[tuple[FrameSource, list[RoughCentroid]]]:
    """Cut a sequence into runs of files whose star is in one place.

    Yields
    ------
    source : FrameSource
        Consecutive frames.
    places : list of RoughCentroid
        One per field.
    """
    indices = sorted(found)
    start = 0
    for i, index in enumerate(indices):
        last = i + 1 == len(indices)
        if last or any(s.moved for s in found[indices[i + 1]]):
            chosen = np.isin(source.file_index, indices[start : i + 1])
            yield source.select(chosen), [s.centroid for s in found[index]]
            start = i + 1


def table_of_places(found: dict[int, list[Sighting]], nfiles: int) -> NDArray[np.float64]:
    """Places as `vampires.measure.metrics.FrameMetrics` keeps them, (nfields, nfiles, 4)."""
    fields = len(next(iter(found.values())))
    table = np.full((fields, nfiles, 4), np.nan)
    for index, sightings in found.items():
        for field, s in enumerate(sightings):
            table[field, index] = (*s.centroid.star, s.significance, s.brightness)
    return table
