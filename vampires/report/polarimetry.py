"""The polarimetry of a night: its products, its sets, and what was left out of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from astropy.table import Table as AstropyTable

from vampires.report.parts import Number, Part, Picture, Pictures, Section, Table, Text, iso

if TYPE_CHECKING:
    from vampires.report.night import NightReport

_COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    ("light [s]", "tint", 1, 4),
    ("frames", "ncoadd", 1, 6),
    ("parallactic [deg]", "pa", 1, 4),
    ("altitude [deg]", "altitude", 1, 3),
    ("star's flux", "flux", 1, 4),
    ("Q/I [%]", "q", 100, 3),
    ("error", "q_err", 100, 2),
    ("U/I [%]", "u", 100, 3),
    ("error", "u_err", 100, 2),
    ("degree [%]", "degree", 100, 3),
    ("error", "degree_err", 100, 2),
    ("angle [deg]", "angle", 1, 3),
    ("error", "angle_err", 1, 2),
    ("subtracted Q/I [%]", "ip_q", 100, 3),
    ("subtracted U/I [%]", "ip_u", 100, 3),
)
"""Heading, column of the table of Stokes frames, factor and digits."""

_WHAT = {
    "qphi": "Q_phi and U_phi of the night: a disk shows in Q_phi, U_phi is mostly noise",
    "stokes": "The eight planes I_Q, I_U, Q, U, Q_phi, U_phi, polarised intensity and its angle",
    "ip": "Q/I and U/I of the star in every set against parallactic angle",
}

_CAPTIONS = {
    "qphi": "Azimuthal Stokes parameters",
    "stokes": "All planes",
    "ip": "The star, set by set",
}


def results(report: NightReport) -> Section | None:
    """Pictures of the products and the table of the Stokes frames."""
    parts: list[Part] = []
    if report.pictures:
        pictures = [
            Picture(
                path.read_bytes(),
                _WHAT.get(path.stem.rpartition("_")[2], "product"),
                f"{_CAPTIONS.get(path.stem.rpartition('_')[2], 'Product')} ({path.name})",
                wide=path.stem.endswith("_qphi"),
            )
            for path in report.pictures
        ]
        parts.append(Pictures(tuple(pictures)))
    for path in report.stokes_tables:
        parts += _frames_of(AstropyTable.read(path, format="ascii.ecsv"), path.name)
    return Section("Polarimetry", tuple(parts)) if parts else None


def _frames_of(frames: AstropyTable, name: str) -> list[Part]:
    """The star in each Stokes frame: what a person looks for; the file has the rest."""
    shown = [column for column in _COLUMNS if column[1] in frames.colnames]
    columns = ("set", "field", "UTC", *(heading for heading, *_ in shown))
    rows = [
        [int(row["set"]), str(row["field"]), iso(float(row["mjd"]))[11:],
         *(Number(factor * float(row[key]), digits) for _, key, factor, digits in shown)]
        for row in frames
    ]  # fmt: skip
    return [
        Table(columns, rows, f"Stokes frames, {name}"),
        Text(f"Polarisation of the star in each set, as pdi/{name} has it with more columns."),
    ]


def sets(report: NightReport) -> Section | None:
    """Half-wave-plate sets, and the exposures that are in none."""
    parts: list[Part] = []
    for path in report.sets_tables:
        setup = path.name.removesuffix("_stokes_sets.ecsv").removeprefix(report.name).strip("_")
        parts += _sets_of(AstropyTable.read(path, format="ascii.ecsv"), setup)
    return Section("Sets", tuple(parts)) if parts else None


def _sets_of(fates: AstropyTable, setup: str) -> list[Part]:
    """Sets of one setup, and its exposures that are in none."""
    of_setup = f" of {setup}" if setup else ""
    used = fates[fates["set"] >= 0]
    counts = Counter(int(number) for number in used["set"])
    rows = []
    for number in sorted(counts):
        own = used[used["set"] == number]
        filled = sum(str(reason) == "fills a gap" for reason in own["reason"])
        rows.append(
            [number, str(own["filter"][0]), iso(float(min(own["mjd"])))[11:],
             iso(float(max(own["mjd"])))[11:], len(own), filled,
             Number(float(max(own["pa"]) - min(own["pa"])), 3)]
        )  # fmt: skip
    columns = (
        "set", "filter", "from", "to", "exposures", "of them fill a gap", "rotation within [deg]",
    )  # fmt: skip
    parts: list[Part] = [Table(columns, rows, f"Half-wave-plate sets{of_setup}")]
    lost = [[str(row["file"]), str(row["reason"]), int(row["camera"]), str(row["flc"]),
             float(row["hwp"]), iso(float(row["mjd"]))[11:]]
            for row in fates if row["set"] < 0]  # fmt: skip
    if lost:
        parts.append(
            Table(
                ("exposure", "why it is in no set", "camera", "FLC", "HWP [deg]", "UTC"), lost,
                f"Exposures in no set{of_setup}",
            )
        )  # fmt: skip
    else:
        parts.append(Text("Every exposure is in a set."))
    return parts
