"""Which exposures make which Stokes frame: the sets of each setup, and the task that tells.

Sets follow from the headers alone, so that the task graph is made from them.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from vampires.engine.actions import make_task
from vampires.errors import PolarimetryError
from vampires.io.paths import Layout
from vampires.log import get_logger
from vampires.night.edited import BY_HAND, chosen_sets, numbers_of, sets_digest
from vampires.night.plan import Plan
from vampires.night.polarimeters import NightSets, sets_of_groups
from vampires.night.sets import Fate, fast_turns
from vampires.steps.settings import polarimetry_settings
from vampires.tasks.plan import current_plan

Task = dict[str, Any]

log = get_logger(__name__)


def make_sets_table(fates: tuple[Fate, ...], problem: str, target: Path) -> dict[str, Any]:
    """Write what became of every exposure, and warn of those that are left over."""
    from vampires.io.products import write_table
    from vampires.night.sets import fates_table

    table = fates_table(fates)
    table.meta["digest"] = sets_digest(numbers_of(fates).items())
    write_table(target, table)
    for line in fast_turns(fates):
        log.warning(line)
    if problem:
        log.warning("no Stokes frame of this setup", reason=problem)
    left: dict[str, list[str]] = {}
    for fate in fates if not problem else ():
        if fate.set is None:
            left.setdefault(fate.reason, []).append(fate.exposure.key)
    for reason, keys in left.items():
        log.warning("exposures in no Stokes frame", n=len(keys), of=len(fates), reason=reason,
                    first=keys[0], table=target.name)  # fmt: skip
    return {"exposures": len(fates)}


def say_by_hand(table: Path, sets: int) -> dict[str, Any]:
    """Say that a table which a person has edited is followed."""
    tables = [path.name for path in (table, table.with_suffix(".csv")) if path.exists()]
    log.warning("sets are as the table says, not as the headers would have them; delete it to find "
                "them anew", table=" ".join(tables), sets=sets)  # fmt: skip
    return {}


def report_no_sets(reason: str) -> dict[str, Any]:
    """Fail with the reason why there is no Stokes product."""
    raise PolarimetryError(reason)


def product_layout(layout: Layout, filter_name: str | None) -> Layout:
    """Where a product goes: with several filters in the night its name holds the filter."""
    if filter_name is None:
        return layout
    return replace(layout, name=f"{layout.name}_{filter_name}")


@functools.cache
def sets_of_parts() -> tuple[tuple[Plan, NightSets], ...]:
    """Sets of each setup of the night."""
    return tuple((part, sets_of(part)) for part in current_plan().parts)


def sets_of(part: Plan) -> NightSets:
    """Sets of one setup: as a person wants them, or as they are found."""
    settings = polarimetry_settings(part.config)
    found = sets_of_groups(part.groups, settings.method, max_rotation=settings.set_max_rotation)
    return chosen_sets(part.groups, found, part.layout.stokes_sets(), settings.method)


def sets_name(plan: Plan) -> str:
    """Name of the task that tells of the sets of a setup."""
    return f"stokes:{plan.named('sets')}"


def sets_task(plan: Plan, found: NightSets) -> Task:
    """Task that writes the table of sets; it fails when the whole night has no set."""
    if not any(other.sets for _, other in sets_of_parts()):
        task = make_task(
            "stokes", plan.named("sets"), report_no_sets, (found.problem,), file_dep=[],
            targets=[], settings={}, version=1, doc=found.problem,
        )  # fmt: skip
        return {**task, "uptodate": [False]}
    table = plan.layout.stokes_sets()
    if any(fate.reason == BY_HAND for fate in found.fates):
        return make_task(
            "stokes", plan.named("sets"), say_by_hand, (table, len(found.sets)), file_dep=[],
            targets=[], settings={"sets": len(found.sets)}, version=1, doc="sets made by hand",
        )  # fmt: skip
    fates = [(f.exposure.key, f.set, f.reason) for f in found.fates]
    return make_task(
        "stokes", plan.named("sets"), make_sets_table, (found.fates, found.problem, table),
        file_dep=[], targets=[table, table.with_suffix(".csv")], version=2,
        editable=[table, table.with_suffix(".csv")],
        settings={"fates": fates, "problem": found.problem},
        doc="which exposures make which Stokes frame",
    )  # fmt: skip
