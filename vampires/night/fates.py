"""What becomes of every file of a night.

Only the standard library is imported: whether the table of fates is up to date is asked at every
start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vampires.night.grouping import Group
from vampires.night.record import Record
from vampires.night.sets import Fate
from vampires.night.setups import Setup

if TYPE_CHECKING:
    from astropy.table import Table


@dataclass(frozen=True)
class FileFate:
    """What became of one raw file.

    Parameters
    ----------
    record : Record
    setup : str
        Label of its setup; empty without, or in a night of one setup.
    group : str
        Key of the coadd it goes into; empty without.
    fate : str
        One line: what it is used for, or why it is not.
    """

    record: Record
    setup: str
    group: str
    fate: str


def file_fates(
    records: Iterable[Record],
    setups: Iterable[Setup],
    groups: Iterable[Group],
    *,
    sets: Iterable[Fate] = (),
    calibrated: Mapping[str, int] | None = None,
    made_of: Mapping[str, Sequence[Record]] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> list[FileFate]:
    """Tell the fate of every file.

    Many arguments, because a file's fate is decided at many stations; those that a night may
    lack are given by name.

    Parameters
    ----------
    records : iterable of Record
        The whole index.
    setups : iterable of Setup
        What the science files are split into.
    groups : iterable of Group
        What is coadded together.
    sets : iterable of Fate, optional
        What became of the coadds in polarimetry.
    calibrated : mapping of str to int, optional
        How many groups and flats each calibration file serves, by path.
    made_of : mapping of str to sequence of Record, optional
        What normalising makes of controller-format files, by their path.
    reasons : mapping of str to str, optional
        Why some science files are in no group, by path.

    Returns
    -------
    list of FileFate
        In the order of the records.
    """
    labels = {record["path"]: setup.label for setup in setups for record in setup.records}
    homes = {path: group.key for group in groups for path in group.paths}
    stokes = {fate.exposure.key: _of_set(fate) for fate in sets}
    served, outputs, reasons = calibrated or {}, made_of or {}, reasons or {}

    def fate_of(record: Record) -> FileFate:
        if not record["ok"]:
            return FileFate(record, "", "", str(record["reason"]))
        parts = outputs.get(record["path"])
        if parts:
            own = [fate_of(part) for part in parts]
            groups = " ".join(part.group for part in own if part.group)
            text = "; ".join(f"{part.record['name']}: {part.fate}" for part in own)
            return FileFate(record, own[0].setup, groups, text)
        label, key = labels.get(record["path"], ""), homes.get(record["path"], "")
        if record["kind"] != "science":
            count = served.get(record["path"], 0)
            text = f"calibrates {count} of the groups and flats" if count else "calibrates nothing"
            return FileFate(record, "", "", text)
        if not key:
            return FileFate(record, label, "", reasons.get(record["path"], "in no group"))
        return FileFate(record, label, key, "; ".join(filter(None, ("coadded", stokes.get(key)))))

    return [fate_of(record) for record in records]


def files_table(fates: Iterable[FileFate]) -> Table:
    """Table of every file and what became of it.

    Returns
    -------
    Table
        Columns file, kind, object, setup, camera, flc, hwp, filter, exptime, frames, mjd, group,
        fate; empty or -1 or NaN where a file does not say.
    """
    from astropy.table import Table

    rows = [
        (
            r["path"].rpartition("/")[2], r["kind"], r["object"] or "", fate.setup,
            -1 if r["camera"] is None else r["camera"], r["flc"] or "", _number(r["hwp"]),
            r["filter"] or "", _number(r["exptime"]), r["nframes"], _number(r["mjd"]),
            fate.group, fate.fate,
        )
        for fate in fates
        for r in (fate.record,)
    ]  # fmt: skip
    names = ("file", "kind", "object", "setup", "camera", "flc", "hwp", "filter", "exptime",
             "frames", "mjd", "group", "fate")  # fmt: skip
    types = (str, str, str, str, int, str, float, str, float, int, float, str, str)
    return Table(rows=rows or None, names=names, dtype=types)


def _of_set(fate: Fate) -> str:
    if fate.set is None:
        return f"in no Stokes frame: {fate.reason}"
    return f"Stokes frame {fate.set:03d}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
