"""What every command shares: how it explains itself, and how it ends when it cannot go on.

Nobody reads its output any more (``head``), Ctrl-C, a disk that is full or read-only: none of these
is a traceback. doit's own commands are replaced by the same with these cares.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from doit.cmd_base import Command
from doit.cmd_help import Help as DoitHelp
from doit.cmd_info import Info as DoitInfo
from doit.cmd_list import List as DoitList
from doit.cmdparse import CmdParseError

from vampires.engine.selection import named
from vampires.errors import os_error_line
from vampires.utils.text import shown

CLOSED = 128 + signal.SIGPIPE
"""Exit status of a command whose reader has left, as the shell gives it."""


def quietly(work: Callable[[], Any]) -> int:
    """Do something that writes; end without a traceback where nobody reads any more.

    Parameters
    ----------
    work : callable
        Returns an exit status; None is success.

    Returns
    -------
    int
        The status, or `CLOSED`.
    """
    try:
        status = work()
        sys.stdout.flush()  # what is left would fail at the end of the process, with a message
    except BrokenPipeError:
        # Python flushes once more when it ends: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    return int(status or 0)


_OPTION = re.compile(r"Error parsing \w+: (.*?) \(parsing options: ", re.DOTALL)
_VALUE = re.compile(r"Error parsing parameter '(\w+)' <class '(int|float)'>.*?('.*')", re.DOTALL)
_EXPECTED = {"int": "a whole number", "float": "a number"}


class Explained(Command):
    """A command that explains itself when asked by ``--help``, and ends in a word by Ctrl-C.

    A mistyped option is one line; doit shows all that it knows of its parser.
    """

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Explain, or do the command; status 130 for Ctrl-C, 3 and a line for a file's error."""
        if "--help" in in_args:
            return quietly(lambda: print(self.help()))  # noqa: T201
        try:
            return quietly(lambda: super(Explained, self).parse_execute(in_args))
        except KeyboardInterrupt:
            sys.stderr.write("\nstopped\n")
            return 128 + signal.SIGINT
        except CmdParseError as error:
            raise CmdParseError(self._in_short(str(error))) from None
        except OSError as error:
            sys.stderr.write(f"ERROR: {shown(os_error_line(error))}\n")
            return 3

    @property
    def more(self) -> str:
        """Where more is said of the options."""
        return f"see `doit help {self.name}`"

    def _in_short(self, text: str) -> str:
        """What doit says of a wrong option, without the insides of its parser."""
        if found := _OPTION.match(text):
            return f"{found[1]}; {self.more}"
        if found := _VALUE.match(text):
            option = self.cmdparser[found[1]]
            typed = f"--{option.long}" if option.long else f"-{option.short}"
            return f"{typed} {found[3]}: expected {_EXPECTED[found[2]]}; {self.more}"
        return text


def by_name(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command of doit that takes names of tasks take wildcards and products too.

    Parameters
    ----------
    execute : callable
        Method ``_execute`` of doit's command.

    Returns
    -------
    callable
        The same; a name that means nothing is refused with those that come close.
    """

    @functools.wraps(execute)  # doit passes the options named in its signature
    def resolved(command: Any, *, pos_args: list[str], **options: Any) -> Any:
        tasks = {task.name: task for task in command.task_list}
        return execute(command, pos_args=named(pos_args, tasks), **options)

    return resolved


class List(Explained, DoitList):
    """List tasks; replaces doit's command of the same name."""

    name = "list"
    _execute = by_name(DoitList._execute)
    doc_description = "Example: doit list --all --status | head"


class Info(Explained, DoitInfo):
    """Show one task; replaces doit's command of the same name."""

    name = "info"
    _execute = by_name(DoitInfo._execute)
    doc_description = "Example: doit info coadd:VMPA00021001"


class Help(Explained, DoitHelp):
    """Explain commands; replaces doit's command of the same name."""

    name = "help"
