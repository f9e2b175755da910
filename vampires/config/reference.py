"""The reference page of the configuration, written from the declarations themselves.

``python -m vampires.config.reference docs/configuration.md`` writes the page.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from pathlib import Path
from typing import Any

from vampires.config.checks import NOT_YET_SECTIONS
from vampires.config.option import Option, as_toml, describe_type, options_of
from vampires.config.schema import OPTIONAL_SECTIONS, SECTIONS, GeneralSettings

_HEAD = """# Configuration

One TOML file describes a reduction. `doit new NAME.toml` writes a commented one; every key may be
left out and then has the default given here. Unknown keys and values that are not allowed are
errors, listed all at once with file, line and what is allowed.

Tables and keys are those of the public pipeline 0.14 (`vampires_dpp`), whose configs run as they
are; `doit upgrade OLD.toml` converts those of its earlier versions. Defaults that differ from the
public pipeline's are marked, with the reason. A value that the file states is always the value
used.

Several configs may share a folder: choose with `doit config=NAME.toml`, or the environment
variable `VAMPIRES_CONFIG`. A task is run again only when a value of a table it reads changes;
`[execution]` never changes a result.

<!-- Written by `python -m vampires.config.reference`; edit vampires/config/schema.py instead. -->
"""


def render() -> str:
    """Return the reference page.

    Returns
    -------
    str
        Markdown: a chapter for each table, a paragraph for each key.
    """
    parts = [_HEAD, _differences(), _chapter("", GeneralSettings)]
    parts += [_chapter(section, kind) for section, kind in SECTIONS.items()]
    return "\n".join(parts)


def _differences() -> str:
    """List every default that is not the public pipeline's."""
    rows = []
    for section, kind in [("", GeneralSettings), *SECTIONS.items()]:
        for key, field in options_of(kind).items():
            about = _about(field)
            if about.public:
                name = f"{section}.{key}".lstrip(".")
                here = _default(field) or "none"
                rows.append(f"| `{name}` | `{here}` | `{about.public}` | {about.why} |")
    head = [
        "## Where defaults differ from the public pipeline\n",
        "| key | here | there | why |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _chapter(section: str, kind: type) -> str:
    title = f"## `[{section}]`" if section else "## Top of the file"
    lines = [f"{title}\n", f"{inspect.getdoc(kind)}\n"]
    if section in OPTIONAL_SECTIONS and section != "polarimetry":
        lines.append("The table may be absent.\n")
    if section in NOT_YET_SECTIONS:
        lines.append("**Not carried out yet:** a config with this table is refused.\n")
    lines += [_entry(field) for field in options_of(kind).values()]
    return "\n".join(lines)


def _entry(field: dataclasses.Field[Any]) -> str:
    about = _about(field)
    facts = [_allowed(field)]
    if about.unit:
        facts.append(about.unit)
    default = _default(field)
    facts.append(f"default `{default}`" if default else "no default")
    lines = [f"### `{field.name}`\n", f"{about.help}\n", f"*{'; '.join(facts)}*\n"]
    if about.choices:
        lines += [f'- `"{choice}"`: {meaning}' for choice, meaning in about.choices.items()]
        lines += [f'- `"{alias}"`: same as `"{of}"`' for alias, of in about.aliases.items()]
        lines.append("")
    if about.public:
        lines.append(f"The public pipeline's default is `{about.public}`; here {about.why}.\n")
    return "\n".join(lines)


def _allowed(field: dataclasses.Field[Any]) -> str:
    """Say what values a key takes, limits included."""
    about = _about(field)
    if about.choices:
        return "one of the texts below"
    if about.read is not None:
        try:
            about.read(object())
        except ValueError as error:
            return str(error)
    words = describe_type(field.type)
    if about.minimum is not None and about.maximum is not None:
        return f"{words} from {about.minimum:g} to {about.maximum:g}"
    if about.minimum is not None:
        return f"{words}, at least {about.minimum:g}"
    return words


def _about(field: dataclasses.Field[Any]) -> Option:
    about: Option = field.metadata["option"]
    return about


def _default(field: dataclasses.Field[Any]) -> str:
    """Default as TOML; empty for "absent"."""
    if field.default_factory is not dataclasses.MISSING:
        return as_toml(field.default_factory())
    if field.default is None and field.name == "phot_ann_rad":  # false is its None in TOML
        return "false"
    return "" if field.default is None else as_toml(field.default)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        Path(sys.argv[1]).write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write(render())
