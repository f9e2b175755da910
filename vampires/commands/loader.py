"""Loader of ``dodo.py``, named in ``doit.cfg``: the first of ours that doit makes.

doit answers ``--version`` itself, before it looks for a command; its loader it makes still earlier.
"""

from __future__ import annotations

import sys

from doit.cmd_base import DodoTaskLoader

from vampires.commands.base import say
from vampires.commands.version import version_line


class Loader(DodoTaskLoader):
    """doit's own loader; beside the version of doit it says ours."""

    def __init__(self) -> None:
        super().__init__()
        if sys.argv[1:2] == ["--version"]:
            say(version_line())
