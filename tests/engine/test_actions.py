import json
import subprocess
import sys

import pytest
from doit.exceptions import InvalidDodoFile, TaskError, TaskFailed
from doit.task import Stream, dict_to_task

from vampires.engine.actions import action, loading, make_task, one_line
from vampires.errors import ConfigError, FileError
from vampires.log import configure_log

PERFORM = {"file_dep": [], "settings": {}, "version": 1, "doc": "a task"}


def good(target):
    with open(target, "w") as stream:  # noqa: PTH123 - the shortest product
        stream.write("x")
    return {"pixels": 4}


def two_lines():
    raise FileError("a.fits is truncated;\n  copy it again")


def missing():
    with open("no such.fits"):  # noqa: PTH123
        pass


def too_big():
    raise MemoryError


def bug():
    return {}["key"]


def odd_result():
    return {"result": object()}


@pytest.fixture(name="log")
def fixture_log(tmp_path):
    path = tmp_path / "debug.log"
    configure_log(path)
    yield lambda: [json.loads(line) for line in path.read_text().splitlines()]
    configure_log(None)


def run(function, *args):
    """What doit gets of a task: its failure or its values."""
    task = make_task("step", None, function, args, targets=[], **PERFORM)
    task = dict_to_task({"name": task.pop("basename"), **task})
    return task.execute(Stream(0)) or task.values


def test_result_is_returned_and_logged_with_the_task_and_its_duration(log, tmp_path):
    assert run(good, str(tmp_path / "x")) == {"pixels": 4}
    started, finished = log()
    assert started["event"] == "started"
    assert finished["task"] == "step"
    assert finished["result"] == {"pixels": 4}
    assert 0 <= finished["seconds"] < 5


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (two_lines, "a.fits is truncated; copy it again"),
        (missing, "no such.fits: No such file or directory"),
        (too_big, "not enough memory"),
    ],
)
def test_curable_error_is_a_failure_of_one_line_with_the_traceback_in_the_log(
    log, function, message
):
    failure = run(function)
    assert isinstance(failure, TaskFailed)
    assert failure.message.startswith(message)
    assert not failure.traceback
    assert f"in {function.__name__}" in log()[-1]["exception"]


@pytest.mark.parametrize("function", [bug, odd_result])
def test_other_error_is_internal_with_the_traceback_in_the_log(log, function):
    error = run(function)
    assert isinstance(error, TaskError)
    assert error.message.startswith("internal error, see debug.log (")
    assert "\n" not in error.message
    assert not error.traceback
    assert "Traceback" in log()[-1]["exception"]


def test_function_must_be_importable_by_a_worker():
    def local():
        pass

    for function in (local, lambda: None):
        with pytest.raises(TypeError, match="top level"):
            action(function)


def test_make_task_is_a_doit_task(tmp_path):
    task = make_task(
        "coadd",
        "a",
        good,
        ["x"],
        file_dep=[tmp_path / "b", tmp_path / "a", tmp_path / "a"],
        targets=[tmp_path / "c"],
        settings={"method": "mean", "path": tmp_path},
        version=2,
        doc="coadd frames",
        task_dep=["psf"],
    )
    assert task.pop("basename") == "coadd"
    task = dict_to_task(task)
    assert task.name == "a"
    assert task.file_dep == {str(tmp_path / "a"), str(tmp_path / "b")}
    assert task.targets == [str(tmp_path / "c")]
    assert task.task_dep == ["psf"]
    assert not task.io.capture
    (check, _, _) = task.uptodate[0]
    assert check.settings == {"version": 2, "method": "mean", "path": str(tmp_path)}


def test_errors_while_loading_are_one_line_for_doit():
    with pytest.raises(InvalidDodoFile, match=r"^a\.toml: bad; cure$"), loading():
        raise ConfigError("a.toml: bad;\ncure")


def test_one_line():
    assert one_line("a;\n\n   b\n") == "a; b"


def test_loading_tasks_is_light():
    code = (
        "import sys, vampires.engine.actions, vampires.engine.reporter, vampires.engine.state\n"
        "import vampires.commands.run, vampires.log, vampires.io.atomic\n"
        "heavy = {'numpy', 'astropy', 'structlog', 'distributed', 'scipy', 'numba', 'asyncio'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
