"""Tasks that gather what there is: the failure of one input does not stop them.

The table of the coadds and the report of a night are wanted most when something failed. Such a
task (``meta["gathers"]``) runs once all that it depends on has ended, well or not; of its files
it reads those that are there and whose tasks did not fail, and it is told of the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from doit.runner import MThreadRunner, Runner

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
    """Several tasks at a time, in threads."""
