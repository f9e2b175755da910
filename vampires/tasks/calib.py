"""Tasks that make masters of the raw calibration files, and name files that are not used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.errors import CalibrationError, FileError
from vampires.io.paths import stem
from vampires.log import get_logger
from vampires.night.grouping import left_out
from vampires.steps.cubes import header_index
from vampires.tasks.plan import current_plan

if TYPE_CHECKING:
    from astropy.nddata import CCDData

Task = dict[str, Any]

log = get_logger(__name__)


def make_background(raw: Path, target: Path, config: Config) -> dict[str, Any]:
    """Make one master background."""
    from vampires.calibration.masters import make_background

    return _written(make_background(raw, **_how(config)), [raw], target, config)


def make_flat(raw: Path, background: Path | None, target: Path, config: Config) -> dict[str, Any]:
    """Make one master flat, or what stands in for one that cannot be made.

    The science goes on without that flat and says so; `check_flat` fails with the reason.
    """
    from vampires.calibration.flats import flat_or_stand_in

    sources = [raw] if background is None else [raw, background]
    return _written(flat_or_stand_in(raw, background, **_how(config)), sources, target, config)


def _how(config: Config) -> dict[str, Any]:
    """Keywords of whatever makes a master."""
    return {
        "method": config.calibrate.background_method,
        "memory": config.execution.memory_bytes,
        "index": header_index(config),
    }


def _written(master: CCDData, sources: list[Path], target: Path, config: Config) -> dict[str, Any]:
    from vampires.calibration.masters import write_master
    from vampires.io.products import stamp

    master.header = stamp(master.header, config.digest_of("calibrate"), sources).to_fits()
    write_master(target, master)
    return {"bad_pixels": int(master.mask.sum())}


def check_flat(target: Path) -> dict[str, Any]:
    """Fail with the reason why a flat could not be made.

    Raises
    ------
    CalibrationError
        The master only stands in for one.
    """
    from vampires.calibration.masters import read_master
    from vampires.canonical import Header

    header = Header.of(read_master(target).header)
    if not header.known(Header.flat_made, True):
        raise CalibrationError(f"{header.flat_reason} (the science goes on without this flat)")
    return {}


def report_unusable(reason: str) -> dict[str, Any]:
    """Fail with the reason why a raw file cannot be used."""
    raise FileError(reason)


def task_background() -> Iterator[Task]:
    """Master backgrounds, one per raw dark or sky file."""
    plan = current_plan()
    yield {"basename": "background", "name": None, "doc": task_background.__doc__}
    method = {"method": plan.config.calibrate.background_method}
    for record in plan.raw_calibrations("background", "sky"):
        target = plan.layout.background(record["name"])
        yield make_task(
            "background", record["name"], make_background,
            (Path(record["path"]), target, plan.config),
            file_dep=[record["path"]], targets=[target], version=1,
            settings={**method, **plan.fixes_of([record["path"]])},
            doc=f"master background from {record['name']}",
        )  # fmt: skip


def task_flat() -> Iterator[Task]:
    """Master flats, one per raw flat file."""
    plan = current_plan()
    yield {"basename": "flat", "name": None, "doc": task_flat.__doc__}
    method = {"method": plan.config.calibrate.background_method}
    for record in plan.raw_calibrations("flat"):
        target = plan.layout.flat(record["name"])
        background = plan.background_of(record)
        yield make_task(
            "flat", record["name"], make_flat,
            (Path(record["path"]), background, target, plan.config),
            file_dep=[record["path"], *([background] if background else [])],
            targets=[target], version=1,
            settings={**method, **plan.fixes_of([record["path"]])},
            doc=f"master flat from {record['name']}",
        )  # fmt: skip


def task_flat_check() -> Iterator[Task]:
    """Flats that could not be made: each fails with the reason, the science goes on without."""
    plan = current_plan()
    yield {"basename": "flat_check", "name": None, "doc": task_flat_check.__doc__}
    for record in plan.raw_calibrations("flat"):
        target = plan.layout.flat(record["name"])
        yield make_task(
            "flat_check", record["name"], check_flat, (target,), file_dep=[target], targets=[],
            settings={}, version=1, doc=f"whether {record['name']} is a flat",
        )  # fmt: skip


def task_calib() -> Task:
    """All masters."""
    groups = ["background", "flat", "flat_check"]
    return {"actions": None, "task_dep": groups, "doc": task_calib.__doc__}


def warn_left_out(reason: str) -> dict[str, Any]:
    """Warn of a raw file that takes no part."""
    log.warning(reason)
    return {}


def task_left_out() -> Iterator[Task]:
    """Raw files that take no part, without being faulty: each is warned about once."""
    plan = current_plan()
    yield {"basename": "left_out", "name": None, "doc": task_left_out.__doc__}
    reasons = left_out(plan.records, plan.config.combine.method)
    reasons |= {
        record["path"]: str(record["reason"])
        for record in plan.records
        if record["kind"] == "unsupported"
    }
    for path, reason in sorted(reasons.items()):
        yield make_task(
            "left_out", stem(path), warn_left_out, (reason,), file_dep=[path], targets=[],
            settings={"reason": reason}, version=1, doc=reason,
        )  # fmt: skip


def task_unusable() -> Iterator[Task]:
    """Raw files that cannot be used: each fails with the reason."""
    yield {"basename": "unusable", "name": None, "doc": task_unusable.__doc__}
    for record in current_plan().unusable:
        task = make_task(
            "unusable", record["name"], report_unusable, (record["reason"],),
            file_dep=[], targets=[], settings={}, version=1, doc=str(record["reason"]),
        )  # fmt: skip
        yield {**task, "uptodate": [False]}
