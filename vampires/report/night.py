"""The night on one page: what was reduced, what was not, and how good it is.

The page is a single HTML file with its pictures inside, so that it can be mailed or kept with
the products. The same night gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from vampires.io.atomic import atomic_path
from vampires.night.record import Record
from vampires.night.setups import Setup
from vampires.report import contrast, flux, groups, overview, polarimetry, products, sources, stages
from vampires.report.groups import GroupReport, Measured
from vampires.report.page import render
from vampires.report.parts import Section
from vampires.report.verdicts import verdicts


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
    sets_tables : tuple of Path
        What became of every exposure in the polarimetry, one table a setup.
    stages : tuple of Path
        Pictures (PNG) of masters, rough centroids and first coadds.
    conditions : Path or None
        Picture (PNG) of the measurements against time.
    products : tuple of Path
        Files that the reduction has made.
    folder : Path
        The reduction directory, from which paths are shown.
    setups : tuple of Setup
        What the science files fall into.
    absent : tuple of Path
        Products that could not be made, because a task failed.
    """

    name: str
    records: tuple[Record, ...]
    groups: tuple[GroupReport, ...]
    settings: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    stokes_tables: tuple[Path, ...] = ()
    sets_tables: tuple[Path, ...] = ()
    stages: tuple[Path, ...] = ()
    conditions: Path | None = None
    products: tuple[Path, ...] = ()
    folder: Path = field(default_factory=Path.cwd)
    setups: tuple[Setup, ...] = ()
    absent: tuple[Path, ...] = ()

    @cached_property
    def measured(self) -> tuple[Measured, ...]:
        """What was measured in each group, read once."""
        return tuple(Measured.of(item) for item in self.groups)

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
        found = [make(self) for make in SECTIONS]
        return render(self.name, verdicts(self), [section for section in found if section])


Builder: TypeAlias = Callable[[NightReport], Section | None]

SECTIONS: tuple[Builder, ...] = (
    products.absent,
    overview.figures,
    polarimetry.results,
    polarimetry.sets,
    overview.setups,
    groups.conditions,
    flux.scale,
    contrast.curves,
    stages.stages,
    sources.calibration,
    sources.left_out,
    groups.groups_section,
    sources.files,
    products.products,
    products.software,
)
"""Sections of the page, in order. A new one is a function of the report that
returns a `Section`, or None where it has nothing to say; write it and add it here."""
