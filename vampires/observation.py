"""Observation: the raw files of one target and night, by their headers alone."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from vampires.calibration.set import CalibrationSet
from vampires.errors import PolarimetryError
from vampires.io.paths import index_path
from vampires.night.fixes import load_fixes
from vampires.night.grouping import Group, group_cubes, science_records, unusable_records
from vampires.night.index import build_index
from vampires.night.placing import placed
from vampires.night.polarimeters import sets_of_groups
from vampires.night.raw import NO_INDEX, HeaderIndex
from vampires.night.record import CALIBRATION_KINDS, Record

if TYPE_CHECKING:
    from vampires.cube import CameraCube
    from vampires.night.sets import StokesSet
    from vampires.sky.geometry import Target

_HIDDEN = ("size", "mtime_ns", "hdu", "crop", "fields", "fixes", "unplaced")


class Observation:
    """The raw files of a night: what each is, which belong together, which are unusable.

    Indexing gives cubes: ``obs[3]`` is the fourth group as a
    `~vampires.cube.CameraCube`, whose pixels stay on disk until asked for.

    Parameters
    ----------
    records : iterable of Record
        The header index (see `vampires.night.index.build_index`).
    folder : str or Path
        The reduction directory, where products go.
    method : str
        How science files are grouped: ``cube`` or ``pdi``.
    target : Target, optional
        The star; default: the coordinates in the headers.
    index : HeaderIndex
        Where the headers of its files are kept.

    Examples
    --------
    >>> obs = Observation.from_directory("raw", method="pdi")  # doctest: +SKIP
    >>> obs[3].calibrate(obs.calibrations).measure().register().coadd().plot()  # doctest: +SKIP
    """

    def __init__(
        self,
        records: Iterable[Record],
        folder: str | Path = ".",
        method: str = "cube",
        target: Target | None = None,
        index: HeaderIndex = NO_INDEX,
    ) -> None:
        self.records = list(records)
        self.folder = Path(folder)
        self.method = method
        self.target = target
        self.index = index
        self._groups = group_cubes(self.records, method)

    @classmethod
    def from_directory(
        cls,
        folder: str | Path,
        method: str = "cube",
        exclude: Iterable[str] = (),
        target: Target | None = None,
    ) -> Observation:
        """Index all FITS files in and below a folder.

        Parameters
        ----------
        folder : str or Path
            Folder of raw files; masters made on the way go to ``master_cals`` in it.
        method : str
            How science files are grouped: ``cube`` or ``pdi``.
        exclude : iterable of str
            File names or patterns to leave out.
        target : Target, optional
            The star.

        Raises
        ------
        FileError
            The folder does not exist.
        """
        records = placed(build_index([folder], exclude=tuple(exclude)), lambda: target)
        return cls(records, folder, method, target)

    @classmethod
    def from_config(cls, path: str | Path) -> Observation:
        """Index the raw files that a reduction's TOML file names.

        Parameters
        ----------
        path : str or Path
            The configuration.

        Raises
        ------
        ConfigError
            The configuration is wrong.
        FileError
            No raw file is found.
        """
        # Imported here: the configuration schema is not needed to look at files.
        from vampires.config import load_config
        from vampires.sky.geometry import Target

        config = load_config(Path(path))
        target = Target.from_config(config.target)
        fixes = load_fixes(config.data.fix, config.folder)
        index = HeaderIndex(index_path(config.folder), fixes)
        records = placed(
            build_index(config.data.raw, config.folder, config.data.exclude, index.path, fixes),
            lambda: target,
        )
        if config.calibrate.calib_directory is not None:
            masters = build_index([config.calibrate.calib_directory], config.folder)
            records += [record for record in masters if record["format"] == "master"]
        return cls(records, config.folder, config.combine.method, target, index)

    def normalized(self) -> Observation:
        """Normalise the controller-format files, if there are any.

        Returns
        -------
        Observation
            With the normalised files, in ``normalized`` of the reduction directory, in the
            place of the raw ones.

        Raises
        ------
        FileError
            No frame is left of a file.
        """
        # Imported here: only one of the formats needs it.
        from vampires.night.controller import is_controller, normalized_outputs
        from vampires.night.normalize import normalize_file

        records = []
        for record in self.records:
            if not is_controller(record):
                records.append(record)
                continue
            outputs = [item["path"] for item in normalized_outputs(record, self.folder)]
            if not all(Path(path).exists() for path in outputs):
                normalize_file(record["path"], self.folder)
            records += build_index(outputs)
        return Observation(records, self.folder, self.method, self.target, self.index)

    @property
    def table(self) -> Table:
        """One row a raw file, in order of time."""
        rows = [{key: value for key, value in record.items() if key not in _HIDDEN}
                for record in self.records]  # fmt: skip
        return Table(rows=[{**row, "reason": row["reason"] or ""} for row in rows])

    @property
    def science(self) -> list[Record]:
        """Usable science files, in order of time."""
        return science_records(self.records)

    @property
    def calibrations(self) -> CalibrationSet:
        """The calibration files of the night and their masters."""
        kinds = CALIBRATION_KINDS
        return CalibrationSet(
            [record for record in self.records if record["kind"] in kinds], self.folder
        )

    @property
    def unusable(self) -> Table:
        """Files that are left out, with the reason."""
        left = unusable_records(self.records)
        names = np.array([record["name"] for record in left], dtype=str)
        return Table([names, np.array([record["reason"] for record in left], dtype=str)],
                     names=("name", "reason"))  # fmt: skip

    def groups(self, method: str | None = None) -> list[Group]:
        """Science files that are coadded together.

        Parameters
        ----------
        method : str, optional
            ``cube`` or ``pdi``; default: the observation's.
        """
        return self._groups if method in {None, self.method} else group_cubes(self.records, method)

    def hwp_sets(
        self, method: str = "triplediff", max_rotation: float = 4.0
    ) -> tuple[StokesSet, ...]:
        """Cycles of the half-wave plate that make one Stokes frame each.

        Parameters
        ----------
        method : str
            ``triplediff``, ``doublediff`` or ``leastsq``.
        max_rotation : float
            Largest change of parallactic angle when a gap is filled, degrees.

        Raises
        ------
        PolarimetryError
            There is no complete set; the message names the missing states.
        """
        night = sets_of_groups(self._groups, method, max_rotation=max_rotation)
        if night.problem:
            raise PolarimetryError(night.problem)
        return night.sets

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> CameraCube:
        from vampires.cube import CameraCube

        return CameraCube.from_group(self._groups[index], self.target, index=self.index)

    def __iter__(self) -> Iterator[CameraCube]:
        return (self[index] for index in range(len(self)))

    def _summary(self) -> list[str]:
        science = self.science
        kinds = Counter(record["kind"] for record in self.records)
        lines = [", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))]
        if science:
            objects = sorted({record["object"] or "?" for record in science})
            filters = sorted({name for record in science for name in record["fields"]})
            hours = 24 * ((science[-1]["mjd_end"] or 0.0) - (science[0]["mjd_start"] or 0.0))
            frames = sum(record["nframes"] for record in science)
            lines += [
                f"{', '.join(objects)} in {', '.join(filters)}, {science[0]['generation']}",
                f"{frames} science frames in {hours:.2f} h from MJD {science[0]['mjd_start']:.5f}",
                f"{len(self)} groups by {self.method!r}",
            ]
        return lines

    def __repr__(self) -> str:
        return "<Observation: " + "\n  ".join(self._summary()) + ">"

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._summary())
        return f"<b>Observation</b><br>{lines}<br>{self.table._repr_html_()}"
