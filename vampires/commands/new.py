"""``doit new NAME.toml``: begin a reduction with a commented configuration and a task file."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from vampires.commands.base import PersonCommand, ask, assigned, has_terminal, say
from vampires.commands.conversation import Answers, converse
from vampires.config.load import find_config, load_config, name_from
from vampires.config.model import Config
from vampires.config.write import (
    Setting,
    apply_settings,
    parse_setting,
    read_template,
    replace_text,
    templates,
    write_config,
)
from vampires.errors import ConfigError, FileError
from vampires.io.paths import index_path
from vampires.night.controller import with_normalized
from vampires.night.fixes import load_fixes
from vampires.night.index import build_index, find_files
from vampires.night.setups import find_setups

DODO = '"""VAMPIRES reduction: `doit list` shows the tasks, `doit` runs them."""\n'
DODO += "from vampires.tasks import *  # noqa: F403\n"
SETTINGS = "# Settings of doit; with this loader, `doit --version` says that of vampires too.\n"
SETTINGS += "[GLOBAL]\nloader = vampires\n"
DEFAULT_TEMPLATE = "pdi"


class New(PersonCommand):
    """Write a configuration, a two-line dodo.py and a doit.cfg."""

    name = "new"
    doc_purpose = "begin a VAMPIRES reduction: write a commented configuration"
    doc_usage = "NAME.toml [--template T] [--raw GLOB]... [--set key=value]... [--yes] [--edit]"
    doc_description = (
        "Writes NAME.toml, with dodo.py and doit.cfg beside it. On a terminal it asks what "
        "matters, led by what the headers say, and says what calibrations are still missing; "
        "otherwise, or with --yes, it asks nothing.\n\n"
        "Values of --set are TOML and checked; texts may go without quotes: "
        "--set coadd.method=median --set align.crop_width=256 --set analysis.phot_ann_rad=[10,15]"
        "\n\n"
        "Example: doit new 20230101_ABAur.toml --template pdi --raw '/data/20230101/*.fits*' --yes"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "template",
            "long": "template",
            "short": "t",
            "default": "",
            "help": "observing scenario to begin from; `--template list` lists them",
        },
        {
            "name": "raw",
            "long": "raw",
            "type": list,
            "default": [],
            "help": "pattern of the raw files, in quotes; may be repeated",
        },
        {
            "name": "files",
            "long": "files",
            "type": list,
            "default": [],
            "help": "a raw file, folder or pattern, as --raw; may be repeated",
        },
        {
            "name": "set",
            "long": "set",
            "type": bool,  # its value never arrives here: see `assigned`
            "default": False,
            "help": "followed by key=value: a setting, such as coadd.method=median; repeatable",
        },
        {
            "name": "yes",
            "long": "yes",
            "short": "y",
            "type": bool,
            "default": False,
            "help": "ask nothing; replace an existing NAME.toml",
        },
        {
            "name": "edit",
            "long": "edit",
            "type": bool,
            "default": False,
            "help": "open the new file in $VISUAL or $EDITOR",
        },
    )

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Take ``--set=key=value`` for ``--set key=value``, whose value doit has set aside."""
        self._settings, rest = assigned(in_args, "set")
        return super().parse_execute(rest)

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Write the files and say what comes next."""
        if options["template"] == "list":
            for name, title in templates().items():
                say(f"{name:22s} {title}")
            return 0
        path = _config_path(arguments)
        asking = has_terminal() and not options["yes"]
        if options["edit"] and not has_terminal():
            raise ConfigError("--edit needs a terminal")
        _may_write(path, asking, options["yes"])
        settings = [parse_setting(text) for text in self._settings]
        raw = [*options["raw"], *options["files"]]
        answers = Answers(options["template"], raw, edit=options["edit"])
        if asking:
            answers = converse(answers)
        name = answers.template or DEFAULT_TEMPLATE
        initial = _initial(path, answers)
        text = apply_settings(read_template(name), [*initial, *settings])
        config = write_config(path, text)
        say(f"wrote {_shown(path)} (template {name})")
        _write_dodo(path.parent)
        if asking:
            say(f"without questions: {answers.command(path, self._settings)}")
        _choose_setups(config, path)
        if answers.edit:
            config = _edit(path)
        _next_steps(config)
        return 0


def _config_path(arguments: list[str]) -> Path:
    if len(arguments) > 1:
        raise ConfigError(
            f"one NAME.toml expected, found {len(arguments)}: {' '.join(arguments[:4])} ...; "
            "quote the pattern of --raw so that the shell leaves it alone"
        )
    if not arguments:
        raise ConfigError("which file? `doit new NAME.toml` (see `doit help new`)")
    path = Path(arguments[0]).expanduser()
    path = path.absolute() if path.suffix == ".toml" else path.with_name(path.name + ".toml")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} does not exist; make it first")
    return path.absolute()


def _may_write(path: Path, asking: bool, yes: bool) -> None:
    if not path.exists() or yes:
        return
    if asking and ask(f"{_shown(path)} exists; replace it? y/n", "n").lower() in ("y", "yes"):
        return
    raise ConfigError(f"{_shown(path)} exists; choose another name, or --yes to replace it")


def _initial(path: Path, answers: Answers) -> list[Setting]:
    """Collect what every new configuration gets: its name, its raw files, its target."""
    settings = [Setting("", "name", name_from(path))]
    if answers.target:
        settings.append(Setting("target", "name", answers.target))
    if answers.objects:
        settings.append(Setting("data", "object", list(answers.objects)))
    if answers.raw:
        patterns = [_relative_to(path.parent, pattern) for pattern in answers.raw]
        settings.append(Setting("data", "raw", patterns))
    return settings


def _relative_to(folder: Path, pattern: str) -> str:
    """Rewrite a pattern given from the current folder as seen from the config's."""
    if folder == Path.cwd() or Path(pattern).expanduser().is_absolute():
        return pattern
    return os.path.relpath(Path.cwd() / pattern, folder)


