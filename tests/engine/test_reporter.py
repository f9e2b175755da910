import io
import os
import pty
import re
import select
import subprocess
import time

import pytest
from doit.exceptions import TaskError, TaskFailed, UnmetDependency
from doit.task import Task
from fixtures.doit import PATIENCE, command

from vampires.engine.reporter import Progress, ProgressReporter


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def tasks_named(*names, **dependencies):
    tasks = {name: Task(name, ["true"], task_dep=dependencies.get(name, [])) for name in names}
    tasks["group"] = Task("group", None, task_dep=list(names), has_subtask=True)
    return tasks


def reporter_on(stream, tasks, selected=None):
    reporter = ProgressReporter(stream, {})
    reporter.initialize(tasks, selected or list(tasks))
    return reporter


def lines(stream):
    return stream.getvalue().splitlines()


class TestPlainLines:
    stream = None

    @pytest.fixture(autouse=True)
    def fixture_stream(self):
        self.stream = io.StringIO()

    def test_done_task_is_a_line_with_its_duration(self):
        tasks = tasks_named("a", "b")
        reporter = reporter_on(self.stream, tasks)
        reporter.execute_task(tasks["a"])
        reporter.add_success(tasks["a"])
        reporter.skip_uptodate(tasks["b"])
        reporter.execute_task(tasks["group"])
        reporter.add_success(tasks["group"])
        reporter.complete_run()
        assert [re.sub(r"\d\.\d", "t", line) for line in lines(self.stream)] == [
            "a  t s",
            "1 done, 1 up to date; t s",
        ]

    def test_nothing_to_do_is_one_line(self):
        tasks = tasks_named("a", "b")
        reporter = reporter_on(self.stream, tasks)
        for task in tasks.values():
            reporter.skip_uptodate(task)
        reporter.complete_run()
        assert lines(self.stream) == ["everything is up to date (2 tasks)"]

    def test_failures_are_one_line_each_and_again_in_the_summary(self):
        tasks = tasks_named("a", "b", "c", "d")
        reporter = reporter_on(self.stream, tasks)
        reporter.add_failure(tasks["a"], TaskFailed("a.fits is truncated"))
        reporter.add_failure(tasks["b"], TaskError("PythonAction Error", ZeroDivisionError("zero")))
        missing = "ERROR: Task 'c' checking dependencies: Dependent file 'x' does not exist."
        reporter.add_failure(tasks["c"], TaskError(missing))
        reporter.add_failure(tasks["d"], UnmetDependency("a"))
        reporter.add_failure(tasks["group"], UnmetDependency("d"))
        reporter.complete_run()
        assert lines(self.stream)[:3] == [
            "a: a.fits is truncated",
            "b: internal error, see debug.log (ZeroDivisionError: zero)",
            "c: Dependent file 'x' does not exist.",
        ]
        assert lines(self.stream)[3].startswith("0 done, 3 failed, 1 not done; ")
        assert lines(self.stream)[4:] == ["failed: a, b, c", "not done because of that: d"]

    def test_warnings_of_a_task_follow_it(self):
        tasks = tasks_named("a")
        reporter = reporter_on(self.stream, tasks)
        tasks["a"].meta = {"warnings": ["no flat\nmatches"]}
        reporter.execute_task(tasks["a"])
        reporter.add_success(tasks["a"])
        assert lines(self.stream)[1] == "a: warning: no flat; matches"

    def test_long_lists_are_cut(self):
        names = [f"t{i}" for i in range(30)]
        tasks = tasks_named(*names)
        reporter = reporter_on(self.stream, tasks)
        for name in names:
            reporter.add_failure(tasks[name], TaskFailed("no"))
        reporter.complete_run()
        assert lines(self.stream)[-1].endswith("t11 and 18 more")

    def test_only_what_is_selected_counts(self):
        tasks = tasks_named("a", "b", "c", b=["a"])
        reporter = reporter_on(self.stream, tasks, ["b"])
        reporter.skip_uptodate(tasks["a"])
        reporter.skip_uptodate(tasks["b"])
        reporter.complete_run()
        assert lines(self.stream) == ["everything is up to date (2 tasks)"]

    def test_interrupted_run_says_so(self):
        tasks = tasks_named("a", "b", "c")
        reporter = reporter_on(self.stream, tasks)
        reporter.execute_task(tasks["a"])
        reporter.complete_run()
        assert lines(self.stream)[0].startswith("0 done, 1 interrupted, 2 not reached; ")
        assert lines(self.stream)[1].startswith("interrupted; run again")

    def test_errors_of_doit_itself_are_shown(self):
        reporter = reporter_on(self.stream, tasks_named("a"))
        reporter.runtime_error("Cyclic/recursive dependencies")
        reporter.complete_run()
        assert lines(self.stream)[0] == "Cyclic/recursive dependencies"


class TestTerminal:
    def test_bar_is_erased_before_every_line(self):
        stream = Terminal()
        tasks = tasks_named("a", "b")
        reporter = reporter_on(stream, tasks)
        for name in ("a", "b"):
            reporter.execute_task(tasks[name])
        reporter.add_success(tasks["a"])
        reporter.add_failure(tasks["b"], TaskFailed("b.fits is truncated"))
        reporter.complete_run()
        text = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", stream.getvalue())
        assert "0/2" in text
        assert re.search(r"0/2 .* a\b", text)
        shown = [line.rpartition("\r")[2] for line in text.rstrip().split("\n")]
        assert "b: b.fits is truncated" in shown
        assert shown[-2].startswith("1 done, 1 failed; ")
        assert shown[-1] == "failed: b"

    def test_real_terminal_shows_one_line_that_fits(self, project):
        output = in_terminal(command("-n", "2"), project.folder)
        assert "4/4" in output
        plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", output).replace("\r\n", "\n")
        assert plain.rstrip().splitlines()[-1].rpartition("\r")[2].startswith("4 done; ")
        for drawn in re.split(r"[\r\n]", plain):
            assert len(drawn) <= 60


