"""The header index: found, cached, rescanned, and never raising over one bad file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from vampires.errors import FileError
from vampires.night.index import build_index, find_files
from vampires.night.raw import HeaderIndex
from vampires.night.store import load_raw, load_records, save


@pytest.fixture
def raw(stars_night: Path, tmp_path: Path) -> Path:
    """A private copy of four files of the night, hard to break for others."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in sorted((stars_night / "raw").glob("*.fits"))[:4]:
        shutil.copy2(path, folder)
    return folder


def test_record_of_a_simulated_file(stars_night: Path) -> None:
    truth = json.loads((stars_night / "truth.json").read_text())["files"][0]
    records = {r["name"]: r for r in build_index("raw/*.fits", stars_night)}
    record = records[Path(truth["name"]).stem]
    assert record["ok"]
    assert record["kind"] == "science"
    assert (record["camera"], record["flc"], record["hwp"]) == (
        truth["cam"], truth["flc"], truth["hwp"],
    )  # fmt: skip
    assert record["nframes"] == truth["nframes"]
    assert record["exptime"] == pytest.approx(truth["exptime"])
    assert record["mjd"] == pytest.approx(truth["mjd_mid"], abs=1e-5)
    # The record's angle is of the mean time: the field turns by 0.01 deg/s here.
    assert record["pa"] == pytest.approx(np.mean(truth["pa"]), abs=0.1)


def test_kinds_are_told_apart_by_name(stars_night: Path) -> None:
    kinds = {r["kind"] for r in build_index("raw/*.fits", stars_night)}
    assert kinds == {"science", "background", "sky", "flat", "pinhole"}


def test_sorted_in_time_then_name(stars_night: Path) -> None:
    keys = [(r["mjd"], r["name"]) for r in build_index("raw/*.fits", stars_night)]
    assert keys == sorted(keys)


def test_only_changed_files_are_scanned_again(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = raw.parent / "index.sqlite"
    first = build_index([raw], cache_path=cache)
    scanned: list[str] = []
    scan = sys.modules["vampires.night.scan"]
    original = scan.scan_file  # type: ignore[attr-defined]
    monkeypatch.setattr(
        scan, "scan_file", lambda path, **more: scanned.append(path) or original(path, **more)
    )
    assert build_index([raw], cache_path=cache) == first
    assert scanned == []
    os.utime(first[0]["path"], ns=(1, 1))
    build_index([raw], cache_path=cache)
    assert scanned == [first[0]["path"]]


def test_files_that_are_gone_leave_the_index(raw: Path) -> None:
    cache = raw.parent / "index.sqlite"
    first = build_index([raw], cache_path=cache)
    Path(first[0]["path"]).unlink()
    assert build_index([raw], cache_path=cache) == first[1:]
    assert list(load_records(cache)) == sorted(record["path"] for record in first[1:])


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"schema": 0, "records": []}', b"SQLite format 3"]
)
def test_a_bad_cache_is_made_anew(raw: Path, content: bytes) -> None:
    cache = raw.parent / "index.sqlite"
    cache.write_bytes(content)
    assert len(build_index([raw], cache_path=cache)) == 4
    assert len(load_records(cache)) == 4


def test_an_index_of_another_version_is_made_anew(raw: Path) -> None:
    cache = raw.parent / "index.sqlite"
    build_index([raw], cache_path=cache)
    with contextlib.closing(sqlite3.connect(cache)) as connection, connection:
        connection.execute("PRAGMA user_version = 1")
    assert load_records(cache) == {}
    build_index([raw], cache_path=cache)
    assert len(load_records(cache)) == 4


