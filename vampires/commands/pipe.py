"""Output into a pipe that is closed early, as by ``head``, and doit's own commands that need it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from doit.cmd_base import Command
from doit.cmd_help import Help as DoitHelp
from doit.cmd_info import Info as DoitInfo
from doit.cmd_list import List as DoitList

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


class Explained(Command):
    """A command that explains itself when asked by ``--help``, as ``doit help`` does."""

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Explain, or do the command."""
        if "--help" in in_args:
            return quietly(lambda: print(self.help()))  # noqa: T201
        status: int = super().parse_execute(in_args)
        return status


class List(Explained, DoitList):
    """List tasks; replaces doit's command of the same name."""

    name = "list"
    doc_description = "Example: doit list --all --status | head"

    def execute(self, params: Any, args: list[str]) -> int:
        """List, however much of it is read."""
        return quietly(lambda: super(List, self).execute(params, args))


class Info(Explained, DoitInfo):
    """Show one task; replaces doit's command of the same name."""

    name = "info"
    doc_description = "Example: doit info coadd:VMPA00021001"

    def execute(self, params: Any, args: list[str]) -> int:
        """Show, however much of it is read."""
        return quietly(lambda: super(Info, self).execute(params, args))


class Help(DoitHelp):
    """Explain commands; replaces doit's command of the same name."""

    name = "help"

    def execute(self, params: Any, args: list[str]) -> int:
        """Explain, however much of it is read."""
        return quietly(lambda: super(Help, self).execute(params, args))
