"""Raw files and calibrations: what was used, how well it fits, and what was left out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vampires.report.parts import Part, Section, Table, Text, iso

if TYPE_CHECKING:
    from vampires.report.night import NightReport


def calibration(report: NightReport) -> Section | None:
    """Master frames, on how many groups each was used, and what was relaxed for it."""
    used = Counter(name for item in report.groups for name in item.masters)
    notes = Counter((note, "relaxed") for item in report.groups for note in item.notes)
    notes += Counter((note, "missing") for item in report.groups for note in item.missing)
    parts: list[Part] = [Text("None was used.")]
    if used:
        rows = [[*name.partition("/")[::2], count] for name, count in sorted(used.items())]
        parts = [Table(("kind", "master", "groups"), rows, "Master frames used")]
    if notes:
        remarks = [[what, *_split(note), count] for (note, what), count in sorted(notes.items())]
        columns = ("what", "kind", "remark", "groups")
        parts.append(Table(columns, remarks, "Calibrations missing or relaxed"))
    elif used:
        parts.append(Text("Every one fits in crop, gain, read mode and exposure time."))
    return Section("Calibration", tuple(parts))


def _split(note: str) -> tuple[str, str]:
    kind, _, remark = note.partition(": ")
    return kind, remark


def left_out(report: NightReport) -> Section | None:
    """Files that could not be used, with the reason."""
    rows = [(r["name"], r["kind"], str(r["reason"])) for r in report.records if not r["ok"]]
    part: Part = Text("Every file could be used.")
    if rows:
        part = Table(("file", "kind", "why"), rows, "Files left out")
    return Section("Files left out", (part,))


def files(report: NightReport) -> Section | None:
    """Every raw file."""
    columns = (
        "file", "kind", "object", "camera", "filter", "exposure [s]", "gain", "read mode",
        "frames", "UTC",
    )  # fmt: skip
    rows = [
        [
            r["name"], r["kind"], r["object"], r["camera"], r["filter"], r["exptime"],
            r["detgain"], r["readmode"], r["nframes"], iso(r["mjd"]),
        ]
        for r in report.records
    ]  # fmt: skip
    return Section("All files", (Table(columns, rows, f"{len(rows)} files", folded=True),))
