"""The plan of a reduction: a pure function of the configuration and the header index.

Read at every start of ``doit``, so only the standard library is imported; nothing heavier
is loaded unless a raw file is new.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.config import Config, TargetSettings
from vampires.io.paths import Layout, index_path, masters_index_path
from vampires.log import get_logger
from vampires.night.choice import choose, star_name
from vampires.night.controller import is_controller, with_normalized
from vampires.night.fixes import Fix, fixes_digest, load_fixes
from vampires.night.grouping import Group, group_cubes
from vampires.night.index import NoMatchError, build_index, remembered
from vampires.night.matching import Masters, master_path, match_background, match_masters
from vampires.night.placing import placed
from vampires.night.record import Record
from vampires.night.setups import OTHER_STAR, Setup, find_setups, separation

if TYPE_CHECKING:
    from vampires.sky.geometry import Target

log = get_logger(__name__)

CENTROID_FILES = 4
"""Raw files per camera whose mean gives the rough centroids."""


@dataclass(frozen=True)
class Plan:
    """What a reduction consists of.

    Parameters
    ----------
    config : Config
        Validated configuration.
    layout : Layout
        Where the products go.
    records : tuple of Record
        One light record per raw file, unusable ones included; controller-format files as
        they are, before they are normalised.
    groups : tuple of Group
        Science exposure groups, in order of time.
    calibrations : tuple of Record
        Raw calibration files and masters made earlier.
    setups : tuple of Setup
        What was observed alike, see `vampires.night.setups`.
    raw_away : bool
        Whether the raw files are not there now, and the plan is of what is remembered of them.
    """

    config: Config
    layout: Layout
    records: tuple[Record, ...]
    groups: tuple[Group, ...]
    calibrations: tuple[Record, ...]
    setups: tuple[Setup, ...] = ()
    raw_away: bool = False

    @functools.cached_property
    def parts(self) -> tuple[Plan, ...]:
        """One plan for each setup of the night, as if it were alone.

        In a night of several setups, that of a setup is the plan of a night called
        ``NAME_LABEL`` that has nothing else; its ``groups`` are those of the setup.
        """
        if not self.setups:
            return ()
        homes = {record["path"]: setup.label for setup in self.setups for record in setup.records}
        several_stars = len({setup.view.target for setup in self.setups}) > 1
        parts = []
        for setup in self.setups:
            config = self.config
            if setup.label:
                config = replace(config, name=f"{config.name}_{setup.label}")
            if several_stars and not is_target(setup, config.target):
                config = replace(config, target=None)
            own = tuple(g for g in self.groups if homes[g.first["path"]] == setup.label)
            layout = Layout(self.layout.folder, config.name)
            parts.append(replace(self, config=config, layout=layout, groups=own, setups=(setup,)))
        return tuple(parts)

    def groups_of_parts(self) -> Iterator[tuple[Plan, Group]]:
        """Every group with the plan of its setup."""
        return ((part, group) for part in self.parts for group in part.groups)

    @property
    def label(self) -> str:
        """Label of the only setup; empty for a night of one setup, or a whole night."""
        return self.setups[0].label if len(self.setups) == 1 else ""

    def named(self, name: str) -> str:
        """Name of a task of this setup: with its label where the night has several."""
        return f"{self.label}_{name}" if self.label else name

    @property
    def unusable(self) -> tuple[Record, ...]:
        """Raw files that cannot be used; each record says why."""
        return tuple(record for record in self.records if record["kind"] == "unusable")

    @property
    def controller_files(self) -> tuple[Record, ...]:
        """Files in the controller's format, to be normalised before anything else."""
        return tuple(record for record in self.records if is_controller(record))

    def raw_calibrations(self, *kinds: str) -> list[Record]:
        """Calibration files of some kinds to make masters of."""
        return [
            record
            for record in self.calibrations
            if record["kind"] in kinds and record["format"] != "master"
        ]

    def background_of(self, record: Record) -> Path | None:
        """Master background for a raw file of any kind."""
        match = match_background(record, self.calibrations)
        return None if match.record is None else master_path(match.record, self.layout.folder)

    def masters_of(self, record: Record) -> Masters:
        """Masters that calibrate a science file, as the configuration wants them."""
        known, path = self._masters, record["path"]
        if path not in known:
            wanted = self.config.calibrate
            known[path] = match_masters(
                record, self.calibrations, self.layout.folder,
                background=wanted.back_subtract, flat=wanted.flat_correct,
            )  # fmt: skip
        return known[path]

    @functools.cached_property
    def _masters(self) -> dict[str, Masters]:
        """Masters found so far, by science file: several tasks of each file ask for them."""
        return {}

    def first_records(self, camera: int) -> list[Record]:
        """Science files whose mean gives the rough centroids of a camera.

        The first ones, so that files that arrive later change nothing.
        """
        records = [r for g in self.groups if g.camera == camera for r in g.records]
        return records[:CENTROID_FILES]

    def crop_origin(self, camera: int) -> tuple[int, int]:
        """Where the crop of the first file of a camera begins on the detector, (x, y)."""
        first = next(group.first for group in self.groups if group.camera == camera)
        x0, y0 = (first["crop"] or [0, 0])[:2]
        return x0, y0

    def settings(self, *sections: str) -> dict[str, Any]:
        """Values of some sections of the configuration, for a task's up-to-date test.

        What is only kept, not made differently, is left out; of the keys above the first
        table (``general``) those that change what is measured are taken.
        """
        return {section: self._section(section) for section in sections}

    def _section(self, name: str) -> dict[str, Any]:
        """Values of one section that change what is made; the same for a thousand tasks."""
        if name not in self._sections:
            values = dict(self.config.section_values(name))
            values.pop("save_intermediate", None)
            if name == "general":
                values = {key: values[key] for key in ("coronagraphic", "planetary")}
            self._sections[name] = values
        return self._sections[name]

    @functools.cached_property
    def _sections(self) -> dict[str, dict[str, Any]]:
        """Sections asked for so far."""
        return {}

    def fixes_of(self, paths: Iterable[str]) -> dict[str, Any]:
        """Digest of the corrections of some files' headers, for a task's up-to-date test."""
        found = [digest for path in paths if (digest := fixes_digest(self._fixes, path))]
        return {"fixes": found} if found else {}

    @functools.cached_property
    def _fixes(self) -> tuple[Fix, ...]:
        return load_fixes(self.config.data.fix, self.config.folder)


