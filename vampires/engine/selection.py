"""Names of tasks as people type them, and what follows from a task."""

from __future__ import annotations

import difflib
import fnmatch
import itertools
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from doit import doit_cmd
from doit.exceptions import InvalidCommand


def expand(names: Sequence[str], tasks: Mapping[str, Any]) -> list[str]:
    """Tasks meant by names, wildcards and paths of products; groups stand for their sub-tasks.

    Parameters, Raises
        As of `named`.

    Returns
    -------
    list of str
        Names of tasks, each once.
    """
    found = (members(tasks[name]) for name in named(names, tasks))
    return list(dict.fromkeys(itertools.chain.from_iterable(found)))


def named(names: Sequence[str], tasks: Mapping[str, Any]) -> list[str]:
    """Tasks and groups meant by names, wildcards and paths of products.

    Parameters
    ----------
    names : sequence of str
        Each the name of a task or group, a wildcard (``coadd:*cam1*``) or a target.
    tasks : mapping of str to Task
        All tasks by name.

    Returns
    -------
    list of str
        Names of tasks and groups, each once.

    Raises
    ------
    InvalidCommand
        A name stands for nothing; the message lists what exists.
    """
    targets = {target: task.name for task in tasks.values() for target in task.targets}
    found: dict[str, None] = {}
    for name in absolute_targets(names, tasks):
        matches = fnmatch.filter(tasks, name) if "*" in name else [targets.get(name, name)]
        if not matches or matches[0] not in tasks:
            raise InvalidCommand(unknown(name, tasks))
        found.update(dict.fromkeys(matches))
    return list(found)


def absolute_targets(names: Sequence[str], tasks: Mapping[str, Any]) -> list[str]:
    """Names with those of products, given from the current folder, made absolute.

    Parameters
    ----------
    names : sequence of str
        As typed.
    tasks : mapping of str to Task
        All tasks by name.
    """
    targets = {target for task in tasks.values() for target in task.targets}
    whole = (name if name in tasks else str(Path(name).absolute()) for name in names)
    return [path if path in targets else name for name, path in zip(names, whole, strict=True)]


def members(task: Any) -> list[str]:
    """Sub-tasks of a group, or the task itself."""
    if not task.has_subtask:
        return [task.name]
    return [name for name in task.task_dep if name.startswith(f"{task.name}:")]


def followers(names: Iterable[str], tasks: Mapping[str, Any]) -> list[str]:
    """Tasks that depend on the named ones, directly or not, in no special order.

    Groups are followed (a task may depend on one) but not listed: doing a group again
    would mean all of its members.
    """
    dependents = defaultdict(list)
    for task in tasks.values():
        for needed in (*task.task_dep, *task.setup_tasks, *task.calc_dep):
            dependents[needed].append(task.name)
    seen: dict[str, None] = {}
    todo = deque(names)
    while todo:
        for name in dependents[todo.popleft()]:
            if name not in seen:
                seen[name] = None
                todo.append(name)
    return [name for name in seen if tasks[name].actions]


def unknown(name: str, tasks: Mapping[str, Any], commands: Iterable[str] = ()) -> str:
    """Say that nothing is called so, what comes close, and what exists.

    Parameters
    ----------
    name : str
        As typed.
    tasks : mapping of str to Task
        All tasks by name.
    commands : iterable of str
        What else may have been meant.
    """
    what = "no task matches" if "*" in name else "no command, task or product is called"
    close = difflib.get_close_matches(name, [*commands, *tasks], n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    groups = [task for task in tasks.values() if task.subtask_of is None]
    listed = [
        f"{task.name} ({len(members(task))})" if task.has_subtask else task.name
        for task in groups
        if not task.name.startswith("_")
    ]
    exists = ", ".join(listed) or "none"
    return f"{what} {name!r}{hint}\nTasks: {exists}. 'doit list --all' shows every one."


def assignments() -> list[str]:
    """Return the ``key=value`` arguments of this command line, in order.

    doit takes every such argument for one of its variables wherever it stands, so also the one
    after ``--set``, and removes it; here they are again.

    Returns
    -------
    list of str
        "key=value".
    """
    return [f"{key}={value}" for key, value in (doit_cmd._CMDLINE_VARS or {}).items()]
