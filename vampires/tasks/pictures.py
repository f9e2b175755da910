"""Tasks of the pictures in the report: masters, first coadds, conditions.

They are tasks of their own because the report waits for everything: drawn as soon as their
inputs are there, they take nothing from its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vampires.engine.actions import make_task
from vampires.engine.gathering import there_of
from vampires.night.grouping import Group
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan

Task = dict[str, Any]


def make_master_picture(master: Path, camera: int, target: Path) -> dict[str, Any]:
    """Draw a master frame."""
    from vampires.report.stages import write_master_picture

    write_master_picture(master, camera, target)
    return {}


def make_coadd_pictures(
    coadds: dict[Path, str], targets: dict[str, Path], missing: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Draw the first coadd that there is."""
    from vampires.report.stages import write_coadd_pictures

    first = there_of(coadds, missing, "coadd")[0]
    write_coadd_pictures(first, coadds[first], targets)
    return {"of": coadds[first]}


def make_conditions(
    groups: dict[Path, Group], target: Path, missing: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Draw what was measured against time."""
    from vampires.report.groups import GroupReport, write_conditions

    there = there_of(groups, missing, "measurement")
    write_conditions([GroupReport(groups[path], path, None) for path in there], target)
    return {"groups": len(there)}


def task_pictures() -> Iterator[Task]:
    """Pictures for the report: masters, first coadds, conditions."""
    plan = current_plan()
    yield {"basename": "pictures", "name": None, "doc": task_pictures.__doc__}
    groups = list(plan.groups_of_parts())
    if groups:
        yield _conditions_task(plan, groups)
    for master, camera in _masters(plan, groups).items():
        yield _master_task(plan, camera, master)
    if plan.config.coadd.coadd:
        for own in _by_camera_and_filter(groups).values():
            yield _coadd_task(plan, own)


Groups = list[tuple[Plan, Group]]


def _masters(plan: Plan, groups: Groups) -> dict[Path, int]:
    """Camera of each master of the first groups; masters made elsewhere are not drawn."""
    firsts = [own[0] for own in _by_camera_and_filter(groups).values()]
    found = {
        master: group.camera
        for part, group in reversed(firsts)
        for master in part.masters_of(group.first).paths
        if master.is_relative_to(plan.layout.folder / "master_cals")
    }
    return dict(sorted(found.items()))


def _by_camera_and_filter(groups: Groups) -> dict[tuple[int, str], Groups]:
    found: dict[tuple[int, str], Groups] = {}
    for part, group in groups:
        found.setdefault((group.camera, group.filter), []).append((part, group))
    return dict(sorted(found.items()))


def _conditions_task(plan: Plan, groups: Groups) -> Task:
    metrics = {part.layout.metrics(group.key): group for part, group in groups}
    target = plan.layout.picture("conditions")
    return make_task(
        "pictures", "conditions", make_conditions, (metrics, target),
        file_dep=metrics, targets=[target], settings={}, version=1,
        doc="flux, Strehl ratio and place of the star against time", gathers=True,
    )  # fmt: skip


def _master_task(plan: Plan, camera: int, master: Path) -> Task:
    kind = master.parent.name
    name = f"cam{camera}_{kind}_{master.stem.removesuffix('_coll')}"
    target = plan.layout.picture(name)
    return make_task(
        "pictures", name, make_master_picture, (master, camera, target), file_dep=[master],
        targets=[target], settings={}, version=2, doc=f"picture of a master {kind}",
    )  # fmt: skip


def _coadd_task(plan: Plan, own: Groups) -> Task:
    group = own[0][1]
    coadds = {part.layout.coadd(each.key): each.key for part, each in own}
    names = {field: f"cam{group.camera}_{field}" for field in group.fields}
    targets = {field: plan.layout.picture(name) for field, name in names.items()}
    return make_task(
        "pictures", f"cam{group.camera}_{group.filter}", make_coadd_pictures, (coadds, targets),
        file_dep=coadds, targets=targets.values(), settings={}, version=2,
        doc=f"picture of the first coadd of camera {group.camera}, {group.filter}", gathers=True,
    )  # fmt: skip
