"""Corrections of raw headers ([[data.fix]]): applied, recorded, noticed when they change."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from vampires.config import config_from_dict
from vampires.cube import CameraCube
from vampires.errors import ConfigError
from vampires.night.fixes import Fix, load_fixes, meant_for
from vampires.night.index import build_index
from vampires.night.placing import placed
from vampires.night.raw import HeaderIndex, raw_header
from vampires.sky.geometry import Target


@pytest.fixture
def raw(stars_night: Path, tmp_path: Path) -> Path:
    """Four science files of the night."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in sorted((stars_night / "raw").glob("*.fits"))[:4]:
        shutil.copy2(path, folder)
    return folder


def fixes_of(folder: Path, *tables: dict[str, object]) -> tuple[Fix, ...]:
    config = config_from_dict({"name": "a", "data": {"fix": list(tables)}})
    return load_fixes(config.data.fix, folder)


def utc(mjd: float) -> str:
    return str(np.datetime64("1858-11-17") + np.timedelta64(round(mjd * 86400e3), "ms"))


def test_cards_are_set_by_file_name_and_recorded(raw: Path) -> None:
    first, second = sorted(raw.glob("*.fits"))[:2]
    before = raw_header(first)["RET-ANG1"]
    fixes = fixes_of(raw, {"files": first.stem, "set": {"RET-ANG1": 11.25, "OBJECT": "another"}})
    index = HeaderIndex(raw / "index.sqlite", fixes)
    records = {r["name"]: r for r in build_index([raw], cache_path=index.path, fixes=fixes)}
    assert records[first.stem]["hwp"] == 11.25
    assert records[second.stem]["hwp"] != 11.25
    header = CameraCube.open([first], index=index).header
    assert (header["RET-ANG1"], header["OBJECT"]) == (11.25, "another")
    assert header["HDRFIX1"].startswith("RET-ANG1 = 11.25, was ")
    assert str(before) in header["HDRFIX1"] or "missing" in header["HDRFIX1"]
    assert "HDRFIX1" not in CameraCube.open([second], index=index).header
    assert raw_header(first)["RET-ANG1"] == before  # the file itself is as it was


