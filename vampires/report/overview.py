"""The night in a few figures, and the setups it consists of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vampires.canonical import Header
from vampires.night.record import Record
from vampires.report.groups import Measured
from vampires.report.parts import Facts, Number, Section, Table, iso, median

if TYPE_CHECKING:
    from vampires.report.night import NightReport


def figures(report: NightReport) -> Section:
    """Key figures of the night."""
    counts = Counter(record["kind"] for record in report.records)
    rows: list[tuple[str, object]] = [
        ("raw files", ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "none")
    ]
    headers = [one.header for one in report.measured]
    if report.measured:
        groups = [one.item.group for one in report.measured]
        strehl = np.concatenate([one.strehl.ravel() for one in report.measured])
        rows += [
            ("object", ", ".join(sorted({str(g.first["object"]) for g in groups}))),
            ("filters", ", ".join(sorted({name for g in groups for name in g.fields}))),
            ("time", f"{iso(groups[0].mjd_start)} to {iso(groups[-1].mjd_end)} UTC"),
            ("frames", sum(g.nframes for g in groups)),
            ("Strehl ratio", f"median {Number(float(median(strehl)), 3)}"),
        ]
    if any(headers):
        rows += [
            ("frames coadded", sum(header.ncoadd or 0 for header in headers)),
            ("open-shutter time", f"{_open_shutter(report.measured):.4g} s on one camera"),
            ("field rotation", f"{_rotation(headers):.2f} deg"),
        ]
    return Section("Key figures", (Facts(rows),))


def setups(report: NightReport) -> Section | None:
    """Setups of the night, each reduced as if it were alone: what was taken how, and how much."""
    if not report.setups:
        return None
    columns = (
        "setup", "star", "filter", "mode", "generation", "masks", "frame", "gain", "exposure",
        "cameras", "FLC", "HWP [deg]", "files", "frames", "from", "to",
    )  # fmt: skip
    rows = [[one.label or "the only one", *one.facets, *_amount(one.records)]
            for one in report.setups]  # fmt: skip
    return Section("Setups", (Table(columns, rows, "Setups of the science files"),))


def _amount(records: Sequence[Record]) -> tuple[object, ...]:
    """Which states a setup was seen in, how often and when."""
    angles = sorted({round(r["hwp"], 1) for r in records if r["hwp"] is not None})
    return (
        _all(r["camera"] for r in records),
        _all(r["flc"] for r in records),
        ", ".join(f"{angle:g}" for angle in angles),
        len({r["path"] for r in records}),
        sum(r["nframes"] for r in records),
        iso(min((r["mjd_start"] for r in records if r["mjd_start"]), default=None))[11:],
        iso(max((r["mjd_end"] for r in records if r["mjd_end"]), default=None))[11:],
    )


def _all(values: Iterable[object]) -> str:
    return ", ".join(sorted({str(value) for value in values if value is not None}))


def _open_shutter(measured: Sequence[Measured]) -> float:
    """Seconds of light on one camera; the FLC states of one camera add up."""
    totals: dict[int, float] = {}
    for one in measured:
        camera = one.item.group.camera
        totals[camera] = totals.get(camera, 0.0) + one.header.known(Header.integration, 0.0)
    return max(totals.values())


def _rotation(headers: Sequence[Header]) -> float:
    angles = np.unwrap([h.pa for h in headers if h.pa is not None], period=360)
    return float(np.ptp(angles)) if len(angles) else 0.0
