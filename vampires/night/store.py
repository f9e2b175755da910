"""The file of the header index: what was learnt of each raw file, kept by size and time.

One SQLite file with two columns a raw file: the light record, which every start of ``doit``
reads, and the canonical header with the place of the pixels, which only those who open that
very file read. Only the standard library is imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vampires.log import get_logger
from vampires.night.record import Record

log = get_logger(__name__)

SCHEMA = 7
"""Version of what is kept: an index written by another version is made anew."""

_TABLE = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    fixes TEXT NOT NULL, record TEXT NOT NULL, raw TEXT
) WITHOUT ROWID
"""
_PATIENCE = 30.0  # s that one process waits for another that writes


def load_records(index: str | Path) -> dict[str, Record]:
    """Records by path; none where there is no index, or none that can be read.

    Parameters
    ----------
    index : str or Path
        The SQLite file.
    """
    if not os.path.exists(index):  # noqa: PTH110
        return {}
    try:
        with _open(index) as connection:
            rows = connection.execute("SELECT record FROM files").fetchall()
        records: list[Record] = json.loads("[" + ",".join(row[0] for row in rows) + "]")
        return {record["path"]: record for record in records}
    except _Outdated:
        return {}
    except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the header index cannot be read and is made anew",
                    file=str(index), error=str(error))  # fmt: skip
        return {}


def load_raw(index: str | Path, path: str | Path, fixes: str = "") -> dict[str, Any] | None:
    """Header and layout of one file as they were kept.

    Parameters
    ----------
    index : str or Path
        The SQLite file.
    path : str or Path
        Raw file.
    fixes : str
        Digest of the corrections of its header.

    Returns
    -------
    dict or None
        None where the index does not know the file, or knew it before it changed.
    """
    name = os.path.abspath(path)  # noqa: PTH100
    try:
        status = os.stat(name)  # noqa: PTH116
        with _open(index) as connection:
            row = connection.execute(
                "SELECT raw FROM files WHERE path = ? AND size = ? AND mtime_ns = ? AND fixes = ?",
                (name, status.st_size, status.st_mtime_ns, fixes),
            ).fetchone()
        return None if row is None or row[0] is None else json.loads(row[0])
    except (_Outdated, sqlite3.Error, OSError, ValueError):
        return None  # the file itself is read instead


def save(
    index: str | Path, new: Iterable[tuple[Record, dict[str, Any] | None]], gone: Iterable[str]
) -> None:
    """Add and replace files, and forget those that are gone.

    Parameters
    ----------
    index : str or Path
        The SQLite file; made where there is none, made anew where it cannot be read.
    new : iterable of (Record, dict or None)
        Records with header and layout.
    gone : iterable of str
        Paths to forget.
    """
    rows = [
        (record["path"], record["size"], record["mtime_ns"], record["fixes"],
         json.dumps(record), None if raw is None else json.dumps(raw))
        for record, raw in new
    ]  # fmt: skip
    try:
        _write(index, rows, gone)
    except (_Outdated, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.OperationalError):
            _cannot_keep(index, error)
            return
        try:
            Path(index).unlink()
            _write(index, rows, ())
        except (OSError, sqlite3.Error) as second:
            _cannot_keep(index, second)
    except OSError as error:
        _cannot_keep(index, error)


class _Outdated(Exception):  # noqa: N818
    """The index was written by another version."""


def _cannot_keep(index: str | Path, error: Exception) -> None:
    log.warning("the header index cannot be kept: the next start will read all headers again",
                file=str(index), error=str(error))  # fmt: skip


@contextlib.contextmanager
def _open(index: str | Path) -> Iterator[sqlite3.Connection]:
    """Open an index to be read; one that is not there is an error."""
    uri = f"{Path(index).absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, timeout=_PATIENCE, uri=True)) as connection:
        _check(connection)
        yield connection


def _check(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
        raise _Outdated


def _write(index: str | Path, rows: list[tuple[Any, ...]], gone: Iterable[str]) -> None:
    fresh = not Path(index).exists() or Path(index).stat().st_size == 0
    with contextlib.closing(sqlite3.connect(index, timeout=_PATIENCE)) as connection:
        if not fresh:
            _check(connection)
        with connection:
            if fresh:
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
