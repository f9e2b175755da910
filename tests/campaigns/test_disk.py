"""Disks that are full, slow or read-only; files that change while they are read; clocks."""

import contextlib
import dataclasses
import errno
import mmap
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fixtures.doit import PATIENCE

from vampires.engine import executor
from vampires.engine.actions import _failure
from vampires.engine.executor import WorkerError
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


needs_to_mount = pytest.mark.skipif(
    not shutil.which("mount") or os.getuid() != 0, reason="needs to mount"
)


@contextlib.contextmanager
def mounted(folder, size):
    """A small disk there, where this is allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@needs_to_mount
def test_a_disk_full_in_mid_run_and_a_read_only_one(project, tmp_path):
    """On a small tmpfs, where this is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "400k"):
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


def test_a_clock_that_goes_back_changes_nothing(project):
    project.doit()
    for path in Path(project.folder).rglob("*.dat"):
        os.utime(path, ns=(10**18, 10**18))
    assert project.doit()[0] == 0
    assert project.doit() == (0, ["everything is up to date (4 tasks)"])
    assert (project.folder / "stokes.dat").read_text() == "112233"


def test_a_raw_file_replaced_while_it_is_read(project, trials):
    """What was made of the old one is not taken for made of the new one."""
    project.write({"a": "1", "b": "2"})
    for number in range(trials(1)):
        project.journal()
        (project.folder / "raw" / "a.raw").write_text("1" * (1 + number % 2))
        process = project.start("coadd:a", PAUSE="0.6")
        project.wait_for(1)
        (project.folder / "new").write_text("9")
        (project.folder / "new").rename(project.folder / "raw" / "a.raw")
        said = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode != 0
        assert "coadd:a: raw/a.raw: changed while it was read; run doit again\n" in said
        assert project.doit()[0] == 0
        assert (project.folder / "stokes.dat").read_text() == "9922"


def test_a_raw_file_cut_short_while_it_is_read(tmp_path, trials, dice):
    """Its bytes are mapped: the system ends the worker that touches what is gone."""
    executor.set_workers(2)
    try:
        for _ in range(trials(1)):
            path = tmp_path / "raw.fits"
            path.write_bytes(bytes(2**20))
            with pytest.raises(WorkerError, match="it was cut short meanwhile"):
                executor.run(read_on, str(path), dice.randrange(2**19))
    finally:
        executor.shutdown()
        executor.set_workers(1)


def read_on(path, cut):
    with Path(path).open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    os.truncate(path, cut)
    return {"sum": sum(mapped[:])}


def test_a_slow_disk_is_no_dead_one(tmp_path, long_run, monkeypatch):
    """A FIFO into which a byte comes now and then: it takes longer than a stalled read may."""
    monkeypatch.setattr(executor, "STALLED", 5.0)
    monkeypatch.setattr(executor, "_LOOK", 0.5)
    executor.set_workers(2)
    path = tmp_path / "slow"
    os.mkfifo(path)
    try:
        for _ in range(long_run):
            thread = threading.Thread(target=trickle, args=(path, 20, 0.5))
            thread.start()
            assert executor.run(count_bytes, str(path)) == {"bytes": 20}
            thread.join()
    finally:
        executor.shutdown()
        executor.set_workers(1)


def trickle(path, number, pause):
    with path.open("wb", buffering=0) as stream:
        for _ in range(number):
            stream.write(b"x")
            time.sleep(pause)


def count_bytes(path):
    with Path(path).open("rb", buffering=0) as stream:
        return {"bytes": sum(len(part) for part in iter(lambda: stream.read(1), b""))}


@needs_to_mount
def test_a_disk_full_at_a_random_write(project, tmp_path, trials, dice):
    """The run says so; with more space the next one completes it."""
    texts = {f"f{k}": str(k) * 20_000 for k in range(6)}
    disk = tmp_path / "disk"
    disk.mkdir()
    full = 0
    number = trials(1)
    for _ in range(number):
        with mounted(disk, f"{dice.randrange(200, 600)}k"):
            small = dataclasses.replace(project, folder=disk).write(texts)
            status, output = small.doit("-n", dice.choice("02"))
            text = "\n".join(output)
            assert "Traceback" not in text
            assert "internal error" not in text
            assert status == 0 or "No space left on device" in text or "disk is full" in text, text
            full += status != 0
            whole = {name: 2 * text for name, text in texts.items()}
            for path in (disk / "coadd").glob("[!.]*"):
                assert path.read_text() == whole[path.stem]
            subprocess.run(["mount", "-o", "remount,size=4M", str(disk)], check=True)
            small.write(texts)
            status, output = small.doit()
            assert status == 0, output
            assert (disk / "stokes.dat").read_text() == "".join(whole.values())
    print(f"full at a random write: {number} tried, {full} runs met it, all completed")  # noqa: T201


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
