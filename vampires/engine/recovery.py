"""What is done, found again from the products when the state database is lost.

Every task has a recipe: its settings, and the files it reads. The digest of a recipe takes each of
these files by name and by what it is: the digest of the recipe that makes it or, of a raw file,
its size. So the digest stands for the whole way from raw files to product, and a product that
bears the digest which its task has today (`vampires.io.provenance`) need not be made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doit.dependency import Dependency

from vampires.engine.products import TARGETS_KEY, content_digest, fingerprints
from vampires.engine.state import is_small_text
from vampires.io.provenance import task_of

_BLOCK = 2880  # of FITS


@dataclass(frozen=True)
class _Recipe:
    """How a task makes its targets."""

    step: str
    settings: Any
    files: tuple[str, ...]
    targets: tuple[str, ...]


_recipes: dict[str, _Recipe] = {}  # by target
_digests: dict[str, str] = {}  # of these recipes, by target


def remember_recipe(step: str, settings: Any, files: Iterable[str], targets: Sequence[str]) -> None:
    """Note how targets are made, for the digests of what is made of them.

    Parameters
    ----------
    step : str
        Kind of the task.
    settings
        Plain values that it reads, with the version of the step.
    files : iterable of str
        Files that it reads.
    targets : sequence of str
        Files that it makes.
    """
    recipe = _Recipe(step, settings, tuple(files), tuple(targets))
    _recipes.update(dict.fromkeys(targets, recipe))
    _digests.clear()


def recipe_digest(targets: Sequence[str], known: dict[str, str] | None = None) -> str | None:
    """Digest of the recipe of some targets, 16 hexadecimal digits.

    Parameters
    ----------
    targets : sequence of str
        Of one task.
    known : dict, optional
        Digests found so far, by target; added to. By default those of this run: each of a
        thousand matrices comes from all coadds of the night.

    Returns
    -------
    str or None
        None without targets, or when a file to be read is missing.
    """
    known = _digests if known is None else known
    try:
        return _digest(targets[0], known) if targets else None
    except OSError:
        return None


def _digest(target: str, known: dict[str, str]) -> str:
    if target not in known:
        recipe = _recipes[target]
        facts = sorted((Path(path).name, _fact(path, known)) for path in recipe.files)
        text = json.dumps([recipe.step, recipe.settings, facts], sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        known.update(dict.fromkeys(recipe.targets, digest))
    return known[target]


def _fact(path: str, known: dict[str, str]) -> str | int:
    """What a file that is read is: how it was made, or its size (of a small text the content)."""
    if path in _recipes:
        return _digest(path, known)
    size = os.stat(path).st_size  # noqa: PTH116
    return content_digest(path) if is_small_text(path, size) else size


def recover_if_lost(tasks: Iterable[Any], state: Dependency) -> None:
    """Find again what is done if the database has no records, once; one line says so."""
    if not getattr(state.backend, "is_new", False):
        return
    recovered, found = recover({task.name: task for task in tasks}, state)
    state.backend.searched()
    if found:
        sys.stderr.write(
            f"there was no record of what is done: {recovered} of {found} tasks are found done by "
            "their products' headers\n"
        )


def recover(tasks: Mapping[str, Any], state: Dependency) -> tuple[int, int]:
    """Record the tasks whose products say that they are done.

    Parameters
    ----------
    tasks : mapping of str to Task
        All tasks.
    state : Dependency
        Whose database has no records.

    Returns
    -------
    recovered, found : int
        Tasks recorded, of those that have any product.

    Notes
    -----
    A product is taken for what its task would make today when it bears the digest of that
    task's recipe, is whole, and is no older than the raw files it came from. Tasks whose
    products bear no digest (tables, pictures, the report) are done again: they are quick.
    """
    known: dict[str, str] = {}
    recovered = found = 0
    for task in tasks.values():
        if any(os.path.exists(path) for path in task.targets):  # noqa: PTH110
            found += 1
            if _is_done(task, known):
                task.values = {TARGETS_KEY: fingerprints(task.targets)}
                task.save_extra_values()
                state.save_success(task)
                recovered += 1
    return recovered, found


def _is_done(task: Any, known: dict[str, str]) -> bool:
    if not all(_is_whole(path) for path in task.targets):
        return False
    digest = recipe_digest(task.targets, known)
    if digest is None or digest not in {task_of(path) for path in task.targets}:
        return False
    try:
        raw = [path for path in task.file_dep if path not in _recipes]
        newest = max((os.stat(path).st_mtime_ns for path in raw), default=0)  # noqa: PTH116
        made = min(os.stat(path).st_mtime_ns for path in task.targets)  # noqa: PTH116
        return newest <= made and all(os.path.exists(path) for path in task.file_dep)  # noqa: PTH110
    except OSError:
        return False


def _is_whole(path: str) -> bool:
    """Whether a product is there and ends where it says."""
    from vampires.errors import FileError
    from vampires.io.layout import headers_of

    try:
        size = Path(path).stat().st_size
        if size == 0:
            return False
        if path.endswith(".h5"):
            task_of(path)  # opening compares the length with the one announced
        elif path.endswith(".fits"):
            return size % _BLOCK == 0 and len(list(headers_of(Path(path)))) > 0
    except (OSError, FileError):
        return False
    return True
