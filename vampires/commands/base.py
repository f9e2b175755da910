"""What the commands that talk to a person share."""

from __future__ import annotations

import getopt
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doit.cmdparse import CmdParseError

from vampires.commands.pipe import Explained
from vampires.engine.selection import assignments
from vampires.errors import VampiresError


class PersonCommand(Explained):
    """A doit sub-command that needs no task file and answers in plain sentences.

    A subclass implements `run`; an expected error becomes one line on standard error and exit
    status 3, doit's own for mistakes before any task runs.
    """

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Allow options after the positional arguments, which doit itself does not."""
        asked = "--help" in in_args
        return super().parse_execute(in_args if asked else self._options_first(in_args))

    def execute(self, opt_values: dict[str, Any], pos_args: list[str]) -> int:
        """Run, and turn expected errors into a message."""
        try:
            return self.run(opt_values, pos_args)
        except VampiresError as error:
            for line in str(error).splitlines():
                sys.stderr.write(f"ERROR: {line}\n")
            return 3

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Do the work of the command.

        Parameters
        ----------
        options : dict
            Values of ``cmd_options``.
        arguments : list of str
            Positional arguments.

        Returns
        -------
        int
            Exit status.
        """
        raise NotImplementedError

    def _options_first(self, in_args: Sequence[str]) -> list[str]:
        parser = self.cmdparser
        try:
            found, rest = getopt.gnu_getopt(in_args, parser.get_short(), parser.get_long())
        except getopt.GetoptError as error:
            raise CmdParseError(f"{error}; {self.more}") from None
        flags = {name for o in parser.options if o.type is bool for name in (o.short, o.long)}
        rest += [word for word in assignments() if Path(word).exists()]  # a file called x=y.fits
        options = [
            word
            for name, value in found
            for word in ((name,) if name.lstrip("-") in flags else (name, value))
        ]
        return [*options, "--", *rest]


def assigned(in_args: Sequence[str], option: str) -> tuple[list[str], list[str]]:
    """Separate the ``key=value`` words of an option from the other arguments.

    Parameters
    ----------
    in_args : sequence of str
        Arguments as doit hands them on, from which ``--option key=value`` has lost its value.
    option : str
        Long name of the option.

    Returns
    -------
    words : list of str
        What was assigned, ``--option=key=value`` included.
    rest : list of str
        The arguments without the latter.

    Raises
    ------
    CmdParseError
        The option is there, and no ``key=value`` anywhere.
    """
    prefix = f"--{option}="
    words = [a.removeprefix(prefix) for a in in_args if a.startswith(prefix)]
    if f"--{option}" in in_args and not assignments():
        raise CmdParseError(f"--{option}: NAME=VALUE is expected after it")
    return [*assignments(), *words], [a for a in in_args if not a.startswith(prefix)]


def has_terminal() -> bool:
    """Tell whether there is a person to ask: both ends of the conversation are a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def say(text: str) -> None:
    """Write a line for the person."""
    sys.stdout.write(text + "\n")


def ask(question: str, default: str) -> str:
    """Ask a person; an empty answer is the default, no answer at all (Ctrl-D) ends the command.

    Parameters
    ----------
    question : str
        Without the question mark's usual trimmings: the default is shown after it.
    default : str
        Taken on an empty answer.

    Returns
    -------
    str
        The answer, stripped.

    Raises
    ------
    KeyboardInterrupt
        The person leaves, by Ctrl-C or Ctrl-D.
    """
    shown = f" [{default}]" if default else ""
    try:
        answer = input(f"{question}{shown}: ").strip()
    except EOFError:
        raise KeyboardInterrupt from None
    return answer or default
