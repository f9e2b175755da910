"""Rough centroids of cubes: the star of each field in the mean of some frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vampires.centroid import RoughCentroid, rough_centroids, spot_radius
from vampires.centroid_files import read_centroids
from vampires.coadd import mean_image
from vampires.cube import CameraCube
from vampires.errors import FileError, MeasurementError
from vampires.log import get_logger

log = get_logger(__name__)

FRAMES = 50
"""Frames of each cube that enter the mean: enough to see the star, quick to read."""


def find_in_cubes(
    cubes: Sequence[CameraCube], kind: str = "star"
) -> tuple[np.ndarray, dict[str, RoughCentroid]]:
    """Find the star, or the satellite spots, without help.

    Parameters
    ----------
    cubes : sequence of CameraCube
        Of one camera and setup, calibrated.
    kind : str
        ``star``, ``spots`` (four satellite spots about a masked star) or ``planet``.

    Returns
    -------
    image : ndarray, shape (ny, nx)
        The mean image, e-/s, calibrated orientation.
    centroids : dict of str to RoughCentroid
        One per field.

    Raises
    ------
    MeasurementError
        No spots or planet were found; the message says how far the search came. Without a
        star the centres of the fields are taken, and the log says so.
    """
    first = cubes[0]
    image = np.nanmean([
        mean_image(cube.source, cube.pixel_calibration, flip=cube.flip, frames=FRAMES,
                   memory=cube.memory)
        for cube in cubes
    ], axis=0)  # fmt: skip
    several = len(first.fields) > 1
    centers = [(float(y), float(x)) for y, x in first.rough.mean(axis=1)]
    try:
        found = rough_centroids(
            image,
            kind,
            centers=centers if several else None,
            width=first.crop(min(image.shape))[0] if several else None,
            radii=[spot_radius(first.header, name) for name in first.fields],
        )
    except MeasurementError as error:
        if kind != "star":
            raise
        # A star that is there but too faint to be sure of is near the centre of its field.
        log.warning("no star found, looks at the centres of the fields", reason=str(error))
        found = [RoughCentroid(center) for center in centers]
    return image, dict(zip(first.fields, found, strict=True))


def rough_places(path: Path, cube: CameraCube) -> np.ndarray:
    """Read where in a cube's fields to look: the star, or the four spots.

    Parameters
    ----------
    path, cube
        As for `cube_centroids`.

    Returns
    -------
    ndarray, shape (nfields, npsfs, 2)
        (y, x), 0-based.
    """
    return np.stack([entry.psfs for entry in cube_centroids(path, cube)])


def cube_centroids(path: Path, cube: CameraCube) -> list[RoughCentroid]:
    """Read a centroid file for a cube.

    Parameters
    ----------
    path : Path
        Centroid file of the cube's camera.
    cube : CameraCube
        Its fields are looked up by name; a cube of another filter of the same one-field
        detector takes the only entry.

    Returns
    -------
    list of RoughCentroid
        One per field.

    Raises
    ------
    FileError
        The file lacks a field.
    """
    entries = read_centroids(path, cube.header["U_CAMERA"])
    if len(cube.fields) == 1 and len(entries) == 1:
        entries = {cube.fields[0]: next(iter(entries.values()))}
    missing = [name for name in cube.fields if name not in entries]
    if missing:
        raise FileError(
            f"{path}: no [fields.{missing[0]!r}]; found {', '.join(entries)}: add it, or delete "
            "the file to have it made anew"
        )
    return [entries[name] for name in cube.fields]
