"""A simulated EMCCD night reduced from the command line, and what `doit` promises about it."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from fixtures.doit import PATIENCE, Run, doit, start
from fixtures.nights import change_frames, digests, new_reduction

from vampires.images.image import CameraImage
from vampires.observation import Observation
from vampires.polarimetry.stokes import StokesFrame

pytestmark = [pytest.mark.xdist_group("reduction"), pytest.mark.slow]


def done(run: Run) -> Counter[str]:
    """How many tasks of each kind ran, from the plain lines."""
    lines = [line for line in run.stdout.splitlines() if line.endswith(" s") and ";" not in line]
    return Counter(line.split()[0].split(":")[0] for line in lines)


def running(folder: Path) -> set[str]:
    """Tasks that have been started and have not ended, from the log."""
    events: dict[str, str] = {}
    for line in (folder / "debug.log").read_text().splitlines():
        if line.endswith("}"):  # the last one may be half written
            record = json.loads(line)
            if "task" in record:
                events[record["task"]] = record["event"]
    return {task for task, event in events.items() if event == "started"}


@pytest.fixture(scope="module")
def night(stars_night: Path) -> Path:
    return stars_night


@pytest.fixture(scope="module")
def reduced(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reduced")
    new_reduction(folder, night)
    run = doit(folder, "-n", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def truth(night: Path) -> dict:
    return json.loads((night / "truth.json").read_text())


class TestPhysics:
    def test_centroids_and_fluxes(self, reduced, truth):
        errors, ratios = [], []
        for file in truth["files"]:
            star = file["fields"]["750-50"]
            with h5py.File(reduced / f"metrics/night_{Path(file['name']).stem}.h5") as metrics:
                y = np.array(star["y"])
                y = metrics.attrs["ny"] - 1 - y if file["flipped"] else y
                errors.append(metrics["dfty"][0, 0] - y)
                errors.append(metrics["dftx"][0, 0] - np.array(star["x"]))
                ratios.append(metrics["photf"][0, 0] / np.array(star["apflux"]["8"]))
        assert np.sqrt(np.mean(np.square(errors))) < 0.045
        assert np.median(ratios) == pytest.approx(1, abs=0.01)

    def test_derotation_angles(self, reduced, truth):
        for file in truth["files"]:
            header = fits.getheader(reduced / f"coadded/night_{Path(file['name']).stem}_coll.fits")
            turn = header["DEROTANG"] - file["derotang_mean"]
            assert abs((turn + 180) % 360 - 180) < 0.005

    def test_a_notebook_gives_the_same_product(self, reduced):
        frame = Observation.from_config(reduced / "night.toml").stokes()
        product = StokesFrame.read(reduced / "pdi/night_stokes_coll.fits")
        np.testing.assert_allclose(frame.data, product.data, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(frame.errors()["Q"], product.errors()["Q"], rtol=1e-4)

    def test_disk_polarisation(self, reduced, night):
        product, error, expected = _stokes(reduced, night)
        ring = _annulus(expected.shape[-1], 0.15 / 0.00624, 0.38 / 0.00624)
        q, u = product[2][ring], product[3][ring]
        true_q, true_u = expected[1][ring], expected[2][ring]
        assert np.isfinite(product[:4, ring]).all()
        assert (product[2:4, ring] != 0).all()
        amplitude = np.sum((q + 1j * u) * (true_q - 1j * true_u)) / np.sum(true_q**2 + true_u**2)
        sigma = np.sqrt(np.mean(error[2][ring] ** 2) / np.sum(true_q**2 + true_u**2))
        assert abs(amplitude) == pytest.approx(1, abs=0.03 + 3 * sigma)
        assert abs(np.degrees(np.angle(amplitude)) / 2) < 1 + 3 * np.degrees(sigma) / 2

    def test_u_phi_is_noise(self, reduced, night):
        product, error, expected = _stokes(reduced, night)
        ring = _annulus(expected.shape[-1], 0.15 / 0.00624, 0.38 / 0.00624)
        ratio = np.std(product[5][ring]) / np.sqrt(np.mean(error[5][ring] ** 2))
        assert 0.85 < ratio < 1.2

    def test_unpolarised_star_stays_unpolarised(self, reduced, night):
        product, error, expected = _stokes(reduced, night)
        core = _annulus(expected.shape[-1], -1, 15)
        for plane in (2, 3):
            found = product[plane][core].sum() / product[0][core].sum()
            sigma = np.sqrt(np.sum(error[plane][core] ** 2)) / product[0][core].sum()
            assert abs(found) < 0.001 + 3 * sigma


class TestUpToDate:
    """In this order: each test leaves the reduction complete."""

    def test_second_run_does_nothing(self, reduced):
        run = doit(reduced)
        assert run.returncode == 0
        assert "up to date" in run.stdout
        assert not done(run)

    def test_touched_raw_file_runs_its_chain(self, reduced):
        before = digests(reduced)
        (reduced / "raw/VMPA00021030.fits").touch()
        ran = done(doit(reduced))
        chain = ("metrics", "coadd", "mueller", "stokes", "pdi", "coadd_table", "report")
        # the mode of the half-wave plate, too, is decided from all coadds
        assert ran == dict.fromkeys(chain, 1) | {"mueller": 2, "pdi": 3, "pictures": 2}
        assert digests(reduced) == before

    def test_changed_setting_runs_what_reads_it(self, reduced):
        config = reduced / "night.toml"
        text = config.read_text()
        assert '[coadd]\nmethod = "mean"' in text
        config.write_text(text.replace('[coadd]\nmethod = "mean"', '[coadd]\nmethod = "median"'))
        ran = done(doit(reduced, "-n", "2"))
        assert ran["coadd"] == 32
        assert ran["pdi"] == 4  # the product, and its pictures
        assert "metrics" not in ran
        config.write_text("# a comment changes nothing\n" + text)
        doit(reduced, "-n", "2")
        assert not done(doit(reduced))

    def test_forget_redoes_a_step_and_what_follows(self, reduced):
        doit(reduced, "forget", "stokes")
        ran = done(doit(reduced))
        assert set(ran) == {"stokes", "pdi", "report"}

    def test_edited_centroids_are_kept_and_used(self, reduced):
        path = reduced / "aux/night_centroids_cam1.toml"
        edited = path.read_text() + "# seen by a person\n"
        path.write_text(edited)
        ran = done(doit(reduced, "-n", "2"))
        assert ran["metrics"] == 16
        assert "centroids" not in ran
        assert path.read_text() == edited

    def test_a_copied_folder_is_up_to_date(self, reduced, tmp_path):
        doit(reduced)
        there = Path(shutil.copytree(reduced, tmp_path / "there"))
        run = doit(there, "why")
        assert (run.returncode, run.stdout) == (0, "everything is up to date\n")

    def test_name_that_matches_nothing_is_an_error(self, reduced):
        run = doit(reduced, "caod*")
        assert run.returncode == 3
        assert "coadd" in run.stderr


def test_killed_run_is_completed_with_identical_bytes(night, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        new_reduction(folder, night)
    assert doit(whole).returncode == 0
    process = start(killed, "-n", "2")
    deadline = time.monotonic() + PATIENCE
    while len(list(killed.glob("coadded/*.fits"))) < 5 or not running(killed):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert running(killed), "the kill came between two tasks"
    finished = {path: path.stat().st_mtime_ns for path in killed.glob("metrics/*.h5")}
    run = doit(killed, "-n", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    redone = [path for path, when in finished.items() if path.stat().st_mtime_ns != when]
    assert len(redone) <= 2  # those that were running
    assert digests(killed) == digests(whole)


def test_bad_files_cost_only_themselves(night, tmp_path):
    new_reduction(tmp_path, night)
    raw = tmp_path / "raw"
    good = (raw / "VMPA00021001.fits").read_bytes()
    (raw / "VMPA00022001.fits").write_bytes(good[:100_000])
    (raw / "VMPA00022002.fits").write_text("not a FITS file")
    with fits.open(raw / "VMPA00021001.fits") as hdus:
        del hdus[0].header["U_CAMERA"]
        hdus.writeto(raw / "VMPA00022003.fits")
    change_frames(raw / "VMPA00021003.fits", np.zeros_like)
    run = doit(tmp_path, "-n", "2")
    assert run.returncode != 0
    assert "Traceback" not in run.stdout + run.stderr
    lines = [line for line in run.stdout.splitlines() if line.startswith("unusable:")]
    assert len(lines) == 3
    assert "truncated" in lines[0]
    assert "not FITS" in lines[1]
    assert "U_CAMERA" in lines[2]
    assert "metrics:VMPA00021003: " in run.stdout
    assert "pdi:product: warning: made without what failed (n=1" in run.stdout
    header = fits.getheader(tmp_path / "pdi/night_stokes_coll.fits")
    assert header["SRC0001"] == "night_stokes_001.fits"
    assert "SRC0002" not in header
    assert header["NABSENT"] == 1
    assert "TASKHASH" not in header  # not what the recipe says: made again if the record is lost
    assert "TASKHASH" in fits.getheader(tmp_path / "pdi/stokes/night_stokes_001.fits")


def test_object_api_gives_the_coadd_of_the_tasks(night, reduced, tmp_path):
    observation = Observation.from_directory(night / "raw")
    calibrations = observation.calibrations
    calibrations.folder = tmp_path
    cube = observation[3].calibrate(calibrations).measure().select("strehl", 0.0)
    image = cube.register("dft").coadd("mean")
    name = Path(cube.source.paths[0]).stem
    written = CameraImage.read(reduced / f"coadded/night_{name}_coll.fits")
    np.testing.assert_allclose(image.data, written.data, rtol=1e-5, atol=1e-4)
    assert "CameraImage" in repr(image)
    assert "CameraCube" in repr(cube)
    assert image.plot().axes
    assert cube.plot().axes
    small = cube.source.ny * cube.source.nx * 10
    blocks = list(cube.chunks(small))
    assert len(blocks) == cube.shape[0]
    whole = cube.ccddata
    assert whole.shape == cube.shape
    np.testing.assert_array_equal(whole.data, np.concatenate([block.data for block in blocks]))
    np.testing.assert_array_equal(whole.mask[-1:], blocks[-1].mask)
    np.testing.assert_array_equal(whole.uncertainty.array[-1:], blocks[-1].uncertainty.array)


def _stokes(reduced: Path, night: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Product, its errors and the truth, cut to the truth's size."""
    expected = fits.getdata(night / "truth_stokes.fits").astype(float)
    with fits.open(reduced / "pdi/night_stokes_coll.fits") as hdus:
        planes = [hdus[0].data.astype(float), hdus["ERR"].data.astype(float)]
    margin = (planes[0].shape[-1] - expected.shape[-1]) // 2
    cut = slice(margin, margin + expected.shape[-1])
    return planes[0][:, cut, cut], planes[1][:, cut, cut], expected


def _annulus(size: int, inner: float, outer: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(y, x)
    return (radius > inner) & (radius < outer)
