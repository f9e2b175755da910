"""``doit run``, which is plain ``doit`` as well: doit's own command with six cares more.

A name or wildcard that stands for nothing is an error that lists what exists; the number
of processes reaches the executor; what happens is recorded in ``debug.log``; signals end
the run, and its workers, in good order; nobody else works in the folder meanwhile; and tasks
that gather what there is do so. Task files of other projects run as ever.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from doit import cmd_run
from doit.cmd_run import Run as DoitRun
from doit.exceptions import InvalidCommand

from vampires.commands.pipe import Explained
from vampires.engine import executor
from vampires.engine.gathering import GatheringRunner, GatheringThreadRunner
from vampires.engine.lock import only_one
from vampires.engine.products import tidy
from vampires.engine.recovery import recover_if_lost
from vampires.engine.selection import absolute_targets, unknown
from vampires.log import configure_log, log_path


class Run(Explained, DoitRun):
    """Run tasks; replaces doit's command of the same name."""

    name = "run"
    doc_description = (
        "Plain `doit` runs everything that is out of date; names, wildcards in quotes and paths of "
        "products choose. files=PATTERN (or files=@LIST, one path a line) takes these science "
        "files only, exclude= leaves files out; config=NAME.toml chooses the configuration.\n\n"
        "Example: doit -n 4 'coadd:*cam1*' files=@filelist_select.txt"
    )
    sel_tasks: list[str]
    cmd_options = (
        *DoitRun.cmd_options,
        {
            "name": "wait", "long": "wait", "type": bool, "default": False,
            "help": "wait for another doit that works in this folder [default: refuse]",
        },
    )  # fmt: skip
    _wait = False

    def execute(self, params: Any, args: list[str]) -> int:
        """Load the tasks and run them; a signal ends both with the status shells expect."""
        self._wait = bool(params.get("wait"))
        if params.get("num_process", 0) > 1 and not Path(params["dep_file"]).exists():
            executor.start_early()  # nothing was ever made here
        try:
            with executor.graceful_termination():
                return int(super().execute(params, args) or 0)
        except KeyboardInterrupt as interrupt:
            return 128 + getattr(interrupt, "signal", signal.SIGINT)
        finally:
            executor.shutdown()

    @functools.wraps(DoitRun._execute)  # doit passes the options named in this signature
    def _execute(self, *args: Any, **options: Any) -> int:
        with only_one(Path.cwd(), wait=self._wait):
            tidy(self.task_list)
            return self._alone(*args, **options)

    def _alone(self, *args: Any, **options: Any) -> int:
        tasks = {task.name: task for task in self.task_list}
        recover_if_lost(self.task_list, self.dep_manager)
        check_wildcards(self.sel_tasks or (), tasks)
        if self.sel_tasks:  # None: all tasks
            self.sel_tasks = absolute_targets(self.sel_tasks, tasks)
        workers = options["num_process"]
        if workers < 0:
            raise InvalidCommand(f"-n {workers}: a number of tasks at once, from 0")
        executor.set_workers(workers)
        executor.prepare()
        options["num_process"] = 0 if workers == 1 else workers  # one: in the main thread
        if log_path() is None:
            configure_log("debug.log")
        try:
            with _gathering():
                return int(super()._execute(*args, **options))
        except InvalidCommand as error:
            if error.not_found is None:
                raise
            raise InvalidCommand(unknown(error.not_found, tasks, self.loader.cmd_names)) from None


@contextlib.contextmanager
def _gathering() -> Iterator[None]:
    """Within the block doit runs tasks by our runners: it has no option for that."""
    own = cmd_run.Runner, cmd_run.MThreadRunner
    cmd_run.Runner, cmd_run.MThreadRunner = GatheringRunner, GatheringThreadRunner
    try:
        yield
    finally:
        cmd_run.Runner, cmd_run.MThreadRunner = own


def check_wildcards(names: Sequence[str], tasks: Mapping[str, Any]) -> None:
    """Refuse a wildcard that matches no task; doit would do nothing, successfully.

    Parameters
    ----------
    names : sequence of str
        The command line's arguments; those after a task that takes positional arguments
        belong to that task.
    tasks : mapping of str to Task
        All tasks by name.

    Raises
    ------
    InvalidCommand
        The message lists what exists.
    """
    for name in names:
        if name in tasks and tasks[name].pos_arg is not None:
            return
        if "*" in name and not fnmatch.filter(tasks, name):
            raise InvalidCommand(unknown(name, tasks))
