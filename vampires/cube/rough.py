"""Find the star in the mean of some frames of several cubes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vampires.cube.camera import ROUGH_FRAMES, CameraCube
from vampires.errors import MeasurementError
from vampires.images.mean import mean_image
from vampires.kernels.reduce import mean
from vampires.log import get_logger
from vampires.measure.star import RoughCentroid, rough_centroids, spot_radius

log = get_logger(__name__)


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
    means = [
        mean_image(cube.source, cube.pixel_calibration, flip=cube.flip, frames=ROUGH_FRAMES,
                   memory=cube.memory)
        for cube in cubes
    ]  # fmt: skip
    image = mean(np.stack(means))  # a pixel that no cube shows stays without a value
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
