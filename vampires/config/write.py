"""Write configurations: templates, settings put into a commented TOML text, safe replacement."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vampires.config.load import config_from_dict, nearest
from vampires.config.model import Config
from vampires.config.option import options_of, read_value
from vampires.config.schema import SECTIONS, GeneralSettings
from vampires.errors import ConfigError


@dataclass(frozen=True)
class Setting:
    """One value to put into a configuration.

    Attributes
    ----------
    section : str
        TOML table; "" for the top of the file.
    key : str
        Key in that table.
    value : object
        As TOML holds it; None takes the key out.
    """

    section: str
    key: str
    value: Any


def template_folder() -> Path:
    """Return the folder of the templates: in the installed package, or beside it in a checkout.

    Returns
    -------
    pathlib.Path
        Folder with one TOML file per observing scenario.
    """
    package = Path(__file__).resolve().parent.parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def templates() -> dict[str, str]:
    """List the templates.

    Returns
    -------
    dict of str to str
        Name and first sentence of its opening comment, sorted by name.
    """
    return {
        path.stem: _opening(path.read_text(encoding="utf-8"))
        for path in sorted(template_folder().glob("*.toml"))
    }


def read_template(name: str) -> str:
    """Return the text of a template.

    Parameters
    ----------
    name : str
        For instance "pdi".

    Returns
    -------
    str
        Commented TOML.

    Raises
    ------
    ConfigError
        If there is none of that name; the names there are follow.
    """
    known = templates()
    if name not in known:
        raise ConfigError(
            f"no template {name!r}{nearest(name, known)}; templates: " + ", ".join(known)
        )
    return (template_folder() / f"{name}.toml").read_text(encoding="utf-8")


def parse_setting(text: str) -> Setting:
    """Read ``table.key=value`` as given on a command line.

    The value is TOML; where a text is wanted it may go without quotes, which a shell eats.

    Parameters
    ----------
    text : str
        For instance ``coadd.method=median`` or ``align.crop_width=256``.

    Returns
    -------
    Setting
        With a value of the right type.

    Raises
    ------
    ConfigError
        If there is no such key, or the value is not allowed.

    Examples
    --------
    >>> parse_setting("align.crop_width=256")
    Setting(section='align', key='crop_width', value=256)
    >>> parse_setting("coadd.method=median").value
    'median'
    """
    name, equals, written = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {text}: must be key=value, such as coadd.method=median")
    section, field = _find_option(name.strip())
    value = _toml_or_text(written.strip(), field)
    try:
        read_value(field, value)
    except ValueError as error:
        raise ConfigError(f"--set {text}: {name.strip()} must be {error}") from None
    return Setting(section, field.name, value)


def apply_settings(text: str, settings: Iterable[Setting]) -> str:
    """Put values into a TOML text; comments and order stay.

    Parameters
    ----------
    text : str
        TOML.
    settings : iterable of Setting
        Later ones win.

    Returns
    -------
    str
        The changed text.
    """
    import tomlkit

    document = tomlkit.parse(text)
    for setting in settings:
        table: Any = document
        if setting.section:
            if setting.section not in document:
                if setting.value is None:
                    continue
                document.add(tomlkit.nl())
                document.append(setting.section, tomlkit.table())
            table = document[setting.section]
        if setting.value is None:
            table.pop(setting.key, None)
        else:
            table[setting.key] = setting.value
    return tomlkit.dumps(document)


def write_config(path: Path, text: str) -> Config:
    """Validate a configuration text and only then put it in place, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        Where; an existing file is replaced.
    text : str
        TOML.

    Returns
    -------
    Config
        What the file says.

    Raises
    ------
    ConfigError
        If the text is not a valid configuration; nothing is written then.
    """
    path = path.absolute()
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: not valid TOML: {error}") from error
    config = config_from_dict(values, path, text)
    replace_text(path, text)
    return config


def replace_text(path: Path, text: str) -> None:
    """Write a text file by way of a temporary name, so that it is never half there.

    A person wrote what it replaces: the new text is on the disk before it takes the name.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


