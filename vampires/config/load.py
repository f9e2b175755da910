"""Read and validate a configuration; say everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vampires.config.checks import NOT_YET_SECTIONS, consistency_problems
from vampires.config.model import Config
from vampires.config.option import as_toml, options_of, read_value
from vampires.config.schema import OPTIONAL_SECTIONS, SECTIONS, GeneralSettings
from vampires.errors import ConfigError

ENVIRONMENT = "VAMPIRES_CONFIG"
"""Environment variable that names the configuration."""

_OLD_NAMES = {
    "version",
    "object",
    "coordinate",
    "frame_centers",
    "collapse",
    "register",
    "diff",
    "coronagraph",
    "satspots",
    "products",
    "make_diff_images",
}
_FILE_FRIENDLY = r"[A-Za-z0-9_+][A-Za-z0-9._+-]*"


def load_config(path: str | Path) -> Config:
    """Read, validate and complete a configuration file.

    Parameters
    ----------
    path : str or pathlib.Path
        A TOML file.

    Returns
    -------
    Config
        With every key filled in; ``config.path`` is absolute.

    Raises
    ------
    ConfigError
        One line per problem: file, line, table and key, what was found and what is allowed.

    Examples
    --------
    >>> config = load_config("20230101_ABAur.toml")  # doctest: +SKIP
    >>> config.coadd.method  # doctest: +SKIP
    'mean'
    """
    path = Path(path).expanduser().absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: not valid TOML: {error}") from error
    return config_from_dict(values, path, text)


def config_from_dict(values: Mapping[str, Any], path: Path | None = None, text: str = "") -> Config:
    """Validate values as read from TOML and fill in the defaults.

    Parameters
    ----------
    values : mapping
        Tables and keys.
    path : pathlib.Path, optional
        The file they came from: named in errors, and where relative paths start.
    text : str, optional
        Its text, so that errors can give line numbers.

    Returns
    -------
    Config
        The configuration.

    Raises
    ------
    ConfigError
        One line per problem.

    Examples
    --------
    >>> config_from_dict({"name": "demo", "coadd": {"method": "median"}}).coadd.method
    'median'
    """
    problems: list[tuple[str, str, str]] = []
    general = {key: value for key, value in values.items() if key not in SECTIONS}
    top = _read_table("", general, GeneralSettings, problems)
    top["name"] = top.get("name") or name_from(path)
    if not re.fullmatch(_FILE_FRIENDLY, top["name"]):
        shown = _shown(top["name"])
        what = f"name = {shown}: must be file-friendly: letters, digits, . _ + -"
        problems.append(("", "name", what))
    settings = _read_sections(values, problems)
    config = Config(**top, **settings, path=path)
    broken = {(table, key) for table, key, _ in problems}
    problems += [p for p in consistency_problems(config) if p[:2] not in broken]
    if problems:
        where = "configuration" if path is None else path.name
        lines = [f"{where}{_line(text, table, key)}: {what}" for table, key, what in problems]
        if path is not None and _OLD_NAMES & set(values):
            lines.append(
                f"{where}: looks like a config of the public pipeline before 0.14; "
                f"`doit upgrade {path.name} -o NEW.toml` converts it"
            )
        raise ConfigError("\n".join(lines))
    return config


def find_config(
    folder: str | Path = ".",
    explicit: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Path | None:
    """Choose the configuration of a reduction directory.

    Parameters
    ----------
    folder : str or pathlib.Path
        The reduction directory.
    explicit : str or pathlib.Path, optional
        A file named by the user (``doit config=NAME.toml``), relative to ``folder``.
    environment : mapping, optional
        Where VAMPIRES_CONFIG is looked up; the process environment by default.

    Returns
    -------
    pathlib.Path or None
        The file named explicitly, else by the environment, else the only configuration in the
        folder; None when there is none.

    Raises
    ------
    ConfigError
        If the named file does not exist, or several could be meant.
    """
    folder = Path(folder).absolute()
    environment = os.environ if environment is None else environment
    named = explicit or environment.get(ENVIRONMENT)
    if named:
        path = folder / Path(named).expanduser()
        if path.is_file():
            return path
        source = "config" if explicit else ENVIRONMENT
        here = ", ".join(p.name for p in _configs_in(folder)) or "none"
        raise ConfigError(f"{source}={named}: no such file; configs in {folder}: {here}")
    found = _configs_in(folder)
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise ConfigError(
            f"{folder} holds several configs ({names}); choose one: `doit config={found[0].name}`"
        )
    return found[0] if found else None


def _configs_in(folder: Path) -> list[Path]:
    """TOML files that have a table of ours or a name; a broken one counts, so that it is seen."""
    tables = "|".join([*SECTIONS, *sorted(_OLD_NAMES)])
    header = re.compile(
        rf"^[ \t]*(\[[ \t]*({tables})[ \t]*[\].]|(name|dpp_version)[ \t]*=)", re.MULTILINE
    )
    paths = (p for p in sorted(folder.glob("*.toml")) if p.name != "pyproject.toml")
    return [p for p in paths if header.search(p.read_text(encoding="utf-8", errors="replace"))]


def name_from(path: Path | None) -> str:
    """Return a file-friendly reduction name made of the config's file name."""
    return "vampires" if path is None else re.sub(r"[^A-Za-z0-9._+-]+", "_", path.stem)


