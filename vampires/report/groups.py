"""Exposure groups in the report of a night: how the star did in each, and through the night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vampires.canonical import Header
from vampires.io.products import read_header
from vampires.measure.metrics import read_columns, star_places
from vampires.night.grouping import Group
from vampires.plotting.figures import new_figure, save_figure
from vampires.report.parts import (
    DPI,
    NONE,
    Number,
    Pictures,
    Section,
    Strip,
    Table,
    Trace,
    iso,
    median,
    picture_texts,
    stored_picture,
)
from vampires.utils.robust import robust_std

if TYPE_CHECKING:
    from vampires.report.night import NightReport


_SHOWN = ("photf", "strehl", "strehl_err", "dfty", "dftx", "frame_nsat")


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
        Masters that do not fit well.
    missing : tuple of str
        Masters that were wanted and not found.
    """

    group: Group
    metrics: Path
    coadd: Path | None
    masters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Measurements of a group, by frame: the mean over PSFs, per field.

    Parameters
    ----------
    item : GroupReport
    fields : tuple of str
        Filter of each field.
    flux, strehl, strehl_err : ndarray, shape (nfields, nframes)
        Aperture flux (e-/s), Strehl ratio and its error.
    star : ndarray, shape (nfields, nframes, 2)
        (y, x) of the star, pixels.
    saturated : ndarray, shape (nframes,)
        Saturated pixels of each frame.
    header : Header
        Of the coadd; empty if frames are not coadded.
    """

    item: GroupReport
    fields: tuple[str, ...]
    flux: np.ndarray
    strehl: np.ndarray
    strehl_err: np.ndarray
    star: np.ndarray
    saturated: np.ndarray
    header: Header

    @classmethod
    def of(cls, item: GroupReport) -> Measured:
        """Read the measurements of a group."""
        fields, found = read_columns(item.metrics, _SHOWN)
        return cls(
            item,
            fields,
            _mean(found["photf"]),
            _mean(found["strehl"]),
            _mean(found["strehl_err"]),
            star_places(np.stack([found["dfty"], found["dftx"]], axis=-1)),
            found["frame_nsat"],
            Header() if item.coadd is None else read_header(item.coadd),
        )

    @property
    def label(self) -> str:
        """Group, camera and fields in words."""
        return f"{self.item.group.key} cam{self.item.group.camera} {'+'.join(self.fields)}"

    def wander(self) -> float:
        """Rms of the star's position about its median, both axes, pixels."""
        offset = self.star[0] - median(self.star[0], axis=0)
        seen = offset[np.isfinite(offset).all(axis=1)]
        return float(np.sqrt((seen**2).sum(axis=1).mean())) if len(seen) else float("nan")

    def scatter(self, values: np.ndarray) -> float:
        """Robust scatter of one field's values from frame to frame, percent of their median."""
        middle = float(median(values))
        seen = values[np.isfinite(values)]
        return 100 * robust_std(seen, middle) / abs(middle) if middle else np.nan

    def lost(self) -> float:
        """Fraction of frames in which no star was found in some field."""
        return float(1 - np.isfinite(self.star).all(axis=(0, 2)).mean())


def conditions(report: NightReport) -> Section | None:
    """Flux, Strehl ratio, place and jitter of the star against time."""
    if report.conditions is None:
        return None
    return Section("Conditions", (Pictures((stored_picture(report.conditions, wide=True),)),))


