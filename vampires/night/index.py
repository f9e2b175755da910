"""The header index: one light record per raw file, read at every start of ``doit``.

Only the standard library is imported here. A file is opened (and astropy imported, by
`vampires.night.scan`) only when it is new or has changed since the index was last written; with
nothing new, three thousand records load in a few hundredths of a second.
"""

# os.path on strings is several times faster than Path on thousands of files.
# ruff: noqa: PTH206, PTH100, PTH110, PTH111, PTH112, PTH116, PTH118, PTH207

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from vampires.errors import FileError
from vampires.io.paths import FITS_SUFFIXES
from vampires.log import get_logger
from vampires.night import choice
from vampires.night.fixes import Fix, fixes_digest
from vampires.night.record import Record, empty_record
from vampires.night.store import load_records, save
from vampires.utils.patience import within
from vampires.utils.text import is_plain, shown

log = get_logger(__name__)

LISTING = 120.0  # s that a folder may take to be listed


class NoMatchError(FileError):
    """A pattern of raw files matches nothing."""


def find_files(patterns: str | Iterable[str | Path], folder: str | Path = ".") -> list[str]:
    """Raw files named by patterns, each once, sorted.

    Parameters
    ----------
    patterns : str or iterable of str or Path
        File names, glob patterns (``**`` crosses folders) or folders, which stand for all
        the FITS files in and below them; relative ones start at ``folder``.
    folder : str or Path
        Where relative patterns start.

    Returns
    -------
    list of str
        Absolute paths.

    Raises
    ------
    FileError
        A pattern matches nothing.

    Examples
    --------
    >>> find_files("raw/VMPA*.fits*", "20230101_ABAur")  # doctest: +SKIP
    """
    if isinstance(patterns, str | Path):
        patterns = [patterns]
    found: set[str] = set()
    for pattern in patterns:
        start = os.path.normpath(os.path.join(os.path.abspath(folder), os.path.expanduser(pattern)))
        matches = glob.glob(_escape_folders(start), recursive=True)
        if not matches:
            raise NoMatchError(
                f"no file matches {str(pattern)!r} (looked from {os.path.abspath(folder)}); "
                "check the name or pattern ([data] raw in a configuration)"
            )
        for match in matches:
            # Asking the disk what a file called .fits is would double the time for many.
            is_folder = not match.endswith(FITS_SUFFIXES) and os.path.isdir(match)
            found.update(_fits_below(match) if is_folder else [match])
    return sorted(found)


def _escape_folders(pattern: str) -> str:
    """Escape what exists as it is written: folder names may hold characters of patterns."""
    parts = pattern.split(os.sep)
    known = 0
    while known < len(parts) and os.path.exists(os.sep.join(parts[: known + 1]) or os.sep):
        known += 1
    return os.sep.join([*map(glob.escape, parts[:known]), *parts[known:]])


def build_index(
    patterns: str | Iterable[str | Path],
    folder: str | Path = ".",
    exclude: Sequence[str] = (),
    cache_path: str | Path | None = None,
    fixes: Sequence[Fix] = (),
) -> list[Record]:
    """Return the records of all raw files, from the cache where a file has not changed.

    Parameters
    ----------
    patterns : str or iterable of str or Path
        See `find_files`.
    folder : str or Path
        Where relative patterns start.
    exclude : sequence of str
        File names, with or without suffix or folders, or glob patterns, to leave out.
    cache_path : str or Path, optional
        The SQLite file that keeps records and headers (`vampires.night.store`); None: nothing
        is kept.
    fixes : sequence of Fix
        Corrections of raw headers.

    Returns
    -------
    list of Record
        In order of time, then name; files that cannot be used are among them, with the
        reason.

    Raises
    ------
    FileError
        A pattern matches nothing.

    Examples
    --------
    >>> build_index("raw/*.fits*", cache_path="index.sqlite")  # doctest: +SKIP
    """
    cache = load_records(cache_path) if cache_path is not None else {}
    paths, records = _listed(patterns, folder, cache, fixes)
    misnamed = [_misnamed(path) for path in paths if not _is_nameable(path)]
    paths = [path for path in paths if _is_nameable(path)]
    records = {path: records[path] for path in paths}
    missing = [path for path, record in records.items() if record is None]
    scans = []
    if missing:
        # Imported here: scanning needs astropy, a start with nothing new does not.
        from vampires.night.patient import scan_files
        from vampires.night.scan import scan_file

        log.info("reading headers", n=len(missing), cached=len(paths) - len(missing))
        scans = scan_files(missing, partial(scan_file, fixes=fixes))
        records.update((scan.record["path"], scan.record) for scan in scans)
    scanned = {path: cast(Record, record) for path, record in records.items()}
    gone = cache.keys() - scanned.keys()
    if cache_path is not None and (missing or gone):
        new = [(scan.record, None if scan.raw is None else scan.raw.to_dict()) for scan in scans]
        save(cache_path, new, gone)
    raw = [record for record in scanned.values() if record["kind"] != "product"]
    if len(raw) < len(scanned):
        log.info("products of this software among the files are ignored", n=len(scanned) - len(raw))
    return _sorted(_mark_duplicates(choice.exclude([*raw, *misnamed], exclude)))


