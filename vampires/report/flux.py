"""The flux scale of the night: what a count is worth, and the star by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from vampires.images.units import RATE
from vampires.report.groups import Measured
from vampires.report.parts import NONE, Number, Part, Section, Table, Text, median

if TYPE_CHECKING:
    from vampires.report.night import NightReport

_COLUMNS = (
    ("unit per e-/s", "FLUXCON", 4),
    ("photon error", "FLUXSTA", 2),
    ("calibration error", "FLUXSYS", 2),
    ("zero point [mag]", "ZPMAG", 5),
    ("Jy of mag 0", "ZPJY", 5),
    ("instrumental mag", "INSTMAG", 5),
    ("star [mag]", "STARMAG", 5),
    ("star [Jy]", "STARJY", 4),
    ("e- per photon", "THROUGH", 3),
    ("spot over star", "CONTRST", 3),
)
"""Heading, card without the number of the field, and digits."""


def scale(report: NightReport) -> Section | None:
    """Conversion, zero point, throughput, magnitudes and Strehl ratio of each camera and field."""
    found: dict[tuple[int, str], list[tuple[Measured, int]]] = {}
    for one in report.measured:
        for index, name in enumerate(one.fields):
            found.setdefault((one.item.group.camera, name), []).append((one, index))
    rows = [_row(camera, name, own) for (camera, name), own in sorted(found.items())]
    if not rows:
        return None
    headings = [heading for heading, _, _ in _COLUMNS]
    columns = ("camera", "filter", "coadds", "unit", "source", *headings, "Strehl ratio", "error")
    table = Table(columns, rows, "Flux scale, median over the coadds")
    parts: list[Part] = [table, *map(Text, _remarks([one.header for one in report.measured]))]
    return Section("Flux", tuple(parts))


def _row(camera: int, name: str, own: Sequence[tuple[Measured, int]]) -> list[object]:
    headers = [one.header for one, _ in own]
    strehl, error = (
        np.concatenate([getattr(one, key)[index] for one, index in own])
        for key in ("strehl", "strehl_err")
    )
    values = [
        Number(_median([header.get(f"{key}{index}") for header, (_, index) in
                        zip(headers, own, strict=True)]), digits)
        for _, key, digits in _COLUMNS
    ]  # fmt: skip
    return [
        camera, name, len(own), _one_of(headers, "BUNIT", RATE), _one_of(headers, "FLUXSRC", NONE),
        *values, Number(float(median(strehl)), 3), Number(float(median(error)), 2),
    ]  # fmt: skip


def _median(values: Sequence[object]) -> float:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return float(median(np.array(numbers))) if numbers else float("nan")


def _one_of(headers: Sequence[fits.Header], key: str, default: str) -> str:
    return ", ".join(sorted({str(header.get(key, default)) for header in headers}))


def _remarks(headers: Sequence[fits.Header]) -> list[str]:
    """The magnitude that was given, and every doubt once."""
    given = {
        f"Reference: {header['REFMAG']:g} mag in {header['REFBAND']}."
        for header in headers
        if "REFMAG" in header
    }
    doubts = {f"In doubt: {header['FLUXWARN']}." for header in headers if "FLUXWARN" in header}
    return [*sorted(given), *sorted(doubts)]
