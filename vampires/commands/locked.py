"""doit's own commands that write into its records: only while no run works in the folder."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from doit.cmd_clean import Clean as DoitClean
from doit.cmd_ignore import Ignore as DoitIgnore
from doit.cmd_resetdep import ResetDep as DoitResetDep

from vampires.commands.pipe import Explained
from vampires.engine.lock import only_one


class Clean(Explained, DoitClean):
    """Remove what tasks made; replaces doit's command of the same name."""

    name = "clean"

    @functools.wraps(DoitClean._execute)  # doit passes the options named in this signature
    def _execute(self, *args: Any, **options: Any) -> Any:
        with only_one(Path.cwd()):
            return super()._execute(*args, **options)


class Ignore(Explained, DoitIgnore):
    """Leave tasks alone from now on; replaces doit's command of the same name."""

    name = "ignore"

    @functools.wraps(DoitIgnore._execute)
    def _execute(self, *args: Any, **options: Any) -> Any:
        with only_one(Path.cwd()):
            return super()._execute(*args, **options)


class ResetDep(Explained, DoitResetDep):
    """Take products as they are for made today; replaces doit's command of the same name."""

    name = "reset-dep"

    @functools.wraps(DoitResetDep._execute)
    def _execute(self, *args: Any, **options: Any) -> Any:
        with only_one(Path.cwd()):
            return super()._execute(*args, **options)
