"""The header index: one light record per raw file, read at every start of ``doit``.

Only the standard library is imported here. A file is opened (and astropy imported, by
`vampires.scan`) only when it is new or has changed since the index was last written; with
nothing new, three thousand records load in a few hundredths of a second.
"""

# os.path on strings is several times faster than Path on thousands of files.
# ruff: noqa: PTH100, PTH110, PTH111, PTH112, PTH116, PTH118, PTH207

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypedDict, cast

from vampires.errors import FileError
from vampires.files import atomic_path
from vampires.log import get_logger
from vampires.paths import FITS_SUFFIXES, stem

log = get_logger(__name__)

SCHEMA = 2
"""Version of the record's fields: an index written by another version is made anew."""

CALIBRATION_KINDS = ("background", "sky", "flat", "pinhole")
"""Kinds of files that calibrate others."""


class Record(TypedDict):
    """What the task graph needs to know of one raw file; JSON-able.

    ``kind`` is one of ``science``, ``background`` (darks), ``sky``, ``flat``, ``pinhole``,
    ``unsupported`` (ancient format), ``excluded`` (by the configuration) and ``unusable``;
    for the last three ``ok`` is False and ``reason`` says why in one line. ``format`` is
    ``archive``, ``controller`` (raw EMCCD cube, to be normalised first) or ``master``;
    ``interleaved`` tells whether FLC states alternate frame by frame in a controller cube.
    Times are MJD (UTC), angles degrees, ``crop`` is (x0, y0, nx, ny) on the detector.
    """

    path: str
    name: str
    size: int
    mtime_ns: int
    ok: bool
    reason: str | None
    kind: str
    generation: str | None
    object: str | None
    camera: int | None
    flc: str | None
    flc_in: bool | None
    hwp: float | None
    hwp_sync: bool | None
    exptime: float | None
    detgain: float | None
    readmode: str | None
    filter: str | None
    filter01: str | None
    filter02: str | None
    obsmod: str | None
    fields: list[str]
    nframes: int
    ny: int
    nx: int
    crop: list[int] | None
    mjd: float | None
    mjd_start: float | None
    mjd_end: float | None
    pa: float | None
    altitude: float | None
    imr_angle: float | None
    sync: bool | None
    hdu: int
    format: str
    interleaved: bool


def empty_record(path: str, reason: str, kind: str = "unusable") -> Record:
    """Record of a file that cannot be used.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        One line for the user.
    kind : str
        ``unusable``, ``unsupported`` or ``excluded``.

    Returns
    -------
    Record
    """
    return Record(
        path=path, name=stem(path), size=0, mtime_ns=0, ok=False, reason=reason, kind=kind,
        generation=None, object=None, camera=None, flc=None, flc_in=None, hwp=None,
        hwp_sync=None, exptime=None, detgain=None, readmode=None, filter=None, filter01=None,
        filter02=None, obsmod=None, fields=[], nframes=0, ny=0, nx=0, crop=None, mjd=None,
        mjd_start=None, mjd_end=None, pa=None, altitude=None, imr_angle=None, sync=None, hdu=0,
        format="archive", interleaved=False,
    )  # fmt: skip


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
        # The folder is escaped: it may itself hold characters that mean something to glob.
        escaped = glob.escape(os.path.abspath(folder))
        start = os.path.normpath(os.path.join(escaped, os.path.expanduser(pattern)))
        matches = glob.glob(start, recursive=True)
        if not matches and os.path.exists(os.path.join(folder, pattern)):
            matches = [os.path.abspath(os.path.join(folder, pattern))]
        if not matches:
            raise FileError(
                f"no file matches {str(pattern)!r} (looked from {os.path.abspath(folder)}); "
                "check the name or pattern ([data] raw in a configuration)"
            )
        for match in matches:
            # Asking the disk what a file called .fits is would double the time for many.
            is_folder = not match.endswith(FITS_SUFFIXES) and os.path.isdir(match)
            found.update(_fits_below(match) if is_folder else [match])
    return sorted(found)


def build_index(
    patterns: str | Iterable[str | Path],
    folder: str | Path = ".",
    exclude: Sequence[str] = (),
    cache_path: str | Path | None = None,
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
        The JSON file that keeps the records; None: nothing is kept.

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
    >>> build_index("raw/*.fits*", cache_path=".vampires/index.json")  # doctest: +SKIP
    """
    paths = find_files(patterns, folder)
    cache = _load(cache_path) if cache_path is not None else {}
    records = {path: _fresh(path, cache) for path in paths}
    missing = [path for path, record in records.items() if record is None]
    if missing:
        # Imported here: scanning needs astropy, a start with nothing new does not.
        from vampires.scan import scan_file

        log.info("reading headers", n=len(missing), cached=len(paths) - len(missing))
        for path in missing:
            records[path] = scan_file(path)
    scanned = {path: cast(Record, record) for path, record in records.items()}
    if cache_path is not None and (missing or len(cache) != len(scanned)):
        _save(cache_path, scanned)
    return _sorted(_mark_duplicates(_mark_excluded(scanned.values(), exclude)))


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


def _fresh(path: str, cache: dict[str, Record]) -> Record | None:
    record = cache.get(path)
    if record is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    same = (record["size"], record["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
    return record if same else None


def _mark_excluded(records: Iterable[Record], exclude: Sequence[str]) -> list[Record]:
    marked = []
    for record in records:
        pattern = next((item for item in exclude if _names(record, item)), None)
        if pattern is not None:
            reason = f"{record['name']}: left out by [data] exclude ({pattern!r})"
            record = Record(**{**record, "ok": False, "kind": "excluded", "reason": reason})
        marked.append(record)
    return marked


def _names(record: Record, pattern: str) -> bool:
    """Whether a pattern names a file: by its name or, when it holds a folder, by its path."""
    path = Path(record["path"])
    if "/" in pattern:
        return path.match(pattern) or str(path) == pattern
    return fnmatchcase(record["name"], pattern) or fnmatchcase(path.name, pattern)


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


def _load(cache_path: str | Path) -> dict[str, Record]:
    try:
        content = json.loads(Path(cache_path).read_bytes())
        if content["schema"] != SCHEMA:
            return {}
        return {record["path"]: record for record in content["records"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the header index cannot be read and is made anew",
                    file=str(cache_path), error=str(error))  # fmt: skip
        return {}


def _save(cache_path: str | Path, records: dict[str, Record]) -> None:
    target = Path(cache_path)
    content = {"schema": SCHEMA, "records": list(records.values())}
    try:
        with atomic_path(target) as temporary:
            temporary.write_text(json.dumps(content))
    except OSError as error:
        log.warning("the header index cannot be kept: the next start will read all headers again",
                    file=str(target), error=str(error))  # fmt: skip