def make_plan(config: Config) -> Plan:
    """Index the raw files, group the science exposures, list the calibrations.

    Parameters
    ----------
    config : Config
        Validated configuration.

    Returns
    -------
    Plan
    """
    folder = config.folder
    found, away = _indexed(config)
    records = placed(found, functools.partial(target_of, config))
    chosen = config.data
    own = tuple(f"{folder / name}{os.sep}" for name in ("master_cals", "normalized"))
    records = [record for record in records if not record["path"].startswith(own)]
    records = choose(
        records, include=chosen.include, objects=chosen.object, kinds=chosen.kinds
    )  # fmt: skip
    files = with_normalized(records, folder, config.data.deinterleave)
    calibrations = [record for record in files if record["ok"] and record["kind"] != "science"]
    if config.calibrate.calib_directory is not None:
        directory = config.resolve(config.calibrate.calib_directory)
        known = {master_path(record, folder) for record in calibrations}
        masters = build_index([directory], folder, (), masters_index_path(folder))
        calibrations += [
            record
            for record in masters
            if record["format"] == "master" and Path(record["path"]) not in known
        ]
    return replace(plan_of(records, files, calibrations, config), raw_away=away)


def _indexed(config: Config) -> tuple[list[Record], bool]:
    """Records of the raw files, and whether the files themselves are away."""
    folder, index = config.folder, index_path(config.folder)
    fixes = load_fixes(config.data.fix, folder)
    try:
        return build_index(config.data.raw, folder, config.data.exclude, index, fixes), False
    except NoMatchError:
        known = remembered(index, config.data.exclude, fixes)
        if not known:
            raise
    log.warning("the raw files are away: what was read of their headers before is used, and only "
                "what is made of coadds can be made", first=known[0]["path"])  # fmt: skip
    return known, True


def plan_of(
    records: Iterable[Record],
    files: Iterable[Record],
    calibrations: Iterable[Record],
    config: Config,
    folder: Path | None = None,
) -> Plan:
    """Make the plan of files that are indexed already.

    Parameters
    ----------
    records : iterable of Record
        All raw files.
    files : iterable of Record
        The same, or what is made of them before anything else.
    calibrations : iterable of Record
        Raw calibration files and masters made earlier.
    config : Config
        Validated configuration.
    folder : Path, optional
        The reduction directory; default: that of the configuration.
    """
    setups = find_setups(list(files))
    groups = [
        group for setup in setups for group in group_cubes(setup.records, config.combine.method)
    ]
    return Plan(
        config=config,
        layout=Layout(folder or config.folder, config.name),
        records=tuple(records),
        groups=tuple(sorted(groups, key=lambda group: (group.mjd, group.key))),
        calibrations=tuple(calibrations),
        setups=setups,
    )


def is_target(setup: Setup, target: TargetSettings | None) -> bool:
    """Whether ``[target]`` means the star of a setup, in a night of several stars.

    By place, or by name where place is not known; a target without either means any.
    """
    if target is None:
        return True
    if target.ra_deg is not None and target.dec_deg is not None and setup.position is not None:
        return separation(setup.position, (target.ra_deg, target.dec_deg)) < OTHER_STAR
    if target.name:
        return star_name(target.name) == star_name(setup.records[0]["object"])
    return target.ra_deg is None


def target_of(config: Config) -> Target | None:
    """Coordinates of the star from the configuration; None: those of the headers."""
    from vampires.sky.geometry import Target

    return Target.from_config(config.target)
