"""Tasks that look at the star: synthetic PSFs, rough centroids, frame measurements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vampires.config import Config
from vampires.grouping import Group
from vampires.index import Record
from vampires.tasks.actions import make_task
from vampires.tasks.cubes import open_cube
from vampires.tasks.plan import Masters, Plan, current_plan

Task = dict[str, Any]

CENTROID_FILES = 4
"""Raw files per camera whose mean gives the rough centroids."""


def make_psf(filter_name: str, facts: dict[str, Any], target: Path) -> dict[str, Any]:
    """Write the synthetic PSF of one filter and camera."""
    from astropy.io import fits

    from vampires.products import write_fits
    from vampires.psf import header_psf

    header = fits.Header({**facts, "FILTER": filter_name})
    write_fits(target, {"PSF": header_psf(header, filter_name, facts["SIZE"])}, header)
    return {}


def make_centroid(
    camera: int, paths: list[Path], masters: Masters, target: Path, config: Config
) -> dict[str, Any]:
    """Find the star, or the satellite spots, in the mean of a few raw files."""
    from vampires.rough import automatic_centroids

    cubes = [open_cube([path], masters, config) for path in paths]
    return automatic_centroids(cubes, camera, target, config)


def make_metrics(
    group: Group, masters: Masters, centroids: Path | None, target: Path, config: Config
) -> dict[str, Any]:
    """Measure every frame of a group."""
    from vampires.rough import read_rough

    cube = open_cube([Path(path) for path in group.paths], masters, config, announce=True)
    rough = read_rough(centroids, cube) if centroids is not None else None
    metrics = cube.measure(config.analysis, rough=rough).metrics
    assert metrics is not None  # noqa: S101 - measure() always sets it
    metrics.write(target)
    return {"frames": int(cube.source.n)}


def task_centroid() -> Iterator[Task]:
    """Rough centroids of each camera; a file written by hand is left alone."""
    plan = current_plan()
    yield {"basename": "centroid", "name": None, "doc": task_centroid.__doc__}
    for camera in sorted({group.camera for group in plan.groups}):
        target = plan.layout.centroids(camera)
        if is_written_by_hand(target):
            continue
        records = _sample([r for g in plan.groups if g.camera == camera for r in g.records])
        masters = plan.masters_of(records[0])
        yield make_task(
            "centroid", f"cam{camera}", make_centroid,
            (camera, [Path(r["path"]) for r in records], masters, target, plan.config),
            file_dep=[*(r["path"] for r in records), *masters.paths],
            targets=[target], version=1,
            settings=plan.settings("general", "calibrate"),
            doc=f"rough centroids of camera {camera}",
        )  # fmt: skip


def task_metrics() -> Iterator[Task]:
    """Measurements of every frame, one file per exposure group."""
    plan = current_plan()
    yield {"basename": "metrics", "name": None, "doc": task_metrics.__doc__}
    for group in plan.groups:
        yield _metrics_task(plan, group)


def is_written_by_hand(path: Path) -> bool:
    """Whether a centroid file exists that the pipeline did not write, or that was edited.

    Parameters
    ----------
    path : Path
        Centroid file.

    Returns
    -------
    bool
        The pipeline's own files begin with a digest of what follows.
    """
    import hashlib

    if not path.exists():
        return False
    first, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    return first != AUTOMATIC + hashlib.sha256(rest.encode()).hexdigest()[:16]


AUTOMATIC = "# automatic; edit freely, an edited file is never overwritten. digest "
"""Start of a centroid file's first line; a digest of the rest follows."""


def _metrics_task(plan: Plan, group: Group) -> Task:
    target = plan.layout.metrics(group.key)
    centroids = plan.layout.centroids(group.camera)
    masters = plan.masters_of(group.first)
    return make_task(
        "metrics", group.key, make_metrics, (group, masters, centroids, target, plan.config),
        file_dep=[*group.paths, *masters.paths, centroids], targets=[target], version=1,
        settings={
            **plan.settings("general", "analysis", "calibrate"),
            "excluded": excluded_frames(plan.config, group),
        },
        doc=f"frame measurements of {group.key}",
    )  # fmt: skip


def excluded_frames(config: Config, group: Group) -> dict[str, Any]:
    """Frames left out by the configuration, of the files of a group only."""
    names = {Path(path).name for path in group.paths}
    return {
        file: frames
        for file, frames in config.data.exclude_frames.items()
        if any(name.startswith(file) for name in names)
    }


def _sample(records: list[Record]) -> list[Record]:
    """Choose a few records spread over the night."""
    step = max(1, len(records) // CENTROID_FILES)
    return records[::step][:CENTROID_FILES]
