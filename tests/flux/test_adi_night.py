"""Nights with a companion through doit: ADI images, reference stars, several fields, contrast."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from fixtures.doit import doit

from vampires.flux.adi import place
from vampires.kernels.aperture import circle_sum
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion

pytest.importorskip("vip_hci")

COMPANION = Companion(contrast=0.02, separation=0.17, position_angle=70.0)
NIGHT = {
    "mode": "qcmos", "polarimetry": "none", "frames": 3, "exptime": 0.05, "ring": None,
    "mueller": "ideal", "calibration_frames": 0, "hot_fraction": 0.0, "dead_fraction": 0.0,
    "vignetting": 0.0, "prnu": 0.0, "speckles": 12, "speckles_per_frame": 6, "strehl": 0.7,
    "dwell": 60.0, "start": "2024-01-15T07:10:00", "flux_scatter": 0.0,
}  # fmt: skip
ADI = '[adi]\nmethod = "{method}"\ncomponents = 3\n'


def reduce(folder: Path, text: str, *goals: str):
    (folder / "night.toml").write_text(f'name = "n"\n{text}')
    (folder / "dodo.py").write_text("from vampires.tasks import *\n")
    return doit(folder, *goals)


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    """Ten exposures of both cameras about the meridian: 50 deg of rotation."""
    folder = tmp_path_factory.mktemp("adi") / "night"
    spec = NightSpec(size=96, cycles=10, overhead=400.0, flux=1.5e6, companion=COMPANION, **NIGHT)
    simulate_night(spec, folder)
    return folder


def found(plane: np.ndarray, header: fits.Header, separation: float = COMPANION.separation):
    """How far the source is from where it should be [px], and its flux in one FWHM."""
    y, x = place(len(plane), separation / header["PXSCALE"] * 1000, COMPANION.position_angle)
    rows, columns = np.indices(plane.shape)
    near = np.hypot(rows - y, columns - x) < 3.5
    peak = np.where(near, np.nan_to_num(plane), 0)
    weight = np.where(peak > 0.4 * peak.max(), peak, 0)
    at = (weight * rows).sum() / weight.sum(), (weight * columns).sum() / weight.sum()
    flux = circle_sum(plane, plane, y, x, header["FWHM0"] / 2)[0]
    return float(np.hypot(at[0] - y, at[1] - x)), float(flux)


@pytest.mark.parametrize("method", ["median", "pca"])
def test_companion_in_place_and_flux(night, method):
    """Within 0.3 px and 10 %, in the images of each camera and of both."""
    run = reduce(night, ADI.format(method=method) + "[contrast]\n", "adi_image", "contrast")
    assert run.returncode == 0, run.stdout + run.stderr
    for suffix in ("", "_cam1", "_cam2"):
        path = night / "products" / "adi" / f"n_adi_image{suffix}.fits"
        assert path.with_suffix(".png").exists()
        with fits.open(path) as hdus:
            planes = {hdu.name: hdu.data.astype(float) for hdu in hdus}
            header = hdus[0].header
        assert header["ADIMETH"] == method
        assert header["ADIFRAME"] == 10
        assert header["CD2_2"] > 0  # north up
        image = planes["PRIMARY"]
        away, flux = found(image, header)
        assert away < 0.3
        table = QTable.read(path.with_name(f"n_adi_throughput{suffix}.ecsv"))
        radius = COMPANION.separation / header["PXSCALE"] * 1000
        passed = np.interp(radius, table["radius"], table["throughput"])
        assert 0.3 < passed <= 1.1
        assert flux / passed / header["STARCOR0"] == pytest.approx(COMPANION.contrast, rel=0.1)
        y, x = np.unravel_index(np.nanargmax(planes["SNR"]), image.shape)
        assert np.hypot(*np.subtract((y, x), place(len(image), radius, 70.0))) < 2
        assert np.nanmax(planes["SNR"]) > 8
        curves = QTable.read(night / "products" / "contrast" / f"n_contrast_adi{suffix}.ecsv")
        assert set(curves["image"]) == {"derotated mean", f"ADI {method}"}
        after = curves[curves["image"] == f"ADI {method}"]
        limit = np.interp(radius, after["radius"].value, after["contrast"])
        assert 1e-5 < limit < COMPANION.contrast
        np.testing.assert_allclose(
            after["contrast"] * header["STARCOR0"], after["limit"].value, rtol=1e-4
        )
    coadds = QTable.read(night / "products" / "contrast" / "n_contrast_cam1.ecsv")
    assert set(coadds["image"]) == {"coadd"}
    assert str(coadds["noise"].unit) == "electron / s"


def test_the_report_shows_the_curves(night):
    run = reduce(night, ADI.format(method="median") + "[contrast]\n", "contrast", "report")
    assert run.returncode == 0, run.stdout + run.stderr
    page = (night / "products" / "n_report.html").read_text()
    assert "Contrast" in page
    assert re.search(r"n_contrast_adi\.png|n_contrast_adi_cam1", page)


def test_reference_star(night, tmp_path):
    """Another night without companion makes the model; what is missing is said."""
    other = tmp_path / "other"
    spec = NightSpec(size=96, cycles=3, overhead=400.0, flux=1e6, seed=7, **NIGHT)
    simulate_night(spec, other)
    (other / "ref.toml").write_text('name = "r"\n')
    (other / "dodo.py").write_text("from vampires.tasks import *\n")
    text = f'[adi]\nmethod = "pca"\ncomponents = 2\nreference = "{other}/ref.toml"\n'
    run = reduce(night, text, "adi_image:cam1")
    assert run.returncode != 0
    assert "coadds are not there; first, in" in run.stdout
    assert doit(other, "coadd").returncode == 0
    run = reduce(night, text, "adi_image:cam1")
    assert run.returncode == 0, run.stdout + run.stderr
    with fits.open(night / "products" / "adi" / "n_adi_image_cam1.fits") as hdus:
        header, image = hdus[0].header, hdus[0].data.astype(float)
    assert header["ADIREF"] == "ref.toml"
    away, flux = found(image, header)
    assert away < 0.4
    # the model holds nothing of the companion
    assert flux / header["STARCOR0"] == pytest.approx(COMPANION.contrast, rel=0.2)


def test_fields_and_all_of_them_together(tmp_path):
    spec = NightSpec(
        size=96, cycles=6, overhead=600.0, bands="mbi", flux=2e6,
        companion=Companion(0.03, 0.17, 70.0), **NIGHT,
    )  # fmt: skip
    simulate_night(spec, tmp_path)
    run = reduce(tmp_path, ADI.format(method="median") + "[contrast]\n", "contrast:adi_cam1")
    assert run.returncode == 0, run.stdout + run.stderr
    folder = tmp_path / "products" / "adi"
    with fits.open(folder / "n_adi_image_cam1.fits") as hdus:
        assert hdus[0].data.shape[0] == hdus[0].header["NFIELDS"] == 4
        fields = [hdus[0].header[f"FIELD{i}"] for i in range(4)]
        for plane in hdus[0].data.astype(float):
            assert found(plane, hdus[0].header)[0] < 0.5
    with fits.open(folder / "n_adi_sdi_cam1.fits") as hdus:
        assert hdus[0].header["FIELD0"] == "SDI"
        away, flux = found(hdus[0].data.astype(float), hdus[0].header)
        assert away < 0.7
        assert flux > 0
    curves = QTable.read(tmp_path / "products" / "contrast" / "n_contrast_adi_cam1.ecsv")
    assert set(curves["field"]) == {*fields, "SDI"}


def test_without_the_extra_one_line_says_so(night):
    code = (
        "import sys; sys.modules['vip_hci'] = None; "
        "import importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda n, *a: None if n == 'vip_hci' else real(n, *a); "
        "from doit.doit_cmd import DoitMain; sys.exit(DoitMain().run(['adi_image']))"
    )
    (night / "night.toml").write_text('name = "n"\n' + ADI.format(method="median"))
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=night, capture_output=True, text=True, check=False
    )
    lines = [line for line in run.stdout.splitlines() if "vip_hci" in line]
    assert run.returncode != 0
    assert len(lines) == 1
    assert "pip install 'vampires[adi]'" in lines[0]
