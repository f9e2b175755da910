"""Products as they were written: a task's targets are checked as its dependencies are.

What a task wrote is kept with its record: the size of each target, its time of modification and
a digest of its content. A target of another size, or of another time and content, is damaged and
made again. Where only the time differs, as in a copied folder, the content decides.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from doit.dependency import Dependency, UptodateCalculator

from vampires.io.atomic import clean_stale_temporaries, is_half_written
from vampires.io.provenance import made_by
from vampires.log import get_logger

TARGETS_KEY = "_targets"

log = get_logger(__name__)

Fingerprint = list[Any]
"""Size in bytes, time of modification in ns, digest of the content."""


def produce(
    function: Callable[..., dict[str, Any] | None],
    args: tuple[object, ...],
    targets: tuple[str, ...],
    digest: str | None,
    absent: int = 0,
) -> dict[str, Any]:
    """Run the work of a task, and take the fingerprints of what it made.

    Runs where the work runs: the files are in that machine's cache.

    Parameters
    ----------
    function, args
        The work.
    targets : tuple of str
        Files that it makes.
    digest : str or None
        Of the task, for the products' headers.
    absent : int
        Inputs that it has to do without, for the same.

    Returns
    -------
    dict
        What the function returned, and the fingerprints under ``_targets``.

    Raises
    ------
    FileNotFoundError
        A target has not been made.
    """
    with made_by(digest, absent):
        result = function(*args) or {}
    return {**result, TARGETS_KEY: fingerprints(targets)} if targets else result


def tidy(tasks: Iterable[Any]) -> None:
    """Remove the unfinished files of killed runs, where tasks write and in the folder itself."""
    folders = {os.path.dirname(path) for task in tasks for path in task.targets}  # noqa: PTH120
    for folder in sorted({*folders, str(Path.cwd())}):
        for path in clean_stale_temporaries(folder or "."):
            log.info("removed an unfinished file of a run that was killed", file=str(path))


def fingerprints(paths: Iterable[str]) -> list[Fingerprint]:
    """Fingerprints of files.

    Raises
    ------
    FileNotFoundError
        A file is missing.
    """
    prints = []
    for path in paths:
        status = os.stat(path)  # noqa: PTH116 - quicker than Path on thousands of files
        prints.append([status.st_size, status.st_mtime_ns, content_digest(path)])
    return prints


def content_digest(path: str | Path) -> str:
    """Digest of a file's content, 32 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]


class TargetsUnchanged(UptodateCalculator):
    """Up-to-date test of the files that a task made, for a task's ``uptodate`` list.

    Parameters
    ----------
    editable : iterable of str
        Targets that a person may edit: these need only be there, and not cut short.

    Attributes
    ----------
    found : list of str
        What was wrong when the test was last made.
    """

    def __init__(self, editable: Iterable[str] = ()) -> None:
        super().__init__()
        self._editable = frozenset(editable)
        self._state: Dependency | None = None
        self.found: list[str] = []

    def setup(self, dep_manager: Dependency, tasks_dict: Mapping[str, Any]) -> None:
        """Take the state (called by doit)."""
        super().setup(dep_manager, tasks_dict)
        self._state = dep_manager

    def __call__(self, task: Any, values: dict[str, Any]) -> bool:
        """Whether the targets are as they were written (called by doit)."""
        self.found = self.damaged(task, values)
        if self.found:
            return False
        self._take_new_times(task, values)
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def damaged(self, task: Any, values: Mapping[str, Any]) -> list[str]:
        """Say of each target that is not as it was written what is wrong with it.

        Parameters
        ----------
        task : Task
            Its targets; missing ones are for doit to find.
        values : mapping
            What was saved with the task.

        Returns
        -------
        list of str
            ``path: has 100 bytes, 2000 were written``.
        """
        written = values.get(TARGETS_KEY) or []
        found = []
        for path, (size, mtime_ns, digest) in zip(task.targets, written, strict=False):
            try:
                status = os.stat(path)  # noqa: PTH116
                if path in self._editable:
                    if status.st_size != size and is_half_written(path):
                        found.append(f"{path}: is cut short")
                    continue
                if status.st_size != size:
                    found.append(f"{path}: has {status.st_size} bytes, {size} were written")
                elif status.st_mtime_ns != mtime_ns and content_digest(path) != digest:
                    found.append(f"{path}: its content is not what was written")
            except FileNotFoundError:
                continue
            except OSError as error:
                found.append(f"{path}: cannot be read ({error.strerror})")
        return found

    def _take_new_times(self, task: Any, values: dict[str, Any]) -> None:
        """Keep the times of targets whose content was found good, not to read them again."""
        written = values.get(TARGETS_KEY) or []
        changed = False
        for path, entry in zip(task.targets, written, strict=False):
            if path not in self._editable and os.path.exists(path):  # noqa: PTH110
                mtime_ns = os.stat(path).st_mtime_ns  # noqa: PTH116
                changed |= mtime_ns != entry[1]
                entry[1] = mtime_ns
        if changed and self._state is not None:
            backend = self._state.backend
            backend.set(task.name, "_values_:", values)
            backend.commit(task.name)


def damage_of(task: Any) -> list[str]:
    """What was found wrong with the targets of a task that is about to run."""
    checks = (entry[0] for entry in task.uptodate)
    return [line for check in checks if isinstance(check, TargetsUnchanged) for line in check.found]