def remembered(
    cache_path: str | Path, exclude: Sequence[str] = (), fixes: Sequence[Fix] = ()
) -> list[Record]:
    """Records of files that were indexed before, wherever they are now.

    Parameters
    ----------
    cache_path, exclude, fixes
        As in `build_index`.

    Returns
    -------
    list of Record
        None where nothing is known, or the corrections of a header have changed since.
    """
    known = load_records(cache_path)
    if any(record["fixes"] != fixes_digest(fixes, path) for path, record in known.items()):
        return []
    raw = [record for record in known.values() if record["kind"] != "product"]
    return _sorted(_mark_duplicates(choice.exclude(raw, exclude)))


def _listed(
    patterns: str | Iterable[str | Path],
    folder: str | Path,
    cache: dict[str, Record],
    fixes: Sequence[Fix],
) -> tuple[list[str], dict[str, Record | None]]:
    """List the files, with the records of those that have not changed; a dead mount is named."""

    def look() -> tuple[list[str], dict[str, Record | None]]:
        paths = find_files(patterns, folder)
        return paths, {path: _fresh(path, cache, fixes) for path in paths}

    try:
        return within(LISTING, look)
    except TimeoutError:
        raise FileError(
            f"the folders of the raw files ({patterns}) do not answer for {LISTING:g} s; is their "
            "disk or network mount there?"
        ) from None


def _is_nameable(path: str) -> bool:
    """Whether tasks and products can be named after a file, and its path be stored."""
    return is_plain(path)


def _misnamed(path: str) -> Record:
    reason = (
        f"{shown(path)}: its path holds control characters or bytes that are no text; rename it"
    )
    return empty_record(shown(path), reason)


def _fits_below(folder: str) -> list[str]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        found += [
            os.path.abspath(os.path.join(parent, name))
            for name in names
            if name.lower().endswith(FITS_SUFFIXES) and not name.startswith(".")
        ]
    return found


def _fresh(path: str, cache: dict[str, Record], fixes: Sequence[Fix]) -> Record | None:
    record = cache.get(path)
    if record is None or record["fixes"] != fixes_digest(fixes, path):
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    same = (record["size"], record["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
    return record if same else None


def _mark_duplicates(records: Iterable[Record]) -> list[Record]:
    """Refuse files whose products would overwrite another's."""
    first: dict[str, str] = {}
    marked = []
    for record in sorted(records, key=lambda record: record["path"]):
        if record["ok"]:
            kept = first.setdefault(record["name"], record["path"])
            if kept != record["path"]:
                reason = (
                    f"{record['path']}: has the same name as {kept}, so that their products "
                    "would overwrite each other; rename one or list one in [data] exclude"
                )
                record = Record(**{**record, "ok": False, "kind": "unusable", "reason": reason})
        marked.append(record)
    return marked


def _sorted(records: Iterable[Record]) -> list[Record]:
    def key(record: Record) -> tuple[float, str, str]:
        mjd = record["mjd"]
        return (float("inf") if mjd is None else mjd, record["name"], record["path"])

    return sorted(records, key=key)
