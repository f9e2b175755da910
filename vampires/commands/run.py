"""``doit run``, which is plain ``doit`` as well: doit's own command with four cares more.

A name or wildcard that stands for nothing is an error that lists what exists; the number
of processes reaches the executor; what happens is recorded in ``debug.log``; signals end
the run, and its workers, in good order. Task files of other projects run as ever.
"""

from __future__ import annotations

import fnmatch
import functools
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from doit.cmd_run import Run as DoitRun
from doit.exceptions import InvalidCommand

from vampires.engine import executor
from vampires.engine.selection import absolute_targets, unknown
from vampires.log import configure_log, log_path


class Run(DoitRun):
    """Run tasks; replaces doit's command of the same name."""

    name = "run"
    sel_tasks: list[str]

    def execute(self, params: Any, args: list[str]) -> int:
        """Load the tasks and run them; a signal ends both with the status shells expect."""
        try:
            with executor.graceful_termination():
                return int(super().execute(params, args))
        except KeyboardInterrupt as interrupt:
            return 128 + getattr(interrupt, "signal", signal.SIGINT)
        finally:
            executor.shutdown()

    @functools.wraps(DoitRun._execute)  # doit passes the options named in this signature
    def _execute(self, *args: Any, **options: Any) -> int:
        tasks = {task.name: task for task in self.task_list}
        check_wildcards(self.sel_tasks or (), tasks)
        if self.sel_tasks:  # None: all tasks
            self.sel_tasks = absolute_targets(self.sel_tasks, tasks)
        workers = options["num_process"]
        executor.set_workers(workers)
        options["num_process"] = 0 if workers == 1 else workers  # one: in the main thread
        if log_path() is None:
            configure_log("debug.log")
        try:
            return int(super()._execute(*args, **options))
        except InvalidCommand as error:
            if error.not_found is None:
                raise
            raise InvalidCommand(unknown(error.not_found, tasks)) from None


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
