"""A star that is offset, a crop that is moved, and a file without the star."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from vampires.simulate import NightSpec, simulate_night


def doit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "doit", *arguments], cwd=folder, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip


def shift(path: Path, dy: int, dx: int) -> None:
    """Move the pixels of all frames, sky coming in from the other side."""
    with fits.open(path, mode="update") as hdus:
        hdus[0].data = np.roll(hdus[0].data, (dy, dx), axis=(1, 2))


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Cubes 1 and 2 of camera 1 alike; 3 with another crop; 4 offset; 5 dark; 6 as the first."""
    folder = tmp_path_factory.mktemp("moving") / "night"
    spec = NightSpec.preset(
        "qcmos", polarimetry="none", frames=3, size=160, cycles=6, speckles=2,
        calibration_frames=0, ring=None, flux=6e5,
    )  # fmt: skip
    simulate_night(spec, folder)
    files = sorted((folder / "raw").iterdir())
    own = [path for path in files if fits.getval(path, "U_CAMERA") == 1]
    for path in files:
        if path not in own:
            path.unlink()
    shift(own[2], 20, -30)
    fits.setval(own[2], "PRD-MIN1", value=fits.getval(own[2], "PRD-MIN1") + 30)
    fits.setval(own[2], "PRD-MIN2", value=fits.getval(own[2], "PRD-MIN2") - 20)
    shift(own[3], -30, 35)
    with fits.open(own[4], mode="update") as hdus:
        corner = hdus[0].data[:, :40, :40]
        hdus[0].data = np.tile(corner, (1, 4, 4))
    made = doit(folder, "new", "night.toml", "--yes", "--set", "calibrate.flat_correct=false")
    assert made.returncode == 0, made.stderr
    return folder, [path.stem for path in own], doit(folder, "coadd")


def test_the_star_is_in_the_middle_of_every_coadd(night):
    folder, names, run = night
    for name in (*names[:4], names[5]):
        image = fits.getdata(folder / "coadded" / f"night_{name}_coll.fits")
        smooth = gaussian_filter(np.nan_to_num(image), 1.5)
        peak = np.unravel_index(np.argmax(smooth), smooth.shape)
        middle = (np.array(smooth.shape) - 1) / 2
        assert np.abs(peak - middle).max() <= 1.5, name
    assert run.returncode != 0


def test_the_file_without_the_star_is_named(night):
    folder, names, run = night
    assert not (folder / "coadded" / f"night_{names[4]}_coll.fits").exists()
    lines = [line for line in run.stdout.splitlines() if "no star" in line]
    assert lines
    assert all(names[4] in line for line in lines)
    assert "Traceback" not in run.stdout + run.stderr


def test_places_are_recorded(night):
    folder, names, _ = night
    places = {}
    for name in (*names[:4], names[5]):
        with h5py.File(folder / "metrics" / f"night_{name}.h5") as file:
            places[name] = file["places"][0, 0]
    first = places[names[0]]
    flipped = -1  # rows of camera 1 are reversed
    assert places[names[1]][:2] == pytest.approx(first[:2])
    assert places[names[2]][:2] - first[:2] == pytest.approx([20 * flipped, -30], abs=0.01)
    assert places[names[3]][:2] - first[:2] == pytest.approx([-30 * flipped, 35], abs=2)
    assert all(place[2] > 8 and 0.3 < place[3] < 3 for place in places.values())
