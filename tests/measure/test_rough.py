"""Where to look in a cube: found without help, or the centre of the field."""

from __future__ import annotations

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
    _, found = find_in_cubes([CameraCube.open([night / "VMPA00021001.fits"])])
    y, x = found["750-50"].star
    # offset of the simulated star, about (3.3, -2.6) px with jitter, camera 1 flipped
    assert np.hypot(abs(y - 31.5) - 2.6, abs(x - 31.5) - 3.3) < 1.5


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
