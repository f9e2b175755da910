"""A folder with several stars, filters and exposure times, and what does not belong there."""

import shutil
from pathlib import Path

import pytest
from astropy.table import Table
from fixtures.doit import doit

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
    (root / "mixed" / "raw" / "notes.txt").write_text("clear sky\n")
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
    assert len(table) == len(list((mixed / "raw").iterdir()))
    assert set(table["setup"].filled("")) == {"", *STARS}
    assert all(table["fate"])
    (notes,) = table[table["file"] == "notes.txt"]
    assert "is not FITS" in notes["fate"]
    science = table[table["kind"] == "science"]
    assert len(science) == 16 * len(STARS)
    assert set(science["fate"]) == {"coadded; Stokes frame 000"}


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
    one.write_text(toml.replace("[data]", '[data]\nobject = "hd1"'))
    try:
        listed = doit(mixed, "config=one.toml", "list", "--all").stdout
    finally:
        one.unlink()
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
