"""Tasks that gather what there is: the failure of one input does not stop them.

One bad exposure must not take the night: its Stokes product is made of the other sets, and the
table of the coadds and the report are wanted most when something failed. Such a task
(``meta["gathers"]``) runs once all that it depends on has ended, well or not; of its files
it reads those that are there and whose tasks did not fail, and it is told of the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from doit.runner import MThreadRunner, Runner

from vampires.engine.order import MostAwaited
from vampires.errors import FileError

GATHERS = "gathers"
MISSING = "missing"


def without_missing(task: Any, failed: Iterable[str] = ()) -> None:
    """Leave out of a gathering task's files those that are not there, or not of this run.

    Parameters
    ----------
    task : Task
        Changed in place: its ``file_dep``, and ``meta["missing"]`` lists what was left out.
        Tasks that gather nothing are left alone.
    failed : iterable of str
        Targets of tasks that failed, whose old products may still be there.
    """
    if not (task.meta or {}).get(GATHERS):
        return
    gone = set(failed) & task.file_dep
    gone |= {path for path in task.file_dep if not os.path.exists(path)}  # noqa: PTH110
    task.file_dep = task.file_dep - gone
    task.meta[MISSING] = sorted({*task.meta.get(MISSING, ()), *gone})


Inputs = TypeVar("Inputs", Path, tuple[Path, ...])


def there_of(inputs: Iterable[Inputs], missing: Iterable[str], what: str) -> list[Inputs]:
    """What a gathering task can be made of.

    Parameters
    ----------
    inputs : iterable of Path, or of tuple of Path
        Files, or what needs several files each.
    missing : iterable of str
        Files that are not there.
    what : str
        The inputs in words.

    Raises
    ------
    FileError
        None of the inputs is there.
    """
    gone = set(missing)
    files = [(one, one if isinstance(one, tuple) else (one,)) for one in inputs]
    found = [one for one, paths in files if gone.isdisjoint(map(str, paths))]
    if not found:
        raise FileError(f"no {what} could be made ({len(files)} failed)")
    return found


class _Gathers:
    """What gathering tasks need of doit's runners."""

    def select_task(self, node: Any, tasks: dict[str, Any]) -> bool:
        """Forgive the failures before a gathering task (called by doit)."""
        if (node.task.meta or {}).get(GATHERS):
            without_missing(node.task, [t for bad in node.bad_deps for t in bad.task.targets])
            node.bad_deps = []
        return bool(super().select_task(node, tasks))  # type: ignore[misc]


class GatheringRunner(_Gathers, Runner):
    """One task at a time."""


class GatheringThreadRunner(_Gathers, MThreadRunner):
    """Several tasks at a time, in threads, the most awaited first."""

    def _run_tasks_init(self, task_dispatcher: Any) -> None:
        """Begin (called by doit)."""
        task_dispatcher.ready = MostAwaited(task_dispatcher.tasks)
        super()._run_tasks_init(task_dispatcher)
