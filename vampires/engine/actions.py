"""Make doit tasks of plain functions: `action` for the work, `make_task` for the task."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from doit.exceptions import InvalidDodoFile, TaskError, TaskFailed

from vampires.engine import executor
from vampires.engine.cluster import ClusterError
from vampires.engine.gathering import GATHERS, MISSING
from vampires.engine.products import TARGETS_KEY, TargetsUnchanged, damage_of, produce
from vampires.engine.recovery import recipe_digest, remember_recipe
from vampires.engine.state import SettingsUnchanged
from vampires.errors import FileError, VampiresError, os_error_line
from vampires.log import bound, collected_warnings, get_logger

log = get_logger(__name__)

Action = Callable[[Any], "dict[str, Any] | TaskFailed | TaskError"]


class NothingWorks(TaskFailed):
    """No task can be done any more: said once, whatever the number of tasks."""


def action(function: executor.Function, /, *args: object) -> Action:
    """Make a doit action that runs a function where work runs.

    Parameters
    ----------
    function : callable
        At the top level of an importable module; it writes the task's targets and returns a
        small dictionary of plain values (or None), which doit keeps.
    *args
        Its arguments: paths and plain values.

    Returns
    -------
    callable
        For a task's ``actions``. It logs start, end, duration and result under the task's
        name. Errors a user can cure (`VampiresError`, files that cannot be read or written,
        want of memory) fail the task with one line; any other exception is reported as an
        internal error. Either way the traceback goes to the log.

    Raises
    ------
    TypeError
        For a function that another process could not import.

    Examples
    --------
    >>> def make_table(coadds, target): ...
    >>> {"actions": [action(make_table, coadds, target)]}  # doctest: +SKIP
    """
    if "<" in function.__qualname__:
        raise TypeError(f"{function.__qualname__} must be at the top level of its module")

    def perform(task: Any) -> dict[str, Any] | TaskFailed | TaskError:
        with bound(task=task.name), collected_warnings() as warnings:
            for line in damage_of(task):
                log.warning(f"made again: {line}")
            try:
                return _timed(_told_of_missing(function, task), args, task)
            except Exception as error:  # noqa: BLE001 - one task's failure, not the run's
                return _failure(error)
            finally:
                task.meta = {**(task.meta or {}), "warnings": warnings}

    perform.__name__ = function.__name__
    perform.__doc__ = function.__doc__
    return perform


def make_task(
    basename: str,
    name: str | None,
    function: executor.Function,
    args: Iterable[object] = (),
    *,
    file_dep: Iterable[Path | str],
    targets: Iterable[Path | str],
    settings: Mapping[str, Any],
    version: int,
    doc: str,
    task_dep: Iterable[str] = (),
    editable: Iterable[Path | str] = (),
    gathers: bool = False,
) -> dict[str, Any]:
    """Make the dictionary of one task.

    Many arguments, because doit's dictionary has as many entries; all are given by name.

    Parameters
    ----------
    basename, name : str
        The task is called ``basename:name``; no name makes it a task on its own.
    function, args
        The work, see `action`.
    file_dep, targets : iterable of Path or str
        Files read and files made.
    settings : mapping
        The validated settings that the work reads, and nothing else: the task runs again
        when one of them changes.
    version : int
        Of the step; raised when the same inputs come to give another product.
    doc : str
        One line for ``doit list``.
    task_dep : iterable of str, optional
        Tasks to come first although no file says so.
    editable : iterable of Path or str, optional
        Targets that a person may edit: changed ones are not made again.
    gathers : bool
        Whether the work takes what there is of its files; `function` then has a keyword
        ``missing``, the files that are not there because what makes them failed.

    Returns
    -------
    dict
        As doit takes it from a task generator; ``doit clean`` removes the targets.
    """
    files = sorted({str(path) for path in file_dep})
    made = [str(path) for path in targets]
    unchanged = SettingsUnchanged({"version": version, **settings})
    remember_recipe(basename, unchanged.settings, files, made)
    task: dict[str, Any] = {
        "basename": basename,
        "actions": [action(function, *args)],
        "file_dep": files,
        "targets": made,
        "task_dep": list(task_dep),
        "uptodate": [unchanged, TargetsUnchanged(map(str, editable))],
        "io": {"capture": False},  # doit's capture mixes the output of threads
        "clean": True,
        "doc": doc,
        "meta": {GATHERS: gathers},
    }
    return task if name is None else {**task, "name": name}


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Within the block, errors a user can cure end doit with one line, not a traceback.

    For the code that runs while a ``dodo.py`` is read: configuration, header index, plan.

    Raises
    ------
    InvalidDodoFile
        With the text of the `VampiresError`; doit prints it and exits with status 3.
    """
    try:
        yield
    except VampiresError as error:
        raise InvalidDodoFile(one_line(error)) from error


def one_line(error: BaseException | str) -> str:
    """Text of an error on a single line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(line if line[-1] in ".,:;" else f"{line};" for line in lines).removesuffix(";")


def _told_of_missing(function: executor.Function, task: Any) -> executor.Function:
    """Function of a task that gathers, given the files it has to do without."""
    missing = task.meta.get(MISSING)
    if not missing:
        return function
    log.warning("made without what failed", n=len(missing), first=missing[0])
    return functools.partial(function, missing=tuple(missing))


def _timed(function: executor.Function, args: tuple[object, ...], task: Any) -> dict[str, Any]:
    log.debug("started", targets=len(task.targets))
    start = time.monotonic()
    targets = tuple(task.targets)
    read = _states(task.file_dep)
    # What is made without some of its inputs is not what the recipe says.
    absent = len(task.meta.get(MISSING) or ())
    digest = None if absent else recipe_digest(targets)
    result = executor.run(produce, function, args, targets, digest, absent)
    _check_unchanged(read)
    json.dumps(result)  # doit will save it; better to fail here, where the task is named
    said = {key: value for key, value in result.items() if key != TARGETS_KEY}
    log.info("finished", seconds=round(time.monotonic() - start, 3), result=said)
    return result


def _states(paths: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Size and time of modification of files; None where there is none."""
    found: dict[str, tuple[int, int] | None] = {}
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116 - quicker than Path on thousands of files
            found[path] = status.st_size, status.st_mtime_ns
        except OSError:
            found[path] = None
    return found


def _check_unchanged(read: Mapping[str, tuple[int, int] | None]) -> None:
    """Refuse what was made of files that are others now: it would be taken for made of these.

    Raises
    ------
    FileError
        Names the first that changed.
    """
    now = _states(read)
    changed = sorted(path for path in read if now[path] != read[path])
    if changed:
        raise FileError(f"{changed[0]}: changed while it was read; run doit again")


def _has_folder() -> bool:
    """Whether the folder that this process works in still exists."""
    try:
        return Path.cwd().exists()
    except FileNotFoundError:
        return False


def _failure(error: Exception) -> TaskFailed | TaskError:
    """Tell the log all about an exception, and doit its one line."""
    log.exception("failed")
    if not _has_folder():
        return NothingWorks(
            "the folder of this reduction was removed while it ran; make it again and run doit "
            "there: raw files are as they were"
        )
    match error:
        case ClusterError():
            return NothingWorks(one_line(error))
        case VampiresError():
            return TaskFailed(one_line(error))
        case MemoryError():
            return TaskFailed(
                "not enough memory: set a smaller [execution] memory or use fewer processes (-n)"
            )
        case OSError():
            return TaskFailed(one_line(os_error_line(error)) or type(error).__name__)
        case _:
            return TaskError(
                f"internal error, see debug.log ({type(error).__name__}: {one_line(error)})"
            )
