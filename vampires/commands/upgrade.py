"""``doit upgrade OLD.toml``: carry a config of the public pipeline 0.8 to 0.14 over."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, ClassVar

from vampires.commands.base import PersonCommand, say
from vampires.config.load import load_config
from vampires.config.upgrade import upgrade_text
from vampires.config.write import replace_text
from vampires.errors import ConfigError


class Upgrade(PersonCommand):
    """Convert an old configuration; the old file is never touched."""

    name = "upgrade"
    doc_purpose = "convert a config of the public pipeline (0.8 to 0.14), comments and all"
    doc_usage = "OLD.toml [-o NEW.toml]"
    doc_description = (
        "Writes NEW.toml (OLD_upgraded.toml by default) and says what was converted, what could "
        "not be, and what is left to settle by hand. Exit status 1 when something is left.\n\n"
        "Example: doit upgrade old.toml -o new.toml"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "output",
            "long": "output",
            "short": "o",
            "default": "",
            "help": "file to write; must not exist",
        },
    )

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Convert, write, report."""
        if len(arguments) != 1:
            raise ConfigError(f"one OLD.toml expected, found {len(arguments)}: `doit help upgrade`")
        old = Path(arguments[0]).expanduser().absolute()
        try:
            text = old.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{old}: cannot be read as text: {error}") from error
        new = old.with_name(f"{old.stem}_upgraded.toml")
        if options["output"]:
            new = Path(options["output"]).expanduser().absolute()
        if new.exists():
            raise ConfigError(f"{os.path.relpath(new)} exists; choose another name with -o")
        upgraded = upgrade_text(text, old.name)
        if tomllib.loads(upgraded.text) == tomllib.loads(text) and not options["output"]:
            say(f"{os.path.relpath(old)} is of today; nothing is written")
            return _report_problems(old)
        replace_text(new, upgraded.text)
        say(f"wrote {os.path.relpath(new)}; {os.path.relpath(old)} is untouched")
        for line in upgraded.converted:
            say(f"  converted: {line}")
        for line in upgraded.dropped:
            say(f"  not converted: {line}")
        return _report_problems(new)


def _report_problems(path: Path) -> int:
    """Say what the new file still lacks."""
    try:
        load_config(path)
    except ConfigError as error:
        for line in str(error).splitlines():
            say(f"  to settle by hand: {line}")
        return 1
    return 0
