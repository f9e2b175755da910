"""Tasks of polarimetry: Mueller matrices, Stokes frames of HWP sets, the collapsed product.

The graph follows from the headers alone. An image that turns out useless while tasks run fails
its coadd, the Stokes frame it belongs to, and the product with them: a product made of what
happens to have worked would not say so. The cure is to exclude the file: then the sets are
found anew without it, and the table of the sets says what became of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.canonical import Header
from vampires.config import Config, PolarimetrySettings
from vampires.engine.actions import make_task
from vampires.engine.gathering import there_of
from vampires.night.grouping import Group
from vampires.night.matching import Masters
from vampires.night.plan import Plan
from vampires.night.sets import StokesSet
from vampires.steps.settings import polarimetry_settings
from vampires.tasks.images import FLUX_SECTIONS, ladder_in, registered_cube
from vampires.tasks.ladder import ladder_of
from vampires.tasks.measure import excluded_frames
from vampires.tasks.plan import current_plan
from vampires.tasks.sets import (
    product_layout,
    report_no_sets,
    sets_name,
    sets_of_parts,
    sets_task,
)

if TYPE_CHECKING:
    from vampires.polarimetry.stokes import StokesFrame

Task = dict[str, Any]


@dataclass(frozen=True)
class Stream:
    """What the frames of one exposure group are read from."""

    group: Group
    masters: Masters
    metrics: Path


def make_hwp_mode(
    coadds: list[Path], target: Path, config: Config, missing: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Decide whether the half-wave plate followed the pupil, by headers or by the star."""
    from vampires.images.image import CameraImage
    from vampires.io.products import read_header, write_table
    from vampires.steps.hwp_mode import mode_of_night

    found = there_of(coadds, missing, "coadd")
    headers = [read_header(path) for path in found]
    mode = mode_of_night(headers, lambda: map(CameraImage.read, found), config)
    write_table(target, mode.to_table())
    return {"synchronised": mode.synchronised, "reason": mode.reason}


def make_mueller(coadd: Path, mode: Path, target: Path, config: Config) -> dict[str, Any]:
    """Write the Mueller matrices of one coadd, from the angles in its header."""
    from vampires.io.products import read_header
    from vampires.mueller.files import write_hdf5
    from vampires.mueller.model import LightPathAngles
    from vampires.polarimetry.hwp_mode import HwpMode
    from vampires.steps.stokes import light_path

    header = read_header(coadd)
    fields = header.field_names
    models = light_path(header, fields, config)
    angles = LightPathAngles.from_header(header, hwp_sync=HwpMode.read(mode).synchronised)
    write_hdf5(target, models, fields, angles)
    return {"source": models[0].source}


def make_stokes(
    coadds: list[Path], muellers: list[Path], mode: Path, target: Path, config: Config
) -> dict[str, Any]:
    """Make the Stokes frame of one HWP set of coadds."""
    from vampires.images.image import CameraImage
    from vampires.mueller.files import read_hdf5
    from vampires.polarimetry.hwp_mode import HwpMode
    from vampires.steps.hwp_mode import decided
    from vampires.steps.stokes import stokes_of_images

    images = [CameraImage.read(path) for path in coadds]
    records = [read_hdf5(path) for path in muellers]  # all, so that a damaged one is noticed
    used = HwpMode.read(mode)
    frame = stokes_of_images(images, records[0].models, decided(config, used))
    frame.header.update(used.cards())
    return _write_stokes(frame, [*coadds, *muellers], target, config)


def make_streamed(
    streams: tuple[Stream, ...],
    mode: Path,
    target: Path,
    config: Config,
    ladder: Path | None = None,
) -> dict[str, Any]:
    """Make the Stokes frame of one HWP set, subtracting frame by frame."""
    from vampires.polarimetry.hwp_mode import HwpMode
    from vampires.steps.hwp_mode import decided
    from vampires.steps.stokes import stokes_of_cubes

    cubes = [registered_cube(s.group, s.masters, s.metrics, config) for s in streams]
    sources = [Path(p) for s in streams for p in s.group.paths]
    used = HwpMode.read(mode)
    frame = stokes_of_cubes(cubes, decided(config, used), ladder_in(ladder))
    frame.header.update(used.cards())
    return _write_stokes(frame, sources, target, config)


def _write_stokes(
    frame: StokesFrame, sources: list[Path], target: Path, config: Config
) -> dict[str, Any]:
    from vampires.io.products import stamp

    replace(frame, header=stamp(frame.header, config.digest, sources)).write(target)
    return {"fields": list(frame.fields)}


