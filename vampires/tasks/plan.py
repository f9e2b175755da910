"""The plan of the reduction in the current directory, made once a run."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from dataclasses import replace
from pathlib import Path

from doit import get_var

from vampires.config import Config, find_config, load_config
from vampires.config.load import nearest
from vampires.engine import executor
from vampires.engine.actions import loading
from vampires.engine.cluster import ClusterSettings
from vampires.engine.selection import assignments
from vampires.errors import ConfigError
from vampires.night.index import NoMatchError, find_files
from vampires.night.plan import Plan, make_plan

VARIABLES = ("config", "files", "exclude")
"""Variables of the command line, as in ``doit files='raw/*3.fits'``."""


@functools.cache
def current_plan() -> Plan:
    """Plan of the reduction in the current directory.

    Returns
    -------
    Plan

    Raises
    ------
    InvalidDodoFile
        The configuration is wrong, or several are at hand and none is chosen: one line,
        without a traceback.
    """
    with loading():
        check_variables()
        path = find_config(Path.cwd(), get_var("config"))
        config = load_config(path if path is not None else demo_config(Path.cwd()))
        if listed := get_var("files"):
            config = only_files(config, listed)
        if listed := get_var("exclude"):
            config = without_files(config, listed)
        execution = config.execution
        executor.set_cluster(
            ClusterSettings(
                execution.scheduler, execution.cluster, execution.cluster_options,
                (execution.workers[0], execution.workers[1]),
            )
        )  # fmt: skip
        return make_plan(config)


def only_files(config: Config, listed: str) -> Config:
    """Configuration of a reduction of some science files only, as ``files=`` names them.

    Parameters
    ----------
    config : Config
        Its calibrations stay; the science files need not be among its raw ones.
    listed : str
        Pattern or folder, relative to the current one, or ``@`` and a file with one path a line.

    Raises
    ------
    ConfigError
        The list cannot be read or names nothing.
    """
    paths = tuple(str(Path(n).expanduser().absolute()) for n in _names("files", listed))
    with contextlib.suppress(NoMatchError):  # raw files that are away have no names to compare
        find_files(config.data.raw, config.folder)
        absent = [path for path in paths if not _is_there(path)]
        if absent:
            raise ConfigError(f"files={listed}: no file matches {absent[0]}")
    inside = [find_files(path) if Path(path).is_dir() else [path] for path in paths]
    include = tuple(itertools.chain.from_iterable(inside))
    data = replace(config.data, raw=(*config.data.raw, *paths), include=include)
    return replace(config, data=data)


def without_files(config: Config, listed: str) -> Config:
    """Configuration of a reduction without some files, as ``exclude=`` names them.

    Parameters
    ----------
    config : Config
        Its own exclude list stays.
    listed : str
        Name or pattern, as in ``[data] exclude``, or ``@`` and a file with one a line.

    Raises
    ------
    ConfigError
        The list cannot be read or names nothing.
    """
    exclude = (*config.data.exclude, *_names("exclude", listed))
    return replace(config, data=replace(config.data, exclude=exclude))


def check_variables() -> None:
    """Refuse words such as ``file=a.fits``, which would reduce everything.

    Raises
    ------
    ConfigError
        The name is almost that of a variable of ours, or holds a path. Others may be those of
        somebody's own tasks.
    """
    for word in assignments():
        name = word.partition("=")[0]
        hint = nearest(name, VARIABLES)
        if name not in VARIABLES and (hint or os.sep in name):
            raise ConfigError(
                f"{word}: is taken for a variable, and none has that name{hint}; "
                f"those of a reduction: {', '.join(VARIABLES)}"
            )


def _is_there(pattern: str) -> bool:
    try:
        return bool(find_files(pattern))
    except NoMatchError:
        return False


def _names(variable: str, listed: str) -> list[str]:
    """Names that a variable of the command line lists: itself, or the lines of a file."""
    names = [listed]
    if listed.startswith("@"):
        try:
            names = Path(listed[1:]).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{variable}={listed}: cannot be read: {error}") from error
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise ConfigError(f"{variable}={listed}: names no file")
    return names


def demo_config(folder: Path) -> Path:
    """Configuration of the built-in demo night, in ``demo/``.

    The night is simulated now if it is not there yet: raw files must exist before the
    tasks can be listed, as for any night.

    Raises
    ------
    ConfigError
        This is a reduction directory that has lost its configuration.
    """
    # Imported here: both are needed for the demo only.
    from vampires.config.write import template_folder

    if not (folder / "configs" / "demo.toml").exists():
        raise ConfigError(f"{folder}: no configuration here; make one with: doit new NAME.toml")
    config = folder / "demo" / "demo.toml"
    if not (folder / "demo" / "raw").is_dir():
        from vampires.simulate import demo_spec, simulate_night

        simulate_night(demo_spec(), folder / "demo")
    if not config.exists():
        config.write_text((template_folder() / "demo.toml").read_text())
    return config
