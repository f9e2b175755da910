"""A folder with several stars, filters and exposure times, and what does not belong there."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from fixtures.doit import doit

from vampires.config import load_config
from vampires.io.products import stamp
from vampires.simulate import NightSpec, simulate_night

STARS = {
    "ABAUR": {},
    "HD_1": {"object_name": "HD 1", "ra": "05:30:00.0", "dec": "+20:00:00.0", "seed": 2,
             "start": "2022-02-24T06:00:00", "calibration_frames": 0},
    "MWC_758": {"object_name": "MWC 758", "ra": "05:30:27.5", "dec": "+25:19:57.0", "seed": 3,
                "filter": "625-50", "exptime": 0.5, "start": "2022-02-24T06:30:00"},
}  # fmt: skip


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of each star in a folder of its own, and of all in ``mixed``."""
    root = tmp_path_factory.mktemp("setups")
    (root / "mixed" / "raw").mkdir(parents=True)
    for number, (name, changes) in enumerate(STARS.items(), start=3):
        common = {"frames": 2, "size": 64, "cycles": 1, "calibration_frames": 2, "speckles": 2}
        spec = NightSpec.preset("stars", **{**common, **changes})
        simulate_night(spec, root / "simulated" / name)
        for path in sorted((root / "simulated" / name / "raw").iterdir()):
            own = path.name.replace("VMPA0002", f"VMPA000{number}")
            for folder in (root / name / "raw", root / "mixed" / "raw"):
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / own)
    # Darks and flats of the first star serve the second too, which has none of its own.
    for path in (root / "ABAUR" / "raw").iterdir():
        if int(path.stem[-3:]) > 16:
            shutil.copy(path, root / "HD_1" / "raw")
    raw = root / "mixed" / "raw"
    (raw / "notes.txt").write_text("clear sky\n")
    os.mkfifo(raw / "queue.fits")
    science = fits.getheader(raw / "VMPA00031001.fits")
    product = stamp(science, "digest", []).to_fits()
    fits.writeto(raw / "night_x_coll.fits", np.zeros((64, 64), np.float32), product)
    dark = next(p for p in sorted(raw.iterdir()) if p.stem == "VMPA00031017")
    for number, gain in enumerate((100.0, 200.0)):  # with 0.25 s and 0.5 s at 300: four settings
        shutil.copy(dark, raw / f"VMPA0009000{number}.fits")
        fits.setval(raw / f"VMPA0009000{number}.fits", "U_EMGAIN", value=gain)
    return root


@pytest.fixture(scope="module")
def mixed(nights: Path) -> Path:
    folder = nights / "mixed"
    made = doit(folder, "new", "night.toml", "--raw", "raw/*", "--yes")
    assert made.returncode == 0, made.stderr
    return folder


def test_the_fate_of_every_file_is_written(mixed: Path):
    run = doit(mixed, "files")
    assert run.returncode == 0, run.stdout + run.stderr
    table = Table.read(mixed / "products" / "night_files.ecsv")
    files = {path.name for path in (mixed / "raw").iterdir()}
    assert set(table["file"]) == files - {"night_x_coll.fits"}
    (queue,) = table[table["file"] == "queue.fits"]
    assert "is a FIFO" in queue["fate"]
    darks = table[table["kind"] == "background"]
    assert len(darks) == 8
    assert sum(text.startswith("calibrates") for text in darks["fate"]) == 8
    odd = [row["fate"] for row in darks if row["file"].startswith("VMPA0009")]
    assert odd == ["calibrates nothing"] * 2
    assert set(table["setup"].filled("")) == {"", *STARS}
    assert all(table["fate"])
    (notes,) = table[table["file"] == "notes.txt"]
    assert "is not FITS" in notes["fate"]
    science = table[table["kind"] == "science"]
    assert len(science) == 16 * len(STARS)
    assert set(science["fate"]) == {"coadded; Stokes frame 000"}


def test_new_writes_down_what_it_found(mixed: Path):
    text = (mixed / "night.toml").read_text()
    assert "#   HD_1: HD_1 750-50" in text
    assert load_config(mixed / "night.toml").data.object == ()


def test_what_is_left_out_takes_one_line_each(mixed: Path):
    run = doit(mixed, "unusable")
    lines = [line for line in run.stdout.splitlines() if line.startswith("unusable:")]
    assert len(lines) == 2
    assert {line.split()[0].rstrip(":") for line in lines} == {
        "unusable:notes.txt", "unusable:queue",
    }  # fmt: skip


def test_setups_are_listed(mixed: Path):
    run = doit(mixed, "list", "--all")
    listed = [line for line in run.stdout.splitlines() if line.startswith("setup")]
    assert listed[0].split()[1:3] == ["3", "setups:"]
    assert [line.split()[0] for line in listed[1:]] == [f"setup:{name}" for name in STARS]
    assert "MWC_758 625-50" in listed[3]
    assert "16 files, cameras 1 and 2" in listed[3]


def test_one_object_alone_keeps_the_plain_names(mixed: Path):
    toml = (mixed / "night.toml").read_text()
    one = mixed / "one.toml"
    one.write_text(toml.replace("\n[data]\n", '\n[data]\nobject = "hd1"\n'))
    try:
        run = doit(mixed, "config=one.toml", "list", "--all")
    finally:
        one.unlink()
    listed = run.stdout
    assert run.returncode == 0, run.stderr
    assert "setup:all" in listed
    assert "stokes:000" in listed
    assert "coadd:VMPA00041001" in listed
    assert "coadd:VMPA00031001" not in listed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["HD_1"])
def test_every_setup_is_reduced_as_if_alone(nights: Path, mixed: Path, name: str):
    run = doit(mixed, "-n", "2", f"setup:{name}")
    assert run.returncode == 0, run.stdout + run.stderr
    alone = nights / name
    doit(alone, "new", f"night_{name}.toml", "--raw", "raw/*", "--yes")
    run = doit(alone, "-n", "2", "setup:all")
    assert run.returncode == 0, run.stdout + run.stderr
    compared = 0
    for path in sorted(alone.rglob(f"night_{name}*")):
        if path.suffix in {".fits", ".h5", ".ecsv", ".csv", ".reg"}:
            same = mixed / path.relative_to(alone)
            assert same.read_bytes() == path.read_bytes(), path.name
            compared += 1
    assert compared > 50