def _read_sections(
    values: Mapping[str, Any], problems: list[tuple[str, str, str]]
) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        if section not in values:
            settings[section] = None if section in OPTIONAL_SECTIONS else kind()
            continue
        table = values[section]
        if section in NOT_YET_SECTIONS:
            what = f"[{section}]: valid, but not carried out yet ({NOT_YET_SECTIONS[section]})"
            problems.append((section, "", what))
        if not isinstance(table, Mapping):
            problems.append(("", section, f"{section} must be a table: [{section}]"))
            table = {}
        settings[section] = kind(**_read_table(section, table, kind, problems))
    return settings


def _read_table(
    section: str,
    table: Mapping[str, Any],
    kind: type,
    problems: list[tuple[str, str, str]],
) -> dict[str, Any]:
    """Read the keys of one table; what is wrong goes to ``problems`` and keeps its default."""
    fields = options_of(kind)
    prefix = f"[{section}] " if section else ""
    read: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            problems.append((section, key, prefix + _unknown(key, value, section, list(fields))))
            continue
        try:
            read[key] = read_value(fields[key], value)
        except ValueError as error:
            what = f"{prefix}{key} = {_shown(value)}: must be {error}"
            choices = fields[key].metadata["option"].choices
            if isinstance(value, str):
                what += nearest(value, choices)
            problems.append((section, key, what))
    return read


def _unknown(key: str, value: Any, section: str, known: list[str]) -> str:
    if section == "" and isinstance(value, Mapping):
        tables = ", ".join(f"[{name}]" for name in SECTIONS)
        return f"[{key}]: unknown table{nearest(key, SECTIONS)}; tables: {tables}"
    candidates = known if section else [*known, *SECTIONS]
    return f"{key}: unknown key{nearest(key, candidates)}; keys: {', '.join(known)}"


def nearest(word: str, known: Any) -> str:
    """Return " (did you mean ...?)" when one of the known words is close, else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _shown(value: Any) -> str:
    """Show a value as it stands in the file, shortened; a message is one line whatever it holds."""
    try:
        text = as_toml(value)
    except (TypeError, ValueError):
        text = repr(value)  # given in Python: no TOML file holds it
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= 60 else text[:57] + "..."


def _line(text: str, table: str, key: str) -> str:
    """Give ":12" when the key, or failing it its table, is found on line 12; else nothing."""
    current, found = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            current = header[1]
            if current == (table or key):
                found = f":{number}"
        elif current == table and key and re.match(rf"\s*\"?{re.escape(key)}\"?\s*[=.]", line):
            return f":{number}"
    return found
