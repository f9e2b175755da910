"""Cubes kept between the steps hold what the steps hand on."""

import numpy as np
import pytest
from astropy.io import fits

from vampires.config import config_from_dict
from vampires.cube import CameraCube
from vampires.io.frames import open_frames
from vampires.night.grouping import Group, group_cubes
from vampires.night.index import build_index
from vampires.night.matching import Masters
from vampires.tasks.intermediate import make_calibrated, make_combined


@pytest.fixture(scope="module", name="group")
def fixture_group(stars_night):
    """Two exposures of camera 1 in one FLC state."""
    groups = group_cubes(build_index(str(stars_night / "raw" / "*.fits")))
    one, two = [g for g in groups if (g.camera, g.flc) == (1, "A")][:2]
    return Group("both", one.records + two.records)


def test_a_combined_cube_holds_the_raw_frames_and_can_be_reduced_like_them(group, tmp_path):
    target = tmp_path / "combined.fits"
    made = make_combined(group, target, config_from_dict({}))
    raw = np.concatenate([fits.getdata(path) for path in group.paths])
    assert made == {"frames": group.nframes} == {"frames": len(raw)}
    source = open_frames(target)
    np.testing.assert_array_equal(source.read(0, source.n).native(), raw)
    assert fits.getheader(target)["NSOURCE"] == len(group.paths)
    again, before = CameraCube.open([target]), CameraCube.open(list(group.paths))
    # from the start of the first file to the end of the last, the gap between them included
    assert again.header["DEROTANG"] == pytest.approx(before.header["DEROTANG"], abs=0.01)
    assert again.fields == before.fields


def test_a_calibrated_cube_holds_the_calibrated_frames_and_their_errors(group, tmp_path):
    target = tmp_path / "calibrated.fits"
    make_calibrated(group, Masters(None, None), target, config_from_dict({}))
    ccd = CameraCube.open(list(group.paths)).with_masters(Masters(None, None)).ccddata
    variance = np.maximum(ccd.uncertainty.array, 0)  # of a pixel far below zero
    with fits.open(target) as hdus:
        np.testing.assert_array_equal(hdus[0].data, ccd.data)
        np.testing.assert_array_equal(hdus["ERR"].data, np.sqrt(variance))
