"""What doit remembers between runs: which tasks are done, and what they were made from.

Three pieces replace doit's defaults: a database that keeps each finished task whatever
happens next, a test for changed files that never reads pixels, and a test for changed
settings that can say which one changed.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from doit.dependency import FileChangedChecker, JSONCodec, SqliteDB, get_file_md5

_TEXT_SUFFIXES = {".toml", ".txt", ".csv", ".ecsv", ".json", ".reg"}
_TEXT_LIMIT = 1_000_000  # bytes
_SETTINGS_KEY = "_settings"


class CommittingSqliteDB(SqliteDB):
    """State database that holds each task as soon as it is done.

    doit's own databases are written when a run ends, so that a kill loses the record of
    every task the run has finished. This one commits as a task is saved: the cost is
    0.1 ms a task, and finished tasks survive SIGKILL.

    Notes
    -----
    ``Dependency.save_success`` writes the key ``deps:`` last; that is the moment to commit
    (hence doit < 0.38). All calls come from the main thread: in thread mode doit selects
    and saves tasks there and only actions run elsewhere. Write-ahead logging makes a commit
    a single append without ``fsync``: nothing is lost when processes die, and after a power
    cut the file is sound though it may miss the last tasks. Where the file system cannot do
    that (some network ones) SQLite falls back to its ordinary journal.
    """

    desc = "sqlite3, each task committed as it finishes"

    def __init__(self, name: str, codec: JSONCodec, *, module_name: str | None = None) -> None:
        super().__init__(name, codec, module_name=module_name)
        self._conn.execute("pragma journal_mode = wal")
        self._conn.execute("pragma synchronous = normal")

    def set(self, task_id: str, dependency: str, value: object) -> None:
        """Store one value of a task's record; the last one commits the record."""
        if task_id not in self._cache:  # never drop values that have not been read yet
            self._cache[task_id] = self._get_task_data(task_id)
        super().set(task_id, dependency, value)
        if dependency == "deps:":
            self._commit(task_id)

    def remove(self, task_id: str) -> None:
        """Forget a task, now."""
        super().remove(task_id)
        self._conn.commit()

    def _commit(self, task_id: str) -> None:
        record = self.codec.encode(self._cache[task_id])
        self._conn.execute("insert or replace into doit values (?, ?)", (task_id, record))
        self._conn.commit()
        self._dirty.discard(task_id)


class SizeMtimeChecker(FileChangedChecker):
    """Decides by size and time of modification whether a file has changed.

    Nothing of a data file is read, whatever its size. Small text files, which people and
    their tools save again without changing them, have changed only if their content has:
    ``.toml .txt .csv .ecsv .json .reg`` below 1 MB.

    Notes
    -----
    Small FITS and HDF5 files are left to their time on purpose: a step that was forced to
    run again makes the steps after it run too, even though its product has the same bytes,
    and a raw file that was touched makes its whole chain run.
    """

    def check_modified(
        self, file_path: str, file_stat: os.stat_result, state: list[int | str | None]
    ) -> bool:
        """Whether a file differs from the state that was saved."""
        size, mtime_ns, digest = state
        if file_stat.st_size != size:
            return True
        if file_stat.st_mtime_ns == mtime_ns:
            return False
        return digest is None or digest != get_file_md5(file_path)

    def get_state(
        self, dep: str, current_state: list[int | str | None] | None
    ) -> tuple[int, int, str | None] | None:
        """State to save: size in bytes, time of modification in ns, MD5 of a small text."""
        stat = Path(dep).stat()
        if current_state is not None and current_state[:2] == [stat.st_size, stat.st_mtime_ns]:
            return None
        is_text = Path(dep).suffix in _TEXT_SUFFIXES and stat.st_size < _TEXT_LIMIT
        return stat.st_size, stat.st_mtime_ns, get_file_md5(dep) if is_text else None


class SettingsUnchanged:
    """Up-to-date test of the settings that a task reads, for a task's ``uptodate`` list.

    Like doit's ``config_changed``, but it keeps the values, so that ``doit why`` can name
    the setting that changed, and it takes paths, dates, tuples, enums and dataclasses.

    Parameters
    ----------
    settings : mapping
        The validated values, defaults filled in, and the version of the step.

    Examples
    --------
    >>> check = SettingsUnchanged({"version": 1, "method": "median"})
    >>> check.changes({"_settings": {"version": 1, "method": "mean"}})
    ["method: 'mean' -> 'median'"]
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = plain(settings)

    def configure_task(self, task: Any) -> None:
        """Have doit save the settings with the task (called by doit)."""
        task.value_savers.append(lambda: {_SETTINGS_KEY: self.settings})

    def __call__(self, task: Any, values: Mapping[str, Any]) -> bool:
        """Whether the settings are those of the last successful run (called by doit)."""
        del task
        return bool(values.get(_SETTINGS_KEY) == self.settings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings!r})"

    def changes(self, values: Mapping[str, Any]) -> list[str]:
        """List settings that differ from the last successful run, as ``key: old -> new``."""
        if _SETTINGS_KEY not in values:
            return []
        old, new = _flatten(values[_SETTINGS_KEY]), _flatten(self.settings)
        return [
            f"{key}: {old.get(key, 'nothing')} -> {new.get(key, 'nothing')}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ]


def plain(value: Any) -> Any:
    """Reduce a setting to what JSON holds, the same for equal settings.

    Paths and dates become text, tuples lists, enums their value, dataclasses and mappings
    dictionaries, sets sorted lists, and whole floats integers (1.0 is 1).

    Raises
    ------
    TypeError
        For anything else; a setting that cannot be compared must not pass silently.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                return str(value)
            return int(value) if value.is_integer() else value
        case PurePath():
            return str(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=repr)
        case list() | tuple():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = (item.name for item in dataclasses.fields(value))
            return {name: plain(getattr(value, name)) for name in names}
        case _:
            raise TypeError(
                f"a setting of type {type(value).__name__} cannot be compared: {value!r}"
            )


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as ``section.key`` with the value as it would be read back."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = repr(value)
    return flat
