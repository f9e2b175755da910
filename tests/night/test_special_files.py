"""Things among the raw files that are no files, or do not answer."""

import os
import socket
import time

import pytest

from vampires.errors import FileError
from vampires.io.frames import open_frames
from vampires.night.index import build_index
from vampires.night.patient import scan_files
from vampires.night.scan import scan_file


@pytest.fixture(name="odd")
def fixture_odd(tmp_path):
    """A folder with one thing of each kind, called as raw files are."""
    os.mkfifo(tmp_path / "fifo.fits")
    (tmp_path / "folder.fits").mkdir()
    (tmp_path / "dangling.fits").symlink_to("nowhere.fits")
    (tmp_path / "device.fits").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        old = os.getcwd()  # noqa: PTH109 - a socket's path must be short
        os.chdir(tmp_path)
        listener.bind("socket.fits")
        os.chdir(old)
    return tmp_path


WORDS = {
    "fifo": "is a FIFO", "folder": "is a folder", "device": "is a device", "socket": "is a socket",
    "dangling": "is a link to nowhere.fits, which is not there",
}  # fmt: skip


def test_none_is_opened_and_each_has_its_reason(odd):
    records = {record["name"]: record for record in build_index("*.fits", odd)}
    assert records.keys() == WORDS.keys()
    for name, words in WORDS.items():
        assert not records[name]["ok"]
        assert records[name]["reason"].startswith(f"{odd / name}.fits: {words}")


@pytest.mark.parametrize("name", WORDS)
def test_frames_are_not_read_from_them_either(odd, name):
    with pytest.raises(FileError, match=WORDS[name]):
        open_frames(odd / f"{name}.fits")


def test_a_file_that_does_not_answer_is_named_and_the_others_are_scanned(tmp_path, stars_night):
    good = str(sorted((stars_night / "raw").glob("*.fits"))[0])
    silent = [str(tmp_path / f"{name}.fits") for name in "abc"]

    def scan(path):
        if path in silent:
            time.sleep(30)
        return scan_file(path)

    scan_file(good)  # loads what it needs
    begun = time.monotonic()
    scans = scan_files([silent[0], good, *silent[1:]], scan, patience=5.0)
    assert time.monotonic() - begun < 20
    assert [entry.record["ok"] for entry in scans] == [False, True, False, False]
    assert f"{silent[0]}: does not answer for 5 s" in scans[0].record["reason"]
    assert "for 2 s" in scans[2].record["reason"]
