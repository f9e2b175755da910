import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from fixtures.doit import doit

from vampires.simulate import NightSpec, simulate_night
from vampires.tasks import plan as planning
from vampires.tasks.adi import task_adi
from vampires.tasks.differences import task_diff
from vampires.tasks.report import task_report

CONFIG = """
name = "night"
save_adi_cubes = {adi}
[data]
raw = ["raw/*.fits"]
[diff_images]
make_diff = {diff}
save_double = {diff}
"""


@pytest.fixture(scope="module", name="nights")
def fixture_nights(tmp_path_factory):
    """Folders of two tiny nights: narrowband with swaps, and fast polarimetry."""
    folders = {}
    for name in ("sdi", "qcmos"):
        folders[name] = tmp_path_factory.mktemp("nights") / name
        spec = NightSpec.preset(
            name, size=32, frames=2, cycles=2, calibration_frames=0, speckles=2, ring=None
        )
        simulate_night(spec, folders[name])
    return folders


def reduced(folder, monkeypatch, adi="true", diff="true"):
    (folder / "night.toml").write_text(CONFIG.format(adi=adi, diff=diff))
    monkeypatch.chdir(folder)
    planning.current_plan.cache_clear()
    return planning.current_plan()


def targets(tasks):
    return sorted(
        target.rpartition("/")[2]
        for task in tasks for target in task.get("targets", ())
    )  # fmt: skip


def test_narrowband_cubes_are_by_filter_and_camera(nights, monkeypatch):
    plan = reduced(nights["sdi"], monkeypatch)
    names = [f"night_adi_{what}_{band}_cam{camera}.fits" for what in ("angles", "cube")
             for band in ("Ha-Cont", "Halpha") for camera in (1, 2)]  # fmt: skip
    tasks = list(task_adi())
    assert targets(tasks) == sorted(names)
    used = [path for task in tasks for path in task.get("file_dep", ())]
    assert sorted(used) == sorted(str(plan.layout.coadd(group.key)) for group in plan.groups)


def test_one_filter_gives_cubes_of_each_camera_and_both(nights, monkeypatch):
    plan = reduced(nights["qcmos"], monkeypatch)
    tasks = {task["name"]: task for task in task_adi()}
    assert set(tasks) == {None, "cam1", "cam2", "both"}
    assert targets([tasks["both"]]) == ["night_adi_angles.fits", "night_adi_cube.fits"]
    assert len(tasks["both"]["file_dep"]) == len(plan.groups)


def test_differences_of_fast_polarimetry(nights, monkeypatch):
    plan = reduced(nights["qcmos"], monkeypatch)
    tasks = list(task_diff())
    singles = [task for task in tasks if task["basename"] == "diff:single" and task["name"]]
    doubles = [task for task in tasks if task["basename"] == "diff:double" and task["name"]]
    assert len(singles) == len(plan.groups) // 2
    assert len(doubles) == len(plan.groups) // 4
    assert all(len(task["file_dep"]) == 4 for task in doubles)
    assert len({task["targets"][0] for task in singles + doubles}) == len(singles + doubles)


def test_only_the_scaling_of_a_continuum_has_settings(nights, monkeypatch):
    reduced(nights["sdi"], monkeypatch)
    single = next(task for task in task_diff() if task.get("name"))
    assert single["uptodate"][0].settings == {"version": 2, "coronagraphic": False, "radius": 8}
    reduced(nights["qcmos"], monkeypatch)
    single = next(task for task in task_diff() if task.get("name"))
    assert single["uptodate"][0].settings == {"version": 2}


def test_nothing_is_made_that_was_not_asked_for(nights, monkeypatch):
    reduced(nights["qcmos"], monkeypatch, adi="false", diff="false")
    assert targets(task_adi()) == targets(task_diff()) == []


def test_no_pairs_is_a_task_that_says_so(nights, monkeypatch):
    plan = reduced(nights["qcmos"], monkeypatch)
    for record in plan.records:
        record["camera"] = 1
    found = [task for task in task_diff() if task.get("name") == "pairs"]
    assert len(found) == 2
    assert "no two exposures of cameras 1 and 2" in found[0]["doc"]


def test_the_report_depends_on_all_and_nothing_on_it(nights, monkeypatch):
    plan = reduced(nights["sdi"], monkeypatch)
    (task,) = task_report()
    assert task["targets"] == [str(plan.layout.report())]
    measured = {str(plan.layout.metrics(group.key)) for group in plan.groups}
    coadded = {str(plan.layout.coadd(group.key)) for group in plan.groups}
    assert measured | coadded <= set(map(str, task["file_dep"]))


def test_tasks_are_light_to_load():
    code = (
        "import sys, vampires.tasks.adi, vampires.tasks.differences, vampires.tasks.report; "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fields_of_multiband_coadds_are_subtracted_on_request(tmp_path):
    spec = NightSpec.preset(
        "mbi", frames=2, polarimetry="none", cycles=1, calibration_frames=2, speckles=2, ring=None
    )
    simulate_night(spec, tmp_path / "night")
    config = (
        'name = "mbi"\n[data]\nraw = ["night/raw/*.fits"]\n[diff_images]\nmultiband_sdi = true\n'
    )
    (tmp_path / "mbi.toml").write_text(config)
    (tmp_path / "dodo.py").write_text("from vampires.tasks import *\n")
    run = doit(tmp_path, "diff:sdi")
    assert run.returncode == 0, run.stdout + run.stderr
    made = sorted((tmp_path / "diff/sdi").glob("mbi_*_sdi.fits"))
    assert len(made) == len(list((tmp_path / "coadded").glob("*.fits"))) > 0
    difference = fits.getdata(made[0])
    coadd = fits.getdata(tmp_path / "coadded" / made[0].name.replace("_sdi", "_coll"))
    seen = np.isfinite(difference)
    assert difference.shape == coadd.shape
    assert seen.any()
    halo = np.abs(difference[seen]).sum() / np.abs(coadd[seen]).sum()
    assert halo < 0.5  # what scales with wavelength is gone


def test_one_field_has_nothing_to_be_subtracted_from(nights, monkeypatch):
    folder = nights["qcmos"]
    text = CONFIG.format(adi="false", diff="false") + "multiband_sdi = true\n"
    (folder / "night.toml").write_text(text)
    monkeypatch.chdir(folder)
    planning.current_plan.cache_clear()
    tasks = [task for task in task_diff() if task["basename"] == "diff:sdi" and task["name"]]
    assert [task["name"] for task in tasks] == ["pairs"]
    assert "multiband" in tasks[0]["doc"]
