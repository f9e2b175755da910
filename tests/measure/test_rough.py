"""Where to look in a cube: found without help, or the centre of the field."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from vampires.cube import CameraCube, find_in_cubes
from vampires.errors import MeasurementError
from vampires.simulate import NightSpec, simulate_night


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rough") / "night"
    spec = NightSpec.preset(
        "stars", frames=4, size=64, cycles=1, calibration_frames=2, speckles=2, ring=None
    )
    simulate_night(spec, folder)
    return folder / "raw"


def test_star_is_found_where_it_is(night):
    """The mean of the star's true places in the frames, within half a pixel."""
    truth = json.loads((night.parent / "truth.json").read_text())
    for file in truth["files"][:4]:
        cube = CameraCube.open([night / file["name"]])
        _, found = find_in_cubes([cube])
        star = file["fields"]["750-50"]
        y, x = np.mean(star["y"]), np.mean(star["x"])
        y = cube.shape[1] - 1 - y if file["flipped"] else y
        assert found["750-50"].star == pytest.approx((y, x), abs=0.5)
        assert np.hypot(y - 31.5, x - 31.5) > 2  # the middle would not do


def test_empty_frames_are_looked_at_in_the_middle(night, tmp_path, caplog):
    with fits.open(night / "VMPA00021001.fits") as hdus:
        noise = np.random.default_rng(1).normal(150, 2, hdus[0].data.shape)
        hdus[0].data = np.rint(noise).astype(np.uint16)
        hdus.writeto(tmp_path / "VMPA00021001.fits")
    cube = CameraCube.open([tmp_path / "VMPA00021001.fits"])
    _, found = find_in_cubes([cube])
    assert found["750-50"].star == (31.5, 31.5)
    assert "no star" in caplog.text
    with pytest.raises(MeasurementError, match="spot"):
        find_in_cubes([cube], "spots")
