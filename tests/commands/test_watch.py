"""`doit watch`: a night that arrives file by file is reduced as a night that was there."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from fixtures.doit import PATIENCE, doit, doit_here, start

from vampires.simulate import NightSpec, simulate_night

FOLDERS = ("aux", "coadded", "master_cals", "metrics", "pdi", "products")


@pytest.fixture(scope="module", name="night")
def fixture_night(tmp_path_factory):
    """A small night of two wave-plate cycles."""
    folder = tmp_path_factory.mktemp("watched")
    simulate_night(
        NightSpec.preset("stars", size=64, frames=3, calibration_frames=6, cycles=2), folder
    )
    return folder / "raw"


def begin(folder):
    (folder / "raw").mkdir(parents=True)
    done = doit_here(folder, "new", "night.toml", "--yes", "--set", "align.crop_width=48")
    assert done.returncode == 0, done.stderr
    return folder


def digests(folder):
    files = sorted(p for name in FOLDERS for p in (folder / name).rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class Watching:
    """A running `doit watch` and what it has said."""

    def __init__(self, folder, *words):
        self.process = start(folder, "watch", *words, stderr=subprocess.STDOUT)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line)  # one by one: others read them meanwhile

    def said(self, words):
        return [line.rstrip() for line in self.lines if words in line]

    def wait_for(self, words):
        deadline = time.monotonic() + PATIENCE
        while not self.said(words):
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() < deadline, "".join(self.lines)
            time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        status = self.process.wait(timeout=PATIENCE)
        self.reader.join()
        return status


@pytest.mark.slow
def test_a_night_that_arrives_is_reduced_as_one_that_was_there(night, tmp_path):
    plain, live = begin(tmp_path / "plain" / "night"), begin(tmp_path / "live" / "night")
    files = sorted(night.iterdir())
    for path in files:
        shutil.copy2(path, plain / "raw" / path.name)
    done = doit(plain, "run", "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr

    half, *whole = files[5], *files[:5], *files[6:]
    watching = Watching(live, "-n", "2", "--every", "0.3")
    watching.wait_for("watching raw/*.fits*")
    content = half.read_bytes()
    (live / "raw" / half.name).write_bytes(content[: len(content) // 2])
    pace = random.Random(1)
    for number, path in enumerate(whole):
        shutil.copy2(path, live / "raw" / path.name)
        time.sleep(pace.uniform(0, 0.2))
        if number == len(whole) // 2:  # in the middle of the night a reduction is seen
            watching.wait_for("reducing:")
    watching.wait_for(f"waiting until whole and at rest: {half.name}")
    assert not [line for line in watching.said("truncated") if "ERROR" in line]
    (live / "raw" / half.name).write_bytes(content)
    os.utime(live / "raw" / half.name, ns=(half.stat().st_atime_ns, half.stat().st_mtime_ns))
    watching.wait_for(f"all {len(files)} files are reduced")
    assert watching.stop() == 0
    assert watching.said("stopped")
    (set_line, *_) = watching.said("set 1 ")
    for words in ("S/N of Q_phi", "Strehl", "e-/s", "frames saturated"):
        assert words in set_line
    assert watching.said("missing for the next: HWP")
    assert digests(live) == digests(plain)
    assert doit(live, "why").stdout == "everything is up to date\n"


def test_it_stops_in_the_middle_and_a_later_doit_goes_on(night, tmp_path):
    folder = begin(tmp_path / "night")
    for path in sorted(night.iterdir()):
        shutil.copy2(path, folder / "raw" / path.name)
    watching = Watching(folder, "--every", "0.2")
    watching.wait_for("metrics:")
    assert watching.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert watching.said("stopped")
    assert not [p for p in folder.rglob("*") if ".part" in p.name or ".tmp" in p.name]
    assert doit_here(folder, "list", "--all").returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--every", "0"], "above 0"), (["-n", "0"], "from 1"), (["raw"], "of the configuration")],
)
def test_mistakes_are_one_line(tmp_path, words, message):
    done = doit_here(begin(tmp_path / "night"), "watch", *words)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert message in done.stderr