def make_pdi(
    stokes: list[Path], targets: dict[str, Path], config: Config, missing: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Combine the Stokes frames that there are; write product, footprint and tables."""
    from vampires.io.products import stamp, write_fits, write_table
    from vampires.polarimetry.collapse import frame_row, stokes_table
    from vampires.polarimetry.star_summary import star_polarisation
    from vampires.polarimetry.stokes import StokesFrame
    from vampires.steps.stokes import product_of

    settings = polarimetry_settings(config)
    numbers = {path: number for number, path in enumerate(stokes)}
    stokes = there_of(stokes, missing, "Stokes frame")
    radius2 = settings.ip_radius2 if settings.ip_method == "annulus" else None
    rows: list[dict[str, object]] = []

    def frames() -> Iterator[StokesFrame]:
        for path in stokes:
            frame = StokesFrame.read(path)
            rows.extend(frame_row(frame, numbers[path], settings.ip_radius, radius2))
            yield frame

    product = product_of(frames(), config)
    product = replace(product, header=stamp(product.header, config.digest, stokes))
    _say_polarisation(product.header, product.fields, rows, settings)
    if "cube" in targets:
        product.write(targets["cube"])
        product = product.mean_field()
    product.write(targets["product"])
    write_fits(targets["footprint"], {"COUNT": product.footprint[0]}, product.header)
    table = stokes_table(rows, product.unit)
    write_table(targets["table"], table)
    write_table(targets["star"], star_polarisation(table))
    return {"sets": len(stokes)}


def make_stokes_picture(product: Path, what: str, target: Path) -> dict[str, Any]:
    """Draw the Stokes product: ``qphi`` (azimuthal) or ``stokes`` (every plane)."""
    from vampires.plotting.figures import save_figure
    from vampires.polarimetry.stokes import StokesFrame

    frame = StokesFrame.read(product)
    save_figure(frame.plot() if what == "qphi" else frame.plot_overview(), target)
    return {}


def make_ip_picture(table: Path, target: Path) -> dict[str, Any]:
    """Draw the polarisation of the star set by set."""
    from astropy.table import Table

    from vampires.plotting.figures import save_figure
    from vampires.plotting.stokes import plot_ip

    save_figure(plot_ip(Table.read(table)), target)
    return {}


def _say_polarisation(
    header: Header,
    fields: tuple[str, ...],
    rows: list[dict[str, object]],
    settings: PolarimetrySettings,
) -> None:
    """Cards of the light about the star, before any residual correction, field by field."""
    import numpy as np

    header.put(star_region=settings.ip_method, star_radius=settings.ip_radius)
    for i, name in enumerate(fields):
        own = [row for row in rows if row["field"] == name]
        q, u, eff_q, eff_u = (
            np.mean([float(str(row[key])) for row in own])
            for key in ("q", "u", "efficiency_q", "efficiency_u")
        )
        suffix = str(i) if len(fields) > 1 else ""
        values = (
            (Header.star_degree, 100 * np.hypot(q, u), ""),
            (Header.star_angle, np.degrees(np.arctan2(u, q)) / 2 % 180, ""),
            (Header.efficiency_q, eff_q, ", mean"),
            (Header.efficiency_u, eff_u, ", mean"),
        )
        for fact, value, how in values:
            if np.isfinite(value):
                header.set(fact.of(suffix), round(float(value), 4), fact.comment + how)


def task_mueller() -> Iterator[Task]:
    """Mueller matrices of the light path, one file per exposure group."""
    plan = current_plan()
    yield {"basename": "mueller", "name": None, "doc": task_mueller.__doc__}
    if plan.config.polarimetry is None:
        return
    keys = ("mm_correct", "use_ideal_mm", "hwp_adi_sync", "mueller_table")
    values = plan.config.section_values("polarimetry")
    table = plan.config.polarimetry.mueller_table
    tables = [plan.config.resolve(table)] if table else []
    settings = {key: values[key] for key in keys}
    for part in plan.parts:
        coadds = [part.layout.coadd(group.key) for group in part.groups]
        if coadds:
            mode = part.layout.hwp_mode()
            yield make_task(
                "mueller", part.named("hwp_mode"), make_hwp_mode, (coadds, mode, part.config),
                file_dep=[*coadds, *tables], targets=[mode, mode.with_suffix(".csv")],
                settings={k: values[k] for k in (*keys, "ip_method", "ip_radius", "ip_radius2")},
                version=1, doc="whether the half-wave plate followed the pupil", gathers=True,
            )  # fmt: skip
    for part, group in plan.groups_of_parts():
        coadd, target = part.layout.coadd(group.key), part.layout.mueller(group.key)
        mode = part.layout.hwp_mode()
        yield make_task(
            "mueller", group.key, make_mueller, (coadd, mode, target, part.config),
            file_dep=[coadd, mode, *tables], targets=[target], settings=settings, version=3,
            doc=f"Mueller matrices of {group.key}",
        )  # fmt: skip


def task_stokes() -> Iterator[Task]:
    """Stokes frames, one per cycle of the half-wave plate."""
    plan = current_plan()
    yield {"basename": "stokes", "name": None, "doc": task_stokes.__doc__}
    if plan.config.polarimetry is None:
        return
    for part, found in sets_of_parts():
        yield sets_task(part, found)
        for item in found.sets:
            yield _stokes_task(part, item)


def task_pdi() -> Iterator[Task]:
    """The Stokes product of the night, with footprint, table and pictures; one per filter."""
    plan = current_plan()
    yield {"basename": "pdi", "name": None, "doc": task_pdi.__doc__}
    if plan.config.polarimetry is None:
        return
    for part, found in sets_of_parts():
        for name, own in found.by_filter().items():
            yield from _pdi_tasks(part, own, name)
    if not any(found.sets for _, found in sets_of_parts()):
        problem = "; ".join(found.problem for _, found in sets_of_parts()) or "no science exposures"
        yield make_task(
            "pdi", "sets", report_no_sets, (problem,), file_dep=[], targets=[], settings={},
            version=1, doc=str(task_pdi.__doc__),
            task_dep=[sets_name(part) for part, _ in sets_of_parts()],
        )  # fmt: skip


def pdi_name(label: str, filter_name: str | None) -> str:
    """Name of the task that makes the Stokes product of a setup and filter."""
    return "_".join(part for part in (label, filter_name) if part) or "product"


def _pdi_tasks(plan: Plan, sets: list[StokesSet], filter_name: str | None) -> Iterator[Task]:
    stokes = [plan.layout.stokes(item.number) for item in sets]
    layout = product_layout(plan.layout, filter_name)
    targets = {
        "product": layout.stokes_collapsed(),
        "footprint": layout.stokes_footprint(),
        "table": layout.stokes_table(),
        "star": layout.star_polarisation(),
    }
    fields = next(group.fields for group in plan.groups if group.key == sets[0].keys[0])
    if len(fields) > 1:
        targets["cube"] = layout.stokes_cube()
    name = pdi_name(plan.label, filter_name)
    yield make_task(
        "pdi", name, make_pdi, (stokes, targets, plan.config), file_dep=stokes,
        targets=[
            *targets.values(), *(targets[k].with_suffix(".csv") for k in ("table", "star")),
        ],
        settings=plan.settings("polarimetry"), version=7, doc=str(task_pdi.__doc__),
        task_dep=[sets_name(plan)], gathers=True,
    )  # fmt: skip
    prefix = "" if name == "product" else f"{name}_"
    for what in ("stokes", "qphi"):
        picture = layout.stokes_picture(what)
        yield make_task(
            "pdi", f"{prefix}{what}", make_stokes_picture, (targets["product"], what, picture),
            file_dep=[targets["product"]], targets=[picture], settings={}, version=2,
            doc=f"picture of the Stokes product: {what}",
        )  # fmt: skip
    picture = layout.stokes_picture("ip")
    yield make_task(
        "pdi", f"{prefix}ip", make_ip_picture, (targets["table"], picture),
        file_dep=[targets["table"]], targets=[picture], settings={}, version=1,
        doc="picture of the polarisation of the star, set by set",
    )  # fmt: skip


def _stokes_task(plan: Plan, item: StokesSet) -> Task:
    target = plan.layout.stokes(item.number)
    name, doc = plan.named(f"{item.number:03d}"), f"Stokes frame of HWP set {item.number}"
    settings = plan.settings("polarimetry")
    mode = plan.layout.hwp_mode()
    if polarimetry_settings(plan.config).stream:
        groups = {group.key: group for group in plan.groups}
        streams = tuple(
            Stream(groups[key], plan.masters_of(groups[key].first), plan.layout.metrics(key))
            for key in item.keys
        )
        ladder = ladder_of(streams[0].group)
        files: list[Path | str] = [mode, *([ladder] if ladder else [])]
        for s in streams:
            files += [*s.group.paths, *s.masters.paths, s.metrics]
        return make_task(
            "stokes", name, make_streamed, (streams, mode, target, plan.config, ladder),
            file_dep=files, targets=[target],
            settings={
                **settings, **plan.settings(*FLUX_SECTIONS),
                "excluded": [excluded_frames(plan.config, s.group.paths) for s in streams],
            },
            version=7, doc=f"{doc}, frame by frame",
        )  # fmt: skip
    coadds = [plan.layout.coadd(key) for key in item.keys]
    muellers = [plan.layout.mueller(key) for key in item.keys]
    return make_task(
        "stokes", name, make_stokes, (coadds, muellers, mode, target, plan.config),
        file_dep=[*coadds, *muellers, mode], targets=[target], settings=settings, version=5,
        doc=doc,
    )  # fmt: skip
