import contextlib
import os

import pytest

from vampires.engine.lock import LOCK_NAME, LockedError, only_one


def test_the_second_is_refused_and_told_who_works_there(tmp_path):
    stack = contextlib.ExitStack()
    with only_one(tmp_path):
        for _ in range(2):  # the refused one leaves the holder's name
            with pytest.raises(LockedError, match=f"process {os.getpid()} on "):
                stack.enter_context(only_one(tmp_path))
    with only_one(tmp_path):
        pass
    assert (tmp_path / LOCK_NAME).read_text() == ""


def test_two_runs_in_one_folder(project):
    project.write({"a": "1", "b": "2"})
    first = project.start("coadd:a", PAUSE="600")
    project.wait_for(1)
    status, output = project.doit()
    assert status == 3
    assert output[0].startswith("ERROR: ")
    assert f"process {first.pid} on " in output[0]
    assert "--wait" in output[0]
    second = project.start("run", "--wait")
    said = second.stdout.readline()
    assert said.startswith(f"waiting for another doit in this folder (process {first.pid} on ")
    first.kill()
    first.communicate()
    second.communicate()
    assert second.returncode == 0
    assert (project.folder / "stokes.dat").read_text() == "1122"


def test_a_killed_run_locks_nobody_out(project):
    first = project.start("coadd:a", PAUSE="30")
    project.wait_for(1)
    first.kill()
    first.communicate()
    assert project.doit("coadd:b")[0] == 0


@pytest.mark.parametrize("command", ["clean", "ignore", "reset-dep", "forget"])
def test_commands_that_change_the_records_wait_for_no_run(project, command):
    project.write({"a": "1"})
    first = project.start("coadd:a", PAUSE="600")
    project.wait_for(1)
    status, output = project.doit(command, "coadd:a")
    first.kill()
    first.communicate()
    assert status == 3
    assert "another doit works in this folder" in output[0]


@pytest.mark.parametrize("command", ["run", "clean", "list", "forget", "new"])
def test_a_command_explains_itself(project, command):
    project.write({"a": "1"})
    status, output = project.doit(command, "--help")
    assert status == 0
    assert output[0] == "PURPOSE"
