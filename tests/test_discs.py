"""Resolved objects: the centre of the limb, frame by frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vampires.centroid import RoughCentroid
from vampires.config import AnalysisSettings
from vampires.cube import CameraCube
from vampires.discs import centre_of_light, measure_discs
from vampires.errors import MeasurementError
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Planet

SETTINGS = AnalysisSettings(window_size=301, photometry=False)


def disc(y: float, x: float, radius: float = 9.0, size: int = 61) -> np.ndarray:
    """A soft disc with a bright spot near its limb."""
    rows, columns = np.indices((size, size))
    image = 1 / (1 + np.exp(2 * (np.hypot(rows - y, columns - x) - radius)))
    image[round(y), round(x + radius / 2)] += 3
    return image.astype(np.float32)


def test_the_window_follows_the_light() -> None:
    places = np.array([[30, 30], [27, 33], [36, 25]])
    stamps = np.stack([disc(y, x) for y, x in places])[None]
    assert np.abs(centre_of_light(stamps, 15) - places).max() <= 1
    assert (centre_of_light(np.full_like(stamps, np.nan), 15) == 30).all()


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> tuple[CameraCube, np.ndarray]:
    folder = tmp_path_factory.mktemp("planet") / "night"
    spec = NightSpec.preset(
        "planet", size=96, cycles=1, polarimetry="none", strehl=0.95, flux=1e7,
        planet=Planet(diameter=0.2), calibration_frames=0,
    )  # fmt: skip
    night = simulate_night(spec, folder)
    cube = CameraCube.open([night.raw[0]])
    star = night.star(night.raw[0].name)
    if cube.flip:
        star[:, 0] = cube.source.ny - 1 - star[:, 0]
    return cube, star


def test_the_disc_is_found_in_every_frame(cube: tuple[CameraCube, np.ndarray]) -> None:
    """A window wider than the frame is narrowed; 0.1 px where the image is sharp."""
    frames, star = cube
    place = RoughCentroid((star[:, 0].mean() + 2, star[:, 1].mean() - 3), radius=17.0)
    measured = measure_discs(frames, [place], SETTINGS).measured
    assert np.sqrt(np.mean((measured.positions("dft")[0] - star) ** 2)) < 0.1
    assert np.isnan(measured.strehl).all()


@pytest.mark.parametrize("radius", [None, -1.0, 60.0])
def test_a_disc_without_a_sensible_radius_is_refused(
    cube: tuple[CameraCube, np.ndarray], radius: float | None
) -> None:
    place = replace(RoughCentroid((47.5, 47.5)), radius=radius)
    with pytest.raises(MeasurementError, match=r"radius .* is not within a window of 95 px"):
        measure_discs(cube[0], [place], SETTINGS)
