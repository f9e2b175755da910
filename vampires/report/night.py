"""The night on one page: what was reduced, what was not, and how good it is.

The page is a single HTML file with its pictures inside, so that it can be mailed or kept with
the products. The same night gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from vampires.images.image import CameraImage
from vampires.io.atomic import atomic_path
from vampires.night.record import Record
from vampires.report.groups import GroupReport, Measured, groups_section, median, night_section
from vampires.report.html import cell, img, iso, number, page, png, section, table


@dataclass(frozen=True)
class NightReport:
    """Everything a report is made of.

    Parameters
    ----------
    name : str
        Name of the reduction.
    records : tuple of Record
        All raw files, unusable ones included.
    groups : tuple of GroupReport
        Science groups, in order of time.
    settings : tuple of str
        Settings that are not the default, one a line.
    pictures : tuple of Path
        Pictures (PNG) of final products, shown first.
    stokes_tables : tuple of Path
        Tables of the Stokes frames, one per product.
    """

    name: str
    records: tuple[Record, ...]
    groups: tuple[GroupReport, ...]
    settings: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    stokes_tables: tuple[Path, ...] = ()

    def write(self, path: str | Path) -> None:
        """Write the page.

        Parameters
        ----------
        path : str or Path
            Target; it appears when it is complete.
        """
        text = self.html()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def html(self) -> str:
        """Page as text; it refers to nothing outside itself."""
        measured = [Measured.of(item) for item in self.groups]
        sections = (
            _figures(self, measured),
            _products(self),
            night_section(measured),
            _coadds(self.groups),
            _unusable(self.records),
            groups_section(measured),
            _masters(self.groups),
            _files(self.records),
            _settings(self.settings),
        )
        return page(self.name, "".join(sections))


def _figures(report: NightReport, measured: Sequence[Measured]) -> str:
    """Key figures of the night."""
    counts: dict[str, int] = {}
    for record in report.records:
        counts[record["kind"]] = counts.get(record["kind"], 0) + 1
    rows = [("raw files", ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))]
    headers = [one.header for one in measured]
    if measured:
        groups = [one.item.group for one in measured]
        strehl = np.concatenate([one.strehl.ravel() for one in measured])
        rows += [
            ("object", ", ".join(sorted({str(g.first["object"]) for g in groups}))),
            ("filters", ", ".join(sorted({name for g in groups for name in g.fields}))),
            ("time", f"{iso(groups[0].mjd_start)} to {iso(groups[-1].mjd_end)} UTC"),
            ("frames", str(sum(g.nframes for g in groups))),
            ("Strehl ratio", f"median {number(float(median(strehl)), 3)}"),
        ]
    if any(headers):
        rows += [
            ("frames coadded", f"{_sum(headers, 'NCOADD'):g}"),
            ("open-shutter time", f"{_open_shutter(measured):.4g} s on one camera"),
            ("field rotation", f"{_rotation(headers):.2f} deg"),
        ]
    return section("Key figures", table((), [(escape(a), escape(b)) for a, b in rows]))


def _products(report: NightReport) -> str:
    body = "".join(img(path.read_bytes(), path.stem) for path in report.pictures)
    for path in report.stokes_tables:
        frames = Table.read(path, format="ascii.ecsv")
        body += table(frames.colnames, [[cell(value) for value in row] for row in frames])
    return section("Polarimetry", body) if body else ""


def _coadds(groups: Iterable[GroupReport]) -> str:
    """Picture of the first coadd of each camera and filter."""
    first: dict[tuple[int, str], GroupReport] = {}
    for item in groups:
        first.setdefault((item.group.camera, item.group.filter), item)
    pictures = []
    for _, item in sorted(first.items(), key=lambda found: found[0]):
        if item.coadd is None:
            continue
        image = CameraImage.read(item.coadd)
        for name in image.fields:
            label = f"cam{item.group.camera} {name}"
            pictures.append(img(png(image.plot(name)), label) + f"<p>{escape(label)}, "
                            f"{escape(item.group.key)}</p>")  # fmt: skip
    body = "".join(f"<figure>{picture}</figure>" for picture in pictures)
    return section("First coadds", body) if body else ""


def _unusable(records: Iterable[Record]) -> str:
    rows = [(escape(r["name"]), escape(str(r["reason"]))) for r in records if not r["ok"]]
    body = table(("file", "why"), rows) if rows else "<p>Every file could be used.</p>"
    return section("Files left out", body)


def _masters(groups: Iterable[GroupReport]) -> str:
    """Master frames, and on how many groups each was used."""
    used: dict[tuple[str, str], int] = {}
    for item in groups:
        for kind, names in (("used", item.masters), ("remark", item.notes)):
            for name in names:
                used[kind, name] = used.get((kind, name), 0) + 1
    rows = [(kind, escape(name), str(n)) for (kind, name), n in sorted(used.items(), reverse=True)]
    body = table(("", "master", "groups"), rows) if rows else "<p>None was used.</p>"
    return section("Master frames", body)


def _files(records: Sequence[Record]) -> str:
    columns = ("file", "kind", "object", "camera", "filter", "exposure [s]", "gain, mode",
               "frames", "UTC")  # fmt: skip
    rows = [
        [
            escape(r["name"]), escape(r["kind"]), cell(r["object"]), cell(r["camera"]),
            cell(r["filter"]), cell(r["exptime"]),
            escape(" ".join(str(x) for x in (r["detgain"], r["readmode"]) if x is not None)),
            str(r["nframes"]), escape(iso(r["mjd"])),
        ]
        for r in records
    ]  # fmt: skip
    return section("All files", f"<details><summary>{len(records)} files</summary>"
                    f"{table(columns, rows)}</details>")  # fmt: skip


def _settings(lines: Sequence[str]) -> str:
    text = escape("\n".join(lines)) or "all defaults"
    return section("Settings that are not the default", f"<pre>{text}</pre>")


def _open_shutter(measured: Sequence[Measured]) -> float:
    """Seconds of light on one camera; the FLC states of one camera add up."""
    totals: dict[int, float] = {}
    for one in measured:
        camera = one.item.group.camera
        totals[camera] = totals.get(camera, 0.0) + float(one.header.get("TINT", 0.0))
    return max(totals.values())


def _rotation(headers: Sequence[fits.Header]) -> float:
    angles = np.unwrap([h["PA"] for h in headers if "PA" in h], period=360)
    return float(np.ptp(angles)) if len(angles) else 0.0


def _sum(headers: Iterable[fits.Header], key: str) -> float:
    return float(sum(header.get(key, 0) for header in headers))
