"""`doit sort` and `doit table` as a person runs them."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.table import Table
from fixtures.doit import doit, start

from vampires.simulate import NightSpec, simulate_night

HOSTILE = {
    "dots": "../../etc",
    "slash": "/",
    "absolute": "/tmp/x",
    "empty": "",
    "blanks": "     ",
    "parent": "..",
    "long": "x" * 300,
    "calibration": "darks",
    "newline": "a b\tc",
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a small compressed qCMOS night."""
    folder = tmp_path_factory.mktemp("nights") / "fz"
    spec = NightSpec.preset("fz", size=48, frames=2, cycles=1, calibration_frames=4)
    simulate_night(spec, folder)
    return folder / "raw"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.fits*")}


@pytest.mark.parametrize("option", [(), ("--link",), ("--move",)])
def test_files_are_sorted(night: Path, tmp_path: Path, option: tuple[str, ...]) -> None:
    raw = Path(shutil.copytree(night, tmp_path / "raw"))
    before = contents(raw)
    status, out, err = doit(tmp_path, "sort", "raw/*.fits.fz", "-o", "sorted", *option)
    assert (status, err) == (0, "")
    assert f"{len(before)} sorted, 0 left" in out
    assert contents(tmp_path / "sorted") == before
    assert (len(contents(raw)) == 0) == ("--move" in option)
    assert {p.name for p in (tmp_path / "sorted").iterdir()} == {
        "ABAUR", "darks", "flats", "skies", "pinholes",
    }  # fmt: skip


def test_decompressed_files_hold_the_same(night: Path, tmp_path: Path) -> None:
    one = min(night.iterdir())
    status, out, _ = doit(tmp_path, "sort", str(one), "--decompress")
    assert status == 0
    (made,) = tmp_path.rglob("*.fits")
    assert (fits.getdata(made) == fits.getdata(one)).all()
    assert str(made.parent.relative_to(tmp_path)) in out


def test_hostile_targets_stay_in_the_output_directory(night: Path, tmp_path: Path) -> None:
    """Whatever OBJECT says; a NUL cannot be a card of astropy, so it is put in by hand."""
    raw = tmp_path / "raw"
    raw.mkdir()
    with fits.open(min(night.iterdir())) as hdus:
        data, header = hdus[1].data, hdus[1].header.copy()
    for name, target in {**HOSTILE, "nul": "a%b"}.items():
        header["OBJECT"] = target.replace("\t", " ")
        fits.PrimaryHDU(data, header).writeto(raw / f"{name}.fits", output_verify="ignore")
    nul = raw / "nul.fits"
    nul.write_bytes(nul.read_bytes().replace(b"'a%b", b"'a\0b", 1))
    outside = {path for path in tmp_path.rglob("*") if path.is_file()}
    status, _, err = doit(tmp_path, "sort", "raw", "--output", "deep/er/sorted")
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - outside
    assert all(path.is_relative_to(tmp_path / "deep" / "er" / "sorted") for path in made)
    left = [line for line in err.splitlines() if line.startswith("left where it is")]
    assert len(made) + len(left) == len(HOSTILE) + 1
    assert len(made) >= len(HOSTILE)
    assert status == (1 if left else 0)
    folders = {path.parent.parent.name for path in made}
    assert "darks" not in folders
    assert "Traceback" not in err


def test_nothing_is_overwritten(night: Path, tmp_path: Path) -> None:
    one = min(night.iterdir())
    doit(tmp_path, "sort", str(one), "-o", "sorted")
    (made,) = (tmp_path / "sorted").rglob("*.fits.fz")
    made.write_bytes(b"precious")
    status, out, err = doit(tmp_path, "sort", str(one), "-o", "sorted", "--link")
    assert status == 1
    assert "exists and differs" in err
    assert "0 sorted, 1 left" in out
    assert made.read_bytes() == b"precious"


def test_a_killed_move_is_finished_by_the_next(night: Path, tmp_path: Path) -> None:
    before = contents(night)
    for attempt in range(10):  # a machine that is busy elsewhere may look too late
        folder = tmp_path / str(attempt)
        raw = Path(shutil.copytree(night, folder / "raw"))
        process = start(folder, "sort", "raw", "-o", "sorted", "--move")
        while process.poll() is None and len(contents(folder / "sorted")) < 3:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL and contents(raw):
            break
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(contents(raw)) < len(before)
    for path in raw.rglob("*.fits*"):
        assert path.read_bytes() == before[path.name]
    files = [str(path) for path in raw.iterdir()]
    status, _, err = doit(folder, "sort", *files, "-o", "sorted", "--move")
    assert (status, err) == (0, "")
    found = {k: v for k, v in contents(folder / "sorted").items() if not k.startswith(".")}
    assert found == before
    assert list(raw.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sort",), "which files?"),
        (("sort", "none*.fits"), "no file matches 'none*.fits'"),
        (("sort", ".", "--move", "--link"), "exclude each other"),
        (("sort", "x.fits", "--copy"), "doit help sort"),
        (("sort", __file__, "-o", __file__), "File exists"),
        (("sort", __file__, "-o", f"{__file__}/x"), "Not a directory"),
        (("table", "-o", "x.txt", "x.fits"), "end it with .ecsv"),
        (("table", "none*.fits"), "no file matches"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    status, _, err = doit(tmp_path, *arguments)
    assert status == 3
    assert words in err
    assert len(err.splitlines()) == 1


def test_the_header_table(night: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.fits").write_text("nothing")
    status, out, err = doit(tmp_path, "table", str(night), "bad.fits", "-o", "night.ecsv")
    assert (status, err) == (0, "")
    assert "1 of them unusable" in out
    table = Table.read(tmp_path / "night.ecsv")
    assert len(table) == len(list(night.iterdir())) + 1
    assert table["file"][-1] == "bad.fits"
    assert "is not FITS" in table["reason"][-1]
    assert set(table["kind"]) == {"science", "background", "flat", "sky", "pinhole", "unusable"}
    assert table["EXPTIME"].dtype.kind == "f"
    assert table["EXPTIME"].mask[-1]
    assert list(table["MJD"][:-1]) == sorted(table["MJD"][:-1])
    rows = (tmp_path / "night.csv").read_text().splitlines()
    assert len(rows) == len(table) + 1
