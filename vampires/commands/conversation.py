"""The conversation of ``doit new``: each answer stands for one flag."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vampires.commands.base import ask, say
from vampires.config.load import nearest
from vampires.config.write import templates
from vampires.errors import VampiresError

if TYPE_CHECKING:
    from vampires.night.headlines import Headlines


@dataclass(frozen=True)
class Answers:
    """What a person said, or had said with flags.

    Parameters
    ----------
    template : str
        ``--template``.
    raw : list of str
        ``--raw``.
    objects : tuple of str
        ``--set data.object=...``.
    target : str
        ``--set target.name=...``.
    edit : bool
        ``--edit``.
    """

    template: str
    raw: Sequence[str]
    objects: tuple[str, ...] = ()
    target: str = ""
    edit: bool = False

    def command(self, path: Path, settings: Sequence[str]) -> str:
        """Command line that gives the same answers."""
        words = ["doit", "new", os.path.relpath(path), "--template", self.template]
        words += [word for pattern in self.raw for word in ("--raw", pattern)]
        listed = ", ".join(f'"{name}"' for name in self.objects)
        objects = [f"data.object=[{listed}]"] if self.objects else []
        target = [f"target.name={self.target}"] if self.target else []
        words += [word for text in (*objects, *target, *settings) for word in ("--set", text)]
        return shlex.join([*words, "--yes"])


def converse(given: Answers) -> Answers:
    """Ask what the flags have not said, after a look at the headers.

    Parameters
    ----------
    given : Answers
        From the flags.
    """
    raw, night = _ask_raw() if not given.raw else (given.raw, _headlines(given.raw))
    answers = replace(given, raw=raw)
    for line in night.lines() if night.records else []:
        say(line)
    template = given.template or _ask_template(night.template())
    stars = list(dict.fromkeys(str(setup.records[0]["object"]) for setup in night.setups))
    objects = _ask_objects(stars) if len(stars) > 1 else ()
    target = ask("target name (empty: as in the headers)", "")
    edit = given.edit or ask("open it in an editor? y/n", "n").lower() in ("y", "yes")
    return replace(answers, template=template, objects=objects, target=target, edit=edit)


def _ask_raw() -> tuple[list[str], Headlines]:
    """Ask for the raw files, again where there are none: a slip, or they are still to come."""
    last = ""
    while True:
        answer = (
            _ask_path("Enter keeps that, for files to come; or other patterns", last)
            if last
            else _ask_path("raw files (patterns)", "raw/*.fits*")
        )
        try:
            raw = shlex.split(answer)
        except ValueError as error:
            say(f"  {answer}: {error}")
            continue
        night = _headlines(raw)
        if night.records or answer == last:
            return raw, night
        last = answer


def _headlines(raw: Sequence[str]) -> Headlines:
    """What the headers say; nothing, with the reason, if they cannot be read."""
    # Imported here: without a conversation no header is read.
    from vampires.night.headlines import Headlines

    try:
        return Headlines.of([str(Path(p).expanduser()) for p in raw], Path.cwd())
    except VampiresError as error:
        say(f"  {error}")
        return Headlines((), ())


def _ask_template(fitting: str) -> str:
    known = templates()
    for name, title in known.items():
        say(f"  {name:22s} {title}")
    while True:
        answer = ask("template", fitting)
        if answer in known:
            return answer
        say(f"  no template {answer!r}{nearest(answer, known)}")


def _ask_objects(stars: Sequence[str]) -> tuple[str, ...]:
    """Ask which of several stars are meant."""
    for number, name in enumerate(stars, start=1):
        say(f"  {number}  {name}")
    while True:
        answer = ask("which objects? numbers, or all", "all")
        if answer == "all":
            return ()
        words = answer.replace(",", " ").split()
        if words and all(word.isdigit() and 1 <= int(word) <= len(stars) for word in words):
            return tuple(stars[int(word) - 1] for word in words)
        say(f"  numbers from 1 to {len(stars)}")


def _ask_path(question: str, default: str) -> str:
    """Ask for paths; Tab completes them where the terminal can."""
    try:
        import readline
    except ImportError:  # not on every system
        return ask(question, default)
    before = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(complete_path)
    readline.set_completer_delims(" \t\n")
    readline.parse_and_bind("tab: complete")
    try:
        return ask(question, default)
    finally:
        readline.set_completer(before[0])
        readline.set_completer_delims(before[1])


def complete_path(begun: str, state: int) -> str | None:
    """Complete a path as shells do, for `readline`.

    Parameters
    ----------
    begun : str
        What was typed.
    state : int
        Which completion.

    Returns
    -------
    str or None
        None after the last.
    """
    found = sorted(glob.glob(os.path.expanduser(begun) + "*"))  # noqa: PTH111, PTH207
    paths = [path + "/" if Path(path).is_dir() else path for path in found]
    return paths[state] if state < len(paths) else None
