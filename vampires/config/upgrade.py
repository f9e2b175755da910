"""Convert the text of an old configuration, comments and all, by the rules of `upgrade_rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vampires.config.option import as_toml
from vampires.config.upgrade_rules import (
    ANYWHERE,
    DROPPED_TABLES,
    MASTERS,
    ON_BY_DEFAULT,
    PRESENCE,
    PRESENCE_BEFORE_0_11,
    RULES,
    TABLES,
    Assignment,
    Rule,
    masters_folder,
)
from vampires.errors import ConfigError


@dataclass(frozen=True)
class Upgraded:
    """A converted configuration.

    Attributes
    ----------
    text : str
        The new TOML.
    converted, dropped : tuple of str
        One sentence per key that changed its name or value, and per key that went nowhere.
    """

    text: str
    converted: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """A key with its value, or (without a key) a comment or empty line."""

    table: str
    key: str = ""
    value: Any = None
    written: str = ""
    comment: str = ""

    @property
    def place(self) -> str:
        return f"[{self.table}] {self.key}" if self.table else self.key


@dataclass
class _Draft:
    """The new configuration while it is put together: lines per table, in order."""

    tables: dict[str, list[str]] = field(default_factory=lambda: {"": []})
    taken: set[tuple[str, str]] = field(default_factory=set)
    implied: list[Assignment] = field(default_factory=list)
    converted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def add(self, table: str, line: str) -> None:
        self.tables.setdefault(table, []).append(line)

    def set(self, table: str, key: str, written: str, comment: str = "") -> None:
        self.taken.add((table, key))
        self.add(table, f"{key} = {written}" + (f"  {comment}" if comment else ""))

    def note(self, sentence: str) -> None:
        if sentence not in self.converted:
            self.converted.append(sentence)

    def drop(self, line: _Line, why: str) -> None:
        self.dropped.append(f"{line.place} = {line.written}: {why}")
        kept = f"# not converted: {line.place} = {line.written}  {line.comment}"
        self.add(_renamed(line.table), kept.rstrip())


def upgrade_text(text: str, name: str = "config") -> Upgraded:
    r"""Convert a config of the public pipeline, whatever its version, to the present keys.

    Parameters
    ----------
    text : str
        TOML of any version.
    name : str
        What to call it in errors.

    Returns
    -------
    Upgraded
        New text and what happened to every key that changed.

    Raises
    ------
    ConfigError
        If the text is not TOML.

    Examples
    --------
    >>> print(upgrade_text('[collapse]\nmethod = "mean"  # unbiased').text.strip())
    [coadd]
    method = "mean"  # unbiased
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    lines = list(_lines(document.body, ""))
    draft = _Draft()
    for line in lines:
        _convert(line, draft)
    _calibrations(lines, draft)
    _tables_present(lines, draft)
    _add_implied(draft)
    return Upgraded(_assemble(draft), tuple(draft.converted), tuple(draft.dropped))


def _lines(body: Any, table: str) -> Iterator[_Line]:
    """Walk a tomlkit body in the order of the file; a table without keys yields an empty line."""
    from tomlkit.items import InlineTable, Table

    for key, item in body:
        if key is None:
            yield _Line(table, written=item.as_string().strip("\n"))
        elif isinstance(item, Table | InlineTable):
            inner = f"{table}.{key.key}" if table else key.key
            yield _Line(inner, comment=item.trivia.comment)
            yield from _lines(item.value.body, inner)
        else:
            written = " ".join(item.as_string().split())
            yield _Line(table, key.key, item.unwrap(), written, item.trivia.comment)


def _renamed(table: str) -> str:
    """Where what stands in an old table belongs now."""
    top = table.partition(".")[0]
    if top in ("coronagraph", "satspot", "satspots", "products", "fields", "frame_centers"):
        return ""
    return TABLES.get(top, top)


