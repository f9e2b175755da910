"""Runs are killed at random moments, in every way, and the next run completes them."""

import dataclasses
import hashlib
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from fixtures.doit import PATIENCE, doit, eventually, is_running, start

from vampires.config import load_config
from vampires.config.write import replace_text
from vampires.io.atomic import atomic_path
from vampires.night.sorting import sort_files
from vampires.simulate import NightSpec, simulate_night

pytestmark = pytest.mark.campaign

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TEXTS = {f"f{i}": str(i) for i in range(8)}

DIES = """
import os, pathlib, signal
replace = pathlib.Path.replace

def dies(self, target):
    moment = os.environ.get("DIES")
    if moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = replace(self, target)
    if moment == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result

pathlib.Path.replace = dies
"""


def killed(folder, begun, dice, *arguments):
    """Start a command, kill it within 0.3 s of its first trace; say how."""
    process = start(folder, *arguments)
    deadline = time.monotonic() + PATIENCE
    while not begun() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(dice.choice((0.0, dice.uniform(0, 0.3))))
    number = dice.choice(SIGNALS)
    process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE)
    said = f"{number.name} {arguments}: {process.returncode} {output} {errors}"
    assert "Traceback" not in output + errors, said
    return said


def contents(folder):
    """Digest of every file below a folder by its path there, hidden ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_killed_run_is_completed_with_the_same_bytes(project, trials, dice):
    project.write(TEXTS)
    tried = kept = 0
    for _ in range(trials(3)):
        number, processes = dice.choice(SIGNALS), dice.choice("024")
        victim = dice.choice(("run", "worker"))
        project.doit("forget", "coadd", "stokes")
        for path in (project.folder / "coadd").glob("*"):
            path.unlink()
        project.journal()
        process = project.start("-n", processes, PAUSE="0.2")
        project.wait_for(1 + dice.randrange(4))
        time.sleep(dice.uniform(0, 0.3))
        workers = {pid for _, pid in read_journal(project)}
        if victim == "worker" and processes != "0":
            os.kill(max(workers), signal.SIGKILL)
        else:
            process.send_signal(number)
        lines = process.communicate(timeout=120)[0].splitlines()
        said = f"{number.name} -n {processes} {victim}: {lines[-3:]}"
        assert "Traceback" not in "\n".join(lines), said
        assert eventually(lambda alive=workers: not any(map(is_running, alive))), said
        finished = {line.split()[0].partition(":")[2] for line in lines if line.endswith(" s")}
        project.journal()
        status, output = project.doit("-n", processes)
        assert status == 0, (said, output)
        assert not finished - {""} & set(project.worked_on()), said
        whole = "".join(text * 2 for text in TEXTS.values())
        assert (project.folder / "stokes.dat").read_text() == whole, said
        assert not list((project.folder / "coadd").glob(".*")), said
        tried, kept = tried + 1, kept + len(finished)
    print(f"kill: {tried} tried, {tried} held; {kept} tasks were done before and not again")  # noqa: T201


def read_journal(project):
    lines = (project.folder / "journal.txt").read_text().splitlines()
    return [(name, int(pid)) for name, pid in (line.split() for line in lines)]


def test_killed_while_a_product_gets_its_name(project, trials, dice):
    """Just before or just after, the run itself (one process) or each of its workers."""
    project = dataclasses.replace(project, work=DIES + project.work).write(TEXTS)
    number = trials(1)
    for _ in range(number):
        project.doit("forget", "coadd", "stokes")
        for path in (project.folder / "coadd").glob("*"):
            path.unlink()
        moment, processes = dice.choice(("before", "after")), dice.choice("02")
        status, output = project.doit("-n", processes, DIES=moment)
        assert status != 0
        assert "Traceback" not in "\n".join(output)
        there = {p.name: p.read_text() for p in (project.folder / "coadd").glob("[!.]*")}
        assert bool(there) == (moment == "after")
        assert all(text == name[1] * 2 for name, text in there.items())
        status, output = project.doit("-n", processes)
        assert status == 0, output
        whole = "".join(text * 2 for text in TEXTS.values())
        assert (project.folder / "stokes.dat").read_text() == whole
        assert not list((project.folder / "coadd").glob(".*"))
    print(f"kill at the renaming: {number} tried and held")  # noqa: T201


def test_killed_while_it_normalizes(tmp_path, trials, dice):
    spec = NightSpec.preset("controller", size=64, cycles=1, calibration_frames=4)
    simulate_night(spec, tmp_path)
    assert doit(tmp_path, "new", "night.toml", "--yes").returncode == 0
    made = tmp_path / "normalized"
    assert doit(tmp_path, "normalize").returncode == 0
    whole = contents(made)
    number = trials(1)
    for _ in range(number):
        shutil.rmtree(made)
        processes = dice.choice("02")
        said = killed(tmp_path, made.exists, dice, "-n", processes, "normalize")
        left = {name: digest for name, digest in contents(made).items() if name[0] != "."}
        assert left.items() <= whole.items(), said
        again = doit(tmp_path, "-n", processes, "normalize")
        assert again.returncode == 0, (said, again)
        assert contents(made) == whole, said
    print(f"kill during normalize: {number} tried and held")  # noqa: T201


@pytest.fixture(name="archive")
def fixture_archive(tmp_path):
    folder = tmp_path / "archive"
    simulate_night(NightSpec.preset("fz", size=64, frames=2, cycles=1), folder)
    return folder / "raw"


def test_killed_while_it_sorts(archive, tmp_path, trials, dice):
    """Each file is whole in one of the two places; the same command again finishes."""
    raw, out = tmp_path / "raw", tmp_path / "out"
    elsewhere = Path("/dev/shm")  # another file system, where it exists
    outs = [out, elsewhere / f"vampires-{os.getpid()}"] if elsewhere.is_dir() else [out]
    number = trials(1)
    try:
        for _ in range(number):
            target, packed = dice.choice(outs), dice.choice((["--decompress"], []))
            command = ("sort", "raw", "-o", target, "--move", *packed)
            shutil.copytree(archive, raw)
            assert doit(tmp_path, *command).returncode == 0
            whole = contents(target)
            shutil.rmtree(raw)
            shutil.rmtree(target)
            originals = contents(shutil.copytree(archive, raw))
            said = killed(tmp_path, target.exists, dice, *command)
            left, moved = contents(raw), contents(target) if target.exists() else {}
            final = {k: v for k, v in moved.items() if not Path(k).name.startswith(".")}
            assert left.items() <= originals.items(), said
            assert final.items() <= whole.items(), said
            stems = {Path(name).name.partition(".")[0] for name in (*left, *final)}
            assert len(stems) == len(originals), said
            assert doit(tmp_path, *command).returncode in (0, 3), said  # 3: none is left to move
            assert contents(target) == whole, said
            assert not contents(raw), said
            shutil.rmtree(raw)
            shutil.rmtree(target)
    finally:
        for folder in outs:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"kill during sort --move: {number} tried and held")  # noqa: T201


def test_killed_while_it_selects(spotty_night, trials, dice):
    """The configuration is the old or the new one; the same command again finishes."""
    config = spotty_night / "night.toml"
    old = config.read_text()
    lists = [spotty_night / f"filelist_{what}.txt" for what in ("select", "reject")]
    command = ("select", "--reject", "VMPA00021006", "--yes")
    assert doit(spotty_night, *command).returncode == 0
    new, listed = config.read_text(), [path.read_text() for path in lists]
    assert load_config(config).data.exclude == ("VMPA00021006.fits",)
    number = trials(1)
    for _ in range(number):
        config.write_text(old)
        for path in lists:
            path.unlink(missing_ok=True)
        moment = dice.choice((lambda: config.read_text() != old, lists[0].exists))
        said = killed(spotty_night, moment, dice, *command)
        assert config.read_text() in (old, new), said
        for path, text in zip(lists, listed, strict=True):
            assert not path.exists() or path.read_text() == text, said
        assert doit(spotty_night, *command).returncode == 0, said
        assert config.read_text() == new, said
        assert [path.read_text() for path in lists] == listed, said
        hidden = [path.name for path in spotty_night.glob(".*") if ".part" in path.name]
        assert not hidden, said
    print(f"kill during select: {number} tried and held")  # noqa: T201


@pytest.fixture(name="calls")
def fixture_calls(monkeypatch):
    """What is asked of the file system, in order: (call, name of its file)."""
    calls = []
    own = {"fsync": os.fsync, "replace": Path.replace, "unlink": Path.unlink}

    def fsync(descriptor):
        calls.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        return own["fsync"](descriptor)

    def replace(self, target):
        calls.append(("rename", self.name))
        return own["replace"](self, target)

    def unlink(self, missing_ok=False):
        if self.exists():
            calls.append(("remove", self.name))
        return own["unlink"](self, missing_ok)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    return calls


def written(path):
    with atomic_path(path) as temporary:
        temporary.write_text("x")


@pytest.mark.parametrize("write", [written, lambda path: replace_text(path, "x")])
def test_bytes_are_on_the_disk_before_their_name_is(tmp_path, calls, write):
    """A power cut may come after any of these calls: the name must come last."""
    write(tmp_path / "a.toml")
    assert [what for what, _ in calls] == ["fsync", "rename"]
    assert len({name for _, name in calls}) == 1


def test_a_raw_file_is_removed_once_its_copy_and_its_name_are_on_the_disk(archive, tmp_path, calls):
    path = sorted(archive.iterdir())[0]
    (done,) = sort_files([path], tmp_path / "out", action="move", decompress=True)
    assert [what for what, _ in calls] == ["fsync", "rename", "fsync", "remove"]
    assert calls[2] == ("fsync", done.target.parent.name)
    assert calls[3] == ("remove", path.name)
