"""Which files of a folder a reduction is about: by name, object and kind.

Only the standard library is imported: the task graph is made from what is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from vampires.errors import ConfigError
from vampires.night.record import Record


def choose(
    records: Iterable[Record],
    *,
    include: Sequence[str] = (),
    objects: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> list[Record]:
    """Leave out what a reduction is not about.

    Parameters
    ----------
    records : iterable of Record
        The header index.
    include : sequence of str
        Names or patterns of the science files to take, see `is_named`; empty: all.
    objects : sequence of str
        Objects whose science files to take; case, blanks and punctuation do not matter;
        empty: all.
    kinds : sequence of str
        Kinds of files to take; empty: all.

    Returns
    -------
    list of Record
        The same files; those left out are ``excluded``, with the reason.

    Raises
    ------
    ConfigError
        No science file shows an object that is asked for.
    """
    records = list(records)
    science = [record for record in records if record["ok"] and record["kind"] == "science"]
    found = {star_name(record["object"]): record["object"] or "unnamed" for record in science}
    wanted = {star_name(name): name for name in objects}
    absent = [name for star, name in wanted.items() if star not in found]
    if absent:
        there = ", ".join(sorted(set(found.values()))) or "none"
        raise ConfigError(f"[data] object: no file shows {', '.join(absent)}; found: {there}")
    chosen = []
    for record in records:
        reason = None
        if record["ok"] and kinds and record["kind"] not in kinds:
            reason = f"left out by [data] kinds: it is {record['kind']}"
        elif record["ok"] and record["kind"] == "science":
            if wanted and star_name(record["object"]) not in wanted:
                reason = f"left out by [data] object: it shows {record['object']}"
            elif include and not any(is_named(record, pattern) for pattern in include):
                reason = "left out by [data] include"
        chosen.append(record if reason is None else left_out(record, reason))
    return chosen


def exclude(records: Iterable[Record], patterns: Sequence[str]) -> list[Record]:
    """Leave out the files that some patterns name.

    Parameters
    ----------
    records : iterable of Record
        The header index.
    patterns : sequence of str
        See `is_named`.

    Returns
    -------
    list of Record
    """
    marked = []
    for record in records:
        pattern = next((item for item in patterns if is_named(record, item)), None)
        if pattern is not None:
            record = left_out(record, f"left out by [data] exclude ({pattern!r})")
        marked.append(record)
    return marked


def left_out(record: Record, reason: str) -> Record:
    """Record of a file that takes no part by choice."""
    text = f"{record['name']}: {reason}"
    return Record(**{**record, "ok": False, "kind": "excluded", "reason": text})


def is_named(record: Record, pattern: str) -> bool:
    """Whether a pattern names a file: by its name or, when it holds a folder, by its path."""
    path = Path(record["path"])
    if "/" in pattern:
        return path.match(pattern) or str(path) == pattern
    return fnmatchcase(record["name"], pattern) or fnmatchcase(path.name, pattern)


def star_name(text: str | None) -> str:
    """Name of an object without case, blanks and punctuation.

    Examples
    --------
    >>> star_name("AB_Aur "), star_name("BD+20 307"), star_name(None)
    ('ABAUR', 'BD+20307', '')
    """
    return "".join(c for c in (text or "").upper() if c.isalnum() or c in "+-")