def _opening(text: str) -> str:
    """First sentence of the comment a template begins with."""
    comment: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    sentence, _, _ = " ".join(comment).partition(". ")
    return sentence.removesuffix(".")


def _find_option(name: str) -> tuple[str, dataclasses.Field[Any]]:
    """Find a setting by "table.key" or, at the top of the file, "key"."""
    section, _, key = name.rpartition(".")
    known = {s: options_of(kind) for s, kind in [("", GeneralSettings), *SECTIONS.items()]}
    if key in known.get(section, {}):
        return section, known[section][key]
    names = [f"{s}.{k}" if s else k for s, keys in known.items() for k in keys]
    same_key = [other for other in names if other.rpartition(".")[2] == key]
    if same_key and not section:
        raise ConfigError(f"--set {name}: write the table too: {', '.join(same_key)}")
    raise ConfigError(f"--set {name}: unknown key{nearest(name, names)}")


def _toml_or_text(written: str, field: dataclasses.Field[Any]) -> Any:
    """Read TOML; take the words as they are where a text is wanted and it is not one."""
    wants_text = field.type in (str, str | None)
    takes_text = wants_text or typing.get_origin(field.type) is tuple
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        if takes_text:
            return written
        raise ConfigError(f"--set {field.name}={written}: the value is not valid TOML") from None
    if isinstance(value, str) or (isinstance(value, list) and not wants_text):
        return value
    return written if takes_text else value


def exclude_in(
    text: str, files: Iterable[str], frames: Mapping[str, Iterable[int]], known: Iterable[str]
) -> str:
    r"""Make the lists of what is left out say what a person has decided; all else stays.

    Parameters
    ----------
    text : str
        TOML.
    files : iterable of str
        Names of files to leave out.
    frames : mapping of str to iterable of int
        Frames to leave out of others.
    known : iterable of str
        Files that were decided upon: entries for others, and patterns, stay as they are.

    Returns
    -------
    str
        The changed text.

    Examples
    --------
    >>> print(exclude_in('[data]\nraw = "*.fits"  # mine\n', ["a.fits"], {"b.fits": [3]},
    ...                  ["a.fits", "b.fits"]))
    [data]
    raw = "*.fits"  # mine
    exclude = ["a.fits"]
    exclude_frames = {"b.fits" = [3]}
    <BLANKLINE>
    """
    import tomlkit

    document = tomlkit.parse(text)
    if "data" not in document:
        document.append("data", tomlkit.table())
    data: Any = document["data"]
    decided = {spelling for name in known for spelling in (name, name.partition(".")[0])}
    _set_files(data, sorted(files), decided)
    _set_frames(data, {name: list(frames[name]) for name in sorted(frames)}, decided)
    return tomlkit.dumps(document)


def _set_files(data: Any, files: list[str], decided: set[str]) -> None:
    """Change the entries of an array one by one: comments between them stay."""
    present = data.get("exclude", [])
    if isinstance(present, str):  # one name may stand without brackets
        data["exclude"] = [present]
    elif "exclude" not in data and files:
        data["exclude"] = []
    if "exclude" not in data:
        return
    array = data["exclude"]
    wanted = {*files, *(name.partition(".")[0] for name in files)}
    for entry in [entry for entry in array if entry in decided - wanted]:
        array.remove(entry)
    for name in files:
        if name not in array and name.partition(".")[0] not in array:
            array.append(name)


def _set_frames(data: Any, frames: dict[str, list[int]], decided: set[str]) -> None:
    import tomlkit

    if "exclude_frames" not in data and frames:
        data["exclude_frames"] = tomlkit.inline_table()
    if "exclude_frames" not in data:
        return
    table = data["exclude_frames"]
    for entry in [entry for entry in table if entry in decided and entry not in frames]:
        del table[entry]
    for name, numbers in frames.items():
        if list(table.get(name, ())) != numbers:
            table[name] = numbers
