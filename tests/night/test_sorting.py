"""Sorting: readable folders, nothing lost, nothing overwritten, nothing outside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.errors import FileError
from vampires.header import normalize_header
from vampires.io.paths import safe_name
from vampires.night import sorting
from vampires.night.sorting import sort_files, sorted_folder
from vampires.simulate import NightSpec, simulate_night

HEADERS = Path(__file__).parents[1] / "data" / "headers"


@pytest.fixture
def raw(stars_night: Path, tmp_path: Path) -> list[Path]:
    """Private copies of two science files and a dark."""
    folder = tmp_path / "raw"
    folder.mkdir()
    files = sorted((stars_night / "raw").glob("*.fits"))
    return [Path(shutil.copy2(path, folder)) for path in [*files[:2], files[32]]]


def header(name: str, **cards: object) -> fits.Header:
    raw = fits.Header.fromtextfile(HEADERS / f"{name}.header")
    raw.update(cards)
    return normalize_header(raw, f"{name}.fits")


def test_folders_of_both_naming_schemes() -> None:
    emccd = header("emccd_stars_2022")
    folder = sorted_folder(emccd)
    assert folder.parts[0] == emccd["OBJECT"]
    assert folder.parts[1] == f"750-50_em300_00250ms_{emccd['NAXIS1']}x{emccd['NAXIS2']}"
    qcmos = header("qcmos_pdi_2024")
    exptime = round(qcmos["EXPTIME"] * 1e6)
    assert sorted_folder(qcmos).parts[1] == (
        f"{qcmos['FILTER01']}_{qcmos['FILTER02']}_{exptime:09d}us_"
        f"{qcmos['NAXIS1']}x{qcmos['NAXIS2']}"
    )
    dark = header("qcmos_pdi_2024", **{"DATA-TYP": "DARK", "U_FLDSTP": "Focal"})
    assert sorted_folder(dark).as_posix() == (
        f"darks/{exptime:09d}us_Focal_{qcmos['NAXIS1']}x{qcmos['NAXIS2']}"
    )


def test_cameras_of_multiband_data_stay_together() -> None:
    one = header("qcmos_mbi_2024", U_CAMERA=1, NAXIS1=2236, NAXIS2=1096)
    two = header("qcmos_mbi_2024", U_CAMERA=2, NAXIS1=2240, NAXIS2=1096)
    assert sorted_folder(one) == sorted_folder(two)


@settings(deadline=None)
@given(st.text(max_size=400))
def test_names_are_safe_whatever_the_header_says(text: str) -> None:
    name = safe_name(text)
    assert 1 <= len(name) <= 100
    assert not name.startswith((".", "_"))
    assert Path(name).name == name
    assert name.isascii()
    assert name.isprintable()


@pytest.mark.parametrize("target", ["../../etc", "/", "\0", "", "..", "x" * 300, "darks", "a/b"])
def test_hostile_targets_stay_inside(tmp_path: Path, target: str) -> None:
    emccd = header("emccd_stars_2022")
    emccd["OBJECT"] = target.replace("\0", " ")
    folder = sorted_folder(emccd)
    assert len(folder.parts) == 2
    assert (tmp_path / folder).resolve().is_relative_to(tmp_path.resolve())
    assert folder.parts[0] not in sorting.FOLDERS.values()


@pytest.mark.parametrize("action", ["copy", "link", "move"])
def test_every_file_arrives_whole(raw: list[Path], tmp_path: Path, action: str) -> None:
    content = {path.name: path.read_bytes() for path in raw}
    results = sort_files(raw, tmp_path / "out", action=action)
    assert [r.reason for r in results] == [None, None, None]
    assert {r.target.name: r.target.read_bytes() for r in results if r.target} == content
    assert results[2].target is not None
    assert results[2].target.relative_to(tmp_path / "out").parts[0] == "darks"
    assert all(path.exists() == (action != "move") for path in raw)
    if action == "link":
        assert all(r.target is not None and r.target.samefile(r.source) for r in results)


@pytest.mark.parametrize("action", ["copy", "link", "move"])
def test_repeating_finishes_an_interrupted_run(
    raw: list[Path], tmp_path: Path, action: str
) -> None:
    """As if killed after the copy (or link) of a file and before its removal."""
    out = tmp_path / "out"
    content = {path.name: path.read_bytes() for path in raw}
    sort_files(raw[:1], out, action="link" if action != "copy" else "copy")
    results = sort_files(raw, out, action=action)
    assert [r.reason for r in results] == [None, None, None]
    assert {p.name: p.read_bytes() for p in out.rglob("*.fits")} == content
    assert all(path.exists() == (action != "move") for path in raw)


def test_sorting_in_place_twice_is_harmless(raw: list[Path], tmp_path: Path) -> None:
    first = sort_files(raw, tmp_path, action="move")
    targets = [r.target for r in first if r.target is not None]
    again = sort_files(targets, tmp_path, action="move")
    assert [r.target for r in again] == targets
    assert all(path.exists() for path in targets)


@pytest.mark.parametrize("action", ["copy", "link", "move"])
def test_a_different_file_of_that_name_is_never_overwritten(
    raw: list[Path], tmp_path: Path, action: str
) -> None:
    out = tmp_path / "out"
    target = sort_files(raw[:1], out)[0].target
    assert target is not None
    target.write_bytes(b"precious")
    result = sort_files(raw[:1], out, action=action)[0]
    assert result.target is None
    assert "exists and differs" in (result.reason or "")
    assert target.read_bytes() == b"precious"
    assert raw[0].exists()
    assert [p for p in out.rglob("*") if ".tmp" in p.name] == []


def test_without_hard_links_files_are_copied(
    raw: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    content = raw[0].read_bytes()
    result = sort_files(raw[:1], tmp_path / "out", action="move")[0]
    assert result.target is not None
    assert result.target.read_bytes() == content
    assert not raw[0].exists()


def test_a_link_that_leads_out_is_refused(raw: list[Path], tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "darks").symlink_to(elsewhere)
    result = sort_files(raw[2:], out)[0]
    assert result.target is None
    assert "leads out" in (result.reason or "")
    assert list(elsewhere.rglob("*")) == []


def test_unusable_files_stay_where_they_are(raw: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.fits"
    bad.write_text("nothing")
    results = sort_files([bad, raw[0]], tmp_path / "out", action="move")
    assert results[0].target is None
    assert results[1].target is not None
    assert bad.exists()
    with pytest.raises(FileError, match="allowed are copy, link, move"):
        sort_files(raw, tmp_path, action="burn")


def test_decompression(tmp_path: Path) -> None:
    spec = NightSpec.preset("fz", size=48, frames=3, cycles=1, calibration_frames=0)
    simulate_night(spec, tmp_path)
    path = sorted((tmp_path / "raw").glob("*.fits.fz"))[0]
    result = sort_files([path], tmp_path / "out", decompress=True)[0]
    assert result.target is not None
    assert result.target.name == path.name.removesuffix(".fz")
    assert (fits.getdata(result.target) == fits.getdata(path)).all()
    one, two = fits.getheader(result.target), fits.getheader(path, 1)
    assert normalize_header(one, path)["MJD"] == normalize_header(two, path)["MJD"]
    assert sort_files([path], tmp_path / "out", decompress=True)[0].target == result.target
    moved = sort_files([path], tmp_path / "out", action="move", decompress=True)[0]
    assert moved.target == result.target
    assert not path.exists()
