"""Tasks about the night as a whole: what became of every file, and the setups by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vampires.engine.actions import make_task
from vampires.night.controller import normalized_outputs
from vampires.night.fates import FileFate, file_fates
from vampires.night.grouping import left_out
from vampires.night.matching import match_background, match_flat
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan
from vampires.tasks.polarimetry import pdi_name
from vampires.tasks.sets import sets_of_parts

Task = dict[str, Any]


def make_files_table(fates: list[FileFate], target: Path) -> dict[str, Any]:
    """Write the fate of every file."""
    from vampires.io.products import write_table
    from vampires.night.fates import files_table

    write_table(target, files_table(fates))
    return {"files": len(fates)}


def task_files() -> Iterator[Task]:
    """Table of every file of the night and what became of it."""
    plan = current_plan()
    fates = fates_of(plan)
    target = plan.layout.files()
    here = f"{plan.config.folder}{os.sep}"  # a copied folder is no change
    yield make_task(
        "files", None, make_files_table, (fates, target), file_dep=[],
        targets=[target, target.with_suffix(".csv")], version=1, doc=str(task_files.__doc__),
        settings={
            "files": [
                (f.record["path"].removeprefix(here), f.setup, f.group, f.fate) for f in fates
            ]
        },
    )  # fmt: skip


def task_setup() -> Iterator[Task]:
    """What was observed alike: every setup of the night is reduced on its own."""
    plan = current_plan()
    lines = "; ".join(map(str, plan.setups)) or "no science files"
    count = len(plan.setups)
    doc = f"{count} setup{'s'[: count != 1]}: {lines}"
    yield {"basename": "setup", "name": None, "doc": doc}
    for part in plan.parts:
        yield {
            "basename": "setup", "name": part.label or "all", "actions": None,
            "task_dep": _all_of(part), "doc": str(part.setups[0]),
        }  # fmt: skip


def fates_of(plan: Plan) -> list[FileFate]:
    """Fate of every file of the night."""
    polarimetry = plan.config.polarimetry is not None
    sets = [fate for _, found in sets_of_parts() for fate in found.fates] if polarimetry else []
    config = plan.config
    made_of = {
        record["path"]: normalized_outputs(record, config.folder, config.data.deinterleave)
        for record in plan.controller_files
    }
    used: Counter[str] = Counter()
    flats = plan.raw_calibrations("flat")
    for first, matches in (
        *((group.first, (match_background, match_flat)) for group in plan.groups),
        *((flat, (match_background,)) for flat in flats),
    ):
        for match in matches:
            found = match(first, plan.calibrations).record
            used.update([] if found is None else [found["path"]])
    return file_fates(
        plan.records, plan.setups, plan.groups, sets=sets, calibrated=used, made_of=made_of,
        reasons=left_out(plan.records, config.combine.method),
    )  # fmt: skip


def _all_of(part: Plan) -> list[str]:
    """Names of the tasks that make the products of a setup."""
    config = part.config
    wanted = [f"metrics:{group.key}" for group in part.groups]
    if config.coadd.coadd:
        wanted += [f"coadd:{group.key}" for group in part.groups]
    if config.polarimetry is not None:
        for other, found in sets_of_parts():
            if other.layout == part.layout:
                wanted += [f"pdi:{pdi_name(part.label, name)}" for name in found.by_filter()]
    return wanted
