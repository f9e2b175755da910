"""``doit missing [FILES]``: which darks, flats and wave-plate positions a night still lacks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.commands.base import PersonCommand, say
from vampires.errors import FileError

if TYPE_CHECKING:
    from vampires.night.missing import Need
    from vampires.night.plan import Plan


class Missing(PersonCommand):
    """Say what to take before the night ends."""

    name = "missing"
    doc_purpose = "which darks, flats and HWP positions are still missing"
    doc_usage = "[FILES...]"
    doc_description = (
        "In a reduction directory: what its configuration needs. With FILES (folders, patterns in "
        "quotes): what these need, flats included. Exit status 1 when something is missing.\n\n"
        "Example: doit missing /data/20230101/"
    )

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:  # noqa: ARG002
        """Look and say."""
        # Imported here: every doit command loads this module.
        from vampires.commands.night import night_plan

        found = of_files(arguments) if arguments else of_plan(night_plan())
        for need in found:
            say(str(need))
        if not found:
            say("nothing is missing")
        return 1 if found else 0


def of_plan(plan: Plan) -> list[Need]:
    """What a reduction needs, as its configuration has it."""
    from vampires.night.missing import needs

    polarimetry = plan.config.polarimetry
    return needs(
        plan.setups, plan.calibrations, flats=plan.config.calibrate.flat_correct,
        method=None if polarimetry is None else polarimetry.method,
        grouping=plan.config.combine.method,
        max_rotation=4.0 if polarimetry is None else polarimetry.set_max_rotation,
    )  # fmt: skip


def of_files(patterns: list[str]) -> list[Need]:
    """What some files need, taken for a night of their own."""
    from vampires.night.headlines import Headlines

    night = Headlines.of(patterns, Path.cwd())
    if not night.setups:
        raise FileError(f"{' '.join(patterns)}: no science file among {len(night.records)} files")
    return night.needs()
