"""Tasks that measure how faint a source a product shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.config import AdiSettings, Config
from vampires.engine.actions import make_task
from vampires.engine.gathering import there_of
from vampires.log import get_logger
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan

if TYPE_CHECKING:
    from astropy.table import QTable

log = get_logger(__name__)

Task = dict[str, Any]


@dataclass(frozen=True)
class CurveTargets:
    """Files of the curves of one product."""

    table: Path

    @property
    def picture(self) -> Path:
        """Its drawing."""
        return self.table.with_suffix(".png")

    @property
    def files(self) -> list[Path]:
        """Table (ECSV and CSV) and picture."""
        return [self.table, self.table.with_suffix(".csv"), self.picture]


def make_coadd_curves(
    coadds: list[Path], table: Path, config: Config, missing: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Write the median of the curves of those of a camera's coadds that there are."""
    from vampires.images.image import CameraImage
    from vampires.steps.contrast import curves_of_coadds

    coadds = there_of(coadds, missing, "coadd")
    found = curves_of_coadds(map(CameraImage.read, coadds), config)
    return _write(found, table, f"{len(coadds)} coadds, median", config)


def make_adi_curves(
    images: tuple[Path, ...], throughput: Path | None, table: Path, config: Config
) -> dict[str, Any]:
    """Write the curves of an ADI image, and of multiband data those of all fields together."""
    from astropy.table import Table, vstack

    from vampires.io.products import read_fits
    from vampires.steps.contrast import curves_of_adi

    passed = None if throughput is None else Table.read(throughput, format="ascii.ecsv")
    found: list[QTable] = []
    for path in images:
        planes, header, _ = read_fits(path)
        found.append(curves_of_adi(planes, header, config, passed))
    return _write(vstack(found, metadata_conflicts="silent"), table, images[0].stem, config)


def make_stokes_curves(product: Path, table: Path, config: Config) -> dict[str, Any]:
    """Write the curves of a Stokes product."""
    from vampires.polarimetry.stokes import StokesFrame
    from vampires.steps.contrast import curves_of_stokes

    found = curves_of_stokes(StokesFrame.read(product), config)
    return _write(found, table, product.stem, config)


def _write(found: QTable, table: Path, title: str, config: Config) -> dict[str, Any]:
    import numpy as np

    from vampires.io.products import write_table
    from vampires.plotting.contrast import draw_curves
    from vampires.plotting.figures import save_figure
    from vampires.steps.contrast import contrast_settings

    if not np.isfinite(np.asarray(found["contrast"])).any():
        log.warning(
            "limits in flux only, the flux of the star is not known", file=table.name,
            cure="it is saturated, or behind a coronagraph: set [specphot] unit",
        )  # fmt: skip
    sigma = contrast_settings(config).sigma
    found.meta["sigma"] = sigma
    targets = CurveTargets(table)
    write_table(targets.table, found)
    save_figure(draw_curves(found, f"{title}, {sigma:g} sigma"), targets.picture)
    return {"rows": len(found)}


def task_contrast() -> Iterator[Task]:
    """Noise and contrast curves of coadds, ADI images and Stokes products."""
    plan = current_plan()
    yield {"basename": "contrast", "name": None, "doc": task_contrast.__doc__}
    if plan.config.contrast is None:
        return
    for part in plan.parts:
        yield from _of_coadds(part)
        yield from _of_stokes(part)
    if plan.config.adi is not None:
        yield from _of_adi(plan, plan.config.adi)


def _of_coadds(plan: Plan) -> Iterator[Task]:
    filters = sorted({group.filter for group in plan.groups})
    for name in filters:
        for camera in (1, 2):
            own = [g for g in plan.groups if g.filter == name and g.camera == camera]
            parts = [*([name] if len(filters) > 1 else []), f"cam{camera}"]
            coadds = [plan.layout.coadd(group.key) for group in own]
            if coadds:
                yield _task(plan, parts, make_coadd_curves, coadds, coadds, gathers=True)


def _of_adi(night: Plan, settings: AdiSettings) -> Iterator[Task]:
    from vampires.tasks.adi import adi_sequences, image_targets

    for found in adi_sequences(night):
        made = image_targets(found, settings)
        files = [*made.images, *([made.throughput] if made.throughput else [])]
        parts = ["adi", *(name for name in found.names if name != "both")]
        yield _task(found.plan, parts, make_adi_curves, files, made.images, made.throughput)


def _of_stokes(plan: Plan) -> Iterator[Task]:
    if plan.config.polarimetry is None:
        return
    from vampires.tasks.sets import product_layout, sets_of_parts

    for part, sets in sets_of_parts():
        if part.layout != plan.layout or not sets.sets:
            continue
        for name, own in sets.by_filter().items():
            layout = product_layout(plan.layout, name)
            fields = next(g.fields for g in plan.groups if g.key == own[0].keys[0])
            product = layout.stokes_cube() if len(fields) > 1 else layout.stokes_collapsed()
            parts = ["stokes", *([name] if name else [])]
            yield _task(plan, parts, make_stokes_curves, [product], product)


def _task(
    plan: Plan,
    parts: list[str],
    function: Any,
    files: list[Path],
    *arguments: object,
    gathers: bool = False,
) -> Task:
    name = "_".join(parts)
    targets = CurveTargets(plan.layout.contrast(name))
    return make_task(
        "contrast", plan.named(name), function, (*arguments, targets.table, plan.config),
        file_dep=files, targets=targets.files, version=1,
        settings={**plan.settings("contrast"), "coronagraphic": plan.config.coronagraphic},
        doc=f"noise and contrast of {' '.join(parts)}", gathers=gathers,
    )  # fmt: skip
