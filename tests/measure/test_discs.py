"""Resolved objects: the centre of the limb, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from vampires.config import AnalysisSettings
from vampires.cube import CameraCube, find_in_cubes
from vampires.errors import MeasurementError
from vampires.measure.discs import centre_of_light, centre_of_limb, limb_template
from vampires.measure.psf import synthetic_psf
from vampires.measure.star import RoughCentroid
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


def test_the_window_follows_the_limb() -> None:
    """One sided light is no matter."""
    places = np.array([[30, 30], [27, 33], [36, 25]])
    stamps = np.stack([disc(y, x) for y, x in places])[None]
    stamps[..., :, :30] *= 0.2
    assert np.abs(centre_of_limb(stamps, 15, radius=9.0) - places).max() <= 1
    assert (centre_of_limb(np.full_like(stamps, np.nan), 15, radius=9.0) == 30).all()


def test_the_template_looks_at_the_limb_alone() -> None:
    """What is flat inside the limb, or outside, has no part in the correlation."""
    template = limb_template(20.0, synthetic_psf("750-50", 5.91, -38.4, 41), 81)
    y, x = np.indices(template.shape) - 40
    r = np.hypot(y, x)
    weight = np.abs(template).sum()
    assert abs(template.sum()) < 1e-3 * weight
    assert np.abs(template[(r < 10) | (r > 30)]).sum() < 0.05 * weight
    np.testing.assert_allclose(template, template[::-1, ::-1], atol=1e-6 * template.max())


@dataclass(frozen=True)
class Patchy(Planet):
    """A planet brighter on one side, by the factor in front of the distance from its middle."""

    gradient: float = 0.0

    def brightness(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        slope = 2 * self.gradient * east / self.diameter
        return super().brightness(east, north) * (1 + slope)


def simulate(folder: Path, planet: Planet, strehl: float) -> tuple[CameraCube, np.ndarray]:
    spec = NightSpec.preset(
        "planet", size=96, cycles=1, polarimetry="none", strehl=strehl, flux=1e7, frames=32,
        planet=planet, calibration_frames=0,
    )  # fmt: skip
    night = simulate_night(spec, folder / "night")
    cube = CameraCube.open([night.raw[0]])
    star = night.star(night.raw[0].name)
    if cube.flip:
        star[:, 0] = cube.source.ny - 1 - star[:, 0]
    return cube, star


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> tuple[CameraCube, np.ndarray]:
    return simulate(tmp_path_factory.mktemp("planet"), Planet(diameter=0.2), 0.95)


def test_the_limb_is_found_in_every_frame(cube: tuple[CameraCube, np.ndarray]) -> None:
    """A window wider than the frame is narrowed; 0.05 px where the image is sharp."""
    frames, star = cube
    place = RoughCentroid((star[:, 0].mean() + 2, star[:, 1].mean() - 3), radius=16.5)
    measured = frames.measure_discs([place], SETTINGS).measured
    assert np.sqrt(np.mean((measured.positions("dft")[0] - star) ** 2)) < 0.05
    assert np.isnan(measured.strehl).all()


@pytest.mark.parametrize(("gradient", "scatter", "offset"), [(0.0, 0.1, 0.08), (0.33, 0.12, 0.25)])
def test_neither_speckles_nor_clouds_carry_the_limb_away(
    tmp_path: Path, gradient: float, scatter: float, offset: float
) -> None:
    """At a Strehl ratio of 0.5; tolerances in pixels, distances.

    The correlation with a uniform disc scatters by 0.16 px, and is 0.6 px off with one side
    twice as bright as the other; the centre of light 1.3 px.
    """
    frames, star = simulate(tmp_path, Patchy(diameter=0.2, gradient=gradient), 0.5)
    place = next(iter(find_in_cubes([frames], "planet")[1].values()))
    error = frames.measure_discs([place], SETTINGS).measured.positions("dft")[0] - star
    assert np.sqrt(error.var(axis=0).sum()) < scatter
    assert np.hypot(*error.mean(axis=0)) < offset


def test_every_field_has_its_own_disc(tmp_path: Path) -> None:
    """Multiband data: 0.1 px in each field."""
    spec = NightSpec.preset(
        "mbi", size=96, cycles=1, polarimetry="none", strehl=0.8, flux=1e7, frames=6, ring=None,
        companion=None, planet=Planet(diameter=0.2), calibration_frames=0,
    )  # fmt: skip
    night = simulate_night(spec, tmp_path / "night")
    frames = CameraCube.open([night.raw[0]])
    places = find_in_cubes([frames], "planet")[1]
    measured = frames.measure_discs([places[name] for name in frames.fields], SETTINGS).measured
    assert len(frames.fields) == 4
    for name, found in zip(frames.fields, measured.positions("dft"), strict=True):
        star = night.star(night.raw[0].name, name)
        if frames.flip:
            star[:, 0] = frames.source.ny - 1 - star[:, 0]
        assert np.sqrt(np.mean((found - star) ** 2)) < 0.1, name


@pytest.mark.parametrize("radius", [None, -1.0, 44.0, 60.0])
def test_a_disc_without_a_sensible_radius_is_refused(
    cube: tuple[CameraCube, np.ndarray], radius: float | None
) -> None:
    place = replace(RoughCentroid((47.5, 47.5)), radius=radius)
    with pytest.raises(MeasurementError, match=r"radius .* is not within a window of 95 px"):
        cube[0].measure_discs([place], SETTINGS)
