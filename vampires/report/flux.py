"""The flux scale of the night: what a count is worth, and the star by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vampires.canonical import Fact, Header
from vampires.images.units import RATE
from vampires.report.groups import Measured
from vampires.report.parts import NONE, Number, Part, Section, Table, Text, median

if TYPE_CHECKING:
    from vampires.report.night import NightReport

_COLUMNS: tuple[tuple[str, Fact[float], int], ...] = (
    ("unit per e-/s", Header.flux_factors, 4),
    ("photon error", Header.photon_errors, 2),
    ("calibration error", Header.calibration_errors, 2),
    ("zero point [mag]", Header.zero_point, 5),
    ("Jy of mag 0", Header.vega_flux, 5),
    ("instrumental mag", Header.instrumental_magnitude, 5),
    ("star [mag]", Header.star_magnitude, 5),
    ("star [Jy]", Header.star_flux, 4),
    ("e- per photon", Header.total_throughput, 3),
    ("spot over star", Header.spot_contrast, 3),
)
"""Heading, fact of each field, and digits."""


def scale(report: NightReport) -> Section | None:
    """Conversion, zero point, throughput, magnitudes and Strehl ratio of each camera and field."""
    found: dict[tuple[int, str], list[tuple[Measured, int]]] = {}
    for one in report.measured:
        for index, name in enumerate(one.fields):
            found.setdefault((one.item.group.camera, name), []).append((one, index))
    rows = [_row(camera, name, own) for (camera, name), own in sorted(found.items())]
    if not rows:
        return None
    headers = [one.header for one in report.measured]
    if not any(header.known(Header.flux_source, "") for header in headers):
        text = "Fluxes are in e-/s of one camera: no flux scale was asked for ([specphot])."
        return Section("Flux", (Text(text), *map(Text, _remarks(headers))))
    headings = [heading for heading, _, _ in _COLUMNS]
    columns = ("camera", "filter", "coadds", "unit", "source", *headings, "Strehl ratio", "error")
    table = Table(columns, rows, "Flux scale, median over the coadds")
    parts: list[Part] = [table, *map(Text, _remarks(headers))]
    return Section("Flux", tuple(parts))


def _row(camera: int, name: str, own: Sequence[tuple[Measured, int]]) -> list[object]:
    headers = [one.header for one, _ in own]
    strehl, error = (
        np.concatenate([getattr(one, key)[index] for one, index in own])
        for key in ("strehl", "strehl_err")
    )
    values = [
        Number(_median([header.known(fact.of(index)) for header, (_, index) in
                        zip(headers, own, strict=True)]), digits)
        for _, fact, digits in _COLUMNS
    ]  # fmt: skip
    unit, source = _one_of(headers, Header.unit, RATE), _one_of(headers, Header.flux_source, NONE)
    return [
        camera, name, len(own), unit, source, *values,
        Number(float(median(strehl)), 3), Number(float(median(error)), 2),
    ]  # fmt: skip


def _median(values: Sequence[float | None]) -> float:
    numbers = [value for value in values if value is not None]
    return float(median(np.array(numbers))) if numbers else float("nan")


def _one_of(headers: Sequence[Header], fact: Fact[str], default: str) -> str:
    return ", ".join(sorted({header.known(fact, default) for header in headers}))


def _remarks(headers: Sequence[Header]) -> list[str]:
    """The magnitude that was given, and every doubt once."""
    given = {
        f"Reference: {header.reference_magnitude:g} mag in {header.reference_band}."
        for header in headers
        if header.reference_magnitude is not None
    }
    doubts = {f"In doubt: {header.flux_doubts}." for header in headers if header.flux_doubts}
    return [*sorted(given), *sorted(doubts)]
