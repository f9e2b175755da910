"""The night on one page: what was reduced, what was not, and how good it is.

The page is a single HTML file with its pictures inside, so that it can be mailed or kept with
the products. The same night gives the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import vampires
from vampires.files import atomic_path
from vampires.frame_metrics import FrameMetrics
from vampires.grouping import Group
from vampires.image import CameraImage
from vampires.index import Record

_DPI = 80
_POINTS = 120  # of a small panel
_NONE = "–"
_BLUE, _ORANGE = "#1f77b4", "#ff7f0e"


@dataclass(frozen=True)
class GroupReport:
    """What the report says of one exposure group.

    Parameters
    ----------
    group : Group
        Its raw files.
    metrics : Path
        Measurements of its frames.
    coadd : Path or None
        Its coadd, if frames are coadded.
    masters : tuple of str
        Names of the master frames used.
    notes : tuple of str
        Masters that were missing or do not fit well.
    """

    group: Group
    metrics: Path
    coadd: Path | None
    masters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
        page = self.html()
        with atomic_path(path) as temporary:
            temporary.write_text(page, encoding="utf-8")

    def html(self) -> str:
        """Page as text; it refers to nothing outside itself."""
        measured = [_Measured.of(item) for item in self.groups]
        sections = (
            _figures(self, measured),
            _products(self),
            _night(measured),
            _coadds(self.groups),
            _unusable(self.records),
            _groups(measured),
            _masters(self.groups),
            _files(self.records),
            _settings(self.settings),
        )
        return _PAGE.substitute(
            title=escape(self.name), version=escape(vampires.__version__), body="".join(sections)
        )


@dataclass(frozen=True)
class _Measured:
    """Measurements of a group, by frame: the mean over PSFs, per field."""

    item: GroupReport
    fields: tuple[str, ...]
    flux: np.ndarray
    strehl: np.ndarray
    star: np.ndarray
    header: fits.Header

    @classmethod
    def of(cls, item: GroupReport) -> _Measured:
        metrics = FrameMetrics.read(item.metrics)
        return cls(
            item,
            metrics.fields,
            _mean(metrics.photf),
            _mean(metrics.strehl),
            metrics.positions("dft"),
            fits.Header() if item.coadd is None else fits.getheader(item.coadd),
        )

    def wander(self) -> float:
        """Rms of the star's position about its median, both axes, pixels."""
        offset = self.star[0] - _median(self.star[0], axis=0)
        seen = offset[np.isfinite(offset).all(axis=1)]
        return float(np.sqrt((seen**2).sum(axis=1).mean())) if len(seen) else float("nan")


def _figures(report: NightReport, measured: Sequence[_Measured]) -> str:
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
            ("time", f"{_iso(groups[0].mjd_start)} to {_iso(groups[-1].mjd_end)} UTC"),
            ("frames", str(sum(g.nframes for g in groups))),
            ("Strehl ratio", f"median {_number(float(_median(strehl)), 3)}"),
        ]
    if any(headers):
        rows += [
            ("frames coadded", f"{_sum(headers, 'NCOADD'):g}"),
            ("open-shutter time", f"{_open_shutter(measured):.4g} s on one camera"),
            ("field rotation", f"{_rotation(headers):.2f} deg"),
        ]
    return _section("Key figures", _table((), [(escape(a), escape(b)) for a, b in rows]))


def _products(report: NightReport) -> str:
    body = "".join(_img(path.read_bytes(), path.stem) for path in report.pictures)
    for path in report.stokes_tables:
        table = Table.read(path, format="ascii.ecsv")
        body += _table(table.colnames, [[_cell(value) for value in row] for row in table])
    return _section("Polarimetry", body) if body else ""


def _night(measured: Sequence[_Measured]) -> str:
    """Flux and Strehl ratio of every group against time."""
    if not measured:
        return ""
    figure = Figure(figsize=(9, 4.2))
    upper, lower = figure.subplots(2, 1, sharex=True)
    start = np.floor(measured[0].item.group.mjd)
    series: dict[str, list[tuple[float, float, float]]] = {}
    for one in measured:
        hours = (one.item.group.mjd - start) * 24
        for index, name in enumerate(one.fields):
            point = (hours, float(_median(one.flux[index])), float(_median(one.strehl[index])))
            series.setdefault(f"cam{one.item.group.camera} {name}", []).append(point)
    for label, points in sorted(series.items()):
        hours, flux, strehl = np.transpose(points)
        upper.plot(hours, flux, ".", label=label)
        lower.plot(hours, strehl, ".")
    upper.set_ylabel("aperture flux [e-/s]")
    upper.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))
    lower.set(xlabel=f"UTC [h] from {_iso(float(start))[:10]}", ylabel="Strehl ratio")
    figure.subplots_adjust(0.1, 0.12, 0.84, 0.97, hspace=0.08)
    return _section("The star through the night", _img(_png(figure), "flux and Strehl ratio"))


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
            pictures.append(_img(_png(image.plot(name)), label) + f"<p>{escape(label)}, "
                            f"{escape(item.group.key)}</p>")  # fmt: skip
    body = "".join(f"<figure>{picture}</figure>" for picture in pictures)
    return _section("First coadds", body) if body else ""


def _unusable(records: Iterable[Record]) -> str:
    rows = [(escape(r["name"]), escape(str(r["reason"]))) for r in records if not r["ok"]]
    body = _table(("file", "why"), rows) if rows else "<p>Every file could be used.</p>"
    return _section("Files left out", body)


