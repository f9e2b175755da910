"""One line declares a setting: its default, unit, meaning, allowed values and limits.

A settings table is a frozen dataclass whose fields are made by `option`; the annotation gives
the type. `read_value` turns what TOML holds into that type, or says in words what is allowed.
Everything else (defaults, validation, the reference page, prompts) follows from the same line.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_NUMBERS = (int, float)


@dataclass(frozen=True)
class Option:
    """What is known of one setting beyond its name and type.

    Attributes
    ----------
    help : str
        One or two sentences for the person who sets it.
    unit : str
        Unit of a number; empty for a pure number or a text.
    choices : mapping of str to str
        Allowed texts, each explained; empty when any text will do.
    minimum, maximum : float or None
        Inclusive limits of a number.
    aliases : mapping of str to str
        Accepted spellings and the choice each stands for.
    public : str
        Default of the public pipeline as TOML text, when ours differs.
    why : str
        Why ours differs.
    read : callable or None
        Reader for values whose TOML form is not simply the annotated type; it returns the value
        or raises ValueError with the words that follow "must be".
    """

    help: str
    unit: str = ""
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    public: str = ""
    why: str = ""
    read: Callable[[Any], Any] | None = None


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    choices: Mapping[str, str] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    aliases: Mapping[str, str] | None = None,
    public: str = "",
    why: str = "",
    read: Callable[[Any], Any] | None = None,
) -> Any:
    """Declare a setting as a dataclass field; the arguments are those of `Option`.

    Many arguments, because a setting is declared in one place; all but two are seldom given.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Window:
    ...     size: int = option(21, "Width of the window.", unit="px", minimum=3)
    >>> Window().size
    21
    """
    about = Option(help, unit, choices or {}, minimum, maximum, aliases or {}, public, why, read)
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata={"option": about})
    return dataclasses.field(default=default, metadata={"option": about})


def options_of(settings: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the declared settings of a dataclass, by key.

    Parameters
    ----------
    settings : type
        A dataclass with fields made by `option`.

    Returns
    -------
    dict of str to dataclasses.Field
        In the order of declaration.
    """
    return {f.name: f for f in dataclasses.fields(settings) if "option" in f.metadata}


def read_value(field: dataclasses.Field[Any], value: Any) -> Any:
    """Convert one TOML value to the type of its setting.

    Parameters
    ----------
    field : dataclasses.Field
        The declaration.
    value : object
        As ``tomllib`` read it.

    Returns
    -------
    object
        The value with its type settled (an integer becomes a float where a float is meant).

    Raises
    ------
    ValueError
        With the words that follow "must be": "a number", "at least 3".
    """
    about: Option = field.metadata["option"]
    if about.read is not None:
        return about.read(value)
    value = _convert(value, field.type)
    if about.choices:
        value = about.aliases.get(value, value)
        if value not in about.choices:
            allowed = [*about.choices, *about.aliases]
            raise ValueError("one of " + ", ".join(f'"{choice}"' for choice in allowed))
    _check_limits(value, about)
    return value


def describe_type(annotation: Any) -> str:
    """Say in words what values a type takes, as in "must be a number".

    Parameters
    ----------
    annotation : type
        One of the few types settings have.

    Returns
    -------
    str
        For instance "true or false".
    """
    plain = _without_none(annotation)
    if typing.get_origin(plain) is tuple:
        inner, *rest = typing.get_args(plain)
        many = "any number of" if rest == [Ellipsis] else str(1 + len(rest))
        return f"a list of {many} {'numbers' if inner is float else 'texts'}"
    return {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: 'a text in quotes ("...")',
    }[plain]


def _without_none(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType):
        return next(kind for kind in annotation.__args__ if kind is not types.NoneType)
    return annotation


def _convert(value: Any, annotation: Any) -> Any:
    kind = _without_none(annotation)
    if typing.get_origin(kind) is tuple:
        return _convert_list(value, kind)
    is_number = isinstance(value, _NUMBERS) and not isinstance(value, bool)
    if kind is float and is_number and math.isfinite(value):
        return float(value)
    if kind is int and is_number and math.isfinite(value) and value == int(value):
        return int(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    raise ValueError(describe_type(annotation))


def _convert_list(value: Any, kind: Any) -> tuple[Any, ...]:
    inner, *rest = typing.get_args(kind)
    if inner is str and isinstance(value, str):
        value = [value]  # one text stands for a list of one
    wrong = ValueError(describe_type(kind))
    if not isinstance(value, list | tuple):
        raise wrong
    if rest != [Ellipsis] and len(value) != 1 + len(rest):
        raise wrong
    try:
        return tuple(_convert(item, inner) for item in value)
    except ValueError:
        raise wrong from None


def _check_limits(value: Any, about: Option) -> None:
    if not isinstance(value, _NUMBERS) or isinstance(value, bool):
        return
    low, high = about.minimum, about.maximum
    unit = f" {about.unit}" if about.unit else ""
    if low is not None and high is not None and not low <= value <= high:
        raise ValueError(f"between {low:g} and {high:g}{unit}")
    if low is not None and value < low:
        raise ValueError(f"at least {low:g}{unit}")
    if high is not None and value > high:
        raise ValueError(f"at most {high:g}{unit}")


def as_toml(value: Any) -> str:
    """Write a value as it would stand in a TOML file.

    Examples
    --------
    >>> as_toml(True), as_toml("a"), as_toml((1, 2.5)), as_toml({})
    ('true', '"a"', '[1, 2.5]', '{}')
    """
    import tomlkit  # slow to load for those who only plan

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(value)
        return table.as_string()
    return tomlkit.item(value).as_string()
