"""Which task made a file: a digest that products carry, and by which they are known again.

The digest sums up the settings of the task and the files it read, and in turn what made those
(`vampires.engine.recovery`). FITS products hold it as ``TASKHASH``, HDF5 ones as an attribute of
that name, centroid files in a comment. Only the standard library is imported here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

KEY = "TASKHASH"
"""Card or attribute that holds the digest."""

_BLOCK = 2880
_CARD = 80
_MARK = re.compile(rf"# {KEY} (\w+)")

_task: ContextVar[str | None] = ContextVar("vampires_task", default=None)
_absent: ContextVar[int] = ContextVar("vampires_absent", default=0)


@contextlib.contextmanager
def made_by(digest: str | None, absent: int = 0) -> Iterator[None]:
    """Within the block, files are made by the task of this digest.

    Parameters
    ----------
    digest : str or None
    absent : int
        Inputs that the task has to do without, because making them failed.

    Examples
    --------
    >>> with made_by("0123456789abcdef"):
    ...     current_task()
    '0123456789abcdef'
    """
    task, inputs = _task.set(digest), _absent.set(absent)
    try:
        yield
    finally:
        _task.reset(task)
        _absent.reset(inputs)


def current_task() -> str | None:
    """Digest of the task that runs; None outside of tasks."""
    return _task.get()


def absent_inputs() -> int:
    """Inputs that the task that runs has to do without."""
    return _absent.get()


def task_attribute() -> dict[str, Any]:
    """Attribute of an HDF5 product that says which task made it; none outside of tasks."""
    import numpy as np  # not for planning

    task = _task.get()
    # Fixed length: the same bytes each time.
    return {} if task is None else {KEY: np.bytes_(task)}


def task_comment() -> str:
    """Line of a text product that says which task made it; none outside of tasks."""
    task = _task.get()
    return "" if task is None else f"# {KEY} {task}\n"


def task_of(path: str | Path) -> str | None:
    """Digest of the task that made a file, as the file itself says.

    Parameters
    ----------
    path : str or Path
        A product: FITS, HDF5 or centroids.

    Returns
    -------
    str or None
        None when the file does not say so, or cannot be read.
    """
    path = Path(path)
    try:
        if path.suffix == ".h5":
            return _of_hdf5(path)
        if path.suffix == ".toml":
            found = _MARK.search(path.read_text(encoding="utf-8", errors="replace"))
            return found[1] if found else None
        return _of_fits(path)
    except (OSError, TypeError, ValueError, RuntimeError):  # damaged, in the words of h5py
        return None


def _of_hdf5(path: Path) -> str | None:
    import h5py  # not for planning

    with h5py.File(path, "r") as file:
        value = file.attrs.get(KEY)
    return None if value is None else bytes(value).decode("ascii", "replace")


def _of_fits(path: Path) -> str | None:
    """Look through the cards of the primary header."""
    start = f"{KEY:8}= '".encode()
    with path.open("rb") as file:
        while len(block := file.read(_BLOCK)) == _BLOCK:
            for offset in range(0, _BLOCK, _CARD):
                card = block[offset : offset + _CARD]
                if card.startswith(start):
                    return card[len(start) :].split(b"'")[0].decode("ascii", "replace").strip()
                if card.startswith(b"END "):
                    return None
    return None
