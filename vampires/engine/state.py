"""When a task is out of date: a file or a setting that it reads has changed.

The test for changed files never reads pixels; the one for settings can say which one changed.
That products are as they were written is the matter of `vampires.engine.products`.
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

from doit.dependency import FileChangedChecker, get_file_md5

_TEXT_SUFFIXES = {".toml", ".txt", ".csv", ".ecsv", ".json", ".reg"}
_TEXT_LIMIT = 1_000_000  # bytes
_SETTINGS_KEY = "_settings"


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
        is_text = is_small_text(dep, stat.st_size)
        return stat.st_size, stat.st_mtime_ns, get_file_md5(dep) if is_text else None


def is_small_text(path: str, size: int) -> bool:
    """Whether a file is compared by content: a text that people edit, below 1 MB."""
    return size < _TEXT_LIMIT and os.path.splitext(path)[1] in _TEXT_SUFFIXES  # noqa: PTH122


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
