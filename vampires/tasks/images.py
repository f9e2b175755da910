"""Tasks that coadd the cubes, and list the coadds in a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.canonical import Header
from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.engine.gathering import there_of
from vampires.log import get_logger
from vampires.night.grouping import Group
from vampires.night.matching import Masters
from vampires.night.plan import Plan
from vampires.steps.cubes import open_cube
from vampires.tasks.ladder import ladder_of
from vampires.tasks.measure import excluded_frames
from vampires.tasks.plan import current_plan

if TYPE_CHECKING:
    from vampires.cube import CameraCube
    from vampires.flux.ladder import Ladder

log = get_logger(__name__)

Task = dict[str, Any]

COADD_SECTIONS = ("general", "target", "calibrate", "frame_select", "align", "coadd")
FLUX_SECTIONS = (*COADD_SECTIONS, "specphot")


def make_coadd(
    group: Group,
    masters: Masters,
    metrics: Path,
    target: Path,
    config: Config,
    ladder: Path | None = None,
) -> dict[str, Any]:
    """Select, register and combine the frames of a group."""
    from dataclasses import replace

    from vampires.io.products import stamp
    from vampires.steps.images import coadd

    image = coadd(registered_cube(group, masters, metrics, config), config, ladder_in(ladder))
    sources: list[str | Path] = [*group.paths, *masters.paths, metrics]
    sources += [] if ladder is None else [ladder]
    header = stamp(image.header, config.digest_of(*FLUX_SECTIONS), sources)
    _say_how(header, config)
    replace(image, header=header).write(target)
    return {"frames": header.ncoadd}


def _say_how(header: Header, config: Config) -> None:
    """Cards of how frames were selected and registered, and the zenith distance."""
    chosen, aligned = config.frame_select, config.align
    metric = chosen.metric if chosen.frame_select else "none"
    header.put(
        selected_by=metric, selection_cutoff=chosen.cutoff if chosen.frame_select else 0.0,
        registered_by=aligned.method if aligned.align else "none",
        zenith_distance=None if header.altitude is None else 90 - header.altitude,
    )  # fmt: skip


def ladder_in(path: Path | None) -> Ladder:
    """What unocculted frames tell of the satellite spots; nothing without such frames."""
    from vampires.flux.ladder import Ladder

    return Ladder() if path is None else Ladder.read(path)


def registered_cube(group: Group, masters: Masters, metrics: Path, config: Config) -> CameraCube:
    """Cube of a group with its measurements read, frames selected and registered."""
    from vampires.measure.metrics import FrameMetrics
    from vampires.steps.images import registered

    cube = open_cube([Path(path) for path in group.paths], masters, config)
    return registered(cube.with_metrics(FrameMetrics.read(metrics)), config)


def make_table(coadds: list[Path], target: Path, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write one line per coadd that there is; the table's ``missing`` names the others."""
    from vampires.io.products import product_table, write_table

    found = there_of(coadds, missing, "coadd")
    table = product_table(found)
    if missing:
        table.meta["missing"] = [Path(path).name for path in missing]
    write_table(target, table)
    return {"rows": len(found)}


def task_coadd() -> Iterator[Task]:
    """Coadds, one per exposure group."""
    plan = current_plan()
    yield {"basename": "coadd", "name": None, "doc": task_coadd.__doc__}
    if not plan.config.coadd.coadd:
        return
    for part, group in plan.groups_of_parts():
        yield _coadd_task(part, group)


def task_coadd_table() -> Iterator[Task]:
    """Table of the coadds' headers (ECSV and CSV)."""
    plan = current_plan()
    for part in plan.parts if plan.config.coadd.coadd else ():
        coadds = [part.layout.coadd(group.key) for group in part.groups]
        target = part.layout.table()
        yield make_task(
            "coadd_table", part.label or None, make_table, (coadds, target), file_dep=coadds,
            targets=[target, target.with_suffix(".csv")], settings={}, version=1,
            gathers=True,
            doc=str(task_coadd_table.__doc__),
        )  # fmt: skip


def _coadd_task(plan: Plan, group: Group) -> Task:
    target = plan.layout.coadd(group.key)
    metrics = plan.layout.metrics(group.key)
    masters, ladder = plan.masters_of(group.first), ladder_of(group)
    return make_task(
        "coadd", group.key, make_coadd, (group, masters, metrics, target, plan.config, ladder),
        file_dep=[*group.paths, *masters.paths, metrics, *([ladder] if ladder else [])],
        targets=[target], version=5,
        settings={
            **plan.settings(*FLUX_SECTIONS),
            "excluded": excluded_frames(plan.config, group.paths),
            **plan.fixes_of(group.paths),
        },
        doc=f"coadd of {group.key}",
    )  # fmt: skip
