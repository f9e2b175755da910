"""Tasks of a reduction whose raw files are away, on a disk that is not there now.

What was made of them stays as it is; what is made of coadds can be made. Where a product of raw
files is missing its task says what it needs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vampires.engine.actions import action
from vampires.errors import FileError
from vampires.tasks.plan import current_plan

Task = dict[str, Any]


Tasks = Task | Iterator[Task] | None


def without_raw(maker: Callable[[], Tasks]) -> Callable[[], Tasks]:
    """Make a maker of tasks let the absence of raw files pass where it can."""

    @functools.wraps(maker)
    def tasks() -> Tasks:
        made = maker()
        if made is None or not current_plan().raw_away:
            return made
        return _at_rest(made) if isinstance(made, dict) else (_at_rest(one) for one in made)

    # doit sorts makers by the line where they begin, which means nothing across files: seen as
    # functions of this file they stay in the order of `vampires.tasks.__all__`.
    del tasks.__wrapped__
    return tasks


def needs_raw(product: Path, raw: Path) -> None:
    """Say that a product cannot be made now.

    Raises
    ------
    FileError
        Always.
    """
    raise FileError(f"{product}: is missing and made of {raw}, which is away: bring its disk back")


def _at_rest(task: Task) -> Task:
    """A task that reads raw files, with nothing to do; one that cannot be done says so."""
    own = {record["path"] for record in current_plan().records}
    raw = [str(path) for path in task.get("file_dep", ()) if str(path) in own]
    if not raw:
        return task
    missing = [Path(target) for target in task["targets"] if not Path(target).exists()]
    actions = [action(needs_raw, missing[0], Path(raw[0]))] if missing else []
    return {**task, "file_dep": [], "actions": actions, "uptodate": [not missing]}
