"""A reduction in miniature: raw texts, a "coadd" of each, one "stokes" of all."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

DODO = '''
from vampires.tasks.actions import make_task
from vampires.tasks.reporter import ProgressReporter
from vampires.tasks.state import SizeMtimeChecker
import settings, work

DOIT_CONFIG = {
    "backend": "vampires", "check_file_uptodate": SizeMtimeChecker, "continue": True,
    "reporter": ProgressReporter, "par_type": "thread",
}
COADDS = [f"coadd/{name}.dat" for name in settings.NAMES]

def task_coadd():
    """Double each raw text."""
    for name in settings.NAMES:
        raw, target = f"raw/{name}.raw", f"coadd/{name}.dat"
        yield make_task(
            "coadd", name, work.double, [raw, target], file_dep=[raw], targets=[target],
            settings={"method": settings.METHOD}, version=1, doc="double a text")

def task_stokes():
    yield make_task(
        "stokes", None, work.join, [COADDS, "stokes.dat"], file_dep=COADDS,
        targets=["stokes.dat"], settings={}, version=1, doc="join the texts")
'''

WORK = """
import os, signal, time
from pathlib import Path
from vampires.errors import FileError
from vampires.files import atomic_path
from vampires.log import get_logger

def note(name):
    with open("journal.txt", "a") as stream:
        stream.write(f"{name} {os.getpid()}\\n")

def double(source, target):
    note(source)
    text = Path(source).read_text()
    if text == "bad":
        raise FileError(f"{source}: not a FITS file;\\nremove it")
    if text == "bug":
        {}["no such key"]
    if text == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "warn":
        get_logger("work").warning("no flat matches", file=source)
    with atomic_path(target) as path:
        path.write_text(text)
        if text == "slow":
            time.sleep(60)
        time.sleep(float(os.environ.get("PAUSE", "0")))
        path.write_text(text * 2)
    return {"characters": len(text)}

def join(sources, target):
    note(target)
    with atomic_path(target) as path:
        path.write_text("".join(Path(source).read_text() for source in sources))
"""


@dataclasses.dataclass
class Project:
    """Its folder, and doit run in it as a user would."""

    folder: Path

    def write(self, texts, method="mean"):
        (self.folder / "dodo.py").write_text(DODO)
        (self.folder / "work.py").write_text(WORK)
        (self.folder / "settings.py").write_text(f"NAMES = {list(texts)}\nMETHOD = {method!r}\n")
        (self.folder / "raw").mkdir(exist_ok=True)
        for name, text in texts.items():
            (self.folder / "raw" / f"{name}.raw").write_text(text)
        return self

    def start(self, *args, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "doit", *args],
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def doit(self, *args, **environment):
        process = self.start(*args, **environment)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output.splitlines()

    def journal(self):
        """What was worked on since the last call: [(name, process id)]."""
        path = self.folder / "journal.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [(Path(name).stem, int(pid)) for name, pid in (line.split() for line in lines)]

    def wait_for(self, starts):
        """Wait until work has been started so many times."""
        path = self.folder / "journal.txt"
        while not path.exists() or len(path.read_text().splitlines()) < starts:
            time.sleep(0.02)

    def worked_on(self):
        return sorted(name for name, _ in self.journal())

    def log(self):
        return (self.folder / "debug.log").read_text()


@pytest.fixture(name="project")
def fixture_project(tmp_path):
    return Project(tmp_path).write({"a": "1", "b": "2", "c": "3"})
