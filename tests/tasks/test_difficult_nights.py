"""Raw files that are away or corrected later, a star that drifts or saturates, a wrong target."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fixtures.doit import doit
from scipy.ndimage import gaussian_filter

from vampires.simulate import NightSpec, simulate_night

pytestmark = pytest.mark.slow


def made(run):
    """Tasks that a run has done."""
    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.split() for line in run.stdout.splitlines() if line.rstrip().endswith(" s")]
    return {words[0] for words in lines if len(words) == 3}


def products(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((folder / "pdi").rglob("*.fits"))}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A reduced polarimetric night of one cycle."""
    folder = tmp_path_factory.mktemp("difficult") / "night"
    spec = NightSpec.preset(
        "stars", seed=3, size=48, frames=2, cycles=1, speckles=2, calibration_frames=0
    )
    simulate_night(spec, folder)
    new = doit(folder, "new", "night.toml", "--yes", "--set", "calibrate.back_subtract=false",
               "--set", "calibrate.flat_correct=false")  # fmt: skip
    assert new.returncode == 0, new.stderr
    made(doit(folder, "run"))
    return folder


def test_a_correction_makes_what_depends_on_its_file_again_and_nothing_else(night):
    toml, before = (night / "night.toml").read_text(), products(night)
    late = sorted(path.stem for path in (night / "raw").iterdir())[-2]
    changed = f'\n[[data.fix]]\nfiles = "{late}"\nset = {{ D_IMRANG = 91.5 }}\n'
    (night / "night.toml").write_text(toml + changed)
    again = made(doit(night, "run"))
    alone = {name for name in again if name.startswith(("metrics", "coadd:"))}
    assert alone == {f"metrics:{late}", f"coadd:{late}"}
    assert {"mueller:hwp_mode", f"mueller:{late}", "stokes:000", "pdi:product", "report"} <= again
    assert not any(name.startswith(("centroids", "psf", "background", "flat")) for name in again)
    assert products(night) != before
    (night / "night.toml").write_text(toml)
    assert made(doit(night, "run")) >= {f"coadd:{late}", "pdi:product"}
    assert products(night) == before


def test_what_is_made_of_coadds_needs_no_raw_files(night):
    toml, before = (night / "night.toml").read_text(), products(night)
    away = night / "raw"
    away.rename(night / "away")
    idle = doit(night, "run")
    assert idle.returncode == 0
    assert "the raw files are away" in idle.stdout + idle.stderr
    assert "everything is up to date" in idle.stdout
    (night / "night.toml").write_text(
        toml.replace('method = "triplediff"', 'method = "leastsq"').replace(
            "save_adi_cubes = false", "save_adi_cubes = true"
        )
    )
    found = made(doit(night, "run", "pdi", "adi", "diff"))
    assert {"stokes:000", "pdi:product", "adi:cam1", "adi:cam2", "adi:both"} <= found
    assert not any(name.startswith(("coadd:", "metrics")) for name in found)
    assert products(night) != before
    lost = next((night / "coadded").glob("*_coll.fits"))
    content = lost.read_bytes()
    lost.unlink()
    failed = doit(night, "run", "pdi")
    assert failed.returncode != 0
    (line,) = [x for x in failed.stdout.splitlines() if "bring its disk back" in x]
    assert lost.name in line
    assert "Traceback" not in failed.stdout + failed.stderr
    lost.write_bytes(content)
    (night / "away").rename(away)
    (night / "night.toml").write_text(toml)
    made(doit(night, "run"))
    assert products(night) == before


def test_a_night_without_index_and_files_is_one_error(tmp_path):
    (tmp_path / "dodo.py").write_text('"""R."""\n\nfrom vampires.tasks import *\n')
    (tmp_path / "night.toml").write_text('name = "night"\n[data]\nraw = ["raw/*.fits*"]\n')
    run = doit(tmp_path, "run")
    assert run.returncode != 0
    assert "no file matches 'raw/*.fits*'" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def imaging(folder, **changes):
    spec = NightSpec.preset("imaging", seed=3, calibration_frames=0, speckles=2, **changes)
    simulate_night(spec, folder)
    new = doit(folder, "new", "night.toml", "--template", "speckle", "--yes", "--set",
               "calibrate.flat_correct=false")  # fmt: skip
    assert new.returncode == 0, new.stderr


def test_a_slow_drift_is_followed_and_a_target_elsewhere_is_warned_about(tmp_path):
    """30 px within six files; [target] ten degrees from where the telescope pointed."""
    imaging(tmp_path, size=112, frames=4, cycles=6, drift=30.0)
    toml = tmp_path / "night.toml"
    toml.write_text(toml.read_text() + '\n[target]\nra = "04:09:26"\ndec = "+30:33:04"\n')
    run = doit(tmp_path, "run", "coadd")
    made(run)
    assert "the telescope pointed elsewhere than [target] says" in run.stdout
    (degrees,) = {
        round(float(line.partition("degrees=")[2].split(",")[0].rstrip(")")))
        for line in run.stdout.splitlines()
        if "degrees=" in line
    }
    assert degrees == 10
    coadds = sorted((tmp_path / "coadded").glob("*_coll.fits"))
    assert len(coadds) == 12
    for path in coadds:
        smooth = gaussian_filter(np.nan_to_num(np.squeeze(fits.getdata(path))), 1.5)
        peak = np.unravel_index(np.argmax(smooth), smooth.shape)
        assert np.abs(peak - (np.array(smooth.shape) - 1) / 2).max() <= 1, path.name


def test_a_saturated_star_in_speckle_data_says_what_to_do(tmp_path):
    imaging(tmp_path, size=64, frames=3, cycles=1, flux=3e7)
    run = doit(tmp_path, "run", "coadd")
    assert run.returncode != 0
    failures = [line for line in run.stdout.splitlines() if "frames hold saturated pixels" in line]
    assert len(failures) == 2
    assert all("set [frame_select] metric = 'l2norm'" in line for line in failures)


def test_a_folder_with_a_very_long_path_is_slower_and_right(tmp_path):
    """SQLite opens no path above some 500 characters: the headers are read at every start."""
    folder = tmp_path
    while len(str(folder)) < 520:
        folder = folder / ("a" * 50)
    folder.mkdir(parents=True)
    imaging(folder, size=48, frames=2, cycles=1)
    made(doit(folder, "run", "coadd"))
    again = doit(folder, "run", "coadd")
    assert made(again) == set()
    assert "the header index cannot be kept" in again.stdout + again.stderr
    assert "Traceback" not in again.stdout + again.stderr
