"""Tasks that stack coadds to cubes for angular differential imaging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.night.pairing import pair_cameras
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan

Task = dict[str, Any]
Frame = tuple[Path, ...]


def make_adi(frames: list[Frame], cube: Path, angles: Path, config: Config) -> dict[str, Any]:
    """Write one ADI cube and its derotation angles."""
    from vampires.images.adi import AdiFrame, write_adi

    opened = [AdiFrame.open(*frame) for frame in frames]
    shape = write_adi(opened, cube, angles, config.digest_of("general"))
    return {"shape": list(shape)}


def task_adi() -> Iterator[Task]:
    """ADI cubes and their angles, of each camera and of both."""
    plan = current_plan()
    yield {"basename": "adi", "name": None, "doc": task_adi.__doc__}
    if not plan.config.save_adi_cubes:
        return
    for part in plan.parts:
        filters = sorted({group.filter for group in part.groups})
        for name in filters:
            for label, frames in _frames_of(part, name).items():
                names = [name] if len(filters) > 1 else []
                yield _adi_task(part, [*names, label], frames)


def _frames_of(plan: Plan, filter_name: str) -> dict[str, list[Frame]]:
    """Coadds of each frame of each cube in one filter: of camera 1, of camera 2, of both."""
    groups = [group for group in plan.groups if group.filter == filter_name]
    coadd = plan.layout.coadd
    frames: dict[str, list[Frame]] = {
        f"cam{camera}": [(coadd(group.key),) for group in groups if group.camera == camera]
        for camera in (1, 2)
    }
    frames["both"] = [(coadd(pair.one.key), coadd(pair.two.key)) for pair in pair_cameras(groups)]
    return {label: found for label, found in frames.items() if found}


def _adi_task(plan: Plan, parts: list[str], frames: list[Frame]) -> Task:
    suffix = "".join(f"_{part}" for part in parts if part != "both")
    cube, angles = (plan.layout.adi(f"adi_{what}{suffix}") for what in ("cube", "angles"))
    return make_task(
        "adi", plan.named("_".join(parts)), make_adi, (frames, cube, angles, plan.config),
        file_dep=[path for frame in frames for path in frame], targets=[cube, angles],
        settings={}, version=1, doc=f"ADI cube of {len(frames)} frames, {' '.join(parts)}",
    )  # fmt: skip
