"""The task that learns from unocculted frames what the satellite spots are worth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vampires.engine.actions import make_task
from vampires.instrument.field_stops import is_unocculted
from vampires.log import get_logger
from vampires.night.grouping import Group
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan

log = get_logger(__name__)

Task = dict[str, Any]


def make_ladder(coadds: list[Path], target: Path, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write the measured ratios of spots and star, of the coadds that there are."""
    from vampires.flux.ladder import Ladder
    from vampires.io.products import read_header, write_table

    found = [path for path in coadds if str(path) not in missing]
    headers = [(path.name, read_header(path)) for path in found]
    ladder = Ladder.of_coadds((name, header, header.field_names) for name, header in headers)
    if not ladder.rungs:
        log.warning(
            "unocculted frames tell nothing of the satellite spots, the polynomial is used",
            coadds=len(found), why="grid off, X_GRDAMP or X_GRDSEP missing, star saturated",
        )  # fmt: skip
    write_table(target, ladder.table())
    return {"rungs": len(ladder.rungs)}


def task_ladder() -> Iterator[Task]:
    """Satellite spots over the star, from the unocculted frames of a coronagraphic night."""
    plan = current_plan()
    yield {"basename": "ladder", "name": None, "doc": task_ladder.__doc__}
    target = ladder_path(plan)
    if target is None:
        return
    coadds = [part.layout.coadd(group.key) for part, group in _unocculted(plan)]
    yield make_task(
        "ladder", "night", make_ladder, (coadds, target), file_dep=coadds,
        targets=[target, target.with_suffix(".csv")], settings={}, version=1, gathers=True,
        doc=f"satellite spots over the star, from {len(coadds)} unocculted coadds",
    )  # fmt: skip


def ladder_path(plan: Plan) -> Path | None:
    """Table of the ratios, if the night has both kinds of frames and wants flux units."""
    config = plan.config
    wanted = config.coronagraphic and config.coadd.coadd and config.specphot.unit != "e-/s"
    if wanted and 0 < len(_unocculted(plan)) < len(plan.groups):
        return plan.layout.ladder()
    return None


def ladder_of(group: Group) -> Path | None:
    """Table that the coadd of a group needs; None for groups that show their star."""
    return None if is_unocculted(group.first["fieldstop"]) else ladder_path(current_plan())


def _unocculted(plan: Plan) -> list[tuple[Plan, Group]]:
    return [
        (part, group)
        for part, group in plan.groups_of_parts()
        if is_unocculted(group.first["fieldstop"])
    ]
