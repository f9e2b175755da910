"""CalibrationSet: the master frames of a night, matched to science files and applied."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vampires.calibration.flats import flat_or_stand_in
from vampires.calibration.masters import make_background, write_master
from vampires.config import CalibrateSettings
from vampires.header import Header
from vampires.io.frames import DEFAULT_MEMORY
from vampires.night.index import build_index
from vampires.night.matching import (
    BACKGROUND_KINDS,
    Masters,
    master_path,
    match_background,
    match_masters,
)
from vampires.night.record import RAW_FORMATS, Record
from vampires.night.scan import record_from_header


class CalibrationSet:
    """Calibration files of a night and the masters made from them.

    Parameters
    ----------
    records : iterable of Record
        Raw calibration files, and masters made earlier (``format`` ``master``); other
        kinds are passed over.
    folder : str or Path
        The reduction directory, below which ``master_cals`` lies.
    settings : CalibrateSettings, optional
        Which masters are wanted, how they are made and applied.
    memory : int
        Bytes that making them may use.

    Examples
    --------
    >>> calibrations = CalibrationSet.from_directory("master_cals")  # doctest: +SKIP
    >>> calibrations.match(cube.header).background  # doctest: +SKIP
    """

    def __init__(
        self,
        records: Iterable[Record],
        folder: str | Path = ".",
        settings: CalibrateSettings | None = None,
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        self.folder = Path(folder)
        self.settings = settings or CalibrateSettings()
        self.memory = memory
        usable = [item for item in records if item["ok"] and item["format"] not in RAW_FORMATS]
        self.backgrounds = [item for item in usable if item["kind"] in BACKGROUND_KINDS]
        self.flats = [item for item in usable if item["kind"] == "flat"]

    @classmethod
    def from_directory(cls, folder: str | Path) -> CalibrationSet:
        """Build from the master frames in and below a folder.

        Parameters
        ----------
        folder : str or Path
            For example the ``master_cals`` of another reduction.

        Raises
        ------
        FileError
            The folder does not exist.
        """
        records = build_index([Path(folder).absolute()])
        return cls([record for record in records if record["format"] == "master"], folder)

    def __len__(self) -> int:
        return len(self.backgrounds) + len(self.flats)

    def match(self, file: Record | Header) -> Masters:
        """Choose background and flat of a file.

        Parameters
        ----------
        file : Record or Header
            A record of the index, or a canonical header.

        Returns
        -------
        Masters
            Their paths, whether they are made yet or not; see `ready`.
        """
        return match_masters(
            _as_record(file), [*self.backgrounds, *self.flats], self.folder,
            background=self.settings.back_subtract, flat=self.settings.flat_correct,
        )  # fmt: skip

    def ready(self, masters: Masters) -> Masters:
        """Make the masters of a match that are not there yet.

        Returns
        -------
        Masters
            The same.
        """
        for path in masters.paths:
            if not path.exists():
                self._make(path)
        return masters

    def _make(self, path: Path) -> None:
        method = self.settings.background_method
        for record in self.flats:
            if master_path(record, self.folder) == path:
                match = match_background(record, self.backgrounds)
                dark = None
                if match.record is not None:
                    dark = master_path(match.record, self.folder)
                    self.ready(Masters(dark, None))
                flat = flat_or_stand_in(record["path"], dark, method=method, memory=self.memory)
                write_master(path, flat)
        for record in self.backgrounds:
            if master_path(record, self.folder) == path:
                background = make_background(record["path"], method=method, memory=self.memory)
                write_master(path, background)

    def __repr__(self) -> str:
        lines = [f"<CalibrationSet: {len(self.backgrounds)} backgrounds, {len(self.flats)} flats"]
        for record in [*self.backgrounds, *self.flats]:
            x0, y0, nx, ny = record["crop"] or (0, 0, record["nx"], record["ny"])
            gain = "" if record["detgain"] is None else f" gain {record['detgain']:g}"
            lines.append(
                f"  {record['name']} {record['kind']} cam{record['camera']} "
                f"{record['exptime']:g} s{gain} {record['readmode']} {record['filter']} "
                f"{nx}x{ny} at ({x0}, {y0}), {record['nframes']} frames"
            )
        return "\n".join(lines) + ">"


def _as_record(file: Record | Header) -> Record:
    return file if isinstance(file, dict) else record_from_header(Header.of(file), "")
