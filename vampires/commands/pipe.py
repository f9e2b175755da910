"""What every command shares: how it explains itself, and how it ends when it cannot go on.

Nobody reads its output any more (``head``), Ctrl-C, a disk that is full or read-only: none of these
is a traceback. doit's own commands are replaced by the same with these cares.
"""

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


class Explained(Command):
    """A command that explains itself when asked by ``--help``, as ``doit help`` does."""

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Explain, or do the command; status 130 for Ctrl-C, 3 and a line for a file's error."""
        if "--help" in in_args:
            return quietly(lambda: print(self.help()))  # noqa: T201
        try:
            return quietly(lambda: super(Explained, self).parse_execute(in_args))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except OSError as error:
            sys.stderr.write(f"ERROR: {shown(os_error_line(error))}\n")
            return 3


class List(Explained, DoitList):
    """List tasks; replaces doit's command of the same name."""

    name = "list"
    doc_description = "Example: doit list --all --status | head"


class Info(Explained, DoitInfo):
    """Show one task; replaces doit's command of the same name."""

    name = "info"
    doc_description = "Example: doit info coadd:VMPA00021001"


class Help(Explained, DoitHelp):
    """Explain commands; replaces doit's command of the same name."""

    name = "help"
