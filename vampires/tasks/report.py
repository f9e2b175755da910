"""The task that writes the night on one page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.night.grouping import Group
from vampires.night.matching import Masters
from vampires.night.plan import Plan
from vampires.night.record import Record
from vampires.night.setups import Setup
from vampires.tasks.plan import current_plan

Task = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """What the report shows of the setups and products, and the list of all files."""

    pictures: tuple[Path, ...]
    stokes_tables: tuple[Path, ...]
    sets_tables: tuple[Path, ...]
    stages: tuple[Path, ...]
    conditions: Path
    files: tuple[Path, ...]
    setups: tuple[Setup, ...]


Part = tuple[Group, Masters, Path, Path | None]


def make_report(
    records: tuple[Record, ...],
    parts: list[Part],
    made: Made,
    target: Path,
    config: Config,
    missing: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Write the report of a night, of what there is."""
    from vampires.report.groups import GroupReport
    from vampires.report.night import NightReport

    absent = {Path(path) for path in missing}
    groups = tuple(
        GroupReport(
            group, metrics, None if coadd in absent else coadd,
            tuple(f"{path.parent.name}/{path.name}" for path in masters.paths),
            masters.relaxed, masters.missing,
        )
        for group, masters, metrics, coadd in parts
        if metrics not in absent
    )  # fmt: skip
    files = _there(made.files, absent)
    conditions = made.conditions if made.conditions in files else None
    settings = tuple(repr(config).removesuffix(">").splitlines()[1:])
    report = NightReport(
        config.name, records, groups, settings, _there(made.pictures, absent),
        _there(made.stokes_tables, absent), _there(made.sets_tables, absent),
        _there(made.stages, absent), conditions, files, config.folder, made.setups,
        tuple(sorted(absent)),
    )  # fmt: skip
    report.write(target)
    return {"groups": len(groups)}


def _there(paths: tuple[Path, ...], absent: set[Path]) -> tuple[Path, ...]:
    return tuple(path for path in paths if path not in absent)


def task_report() -> Iterator[Task]:
    """The night on one page (HTML): files, measurements, products."""
    plan = current_plan()
    layout = plan.layout
    coadded = plan.config.coadd.coadd
    parts = [
        (
            group,
            plan.masters_of(group.first),
            part.layout.metrics(group.key),
            part.layout.coadd(group.key) if coadded else None,
        )
        for part, group in plan.groups_of_parts()
    ]
    made = _made(plan)
    measured = [path for part in parts for path in part[2:] if path is not None]
    target = layout.report()
    yield make_task(
        "report", None, make_report, (plan.records, parts, made, target, plan.config),
        file_dep=[*measured, *made.files], targets=[target], version=6,
        doc=str(task_report.__doc__), gathers=True,
        settings={"config": plan.config.digest, "files": _digest(plan.records)},
    )  # fmt: skip


def _made(plan: Plan) -> Made:
    """Products of the other tasks: whatever they list as their targets."""
    from vampires.tasks.adi import task_adi, task_adi_image
    from vampires.tasks.contrast import task_contrast
    from vampires.tasks.differences import task_diff
    from vampires.tasks.images import task_coadd, task_coadd_table
    from vampires.tasks.ladder import task_ladder
    from vampires.tasks.measure import task_centroids
    from vampires.tasks.pictures import task_pictures
    from vampires.tasks.polarimetry import task_pdi, task_stokes

    makers = (
        task_centroids, task_ladder, task_coadd, task_coadd_table, task_stokes,
        task_pdi, task_adi, task_adi_image, task_contrast, task_diff, task_pictures,
    )  # fmt: skip
    made: dict[str, list[Path]] = {}
    for maker in makers:
        for task in maker():
            made.setdefault(task["basename"], []).extend(map(Path, task.get("targets", ())))
    files = tuple(path for paths in made.values() for path in paths)
    conditions = plan.layout.picture("conditions")
    drawn = [path for path in made["pictures"] if path != conditions]
    stages = (*drawn, *(path for path in made["centroids"] if path.suffix == ".png"))
    pictures, tables, sets = _stokes_products(plan)
    return Made(tuple(pictures), tuple(tables), sets, stages, conditions, files, plan.setups)


def _stokes_products(plan: Plan) -> tuple[list[Path], list[Path], tuple[Path, ...]]:
    """Pictures and tables of the Stokes products, if there are any, and those of the sets."""
    if plan.config.polarimetry is None:
        return [], [], ()
    from vampires.tasks.sets import product_layout, sets_of_parts

    found = [(part, sets) for part, sets in sets_of_parts() if sets.sets]
    layouts = [
        product_layout(part.layout, name) for part, sets in found for name in sets.by_filter()
    ]
    pictures = [
        layout.stokes_picture(what) for layout in layouts for what in ("qphi", "stokes", "ip")
    ]
    tables = tuple(part.layout.stokes_sets() for part, _ in found)
    return pictures, [layout.stokes_table() for layout in layouts], tables


def _digest(records: Iterable[Record]) -> str:
    """Digest of what the report says of the raw files."""
    facts = repr([(record["name"], record["kind"], record["reason"]) for record in records])
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