def _groups(measured: Sequence[_Measured]) -> str:
    columns = (
        "group", "UTC", "FLC", "HWP [deg]", "frames", "flux [e-/s]", "scatter [%]", "Strehl",
        "wander [px]", "DEROTANG [deg]", "flux, Strehl ratio, position",
    )  # fmt: skip
    return _section("Exposure groups", _table(columns, [_group_row(one) for one in measured]))


def _group_row(one: _Measured) -> list[str]:
    group, flux = one.item.group, one.flux[0]
    middle = float(_median(flux))
    scatter = 148.26 * float(_median(np.abs(flux - middle))) / middle
    return [
        escape(f"{group.key} cam{group.camera} {'+'.join(one.fields)}"),
        _iso(group.mjd)[11:19], escape(group.flc), f"{group.hwp:g}",
        f"{one.header.get('NCOADD', _NONE)} of {group.nframes}", _number(middle, 4),
        _number(scatter, 2), _number(float(_median(one.strehl[0])), 3),
        _number(one.wander(), 2), _number(float(one.header.get("DEROTANG", np.nan)), 6),
        _strip(one),
    ]  # fmt: skip


def _strip(one: _Measured) -> str:
    """Three small panels of a group, first field: flux, Strehl ratio, y and x of the star.

    Each trace fills its panel; of long cubes the medians of consecutive frames are drawn. As
    SVG, a dot being a line of no length: a night may have a thousand groups.
    """
    traces = (
        (0, _BLUE, one.flux[0]),
        (1, _BLUE, one.strehl[0]),
        (2, _BLUE, one.star[0, :, 0]),
        (2, _ORANGE, one.star[0, :, 1]),
    )
    paths = ['<path d="M128 0v48M256 0v48" stroke="#ccc" stroke-width="0.9"/>']
    for panel, colour, values in traces:
        drawn = _thinned(values)
        across = 128 * (panel + np.linspace(0.04, 0.96, len(drawn)))
        down = 44 - 40 * _to_unit(drawn)
        seen = np.isfinite(down)
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in zip(across[seen], down[seen], strict=True))
        paths.append(f'<path d="{dots}" stroke="{colour}"/>')
    return (
        f'<svg role="img" aria-label="{escape(one.item.group.key)}" width="384" height="48" '
        f'stroke-width="3" stroke-linecap="round">{"".join(paths)}</svg>'
    )


def _thinned(values: np.ndarray) -> np.ndarray:
    """Medians of consecutive frames, no more than can be told apart."""
    step = -(-len(values) // _POINTS)
    return np.array([_median(values[k : k + step]) for k in range(0, len(values), step)])


def _to_unit(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).any():
        return values
    span = np.nanmax(values) - np.nanmin(values)
    return (values - np.nanmin(values)) / span if span > 0 else np.full(values.shape, 0.5)


def _masters(groups: Iterable[GroupReport]) -> str:
    """Master frames, and on how many groups each was used."""
    used: dict[tuple[str, str], int] = {}
    for item in groups:
        for kind, names in (("used", item.masters), ("remark", item.notes)):
            for name in names:
                used[kind, name] = used.get((kind, name), 0) + 1
    rows = [(kind, escape(name), str(n)) for (kind, name), n in sorted(used.items(), reverse=True)]
    body = _table(("", "master", "groups"), rows) if rows else "<p>None was used.</p>"
    return _section("Master frames", body)


def _files(records: Sequence[Record]) -> str:
    columns = ("file", "kind", "object", "camera", "filter", "exposure [s]", "gain, mode",
               "frames", "UTC")  # fmt: skip
    rows = [
        [
            escape(r["name"]), escape(r["kind"]), _cell(r["object"]), _cell(r["camera"]),
            _cell(r["filter"]), _cell(r["exptime"]),
            escape(" ".join(str(x) for x in (r["detgain"], r["readmode"]) if x is not None)),
            str(r["nframes"]), escape(_iso(r["mjd"])),
        ]
        for r in records
    ]  # fmt: skip
    return _section("All files", f"<details><summary>{len(records)} files</summary>"
                    f"{_table(columns, rows)}</details>")  # fmt: skip


def _settings(lines: Sequence[str]) -> str:
    text = escape("\n".join(lines)) or "all defaults"
    return _section("Settings that are not the default", f"<pre>{text}</pre>")


def _open_shutter(measured: Sequence[_Measured]) -> float:
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


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over PSFs of (nfields, npsfs, nframes), NaN where no PSF was measured."""
    seen = np.isfinite(values)
    total = np.where(seen, values, 0).sum(axis=1)
    count = seen.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _median(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Median of what is finite; NaN, without a warning, where nothing is."""
    if not np.isfinite(values).any():
        shape = () if axis is None else np.delete(values.shape, axis)
        return np.full(shape, np.nan)
    return np.nanmedian(values, axis=axis)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()


def _img(png: bytes, alt: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Table of cells that are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    if columns:
        lines.insert(0, f"<tr>{head}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"


def _cell(value: object) -> str:
    if value is None or value is np.ma.masked:
        return _NONE
    if isinstance(value, float | np.floating):
        return _number(float(value), 6)
    return escape(str(value))


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if np.isfinite(value) else _NONE


def _iso(mjd: float | None) -> str:
    return "unknown" if mjd is None else str(Time(mjd, format="mjd").iso)[:19]


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$title</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; max-width: 90em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #ddd; padding: 0.15em 0.7em; text-align: left; }
th { background: #f3f3f3; position: sticky; top: 0; }
figure { display: inline-block; margin: 0.3em; }
img { max-width: 100%; vertical-align: middle; }
pre { background: #f3f3f3; padding: 0.7em; overflow: auto; }
</style>
</head>
<body>
<h1>$title</h1>
<p>Reduced by vampires $version.</p>
$body</body>
</html>
""")