def write_conditions(groups: Sequence[GroupReport], target: Path) -> None:
    """Draw flux, Strehl ratio, place and jitter of the star against time.

    Jitter and the scatter of the flux within a file are what the data themselves tell of the
    seeing: the headers of most nights hold no seeing.

    Parameters
    ----------
    groups : sequence of GroupReport
        In order of time.
    target : Path
        PNG.
    """
    measured = [Measured.of(item) for item in groups]
    start = float(np.floor(measured[0].item.group.mjd))
    series = _series(measured, start)
    figure = new_figure(11, 8)
    panels = figure.subplots(5, 1, sharex=True)
    labels = (
        "flux [e-/s]", "flux scatter [%]", "Strehl ratio", "place [px]", "jitter [px]",
    )  # fmt: skip
    for label, points in sorted(series.items()):
        hours, flux, scatter, strehl, y, x, wander = np.transpose(points)
        for panel, values in zip(panels, (flux, scatter, strehl, None, wander), strict=True):
            if values is not None:
                panel.plot(hours, values, ".", label=label)
        colour = panels[0].lines[-1].get_color()
        panels[3].plot(hours, x - median(x), ".", color=colour)
        panels[3].plot(hours, y - median(y), ".", color=colour, mfc="none")
    for panel, label in zip(panels, labels, strict=True):
        panel.set_ylabel(label)
    panels[0].legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))
    panels[-1].set_xlabel(f"UTC [h] from {iso(start)[:10]}")
    figure.subplots_adjust(0.08, 0.07, 0.86, 0.98, hspace=0.08)
    caption = (
        "A dot is the median over one exposure group. Place: x filled, y open, from their medians. "
        "Jitter: rms of the star's place within the group. Scatter: of the flux within the group."
    )
    save_figure(figure, target, DPI, picture_texts(caption, _in_words(series)))


def _series(measured: Sequence[Measured], start: float) -> dict[str, list[tuple[float, ...]]]:
    series: dict[str, list[tuple[float, ...]]] = {}
    for one in measured:
        hours = (one.item.group.mjd - start) * 24
        for index, name in enumerate(one.fields):
            point = (
                hours, float(median(one.flux[index])), one.scatter(one.flux[index]),
                float(median(one.strehl[index])), *map(float, median(one.star[index], axis=0)),
                one.wander(),
            )  # fmt: skip
            series.setdefault(f"cam{one.item.group.camera} {name}", []).append(point)
    return series


def _in_words(series: dict[str, list[tuple[float, ...]]]) -> str:
    """Text alternative of the conditions."""
    texts = []
    for label, points in sorted(series.items()):
        _, flux, _, strehl, *_, wander = np.transpose(points)
        texts.append(
            f"{label}: flux {_span(flux, 4)} e-/s, Strehl ratio {_span(strehl, 2)}, "
            f"jitter {_span(wander, 2)} px"
        )
    return "Against time, " + "; ".join(texts)


def _span(values: np.ndarray, digits: int) -> str:
    seen = values[np.isfinite(values)]
    if not len(seen):
        return "not measured"
    return f"{Number(float(seen.min()), digits)} to {Number(float(seen.max()), digits)}"


def groups_section(report: NightReport) -> Section | None:
    """Table of the groups, with small pictures of what was measured."""
    columns = (
        "group", "UTC", "FLC", "HWP [deg]", "frames used", "of", "flux [e-/s]", "scatter [%]",
        "Strehl", "jitter [px]", "saturated frames", "DEROTANG [deg]",
        "flux, Strehl ratio, place (x, y)",
    )  # fmt: skip
    rows = [_group_row(one) for one in report.measured]
    return Section("Exposure groups", (Table(columns, rows, "Exposure groups"),))


def _group_row(one: Measured) -> list[object]:
    group, flux = one.item.group, one.flux[0]
    return [
        one.label, iso(group.mjd)[11:19], group.flc, Number(group.hwp, 4),
        one.header.known(Header.ncoadd, NONE), group.nframes, Number(float(median(flux)), 4),
        Number(one.scatter(flux), 2), Number(float(median(one.strehl[0])), 3),
        Number(one.wander(), 2), int((one.saturated > 0).sum()),
        Number(one.header.known(Header.derotation, np.nan), 6), _strip(one),
    ]  # fmt: skip


def _strip(one: Measured) -> Strip:
    """Three small panels of a group, first field: flux, Strehl ratio, x and y of the star."""
    flux, strehl, star = one.flux[0], one.strehl[0], one.star[0]
    alt = (
        f"{one.item.group.key} frame by frame: flux {_span(flux, 4)} e-/s, Strehl ratio "
        f"{_span(strehl, 2)}, x {_span(star[:, 1], 4)}, y {_span(star[:, 0], 4)} px"
    )
    return Strip(
        alt,
        (
            Trace(0, flux), Trace(1, strehl),
            Trace(2, star[:, 1]), Trace(2, star[:, 0], "second"),
        ),
    )  # fmt: skip


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over PSFs of (nfields, npsfs, nframes), NaN where no PSF was measured."""
    seen = np.isfinite(values)
    total = np.where(seen, values, 0).sum(axis=1)
    count = seen.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