def in_terminal(words, folder):
    """Output of a command on a terminal of 60 columns."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    process = subprocess.Popen(
        words, cwd=folder, stdout=slave, stderr=slave, stdin=slave, env=environment
    )
    os.close(slave)
    output = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            output += os.read(master, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
        if not ready and process.poll() is not None:
            break
    os.close(master)
    assert process.wait(timeout=PATIENCE) == 0
    return output.decode()


class TestProgress:
    def test_estimate_goes_by_kind_of_task(self):
        now = [0.0]
        names = ["metrics:a", "metrics:b", "metrics:c", "coadd:a"]
        progress = Progress(names, clock=lambda: now[0])
        assert progress.remaining() is None
        progress.begin("metrics:a")
        now[0] = 10.0
        assert progress.end("metrics:a", "done") == 10.0
        progress.begin("coadd:a")
        now[0] = 12.0
        progress.end("coadd:a", "done")
        assert progress.remaining() == 20.0
        progress.begin("metrics:b")
        progress.begin("metrics:c")
        now[0] = 16.0
        assert progress.remaining() == (20.0 - 2 * 4.0) / 2
        now[0] = 100.0
        assert progress.remaining() == 0.0

    def test_counts(self):
        progress = Progress(["a", "b"])
        progress.end("b", "failed")
        assert progress.named("failed") == ["b"]
        assert progress.waiting == {"a"}


class TestRuns:
    """doit as a user runs it."""

    def test_first_run_second_run_and_changes(self, project):
        status, output = project.doit()
        assert status == 0
        assert sorted(line.split()[0] for line in output[:-1]) == [
            "coadd:a",
            "coadd:b",
            "coadd:c",
            "stokes",
        ]
        assert project.worked_on() == ["a", "b", "c", "stokes"]

        assert project.doit() == (0, ["everything is up to date (4 tasks)"])
        assert project.doit("-n", "2") == (0, ["everything is up to date (4 tasks)"])
        assert project.worked_on() == []

        os.utime(project.folder / "raw" / "b.raw", ns=(1, 1))
        assert project.doit("why") == (
            0,
            ["coadd:b: raw/b.raw has changed", "stokes: follows from coadd:b"],
        )
        project.doit("-n", "2")
        assert project.worked_on() == ["b", "stokes"]

    def test_setting_re_runs_its_step_and_what_follows(self, project):
        project.doit()
        project.write({"a": "1", "b": "2", "c": "3"}, method="median")
        for name in ("a", "b", "c"):  # writing touched them
            path = project.folder / "raw" / f"{name}.raw"
            os.utime(path, ns=(1, 1))
        assert "coadd:a: setting changed, method: 'mean' -> 'median'" in "\n".join(
            project.doit("why", "coadd:a")[1]
        )

    def test_forget_and_redo(self, project):
        project.doit()
        project.journal()
        assert project.doit("forget", "stokes") == (0, ["forgetting stokes"])
        project.doit()
        assert project.worked_on() == ["stokes"]
        assert len(project.doit("forget", "coadd")[1]) >= 3
        project.doit()
        assert project.worked_on() == ["a", "b", "c", "stokes"]
        assert project.doit("redo", "coadd:*b")[0] == 0
        assert project.worked_on() == ["b", "stokes"]
        assert project.doit("redo")[0] == 3

    def test_failures_spare_what_does_not_depend_on_them(self, project):
        project.write({"a": "bad", "b": "bug", "c": "warn"})
        status, output = project.doit("-n", "2")
        assert status == 2
        assert "coadd:a: raw/a.raw: not a FITS file; remove it" in output
        assert "coadd:b: internal error, see debug.log (KeyError: 'no such key')" in output
        assert "coadd:c: warning: no flat matches (file=raw/c.raw)" in output
        assert output[-1] == "not done because of that: stokes"
        assert "Traceback" not in "\n".join(output)
        assert project.log().count("Traceback") >= 2
        assert (project.folder / "coadd" / "c.dat").exists()

        project.write({"a": "bad", "c": "3"})
        assert project.doit("coadd:a")[0] == 1

    @pytest.mark.parametrize(
        ("command", "name"),
        [
            ((), "coadd:*cam3*"),
            (("run",), "coad"),
            ((), "missing.fits"),
            (("redo",), "coadd:*cam3*"),
            (("why",), "coad"),
            (("forget",), "coadd:*cam3*"),
        ],
    )
    def test_name_of_nothing_is_an_error_that_lists_what_exists(self, project, command, name):
        status, output = project.doit(*command, name)
        assert status == 3
        assert output[0].startswith("ERROR: no ")
        assert repr(name) in output[0]
        assert output[1].startswith("Tasks: coadd (3), stokes.")

    def test_wildcards_and_targets_select(self, project):
        assert project.doit("coadd:*a")[0] == 0
        assert project.worked_on() == ["a"]
        assert project.doit("coadd/b.dat")[0] == 0
        assert project.worked_on() == ["b"]

    def test_clean_removes_targets(self, project):
        project.doit()
        assert project.doit("clean", "stokes")[0] == 0
        assert not (project.folder / "stokes.dat").exists()
        assert project.doit("why", "stokes")[1] == ["stokes: stokes.dat is missing"]