def test_a_changed_correction_is_noticed_and_only_its_files_are_read_again(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = raw / "index.sqlite"
    first = sorted(raw.glob("*.fits"))[0]
    build_index([raw], cache_path=cache)
    from vampires.night import scan

    read: list[str] = []
    original = scan.scan_file
    monkeypatch.setattr(
        scan, "scan_file", lambda path, fixes: read.append(path) or original(path, fixes)
    )
    for angle, expected in ((22.5, [str(first)]), (22.5, []), (45.0, [str(first)])):
        read.clear()
        fixes = fixes_of(raw, {"files": [first.name], "set": {"RET-ANG1": angle}})
        build_index([raw], cache_path=cache, fixes=fixes)
        assert read == expected
    read.clear()
    build_index([raw], cache_path=cache)
    assert read == [str(first)]


def test_a_range_of_times(raw: Path) -> None:
    records = build_index([raw])
    chosen = next(r for r in records if r["mjd"] != records[0]["mjd"])
    fixes = fixes_of(
        raw, {"from": utc(chosen["mjd"] - 1e-6), "until": utc(chosen["mjd"] + 1e-6),
              "set": {"OBJECT": "named"}},
    )  # fmt: skip
    named = [r["mjd"] for r in build_index([raw], fixes=fixes) if r["object"] == "named"]
    assert named
    assert set(named) == {chosen["mjd"]}


def test_the_log_of_the_half_wave_plate(raw: Path) -> None:
    """Columns as scxkw-wpu-parselog writes them (vampires_control, docs/observing/faq.md)."""
    angles = {r["mjd"]: r["hwp"] + 5.0 for r in build_index([raw])}
    middles = sorted(angles)
    lines = ["t_hst,t_utc,stage,position,target,mode"]
    for mjd, target in [(middles[0] - 0.1, 7), *angles.items(), (middles[-1] + 0.1, 8)]:
        lines.append(f"x,{utc(mjd)}+00:00,HWP,50.00,{target},SYNCHRO_ADI")
        lines.append(f"x,{utc(mjd)}+00:00,POL,0,99,SYNCHRO_OFF")
    (raw / "wpu.HWP.csv").write_text("\n".join(lines))
    fixes = fixes_of(raw, {"table": "wpu.HWP.csv"})
    found = build_index([raw], fixes=fixes)
    assert [r["hwp"] for r in found] == [angles[r["mjd"]] for r in found]
    header = HeaderIndex(None, fixes).file(found[0]["path"]).header
    assert (header["RET-MOD1"], header["RET-POS1"]) == ("SYNCHRO_ADI", 50.0)


def test_outside_its_span_the_log_says_nothing(raw: Path) -> None:
    record = build_index([raw])[0]
    lines = ["t_utc,position,target,mode"]
    lines += [f"{utc(record['mjd'] + day)},0,77,SYNCHRO_OFF" for day in (2, 3)]
    (raw / "log.csv").write_text("\n".join(lines))
    again = build_index([raw], fixes=fixes_of(raw, {"table": "log.csv"}))
    assert [r["hwp"] for r in again] == [r["hwp"] for r in build_index([raw])]


def test_a_plate_that_moved_during_the_exposure_is_refused(raw: Path) -> None:
    record = build_index([raw])[0]
    span = record["mjd_end"] - record["mjd_start"]
    moments = [record["mjd_start"] + part * span for part in (-0.5, 0.3, 0.7, 1.5)]
    lines = ["t_utc,position,target,mode"]
    lines += [f"{utc(m)},0,{t},SYNCHRO_OFF" for m, t in zip(moments, (0, 0, 45, 45), strict=True)]
    (raw / "log.csv").write_text("\n".join(lines))
    again = build_index([raw], fixes=fixes_of(raw, {"table": "log.csv"}))
    refused = next(r for r in again if r["path"] == record["path"])
    assert "moved from 0 to 45 deg" in (refused["reason"] or "")


def test_a_table_with_one_row_a_file(raw: Path) -> None:
    first, second = sorted(raw.glob("*.fits"))[:2]
    (raw / "fixes.csv").write_text(f"file,RET-ANG1,OBJECT\n{first.name},67.5,\n{second.name},,B\n")
    found = {r["path"]: r for r in build_index([raw], fixes=fixes_of(raw, {"table": "fixes.csv"}))}
    assert found[str(first)]["hwp"] == 67.5
    assert found[str(second)]["object"] == "B"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"set": {"A": 1}}, "which files are meant"),
        ({"files": "a", "set": {"NAXIS1": 1}}, "cannot be set"),
        ({"files": "a"}, "either set"),
        ({"files": "a", "set": {"A": 1}, "from": "soon"}, "a UTC time"),
        ({"files": "a", "set": {"A": 1}, "card": 2}, "its keys are"),
    ],
)
def test_wrong_tables_are_one_clear_line(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_from_dict({"name": "a", "data": {"fix": [table]}})


def test_a_table_that_is_no_table(raw: Path) -> None:
    (raw / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="needs the columns"):
        fixes_of(raw, {"table": "log.csv"})
    with pytest.raises(ConfigError, match="cannot be read"):
        fixes_of(raw, {"table": "absent.csv"})


# -- what only the pixels and the configuration can tell ------------------------------------------


def without(path: Path, target: Path, *keywords: str, **changes: object) -> None:
    """Copy with cards removed or changed, its pixels as they are stored."""
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        for keyword in keywords:
            del hdus[0].header[keyword]
        hdus[0].header.update(changes)
        hdus.writeto(target, output_verify="ignore")


def test_a_file_that_lost_its_bzero_is_refused(raw: Path) -> None:
    path = sorted(raw.glob("*.fits"))[0]
    without(path, raw / "lost.fits", "BZERO")
    without(path, raw / "text.fits", BZERO="NaN")
    without(path, raw / "scaled.fits", BSCALE=2.0)
    reasons = {r["name"]: r["reason"] or "" for r in build_index([raw])}
    assert "BZERO = 32768 was lost" in reasons["lost"]
    assert "BZERO is 'NaN'" in reasons["text"]
    assert "BSCALE is 2.0" in reasons["scaled"]
    assert sum(not reason for reason in reasons.values()) == 4


def test_whole_numbers_without_bzero_are_counts_too(raw: Path) -> None:
    path = sorted(raw.glob("*.fits"))[0]
    with fits.open(path) as hdus:
        data, header = hdus[0].data.astype(np.int32), hdus[0].header
        fits.PrimaryHDU(data, header).writeto(raw / "wide.fits")
    assert next(r for r in build_index([raw]) if r["name"] == "wide")["ok"]


def test_an_unknown_compression_is_refused(raw: Path) -> None:
    path = sorted(raw.glob("*.fits"))[0]
    with fits.open(path) as hdus:
        fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1").writeto(
            raw / "odd.fits.fz"
        )
    content = (raw / "odd.fits.fz").read_bytes().replace(b"'RICE_1  '", b"'FOO     '")
    (raw / "odd.fits.fz").write_bytes(content)
    record = next(r for r in build_index([raw]) if r["name"] == "odd")
    assert "ZCMPTYPE is 'FOO'" in (record["reason"] or "")


def test_coordinates_the_header_lacks_come_from_the_target(raw: Path) -> None:
    path = sorted(raw.glob("*.fits"))[0]
    header = raw_header(path)
    without(path, raw / "odd.fits", EQUINOX=1950.0)
    records = build_index([raw])
    left = next(r for r in placed(records, lambda: None) if r["name"] == "odd")
    assert not left["ok"]
    assert "[target]" in (left["reason"] or "")
    star = Target(header["TARG-RA"], header["TARG-DEC"], epoch=f"MJD{header['MJD']:.3f}")
    there = next(r for r in placed(records, lambda: star) if r["name"] == "odd")
    assert there["ok"]
    assert there["pa"] == pytest.approx(header["PA"], abs=0.02)


def test_an_impossible_rotator_is_no_matter_of_the_target(raw: Path) -> None:
    path = sorted(raw.glob("*.fits"))[0]
    without(path, raw / "odd.fits", D_IMRMOD="NON-SID", D_IMR="TRACK")
    record = next(r for r in build_index([raw]) if r["name"] == "odd")
    assert record["kind"] == "unusable"
    assert "NON-SID" in (record["reason"] or "")


def test_names_and_patterns_tell_which_files_are_meant() -> None:
    tables = [
        {"files": files, "from": "", "until": "", "set": {"OBJECT": name}, "table": ""}
        for name, files in {
            "all": [], "one": ["VMPA00021001"], "its file": ["VMPA00021001.fits.fz"],
            "many": ["VMPA0002100?"], "literal": ["dark[1].fits"],
        }.items()
    ]  # fmt: skip
    fixes = load_fixes(tables, "")

    def meant(path: str) -> list[object]:
        return [dict(fix.cards)["OBJECT"] for fix in meant_for(path, fixes)]

    assert meant("raw/VMPA00021001.fits.fz") == ["all", "one", "its file", "many"]
    assert meant("VMPA00021002.fits") == ["all", "many"]
    assert meant("raw/dark[1].fits") == ["all", "literal"]
    assert meant("raw/VMPA0002.fits") == ["all"]
