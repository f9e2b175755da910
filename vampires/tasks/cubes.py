"""Open a group's cube with its masters, as several tasks need it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vampires.config import Config
from vampires.io.paths import index_path
from vampires.log import get_logger
from vampires.night.matching import Masters

if TYPE_CHECKING:
    from vampires.cube import CameraCube
    from vampires.sky.geometry import Target

log = get_logger(__name__)


def open_cube(
    paths: list[Path], masters: Masters, config: Config, *, announce: bool = False
) -> CameraCube:
    """Open raw files with their masters attached.

    Parameters
    ----------
    paths : list of Path
        Raw files of one group, in order of time.
    masters : Masters
        Master frames that calibrate them.
    config : Config
        Target, excluded frames, memory.
    announce : bool
        Warn of masters that are missing or do not fit well; one task of a chain does.

    Returns
    -------
    CameraCube

    Raises
    ------
    CalibrationError
        A master that ``calibrate.require`` names is missing.
    """
    from vampires.cube import CameraCube

    name = paths[0].name
    for note in masters.missing if announce else ():
        log.warning("goes on without", file=name, missing=note)
    cube = CameraCube.open(
        paths, target_of(config), config.data.exclude_frames, config.execution.memory_bytes,
        index_path(config.folder),
    )  # fmt: skip
    if announce and masters.relaxed:
        log.info("masters fit but for", file=name, relaxed=list(masters.relaxed))
    return cube.with_masters(masters, config.calibrate)


def target_of(config: Config) -> Target | None:
    """Coordinates of the star from the configuration; None: those of the headers."""
    from vampires.sky.geometry import Target

    return Target.from_config(config.target)
