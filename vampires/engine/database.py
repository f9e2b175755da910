"""The state database: what doit remembers of each task, kept whatever happens.

It must outlive kills, full disks, read-only folders, copies of the folder to another place, and
its own damage. What it cannot hold is never fatal: the worst that a lost record costs is a task
done again, and most are found again from the products themselves (`vampires.engine.recovery`).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from doit.dependency import DatabaseException, JSONCodec, SqliteDB
from doit.exceptions import InvalidDodoFile

from vampires.log import get_logger
from vampires.utils.text import shown

log = get_logger(__name__)

_SEARCHED = 1  # user_version once records were looked for in the products
_HERE = "./"  # start of a stored path below the database's folder
_WAIT = 10.0  # s for another process that is writing


class CommittingSqliteDB(SqliteDB):
    """State database that holds each task as soon as it is done.

    doit's own databases are written when a run ends, so that a kill loses the record of
    every task the run has finished. This one commits as a task is saved: the cost is
    0.1 ms a task, and finished tasks survive SIGKILL.

    Attributes
    ----------
    is_new : bool
        Nothing is recorded, and nobody has looked yet whether products tell what is done.

    Notes
    -----
    ``Dependency.save_success`` writes the key ``deps:`` last; that is the moment to commit
    (hence doit < 0.38). All calls come from the main thread: in thread mode doit selects
    and saves tasks there and only actions run elsewhere. Write-ahead logging makes a commit
    a single append without ``fsync``: nothing is lost when processes die, and after a power
    cut the file is sound though it may miss the last tasks. Where the file system cannot do
    that (some network ones) SQLite falls back to its ordinary journal.

    Files below the database's folder are stored relative to it, so that a copied or moved
    folder stays up to date. A damaged database is set aside and a new one begun. Where nothing
    can be written the records are kept in memory.
    """

    desc = "sqlite3, each task committed as it finishes"

    def __init__(self, name: str, codec: JSONCodec, *, module_name: str | None = None) -> None:
        self._folder = os.path.dirname(os.path.abspath(name))  # noqa: PTH100, PTH120
        self._lasting = True
        super().__init__(name, codec, module_name=module_name)
        (version,) = self._pragma("user_version")
        empty = self._conn.execute("select 1 from doit limit 1").fetchone() is None
        self.is_new = empty and version < _SEARCHED
        self._note_place()

    def _sqlite3(self, name: str) -> sqlite3.Connection:
        """Open the database; a damaged one is set aside, one that is read-only copied."""
        try:
            with contextlib.suppress(_Damaged):
                return self._opened(name)
            _set_aside(Path(name))
            return self._opened(name)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise InvalidDodoFile(
                    f"{name}: another process has been writing to it for {_WAIT:g} s; try again"
                ) from None
            self._lasting = False
            log.info("nothing is recorded: the folder cannot be written to", error=str(error))
            return self._in_memory(name)

    def _opened(self, name: str) -> sqlite3.Connection:
        """Connect, and look whether the file is sound."""
        try:
            connection: sqlite3.Connection = super()._sqlite3(name)
        except DatabaseException as error:  # doit's own, with the advice to delete the file
            cause = error.__context__
            if isinstance(cause, sqlite3.OperationalError):
                raise cause from None
            raise _Damaged from error
        except UnicodeDecodeError as error:  # of its own tables' definitions
            raise _Damaged from error
        try:
            connection.execute(f"pragma busy_timeout = {_WAIT * 1000:.0f}")
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute("create table if not exists place (folder text)")
            connection.commit()
            (sound,) = connection.execute("pragma quick_check").fetchone().values()
        except sqlite3.OperationalError:
            connection.close()
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            connection.close()
            raise _Damaged from error
        if sound != "ok":
            connection.close()
            raise _Damaged
        return connection

    def _in_memory(self, name: str) -> sqlite3.Connection:
        """Copy of the database that is not written back."""
        copy: sqlite3.Connection = super()._sqlite3(":memory:")
        with contextlib.suppress(sqlite3.Error):  # none yet, or none that can be read
            uri = f"{Path(name).absolute().as_uri()}?immutable=1"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as source:
                source.backup(copy)
        copy.execute("create table if not exists place (folder text)")
        return copy

    def searched(self) -> None:
        """Note that products were searched for records, so that a forgotten task stays so."""
        self.is_new = False
        self._write(f"pragma user_version = {_SEARCHED}")

    def set(self, task_id: str, dependency: str, value: object) -> None:
        """Store one value of a task's record; the last one commits the record."""
        if task_id not in self._cache:  # never drop values that have not been read yet
            self._cache[task_id] = self._get_task_data(task_id)
        super().set(task_id, dependency, value)
        if dependency == "deps:":
            self.commit(task_id)

    def remove(self, task_id: str) -> None:
        """Forget a task, now."""
        self._cache[task_id] = {}
        self._dirty.discard(task_id)
        self._write("delete from doit where task_id = ?", task_id)

    def remove_all(self) -> None:
        """Forget all tasks, now."""
        super().remove_all()
        self._write("delete from doit")

    def in_(self, task_id: str) -> bool:
        """Whether a task has a record."""
        return bool(self._cache.get(task_id) or self._get_task_data(task_id))

    def commit(self, task_id: str) -> None:
        """Write the record of one task."""
        record = self.codec.encode(self._stored(self._cache[task_id]))
        self._write("insert or replace into doit values (?, ?)", task_id, record)
        self._dirty.discard(task_id)

    def dump(self) -> None:
        """Write what is not written yet, and close."""
        for task_id in list(self._dirty):
            self.commit(task_id)
        self._conn.close()

    def _write(self, statement: str, *values: str) -> None:
        """Execute and commit; a disk that is full or gone costs the record, not the run."""
        try:
            self._conn.execute(statement, values)
            self._conn.commit()
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._conn.rollback()
            if self._lasting:
                self._lasting = False
                _say(f"{self.name}: what is done cannot be recorded ({error}); free disk space")

    def _get_task_data(self, task_id: str) -> dict[str, Any]:
        try:
            row = self._conn.execute(
                "select cast(task_data as blob) as record from doit where task_id = ?", (task_id,)
            ).fetchone()
            return {} if row is None else self._loaded(self.codec.decode(row["record"].decode()))
        except (sqlite3.DatabaseError, ValueError, AttributeError, TypeError) as error:
            log.warning("the record of a task is damaged; it is done again",
                        file=self.name, task=task_id, error=str(error))  # fmt: skip
            return {}

    # ------------------------------------------------------------ paths that move along

    def _stored(self, record: dict[str, Any]) -> dict[str, Any]:
        stored = {self._relative(key): value for key, value in record.items()}
        if "deps:" in stored:
            stored["deps:"] = [self._relative(path) for path in stored["deps:"]]
        return stored

    def _loaded(self, record: dict[str, Any]) -> dict[str, Any]:
        loaded = {self._absolute(key): value for key, value in record.items()}
        if "deps:" in loaded:
            loaded["deps:"] = [self._absolute(path) for path in loaded["deps:"]]
        return loaded

    def _relative(self, path: str) -> str:
        below = path.startswith(self._folder + os.sep)
        return _HERE + path[len(self._folder) + 1 :] if below else path

    def _absolute(self, path: str) -> str:
        return os.path.join(self._folder, path[2:]) if path.startswith(_HERE) else path  # noqa: PTH118

    def _note_place(self) -> None:
        """In a copied folder, take the times of its files for those that were recorded.

        A copy may have other times; products are still compared by content where theirs
        differ (`vampires.engine.products`), other files by size.
        """
        folder = shown(self._folder)  # a name need not be text
        row = self._conn.execute("select folder from place").fetchone()
        if row is not None and row["folder"] == folder:
            return
        if row is not None:
            log.info("this folder was copied or moved", before=row["folder"], now=folder)
            for task_id in self._all_tasks():
                record = self._cache[task_id] = self._get_task_data(task_id)
                self._cache[task_id] = dict(self._with_times_of_now(record))
                self.commit(task_id)
        self._write("delete from place")
        self._write("insert into place values (?)", folder)

    def _with_times_of_now(self, record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for key, value in record.items():
            if isinstance(value, list) and len(value) == 3 and self._relative(key) != key:
                with contextlib.suppress(OSError):
                    status = Path(key).stat()
                    if status.st_size == value[0]:
                        value = [value[0], status.st_mtime_ns, value[2]]
            yield key, value

    def _all_tasks(self) -> list[str]:
        return [row["task_id"] for row in self._conn.execute("select task_id from doit")]

    def _pragma(self, name: str) -> tuple[Any, ...]:
        return tuple(self._conn.execute(f"pragma {name}").fetchone().values())


class _Damaged(Exception):  # noqa: N818 - never leaves this module
    """The file is no sound database."""


def _set_aside(path: Path) -> None:
    """Rename a damaged database and its journals, and say so."""
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    kept = path.with_name(f"{path.name}.damaged-{when}")
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
    _say(f"{path}: the record of what is done was damaged and is set aside as {kept.name}")


def _say(text: str) -> None:
    """One line for the person: doit opens the database before there is a reporter."""
    sys.stderr.write(text + "\n")
