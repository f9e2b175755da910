"""Tasks that keep the cubes between the steps, on request: they are large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.io.paths import Layout
from vampires.night.grouping import Group
from vampires.night.matching import Masters
from vampires.night.plan import Plan
from vampires.steps.cubes import open_cube
from vampires.tasks.images import COADD_SECTIONS, registered_cube
from vampires.tasks.measure import excluded_frames
from vampires.tasks.plan import current_plan

Task = dict[str, Any]


def make_combined(group: Group, target: Path, config: Config) -> dict[str, Any]:
    """Write the raw frames of a group as one cube."""
    from vampires.io.atomic import atomic_path
    from vampires.io.products import product_header, stamp
    from vampires.io.rawfile import write_raw

    cube = open_cube([Path(path) for path in group.paths], Masters(None, None), config)
    frames = (
        cube.source.read(start, stop).native() for start, stop in cube.source.chunks(cube.memory)
    )
    header = stamp(cube.header, config.digest_of("combine"), group.paths)
    with atomic_path(target) as temporary:
        write_raw(temporary, product_header(header), cube.shape, frames)
    return {"frames": cube.source.n}


def make_calibrated(group: Group, masters: Masters, target: Path, config: Config) -> dict[str, Any]:
    """Write the calibrated frames of a group."""
    from vampires.io.products import stamp
    from vampires.io.stream import write_cube

    cube = open_cube([Path(path) for path in group.paths], masters, config)
    header = stamp(cube.header, config.digest_of("calibrate"), [*group.paths, *masters.paths])
    header.put(unit="e-/s")
    write_cube(target, cube.shape, header, cube.calibrated())
    return {"frames": cube.source.n}


def make_selected(
    group: Group, masters: Masters, metrics: Path, target: Path, config: Config
) -> dict[str, Any]:
    """Write the calibrated frames of a group that passed the selection."""
    from dataclasses import replace

    from vampires.io.products import stamp
    from vampires.io.stream import write_cube

    cube = registered_cube(group, masters, metrics, config)
    chosen = replace(cube, source=cube.source.select(cube.selected))
    header = stamp(chosen.product_header("none"), config.digest, [*group.paths, metrics])
    write_cube(target, chosen.shape, header, chosen.calibrated())
    return {"frames": chosen.source.n}


def make_aligned(
    group: Group, masters: Masters, metrics: Path, target: Path, config: Config
) -> dict[str, Any]:
    """Write the registered frames of a group."""
    from vampires.io.products import stamp
    from vampires.io.stream import write_cube

    cube = registered_cube(group, masters, metrics, config)
    width = config.align.crop_width
    shape = (int(cube.selected.sum()), len(cube.fields), *cube.crop(width))
    header = stamp(cube.product_header("none"), config.digest, [*group.paths, metrics])
    write_cube(target, shape, header, cube.aligned(width))
    return {"frames": shape[0]}


def task_combined() -> Iterator[Task]:
    """Raw frames of each group as one cube (combine.save_intermediate)."""
    plan = current_plan()
    yield {"basename": "combined", "name": None, "doc": task_combined.__doc__}
    if not plan.config.combine.save_intermediate:
        return
    for part, group in plan.groups_of_parts():
        target = part.layout.combined(group.key)
        yield make_task(
            "combined", group.key, make_combined, (group, target, part.config),
            file_dep=group.paths, targets=[target], version=2,
            settings={
                "excluded": excluded_frames(plan.config, group.paths),
                **plan.fixes_of(group.paths),
            },
            doc=f"raw frames of {group.key}",
        )  # fmt: skip


def task_calibrated() -> Iterator[Task]:
    """Calibrated frames of each group (calibrate.save_intermediate)."""
    plan = current_plan()
    yield {"basename": "calibrated", "name": None, "doc": task_calibrated.__doc__}
    if not plan.config.calibrate.save_intermediate:
        return
    for part, group in plan.groups_of_parts():
        masters, target = plan.masters_of(group.first), part.layout.calibrated(group.key)
        yield make_task(
            "calibrated", group.key, make_calibrated, (group, masters, target, part.config),
            file_dep=[*group.paths, *masters.paths], targets=[target], version=2,
            settings={
                **part.settings("general", "target", "calibrate"),
                "excluded": excluded_frames(plan.config, group.paths),
                **plan.fixes_of(group.paths),
            },
            doc=f"calibrated frames of {group.key}",
        )  # fmt: skip


def task_selected() -> Iterator[Task]:
    """Calibrated frames that passed the selection (frame_select.save_intermediate)."""
    plan = current_plan()
    yield {"basename": "selected", "name": None, "doc": task_selected.__doc__}
    if plan.config.frame_select.save_intermediate:
        yield from _measured(plan, "selected", make_selected, Layout.selected)


def task_aligned() -> Iterator[Task]:
    """Registered frames (align.save_intermediate, or coadd.coadd = false)."""
    plan = current_plan()
    yield {"basename": "aligned", "name": None, "doc": task_aligned.__doc__}
    if plan.config.align.save_intermediate or not plan.config.coadd.coadd:
        yield from _measured(plan, "aligned", make_aligned, Layout.aligned)


def _measured(
    plan: Plan,
    basename: str,
    function: Callable[..., dict[str, Any]],
    path_of: Callable[[Layout, str], Path],
) -> Iterator[Task]:
    """Tasks of cubes that need the measurements of their frames."""
    for part, group in plan.groups_of_parts():
        masters, metrics = plan.masters_of(group.first), part.layout.metrics(group.key)
        target = path_of(part.layout, group.key)
        yield make_task(
            basename, group.key, function, (group, masters, metrics, target, part.config),
            file_dep=[*group.paths, *masters.paths, metrics], targets=[target], version=2,
            settings={
                **part.settings(*COADD_SECTIONS),
                "excluded": excluded_frames(plan.config, group.paths),
                **plan.fixes_of(group.paths),
            },
            doc=f"{basename} frames of {group.key}",
        )  # fmt: skip
