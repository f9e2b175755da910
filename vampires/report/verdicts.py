"""What is good, what needs a look, and why: the first thing on the page.

A rule is a function of the report that returns verdicts; its limit stands beside it with the
reason. Rules judge what was measured: none of them knows whether the night was worth it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from astropy.table import Table

from vampires.canonical import Header
from vampires.io.products import read_header
from vampires.report.groups import Measured
from vampires.report.parts import Level, Verdict, median

if TYPE_CHECKING:
    from vampires.report.night import NightReport

Rule: TypeAlias = Callable[["NightReport"], list[Verdict]]


def verdicts(report: NightReport) -> list[Verdict]:
    """Apply every rule."""
    return [verdict for rule in RULES for verdict in rule(report)]


def _files(report: NightReport) -> list[Verdict]:
    bad = [r for r in report.records if r["kind"] in ("unusable", "unsupported")]
    if not any(r["kind"] == "science" for r in report.records):
        return [Verdict("bad", "No science file.", "Check [data] raw, and the files left out.")]
    if bad:
        return [
            Verdict("look", f"{len(bad)} of {len(report.records)} raw files cannot be used.",
                    "The reasons are under “Files left out”.")
        ]  # fmt: skip
    return [Verdict("good", f"All {len(report.records)} raw files are accounted for.")]


def _calibration(report: NightReport) -> list[Verdict]:
    n = len(report.groups)
    missing = sum(bool(item.missing) for item in report.groups)
    relaxed = sum(bool(item.notes) for item in report.groups)
    found = []
    if missing:
        found.append(
            Verdict("bad", f"{missing} of {n} groups lack a master that was asked for.",
                    "Take or add the calibrations (`doit missing`), or switch the step off.")
        )  # fmt: skip
    if relaxed:
        found.append(
            Verdict("look", f"{relaxed} of {n} groups use a calibration that does not quite fit.",
                    "What was relaxed is under “Calibration”.")
        )  # fmt: skip
    found += [
        Verdict("look", f"{name} could not be made into a flat; the science goes on without it.",
                "`doit flat_check` says why.")
        for name in sorted({name for item in report.groups for name in item.masters})
        if name.startswith("flat/") and not _is_flat(report.folder / "master_cals" / name)
    ]  # fmt: skip
    if n and not found:
        found.append(Verdict("good", "Every calibration that was asked for fits."))
    return found


def _is_flat(path: Path) -> bool:
    """Whether a master flat holds a flat; one of a lamp that was off is a placeholder."""
    return not path.exists() or read_header(path).known(Header.flat_made, True)


_LOST = 0.05
"""Fraction of frames without a star above which centroids are to be looked at."""


def _star(report: NightReport) -> list[Verdict]:
    return _of_groups(
        report, [(one.lost(), one) for one in report.measured if one.lost() > _LOST], "bad",
        f"In {{n}} of {{all}} groups the star was lost in more than {_LOST:.0%} of the frames; "
        "most in {group}: {worst:.0%}.",
        "Look at the rough centroids; correct them with `doit centroid`.",
        good="The star was found in every group.",
    )  # fmt: skip


_FEW_SATURATED = 0.01
"""Fraction of frames with saturated pixels that is let pass: cosmic rays saturate too."""


def _saturation(report: NightReport) -> list[Verdict]:
    share = [(float((one.saturated > 0).mean()), one) for one in report.measured]
    return _of_groups(
        report, [pair for pair in share if pair[0] > _FEW_SATURATED], "look",
        "{n} of {all} groups have saturated pixels; worst {group}: {worst:.0%} of its frames.",
        "Saturated pixels are masked; if it is the star, fluxes and Strehl ratios are not to be "
        "trusted.",
        good="No group is saturated.",
    )  # fmt: skip


_FADED = 0.7
"""Flux of a group, relative to the median of its camera and field, that looks like clouds."""


def _clouds(report: NightReport) -> list[Verdict]:
    faded: list[tuple[float, Measured]] = []
    for own in _alike(report.measured).values():
        flux = np.array([float(median(one.flux[0])) for one in own])
        relative = flux / float(median(flux))
        faded += [(r, one) for r, one in zip(relative, own, strict=True) if r < _FADED]
    return _of_groups(
        report, faded, "look",
        f"{{n}} of {{all}} groups are fainter than {_FADED:.0%} of the usual; faintest {{group}}: "
        "{worst:.0%}.",
        "Clouds, a lost star or a moved mask: see “Conditions”, and `doit select`.",
        good="The star's flux is steady.", worst=min,
    )  # fmt: skip


_WANDER = 5.0
"""Jitter within a group, pixels, beyond which the loop was hardly closed (a FWHM is 3 px)."""


def _jitter(report: NightReport) -> list[Verdict]:
    return _of_groups(
        report, [(one.wander(), one) for one in report.measured if one.wander() > _WANDER], "look",
        f"The star moves by more than {_WANDER:g} px rms in {{n}} of {{all}} groups; most in "
        "{group}: {worst:.1f} px.",
        "Open loop, or another source is followed: see “Exposure groups”.",
    )  # fmt: skip


def _of_groups(
    report: NightReport,
    found: list[tuple[float, Measured]],
    level: Level,
    text: str,
    cure: str,
    *,
    good: str = "",
    worst: Callable[..., tuple[float, Measured]] = max,
) -> list[Verdict]:
    """One verdict of a rule that judges groups by a number.

    Many arguments, because a rule is little else than these words.

    Parameters
    ----------
    report : NightReport
    found : list of (float, Measured)
        The groups beyond the rule's limit, with their numbers.
    level, text, cure : str
        Of the verdict; ``{n}``, ``{all}``, ``{group}`` and ``{worst}`` are filled in.
    good : str
        What to say where no group is beyond the limit; nothing by default.
    worst : callable
        ``max`` or ``min``, whichever finds the worst group.
    """
    measured = report.measured
    if not found:
        return [Verdict("good", good)] if measured and good else []
    value, one = worst(found, key=lambda pair: pair[0])
    words = text.format(n=len(found), all=len(measured), group=one.label, worst=value)
    return [Verdict(level, words, cure)]


def _sets(report: NightReport) -> list[Verdict]:
    tables = [Table.read(path, format="ascii.ecsv") for path in report.sets_tables]
    if not tables:
        return []
    lost = sum(int((fates["set"] < 0).sum()) for fates in tables)
    total = sum(len(fates) for fates in tables)
    sets = sum(len(set(fates["set"]) - {-1}) for fates in tables)
    if lost:
        return [
            Verdict("look", f"{lost} of {total} exposures are in none of the {sets} sets.",
                    "The reasons are under “Sets”.")
        ]  # fmt: skip
    return [Verdict("good", f"All {total} exposures are in {sets} complete sets.")]


def _alike(measured: Sequence[Measured]) -> dict[tuple[object, ...], list[Measured]]:
    """Groups whose fluxes can be compared: one target, camera, FLC state and setting."""
    found: dict[tuple[object, ...], list[Measured]] = {}
    for one in measured:
        first = one.item.group.first
        key = (
            first["object"], first["camera"], first["flc"], first["filter"], first["detgain"],
            first["exptime"], one.fields,
        )  # fmt: skip
        found.setdefault(key, []).append(one)
    return found


RULES: tuple[Rule, ...] = (_files, _calibration, _star, _saturation, _clouds, _jitter, _sets)