def test_a_file_in_the_index_is_not_opened_again(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = raw.parent / "index.sqlite"
    path = build_index([raw], cache_path=cache)[0]["path"]
    fresh = HeaderIndex().file(path)
    monkeypatch.setattr("vampires.night.raw.read_raw", lambda *args: pytest.fail("opened again"))
    known = HeaderIndex(cache).file(path)
    assert known == fresh
    assert known.header.prose == fresh.header.prose


def test_a_changed_file_is_read_again(raw: Path) -> None:
    cache = raw.parent / "index.sqlite"
    path = build_index([raw], cache_path=cache)[0]["path"]
    assert load_raw(cache, path) is not None
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["OBJECT"] = "another"
    os.utime(path, ns=(1, 1))
    assert load_raw(cache, path) is None
    assert HeaderIndex(cache).file(path).header["OBJECT"] == "another"


def test_unusable_files_have_one_clear_line_each(raw: Path) -> None:
    good = sorted(raw.glob("*.fits"))
    data = good[0].read_bytes()
    (raw / "truncated.fits").write_bytes(data[:-2880])
    (raw / "cut_header.fits").write_bytes(data[:1000])
    (raw / "text.fits").write_text("this is not FITS")
    (raw / "empty.fits").write_bytes(b"")
    fits.PrimaryHDU(np.zeros((4, 4), np.float32)).writeto(raw / "float.fits")
    with fits.open(good[1]) as hdus:
        del hdus[0].header["U_AQTINT"], hdus[0].header["EXPTIME"]
        hdus.writeto(raw / "no_exptime.fits")
    records = {r["name"]: r for r in build_index([raw])}
    for name, word in {
        "truncated": "truncated", "cut_header": "truncated", "text": "FITS", "empty": "empty",
        "float": "float", "no_exptime": "EXPTIME",
    }.items():  # fmt: skip
        record = records[name]
        assert not record["ok"]
        assert record["kind"] == "unusable"
        assert word in (record["reason"] or "")
        assert name in (record["reason"] or "")
        assert "\n" not in (record["reason"] or "")
    assert sum(r["ok"] for r in records.values()) == 4


def test_ancient_files_are_unsupported_even_when_the_second_header_says_so(raw: Path) -> None:
    image = fits.PrimaryHDU(np.zeros((2, 8, 8), np.uint16))
    more = fits.ImageHDU()
    more.header["ACQNCYCS"] = 10
    fits.HDUList([image, more]).writeto(raw / "old.fits")
    record = next(r for r in build_index([raw]) if r["name"] == "old")
    assert record["kind"] == "unsupported"
    assert "ACQNCYCS" in (record["reason"] or "")


@pytest.mark.parametrize("pattern", ["{stem}", "{stem}.fits", "raw/{stem}.fits", "*{digits}"])
def test_excluded_files_say_so(raw: Path, pattern: str) -> None:
    stem = sorted(raw.glob("*.fits"))[1].stem
    exclude = [pattern.format(stem=stem, digits=stem[-3:])]
    records = build_index([raw], exclude=exclude)
    left = [r for r in records if not r["ok"]]
    assert [r["name"] for r in left] == [stem]
    assert left[0]["kind"] == "excluded"
    assert "exclude" in (left[0]["reason"] or "")


def test_equal_names_in_two_folders_are_refused_but_for_the_first(raw: Path) -> None:
    other = raw / "again"
    other.mkdir()
    name = sorted(raw.glob("*.fits"))[0].name
    shutil.copy2(raw / name, other)
    records = [r for r in build_index([raw]) if r["name"] == Path(name).stem]
    assert [r["ok"] for r in records if Path(r["path"]).parent == raw] == [True]
    refused = next(r for r in records if not r["ok"])
    assert Path(refused["path"]).parent == other
    assert "same name" in (refused["reason"] or "")


def test_patterns_overlap_and_folders_may_hold_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "night [1]"
    (folder / "raw" / "deep").mkdir(parents=True)
    for name in ("a.fits", "b.fits.fz", "deep/c.fits", "note.txt", ".hidden.fits"):
        (folder / "raw" / name).touch()
    names = [Path(p).name for p in find_files(["raw/*.fits*", "raw", "raw/a.fits"], folder)]
    assert names == ["a.fits", "b.fits.fz", "c.fits"]
    with pytest.raises(FileError, match=r"no file matches 'nothing\*'"):
        find_files(["raw/*.fits", "nothing*"], folder)


def test_loading_is_light_and_fast(raw: Path) -> None:
    """Import and a cached index need no array library; 3000 records load quickly."""
    cache = raw.parent / "index.sqlite"
    build_index([raw], cache_path=cache)
    code = (
        "import sys; from vampires.night.index import build_index;"
        f"assert len(build_index([{str(raw)!r}], cache_path={str(cache)!r})) == 4;"
        "import vampires.night.grouping, vampires.night.matching, vampires.night.controller;"
        "heavy = {'numpy', 'astropy', 'numba', 'structlog'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_three_thousand_cached_records(raw: Path) -> None:
    many = raw.parent / "many"
    many.mkdir()
    template = next(iter(sorted(raw.glob("*.fits"))))
    record = build_index([template])[0]
    records = []
    for number in range(3000):
        path = many / f"VMPA{number:08d}.fits"
        path.touch()
        status = path.stat()
        records.append({**record, "path": str(path), "name": path.stem, "size": status.st_size,
                        "mtime_ns": status.st_mtime_ns})  # fmt: skip
    cache = raw.parent / "many.sqlite"
    save(cache, [(record, None) for record in records], ())
    assert len(build_index("many/*.fits", raw.parent, cache_path=cache)) == 3000
