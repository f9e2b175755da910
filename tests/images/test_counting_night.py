"""Photon counting of whole nights: through cubes, and through doit with masters."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from fixtures.doit import doit

from vampires.cube import CameraCube
from vampires.errors import MeasurementError
from vampires.simulate import NightSpec, simulate_night

SKY = {
    "polarimetry": "none", "cycles": 1, "ring": None, "mueller": "ideal", "flux": 1e-3,
    "speckles": 2, "speckles_per_frame": 1, "hot_fraction": 0.0, "dead_fraction": 0.0, "prnu": 0.0,
    "vignetting": 0.0, "exptime": 0.25, "dwell": 900.0, "flux_scatter": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("electrons", "frames", "size"), [(0.01, 900, 112), (0.1, 250, 80), (1.0, 120, 64)]
)
def test_unbiased_through_a_cube(tmp_path, electrons, frames, size):
    """To 1 %, with an error plane that is the scatter between pixels."""
    spec = NightSpec(
        frames=frames, size=size, sky_rate=electrons / 0.25, calibration_frames=0, **SKY
    )
    simulate_night(spec, tmp_path)
    raw = sorted((tmp_path / "raw").iterdir())[0]
    cube = CameraCube.open([raw]).register(None)
    image = cube.coadd("photon_counting", size, pad=False, recenter=None)
    inner = image.data[0, 8:-8, 8:-8] * 0.25
    expected = electrons + spec.generation.dark_current * 0.25
    error = inner.std() / np.sqrt(inner.size)
    assert inner.mean() == pytest.approx(expected, abs=0.01 * expected + 2 * error)
    assert error < 0.01 * expected
    variance = image.variance[0, 8:-8, 8:-8] * 0.25**2
    assert np.sqrt(variance.mean()) == pytest.approx(inner.std(), rel=0.05)
    if 0.02 < electrons < 0.7:
        assert abs(image.header["PCBIAS"]) < 0.01


def test_a_night_through_doit(tmp_path):
    """With darks as background; the error plane holds, and the mean agrees."""
    spec = NightSpec(
        frames=200, size=72, sky_rate=0.2, calibration_frames=60, **{**SKY, "flux": 400.0}
    )
    simulate_night(spec, tmp_path)
    (tmp_path / "dodo.py").write_text("from vampires.tasks import *\n")
    truth = json.loads((tmp_path / "truth.json").read_text())
    skies = [entry["name"] for entry in truth["calibs"] if entry["type"] == "SKYFLAT"]
    images = {}
    for method, exclude in (("photon_counting", []), ("photon_counting", skies), ("mean", skies)):
        text = f'name = "n"\n[align]\nalign = false\n[coadd]\nmethod = "{method}"\n'
        text += f"[calibrate]\nflat_correct = false\n[data]\nexclude = {exclude}\n"
        (tmp_path / "night.toml").write_text(text)
        run = doit(tmp_path, "coadd")
        if not exclude:
            assert run.returncode != 0
            assert "holds the sky, whose photons would be counted" in run.stdout
            continue
        assert run.returncode == 0, run.stdout + run.stderr
        path = sorted((tmp_path / "coadded").glob("*_coll.fits"))[0]
        with fits.open(path) as hdus:
            images[method] = (hdus[0].data.astype(float), hdus["ERR"].data.astype(float))
            header = hdus[0].header
            assert header["COADDMET"] == method
            if method == "photon_counting":
                assert header["PCTHRESH"] == 1.2
                assert abs(header["PCBIAS"]) < 0.03
    counted, mean = images["photon_counting"], images["mean"]
    y, x = np.indices(counted[0].shape)
    dark = (np.hypot(y - 36, x - 36) > 30) & np.isfinite(counted[0]) & np.isfinite(mean[0])
    assert counted[0][dark].mean() == pytest.approx(mean[0][dark].mean(), rel=0.03)
    assert counted[0][dark].std() < 0.9 * mean[0][dark].std()
    assert counted[1][dark].mean() == pytest.approx(counted[0][dark].std(), rel=0.15)


def test_too_few_frames_are_refused(tmp_path):
    simulate_night(NightSpec(frames=10, size=64, calibration_frames=0, **SKY), tmp_path)
    cube = CameraCube.open([sorted((tmp_path / "raw").iterdir())[0]]).register(None)
    with pytest.raises(MeasurementError, match="needs 20 frames, found 10"):
        cube.coadd("photon_counting", 64, pad=False, recenter=None)
