"""What the commands that look at a night share: its configuration, a display."""

from __future__ import annotations

import os
from pathlib import Path

from doit import get_var

from vampires.config import Config, find_config, load_config
from vampires.errors import ConfigError
from vampires.night.plan import Plan, make_plan


def night_config() -> Config:
    """Configuration of the reduction in the current directory.

    Raises
    ------
    ConfigError
        There is none, there are several, or it is wrong.
    """
    path = find_config(Path.cwd(), get_var("config"))
    if path is None:
        raise ConfigError(f"{Path.cwd()}: no configuration here; make one: doit new NAME.toml")
    return load_config(path)


def night_plan() -> Plan:
    """Plan of the reduction in the current directory, as the tasks have it."""
    return make_plan(night_config())


def has_display() -> bool:
    """Tell whether a window can be opened: a display is there and a toolkit to draw on it."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    from matplotlib import pyplot as plt

    try:
        plt.switch_backend("TkAgg")
        plt.close(plt.figure())
    except Exception as error:  # noqa: BLE001  (toolkits fail in their own ways)
        from vampires.commands.base import say

        say(f"no window can be opened ({error}); going on without")
        return False
    return True
