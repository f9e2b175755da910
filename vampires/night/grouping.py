"""Group light records into the cubes that are measured and coadded together.

Plain functions of records (see `vampires.night.record.Record`); only the standard library is
imported, since the task graph is made from them at every start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vampires.errors import ConfigError
from vampires.instrument.flc import DUBIOUS, NO_FLC, flc_state
from vampires.night.record import RAW_FORMATS, Record

MAX_PAUSE = 300.0
"""Seconds between two files beyond which a run at one HWP angle counts as a new one: the
field has rotated on, and frames are not derotated before they are coadded."""

_HWP_STEP = 0.1  # degrees; nominal angles differ by 22.5


@dataclass(frozen=True)
class Group:
    """Raw files of one camera, FLC state and HWP angle that make one coadd.

    Parameters
    ----------
    key : str
        Name of the group: header facts only, so that a new file renames nothing.
    records : tuple of Record
        Its files, in order of time.
    """

    key: str
    records: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """The record of the first file, which stands for the group."""
        return self.records[0]

    @property
    def paths(self) -> tuple[str, ...]:
        """The raw files."""
        return tuple(record["path"] for record in self.records)

    @property
    def camera(self) -> int:
        """Camera number, 1 or 2."""
        return self.first["camera"] or 0

    @property
    def flc(self) -> str:
        """FLC state: ``A``, ``B``, ``D`` (dubious) or ``NA``."""
        return flc_state(self.first["flc"])

    @property
    def hwp(self) -> float:
        """Nominal angle of the half-wave plate, degrees."""
        return self.first["hwp"] or 0.0

    @property
    def filter(self) -> str:
        """Filter, ``MBI`` or ``MBIR``."""
        return self.first["filter"] or "unknown"

    @property
    def fields(self) -> tuple[str, ...]:
        """Filter of each field on the detector."""
        return tuple(self.first["fields"])

    @property
    def nframes(self) -> int:
        """Number of frames in all files."""
        return sum(record["nframes"] for record in self.records)

    @property
    def mjd(self) -> float:
        """Mid-exposure time, mean over the frames (MJD, UTC); over the files if none has any."""
        if not self.nframes:
            return sum(record["mjd"] or 0.0 for record in self.records) / len(self.records)
        total = sum((record["mjd"] or 0.0) * record["nframes"] for record in self.records)
        return total / self.nframes

    @property
    def mjd_start(self) -> float | None:
        """Start of the first file (MJD, UTC)."""
        return self.records[0]["mjd_start"]

    @property
    def mjd_end(self) -> float | None:
        """End of the last file (MJD, UTC)."""
        return self.records[-1]["mjd_end"]

    @property
    def pa(self) -> float | None:
        """Parallactic angle of the first file, degrees."""
        return self.first["pa"]

    def __repr__(self) -> str:
        return (
            f"<Group {self.key}: {len(self.records)} file{'s'[: len(self.records) != 1]}, "
            f"{self.nframes} frames, cam{self.camera} FLC {self.flc} HWP {self.hwp:g} "
            f"{self.filter}>"
        )


def science_records(records: Iterable[Record]) -> list[Record]:
    """Usable science files, in order of time.

    Controller-format files are not among them: what normalising makes of them is
    (`vampires.night.controller.with_normalized`).
    """
    science = [
        record
        for record in records
        if record["ok"] and record["kind"] == "science" and record["format"] not in RAW_FORMATS
    ]
    return sorted(science, key=_time_key)


def unusable_records(records: Iterable[Record]) -> list[Record]:
    """Files that are left out, each with its ``reason``."""
    return [record for record in records if not record["ok"]]


def group_cubes(records: Iterable[Record], method: str = "cube") -> list[Group]:
    """Group the science files of a night.

    Parameters
    ----------
    records : iterable of Record
        The whole index; files that are not usable science are passed over.
    method : str
        ``cube``: every file is a group, named by the file. ``pdi``: all files of a run at
        one HWP angle, per camera and FLC state, named by the first file with camera and
        FLC state (``VMPA00021001_cam1_FLCA``); a run ends when the wave plate moves, when
        anything else of the setup changes, or after `MAX_PAUSE`. Files with a dubious FLC
        state (``D``) take no part in ``pdi``.

    Returns
    -------
    list of Group
        In order of time.

    Raises
    ------
    ConfigError
        The method is unknown.

    Examples
    --------
    >>> [group.key for group in group_cubes(records, "pdi")]  # doctest: +SKIP
    ['VMPA00021001_cam1_FLCA', 'VMPA00021003_cam2_FLCA', ...]
    """
    science = science_records(records)
    if method == "cube":
        return [Group(record["name"], (record,)) for record in science]
    if method != "pdi":
        raise ConfigError(f"combine.method = {method!r}: allowed are 'cube' and 'pdi'")
    return _runs([record for record in science if record["flc"] != DUBIOUS])


def left_out(records: Iterable[Record], method: str) -> dict[str, str]:
    """Why science files take no part in a grouping: {path: reason}."""
    if method != "pdi":
        return {}
    return {
        record["path"]: f"{record['path']}: dubious FLC state (U_FLC = 'D')"
        for record in science_records(records)
        if record["flc"] == DUBIOUS
    }


def _runs(science: Sequence[Record]) -> list[Group]:
    """Split each camera's and FLC state's files where the wave plate or the setup moves.

    The wave plate is common to both cameras, so that any file at another angle ends the run
    of all of them: a missing file cannot join two runs.
    """
    runs: list[list[Record]] = []
    current: dict[tuple[Any, ...], list[Record]] = {}
    angle: int | None = None
    for record in science:
        hwp = round((record["hwp"] or 0.0) / _HWP_STEP)
        if hwp != angle:
            current, angle = {}, hwp
        run = current.get(_setup(record))
        if run is None or _pause(run[-1], record) > MAX_PAUSE:
            run = current[_setup(record)] = []
            runs.append(run)
        run.append(record)
    return [Group(_run_key(run[0]), tuple(run)) for run in runs]


def _run_key(first: Record) -> str:
    key = f"{first['name']}_cam{first['camera']}"
    return key if flc_state(first["flc"]) == NO_FLC else f"{key}_FLC{first['flc']}"


def _setup(record: Record) -> tuple[Any, ...]:
    return (
        record["camera"], record["flc"], record["flc_in"], record["filter"], record["object"],
        f"{record['exptime']:.3g}", record["detgain"], record["readmode"], record["obsmod"],
        tuple(record["crop"] or ()),
    )  # fmt: skip


def _pause(before: Record, after: Record) -> float:
    end, start = before["mjd_end"], after["mjd_start"]
    return 0.0 if end is None or start is None else (start - end) * 86400


def _time_key(record: Record) -> tuple[float, str]:
    return (record["mjd"] or 0.0, record["name"])
