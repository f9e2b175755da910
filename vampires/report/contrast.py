"""Contrast curves and ADI images of the night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.table import QTable

from vampires.flux.product_curves import limits
from vampires.report.parts import Number, Part, Picture, Pictures, Section, Table

if TYPE_CHECKING:
    from vampires.report.night import NightReport


def curves(report: NightReport) -> Section | None:
    """Pictures of ADI images and curves, and the limits at some separations."""
    images = [p for p in report.products if p.suffix == ".png" and p.parent.name == "adi"]
    tables = [p for p in report.products if p.suffix == ".ecsv" and p.parent.name == "contrast"]
    images, tables = ([p for p in paths if p.exists()] for paths in (images, tables))
    parts: list[Part] = []
    if images:
        parts.append(Pictures(tuple(
            Picture(path.read_bytes(), "Residuals of the star and their signal-to-noise ratio, "
                    "north up, east left", path.name, wide=True)
            for path in images
        )))  # fmt: skip
    rows: list[list[object]] = []
    drawn = []
    for path in tables:
        own = _limits(QTable.read(path, format="ascii.ecsv"))
        rows += [[path.stem, *row] for row in own]
        picture = path.with_suffix(".png")
        if picture.exists():
            drawn.append(Picture(picture.read_bytes(), _in_words(path.stem, own), picture.name))
    if drawn:
        parts.append(Pictures(tuple(drawn)))
    if rows:
        columns = ("curve", "image", "field", "separation [arcsec]", "limit", "unit", "contrast")
        parts.append(Table(columns, rows, "Limits of detection"))
    return Section("Contrast", tuple(parts)) if parts else None


def _limits(table: QTable) -> list[list[object]]:
    unit = table["limit"].unit
    return [
        [str(row["image"]), str(row["field"]), Number(float(row["separation"]), 2),
         Number(float(row["limit"]), 3), "" if unit is None else str(unit),
         Number(float(row["contrast"]), 3)]
        for row in limits(table)
    ]  # fmt: skip


def _in_words(name: str, rows: list[list[object]]) -> str:
    """Text alternative of a picture of curves."""
    texts = [f"{row[0]} {row[1]} {row[5]} at {row[2]} arcsec" for row in rows]
    return f"Limits of {name}: " + ("; ".join(texts) or "no separation is covered")
