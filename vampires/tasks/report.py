"""The task that writes the night on one page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.night.grouping import Group
from vampires.night.record import Record
from vampires.tasks.plan import Masters, Plan, current_plan

Task = dict[str, Any]
Part = tuple[Group, Masters, Path, Path | None]


def make_report(
    records: tuple[Record, ...],
    parts: list[Part],
    stokes: tuple[list[Path], list[Path]] | None,
    target: Path,
    config: Config,
) -> dict[str, Any]:
    """Write the report of a night."""
    from vampires.report.groups import GroupReport
    from vampires.report.night import NightReport

    groups = tuple(
        GroupReport(
            group, metrics, coadd,
            tuple(f"{path.parent.name}/{path.name}" for path in masters.paths),
            (*masters.missing, *masters.relaxed),
        )
        for group, masters, metrics, coadd in parts
    )  # fmt: skip
    pictures, tables = stokes or ([], [])
    settings = tuple(repr(config).removesuffix(">").splitlines()[1:])
    NightReport(config.name, records, groups, settings, tuple(pictures), tuple(tables)).write(
        target
    )
    return {"groups": len(groups)}


def task_report() -> Iterator[Task]:
    """The night on one page (HTML): files, measurements, products."""
    plan = current_plan()
    layout = plan.layout
    coadded = plan.config.coadd.coadd
    parts = [
        (
            group,
            plan.masters_of(group.first),
            layout.metrics(group.key),
            layout.coadd(group.key) if coadded else None,
        )
        for group in plan.groups
    ]
    stokes = _stokes_products(plan)
    products = [path for part in parts for path in part[2:] if path is not None]
    if stokes is not None:
        products += [*stokes[0], *stokes[1]]
    target = layout.report()
    yield make_task(
        "report", None, make_report, (plan.records, parts, stokes, target, plan.config),
        file_dep=products, targets=[target], version=1, doc=str(task_report.__doc__),
        settings={"config": plan.config.digest, "files": _digest(plan.records)},
    )  # fmt: skip


def _stokes_products(plan: Plan) -> tuple[list[Path], list[Path]] | None:
    """Pictures and tables of the Stokes products, if there are any."""
    if plan.config.polarimetry is None:
        return None
    from vampires.tasks.polarimetry import night_sets, product_layout

    layouts = [product_layout(plan.layout, name) for name in night_sets().by_filter()]
    if not layouts:
        return None
    pictures = [
        layout.stokes_picture(what) for layout in layouts for what in ("qphi", "stokes", "ip")
    ]
    return pictures, [layout.stokes_table() for layout in layouts]


def _digest(records: Iterable[Record]) -> str:
    """Digest of what the report says of the raw files."""
    facts = repr([(record["name"], record["kind"], record["reason"]) for record in records])
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
