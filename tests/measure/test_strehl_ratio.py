"""The Strehl ratio against the truth of simulated nights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vampires.config import AnalysisSettings
from vampires.cube import CameraCube
from vampires.measure.halo import measure_halo, whole_psf
from vampires.measure.psf import synthetic_psf
from vampires.simulate import NightSpec, simulate_night

CLEAN = {
    "mode": "qcmos", "polarimetry": "none", "size": 128, "frames": 4, "cycles": 1, "exptime": 0.05,
    "flux": 6e5, "ring": None, "calibration_frames": 0, "speckles": 12, "mueller": "ideal",
}  # fmt: skip
EMCCD = {"mode": "emccd-stars", "flux": 6e4, "exptime": 0.25, "frames": 8}


@pytest.mark.parametrize(
    "changes",
    [
        {"strehl": 0.2, "size": 160},
        {"strehl": 0.45, **EMCCD},
        {"strehl": 0.9, "filter": "Open"},
        {"strehl": 0.5, "bands": "mbi", "frames": 3},
    ],
    ids=["low", "emccd", "high", "multiband"],
)
def test_within_a_tenth_of_the_truth(tmp_path, changes):
    simulate_night(NightSpec(**{**CLEAN, **changes}), tmp_path / "night")
    truth = json.loads((tmp_path / "night" / "truth.json").read_text())
    entry = truth["files"][0]
    cube = CameraCube.open([tmp_path / "night" / "raw" / entry["name"]])
    annulus = AnalysisSettings(phot_ann_rad=(14.0, 20.0))
    for settings in (AnalysisSettings(), annulus):
        metrics = cube.measure(settings).measured
        for index, name in enumerate(metrics.fields):
            expected = np.mean(entry["fields"][name]["strehl"])
            found, error = metrics.strehl[index, 0], metrics.strehl_err[index, 0]
            assert found.mean() == pytest.approx(expected, rel=0.1)
            assert abs(found.mean() - expected) < 3.5 * error.mean()
            assert (error < 0.2 * found + 0.02).all()
            assert metrics.sharpness[index, 0].mean() > expected


def test_halo_of_known_shape():
    """Core, halo, sky and a companion: the light beyond an aperture is that of the halo."""
    psf = whole_psf(synthetic_psf("750-50", 5.91, -38.4, 257).astype(float))
    y, x = np.indices(psf.shape) - 128.0
    halo = ((np.hypot(y, x) / 3.3) ** 2 + 4) ** -1.5
    halo[np.hypot(y, x) > 22 * 3.3] *= 0
    halo *= 0.5 / halo.sum()
    image = 1e5 * (0.5 * psf + halo) + 2.0
    image[60:64, 150:154] += 300
    outside = np.hypot(y, x) > 8
    found = measure_halo(image, (128.0, 128.0), psf, 3.3, (8.0, 120.0))
    expected = 1e5 * ((0.5 * psf + halo)[outside].sum() + 0.5 * (1 - psf.sum()))
    assert found.flux == pytest.approx(expected, rel=0.15)
    assert found.background == pytest.approx(2.0, abs=0.3)


def test_too_small_a_field_has_none(tmp_path):
    psf = whole_psf(synthetic_psf("750-50", 5.91, -38.4, 257).astype(float))
    assert measure_halo(np.ones((20, 20)), (9.5, 9.5), psf, 3.3, (8.0, 9.4)) is None


def test_without_photometry_there_is_only_the_sharpness(tmp_path):
    simulate_night(NightSpec(**{**CLEAN, "size": 64, "frames": 2}), tmp_path / "night")
    raw = sorted((tmp_path / "night" / "raw").iterdir())[0]
    metrics = CameraCube.open([raw]).measure(AnalysisSettings(photometry=False)).measured
    assert np.isfinite(metrics.sharpness).all()
    assert np.isnan(metrics.strehl).all()
    assert np.isnan(metrics.strehl_err).all()
