"""doit's own commands that write into its records: only while no run works in the folder."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doit.cmd_clean import Clean as DoitClean
from doit.cmd_ignore import Ignore as DoitIgnore
from doit.cmd_resetdep import ResetDep as DoitResetDep

from vampires.commands.pipe import Explained, by_name
from vampires.engine.lock import only_one


def _alone(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Run doit's method with the lock of the folder."""

    @functools.wraps(execute)  # doit passes the options named in its signature
    def locked(*args: Any, **options: Any) -> Any:
        with only_one(Path.cwd(), records=True):
            return execute(*args, **options)

    return locked


class Clean(Explained, DoitClean):
    """Remove what tasks made; replaces doit's command of the same name."""

    name = "clean"
    _execute = _alone(by_name(DoitClean._execute))


class Ignore(Explained, DoitIgnore):
    """Leave tasks alone from now on; replaces doit's command of the same name."""

    name = "ignore"
    _execute = _alone(by_name(DoitIgnore._execute))


class ResetDep(Explained, DoitResetDep):
    """Take products as they are for made today; replaces doit's command of the same name."""

    name = "reset-dep"
    _execute = _alone(by_name(DoitResetDep._execute))
