"""Runs are killed at random moments, in every way, and the next run completes them."""

import os
import signal
import time
from pathlib import Path

from fixtures.doit import eventually, is_running

from vampires.io.atomic import atomic_path

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TEXTS = {f"f{i}": str(i) for i in range(8)}


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


def test_bytes_are_on_the_disk_before_their_name_is(tmp_path, monkeypatch):
    """A power cut may come after any of these calls: the name must come last."""
    calls = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        calls.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        return fsync(descriptor)

    def noted_replace(self, target):
        calls.append(("rename", str(self)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with atomic_path(tmp_path / "a.fits") as path:
        path.write_text("x")
    assert [what for what, _ in calls] == ["fsync", "rename"]
    assert len({name for _, name in calls}) == 1