def _rule(line: _Line) -> Rule:
    if line.table in DROPPED_TABLES:
        return DROPPED_TABLES[line.table]
    place = f"{line.table}.{line.key}" if line.table else line.key
    found = RULES.get((line.table, line.key)) or DROPPED_TABLES.get(place)
    return found or ANYWHERE.get(line.key) or Rule(_renamed(line.table), line.key)


def _convert(line: _Line, draft: _Draft) -> None:
    new_table = _renamed(line.table)
    if not line.key:
        draft.add(new_table, line.comment or line.written)
        return
    if line.table.partition(".")[2] in MASTERS or line.key in MASTERS:
        return  # all of them together, in `_calibrations`
    rule = _rule(line)
    if rule.why_dropped:
        draft.drop(line, rule.why_dropped)
        return
    if (rule.table, rule.key) in draft.taken:
        draft.drop(line, f"[{rule.table}] {rule.key} is already set")
        return
    known = line.value if isinstance(line.value, str | bool) else None
    written = line.written
    if known in rule.values:
        written = as_toml(rule.values[known])
    elif rule.invert:
        written = as_toml(not line.value)
    draft.set(rule.table, rule.key, written, line.comment)
    draft.implied += rule.also.get(known, ())
    same = (rule.key, written) == (line.key, line.written)
    if same and TABLES.get(line.table) == rule.table:
        draft.note(f"[{line.table}] is now [{rule.table}]")
    elif not same or rule.table != line.table:
        place = f"[{rule.table}] {rule.key}" if rule.table else rule.key
        draft.note(f"{line.place} = {line.written} is now {place} = {written}")


def _calibrations(lines: list[_Line], draft: _Draft) -> None:
    """Replace master files named per camera by the folder they are in: matching is automatic."""
    named = [
        line
        for line in lines
        if line.key and (line.table.partition(".")[2] in MASTERS or line.key in MASTERS)
    ]
    if not named:
        return
    folder = masters_folder([str(line.value) for line in named])
    if folder is None or ("calibrate", "calib_directory") in draft.taken:
        for line in named:
            draft.drop(line, "put the masters into one folder, [calibrate] calib_directory")
        return
    draft.set("calibrate", "calib_directory", as_toml(folder))
    places = ", ".join(line.place for line in named)
    draft.note(f'{places}: now found by their headers in calib_directory = "{folder}"')


def _tables_present(lines: list[_Line], draft: _Draft) -> None:
    """Collect what the presence or absence of whole tables meant."""
    tables = {line.table for line in lines}
    top = {line.key: line.value for line in lines if line.table == ""}
    version = re.match(r"0\.(\d+)", str(top.get("dpp_version", top.get("version", ""))))
    present = dict(PRESENCE)
    if version is None or int(version[1]) < 11:
        present |= PRESENCE_BEFORE_0_11
    for table, assignments in present.items():
        if table in tables:
            draft.implied += assignments
    if "version" in top:  # up to 0.8; dpp_version since
        draft.dropped += [
            f"[{table}] was absent, which switched the step off; here it is on unless {keys} say no"
            for table, keys in ON_BY_DEFAULT.items()
            if table not in tables
        ]


def _add_implied(draft: _Draft) -> None:
    """Set what old keys and tables implied, where the file does not say otherwise.

    A rule's own implications come before those of a table's presence, and win.
    """
    for table, key, value in draft.implied:
        if (table, key) not in draft.taken:
            draft.set(table, key, as_toml(value))
            place = f"[{table}] {key}" if table else key
            draft.note(f"{place} = {as_toml(value)}: implied by the old config")


def _assemble(draft: _Draft) -> str:
    """Write the tables one after another, without the gaps that moved keys left."""
    parts = []
    for table, lines in draft.tables.items():
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
        if table:
            parts.append(f"[{table}]\n{body}".rstrip("\n"))
        elif body:
            parts.append(body)
    return "\n\n".join(parts) + "\n"
