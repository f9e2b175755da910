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
        No science file shows an object that is asked for, or no file is named so.
    """
    records = list(records)
    science = [record for record in records if record["ok"] and record["kind"] == "science"]
    found = {star_name(record["object"]): record["object"] or "unnamed" for record in science}
    wanted = {star_name(name): name for name in objects}
    absent = [name for star, name in wanted.items() if star not in found]
    if absent:
        there = ", ".join(sorted(set(found.values()))) or "none"
        raise ConfigError(f"[data] object: no file shows {', '.join(absent)}; found: {there}")
    taken = named(records, include)
    if unknown := [name for name in include if not taken[name]]:
        raise ConfigError(f"[data] include, files=: no raw file is {', '.join(unknown[:3])}")
    included = set().union(*taken.values())
    chosen = []
    for number, record in enumerate(records):
        reason = None
        if record["ok"] and kinds and record["kind"] not in kinds:
            reason = f"left out by [data] kinds: it is {record['kind']}"
        elif record["ok"] and record["kind"] == "science":
            if wanted and star_name(record["object"]) not in wanted:
                reason = f"left out by [data] object: it shows {record['object']}"
            elif include and number not in included:
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
    records = list(records)
    marked = records.copy()
    for pattern, numbers in reversed(named(records, patterns).items()):
        for number in numbers:
            reason = f"left out by [data] exclude ({pattern!r})"
            marked[number] = left_out(records[number], reason)
    return marked


def named(records: Sequence[Record], patterns: Iterable[str]) -> dict[str, set[int]]:
    """Which files each pattern names; thousands of names cost no more than looking them up.

    Parameters
    ----------
    records : sequence of Record
        The header index.
    patterns : iterable of str
        See `is_named`.

    Returns
    -------
    dict of str to set of int
        Numbers of the files, by pattern.
    """
    exact: dict[str, set[int]] = {}
    for number, record in enumerate(records):
        for text in (record["name"], Path(record["path"]).name, record["path"]):
            exact.setdefault(text, set()).add(number)
    return {
        pattern: exact.get(pattern)
        or {number for number, record in enumerate(records) if is_named(record, pattern)}
        for pattern in patterns
    }


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
