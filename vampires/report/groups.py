"""Exposure groups in the report of a night: how the star did in each, and through the night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from astropy.io import fits
from matplotlib.figure import Figure

from vampires.measure.metrics import FrameMetrics
from vampires.night.grouping import Group
from vampires.report.html import NONE, img, iso, number, png, section, table

_POINTS = 120  # of a small panel
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
class Measured:
    """Measurements of a group, by frame: the mean over PSFs, per field."""

    item: GroupReport
    fields: tuple[str, ...]
    flux: np.ndarray
    strehl: np.ndarray
    star: np.ndarray
    header: fits.Header

    @classmethod
    def of(cls, item: GroupReport) -> Measured:
        """Read the measurements of a group."""
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
        offset = self.star[0] - median(self.star[0], axis=0)
        seen = offset[np.isfinite(offset).all(axis=1)]
        return float(np.sqrt((seen**2).sum(axis=1).mean())) if len(seen) else float("nan")


def night_section(measured: Sequence[Measured]) -> str:
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
            point = (hours, float(median(one.flux[index])), float(median(one.strehl[index])))
            series.setdefault(f"cam{one.item.group.camera} {name}", []).append(point)
    for label, points in sorted(series.items()):
        hours, flux, strehl = np.transpose(points)
        upper.plot(hours, flux, ".", label=label)
        lower.plot(hours, strehl, ".")
    upper.set_ylabel("aperture flux [e-/s]")
    upper.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))
    lower.set(xlabel=f"UTC [h] from {iso(float(start))[:10]}", ylabel="Strehl ratio")
    figure.subplots_adjust(0.1, 0.12, 0.84, 0.97, hspace=0.08)
    return section("The star through the night", img(png(figure), "flux and Strehl ratio"))


def groups_section(measured: Sequence[Measured]) -> str:
    """Table of the groups, with small pictures of what was measured."""
    columns = (
        "group", "UTC", "FLC", "HWP [deg]", "frames", "flux [e-/s]", "scatter [%]", "Strehl",
        "wander [px]", "DEROTANG [deg]", "flux, Strehl ratio, position",
    )  # fmt: skip
    return section("Exposure groups", table(columns, [_group_row(one) for one in measured]))


def _group_row(one: Measured) -> list[str]:
    group, flux = one.item.group, one.flux[0]
    middle = float(median(flux))
    scatter = 148.26 * float(median(np.abs(flux - middle))) / middle
    return [
        escape(f"{group.key} cam{group.camera} {'+'.join(one.fields)}"),
        iso(group.mjd)[11:19], escape(group.flc), f"{group.hwp:g}",
        f"{one.header.get('NCOADD', NONE)} of {group.nframes}", number(middle, 4),
        number(scatter, 2), number(float(median(one.strehl[0])), 3),
        number(one.wander(), 2), number(float(one.header.get("DEROTANG", np.nan)), 6),
        _strip(one),
    ]  # fmt: skip


def _strip(one: Measured) -> str:
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
    return np.array([median(values[k : k + step]) for k in range(0, len(values), step)])


def _to_unit(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).any():
        return values
    span = np.nanmax(values) - np.nanmin(values)
    return (values - np.nanmin(values)) / span if span > 0 else np.full(values.shape, 0.5)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over PSFs of (nfields, npsfs, nframes), NaN where no PSF was measured."""
    seen = np.isfinite(values)
    total = np.where(seen, values, 0).sum(axis=1)
    count = seen.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def median(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Median of what is finite; NaN, without a warning, where nothing is."""
    if not np.isfinite(values).any():
        shape = () if axis is None else np.delete(values.shape, axis)
        return np.full(shape, np.nan)
    return np.nanmedian(values, axis=axis)