def _write_dodo(folder: Path) -> None:
    path, settings = folder / "dodo.py", folder / "doit.cfg"
    for new, text in ((path, DODO), (settings, SETTINGS)):
        if not new.exists():
            replace_text(new, text)
            say(f"wrote {_shown(new)}")
    if "vampires.tasks" not in path.read_text(encoding="utf-8", errors="replace"):
        say(
            f"{_shown(path)} is somebody else's and stays as it is; the reduction needs this "
            "line in it: from vampires.tasks import *"
        )


def _edit(path: Path) -> Config:
    """Let the person edit until the file is valid or they give up."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    while True:
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise ConfigError(f"{editor}: cannot edit {path.name}: {error}") from error
        try:
            return load_config(path)
        except ConfigError as error:
            say(str(error))
            if ask("edit again? y/n", "y").lower() not in ("y", "yes"):
                raise


def _choose_setups(config: Config, path: Path) -> None:
    """Say what the raw files show, and write down which setups there are to choose from."""
    try:
        records = build_index(
            config.data.raw, config.folder, config.data.exclude, index_path(config.folder),
            load_fixes(config.data.fix, config.folder),
        )  # fmt: skip
    except FileError:
        return  # no raw file yet
    setups = find_setups(with_normalized(records, config.folder, config.data.deinterleave))
    for setup in setups:
        say(f"found {setup}")
    if len(setups) < 2:
        return
    text = path.read_text(encoding="utf-8")
    names = sorted({str(setup.records[0]["object"]) for setup in setups})
    lines = [
        "# Setups found when this file was written, each reduced on its own as NAME_LABEL. To take",
        '# some only, add to [data] such as: object = ["' + names[0] + '"], or include, exclude.',
        *(f"#   {setup.label}: {setup}" for setup in setups),
    ]
    write_config(path, text.rstrip("\n") + "\n\n" + "\n".join(map(_printable, lines)) + "\n")


def _printable(text: str) -> str:
    """Text without what would end a comment or upset a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _next_steps(config: Config) -> None:
    patterns = ", ".join(config.data.raw)
    try:
        matches = find_files(config.data.raw, config.folder)
    except FileError:
        matches = []
    say(f"{len(matches)} raw files match {patterns} now")
    named = _named(config.path) if config.path else ""
    there = "" if config.folder == Path.cwd() else f"in {_shown(config.folder)}: "
    say(f"next: {there}look through the file, then `doit list{named}` and `doit -n 2{named}`")


def _named(path: Path) -> str:
    """What tells doit to take this configuration, where it would not by itself."""
    try:
        if find_config(path.parent) == path:
            return ""
    except ConfigError:
        pass
    return f" config={shlex.quote(path.name)}"


def _shown(path: Path) -> str:
    return os.path.relpath(path)
