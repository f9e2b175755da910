"""Open a group's cube with its masters, as several tasks need it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vampires.config import Config
from vampires.errors import VampiresError
from vampires.io.paths import index_path
from vampires.log import get_logger
from vampires.night.fixes import load_fixes
from vampires.night.matching import Masters
from vampires.night.plan import target_of

if TYPE_CHECKING:
    from vampires.cube import CameraCube
    from vampires.night.raw import HeaderIndex

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
        header_index(config),
    )  # fmt: skip
    if announce:
        warn_of_header(cube, config)
    if announce and masters.relaxed:
        log.info("masters fit but for", file=name, relaxed=list(masters.relaxed))
    return cube.with_masters(masters, config.calibrate)


def readable_cube(path: Path, masters: Masters, config: Config) -> CameraCube | None:
    """Frames of a file whose first frames can be read; a damaged one never takes the camera."""
    from vampires.cube import ROUGH_FRAMES

    try:
        cube = open_cube([path], masters, config)
        cube.source.read(0, min(ROUGH_FRAMES, cube.source.n))
    except VampiresError as error:
        log.warning("rough centroids go on without a file", file=path.name, reason=str(error))
        return None
    return cube


def header_index(config: Config) -> HeaderIndex:
    """Headers of the raw files of a reduction, corrected as its configuration says."""
    from vampires.night.raw import HeaderIndex

    fixes = load_fixes(config.data.fix, config.folder)
    return HeaderIndex(index_path(config.folder), fixes)


def warn_of_header(cube: CameraCube, config: Config) -> None:
    """Warn of raw values that were not taken as they stood, and of a target far from them."""
    from vampires.header import notes_of
    from vampires.sky.target import header_separation

    for header in cube.headers:
        name = header.file
        for note in notes_of(header):
            log.warning("header", file=name, note=note)
        target = target_of(config)
        away = None if target is None else header_separation(header, target)
        if away is not None and away > FAR:
            log.warning(
                "the telescope pointed elsewhere than [target] says, which is believed",
                file=name, degrees=round(away, 3),
            )  # fmt: skip


FAR = 5.0 / 60.0
"""Degrees between [target] and the coordinates of a header from which both are not one place."""
