"""Files of the first, unsupported format: warned about once, no failure."""

import numpy as np
from astropy.io import fits
from fixtures.doit import doit

from vampires.simulate import NightSpec, simulate_night


def test_ancient_files_are_warned_about_once(tmp_path):
    spec = NightSpec.preset("stars", frames=2, size=48, cycles=1, calibration_frames=2, speckles=2)
    simulate_night(spec, tmp_path / "night")
    ancient = fits.PrimaryHDU(np.zeros((2, 48, 48), np.uint16))
    ancient.header["ACQNCYCS"] = 2
    ancient.writeto(tmp_path / "night/raw/ancient.fits")
    doit(tmp_path, "new", "night.toml", "--raw", "night/raw/*.fits", "--yes")
    first = doit(tmp_path, "left_out")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "left_out:ancient: warning" in first.stdout
    assert "ACQNCYCS" in first.stdout
    again = doit(tmp_path, "left_out")
    assert again.returncode == 0
    assert "warning" not in again.stdout
