"""Disks that are full or read-only; clocks that go back."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vampires.engine.actions import _failure
from vampires.io.atomic import atomic_path

pytestmark = pytest.mark.campaign

LIMITED = """
import resource, signal, sys
from pathlib import Path
from vampires.io.atomic import atomic_path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    with atomic_path(Path(sys.argv[1])) as path:
        with path.open("wb") as stream:
            stream.write(bytes(100_000))
except OSError as error:
    print(error.filename, error.strerror)
"""


def test_a_disk_that_fills_up_names_the_file_and_leaves_the_old_one(tmp_path, trials, dice):
    """A limit of the size of files stands for a full disk: it may come at any byte."""
    target = tmp_path / "coadd.fits"
    for _ in range(trials(2)):
        target.write_text("old")
        limit = dice.randrange(1, 100_000)
        command = [sys.executable, "-c", LIMITED, str(target), str(limit)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said.strip() == f"{target} File too large"
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path):
    with pytest.raises(OSError, match="coadd") as caught, atomic_path(tmp_path / "coadd.fits"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    expected = f"{tmp_path / 'coadd.fits'}: No space left on device"
    assert _failure(caught.value).message == expected


@pytest.mark.skipif(not shutil.which("mount") or os.getuid() != 0, reason="needs to mount")
def test_a_disk_full_in_mid_run_and_a_read_only_one(project, tmp_path):
    """On a small tmpfs, where this is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True,
        check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        small = type(project)(disk).write({"a": "1" * 1000, "b": "2" * 300_000, "c": "3"})
        status, output = small.doit()
        text = "\n".join(output)
        assert status != 0
        assert "Traceback" not in text
        assert "coadd/b.dat: No space left on device" in text
        assert (disk / "coadd" / "a.dat").read_text() == "1" * 2000
        (disk / "raw" / "b.raw").write_text("2")
        assert small.doit()[0] == 0

        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for command in (("list", "--status"), ("why",), ()):
            status, output = small.doit(*command)
            assert status == 0, (command, output)
            assert "Traceback" not in "\n".join(output)
        status, output = small.doit("forget", "coadd")
        assert (status, output) == (3, [f"ERROR: {disk / '.doit.lock'}: Read-only file system"])
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_clock_that_goes_back_changes_nothing(project):
    project.doit()
    for path in Path(project.folder).rglob("*.dat"):
        os.utime(path, ns=(10**18, 10**18))
    assert project.doit()[0] == 0
    assert project.doit() == (0, ["everything is up to date (4 tasks)"])
    assert (project.folder / "stokes.dat").read_text() == "112233"


def test_the_folder_is_removed_in_mid_run(project):
    """One line, no traceback, and the process ends."""
    project.write({f"f{i}": str(i) for i in range(60)})
    process = project.start("-n", "2", PAUSE="0.5")
    project.wait_for(1)
    while project.folder.exists():  # workers still write into it
        shutil.rmtree(project.folder, ignore_errors=True)
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert said.count("the folder of this reduction was removed") == 1
    assert "Traceback" not in said
    assert "Errno" not in said
