"""Tasks that look at the star: synthetic PSFs, rough centroids, frame measurements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.errors import FileError
from vampires.io.atomic import atomic_path, is_half_written
from vampires.io.paths import region_paths
from vampires.io.provenance import task_comment
from vampires.log import get_logger
from vampires.night.grouping import Group
from vampires.night.matching import Masters
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan

if TYPE_CHECKING:
    from vampires.instrument.detectors import Generation

log = get_logger(__name__)

Task = dict[str, Any]


@dataclass(frozen=True)
class MetricsInputs:
    """What the measurements of a group compare its frames with.

    Parameters
    ----------
    centroids : Path
        Rough centroids of the camera.
    psfs : tuple of Path
        Synthetic PSF of each field.
    origin : (int, int)
        Where on the detector the crop of the frames begins that the centroids are of.
    """

    centroids: Path
    psfs: tuple[Path, ...]
    origin: tuple[int, int]


def make_psf(
    generation: Generation, camera: int, filter_name: str, size: int, target: Path
) -> dict[str, Any]:
    """Write the synthetic PSF of one filter and camera."""
    from vampires.header import Header
    from vampires.instrument.detectors import READ_MODES, detector
    from vampires.io.products import stamp, write_fits
    from vampires.measure.psf import synthetic_psf

    facts = detector(generation, camera, READ_MODES[generation][0])
    header = Header()
    header.put(
        generation=generation, camera=camera, filter=filter_name,
        pixel_scale=facts.pixel_scale, pupil_angle=facts.pupil_offset,
    )  # fmt: skip
    psf = synthetic_psf(filter_name, facts.pixel_scale, facts.pupil_offset, size)
    write_fits(target, {"PSF": psf}, stamp(header, str(size), []))
    return {}


def make_centroid(
    camera: int, paths: list[Path], masters: Masters, target: Path, config: Config
) -> dict[str, Any]:
    """Find the star, or the satellite spots, in the mean of a few raw files."""
    from vampires.measure.centroid_files import draw_centroids, format_centroids, write_regions
    from vampires.plotting.figures import save_figure
    from vampires.steps.cubes import readable_cube
    from vampires.steps.measure import find_star

    cubes = [cube for path in paths if (cube := readable_cube(path, masters, config))]
    if not cubes:
        raise FileError(f"none of {', '.join(path.name for path in paths)} can be read")
    image, found = find_star(cubes, config)
    write_regions(target, found, cubes[0].source.ny if cubes[0].flip else None)
    title = f"{config.name} camera {camera}"
    save_figure(draw_centroids(image, found, title), target.with_suffix(".png"))
    if is_half_written(target):
        kept = target.with_suffix(".damaged.toml")
        target.replace(kept)
        log.warning("a centroid file that was cut short is kept aside", file=str(kept))
    text = format_centroids(camera, found) + task_comment()
    with atomic_path(target) as temporary:
        temporary.write_text(f"{text}{AUTOMATIC}{content_digest(text)}\n", encoding="utf-8")
    return {name: [round(value, 2) for value in place.star] for name, place in found.items()}


def make_metrics(
    group: Group, masters: Masters, inputs: MetricsInputs, target: Path, config: Config
) -> dict[str, Any]:
    """Measure every frame of a group."""
    from vampires.io.products import read_fits
    from vampires.measure.centroid_files import centroids_of
    from vampires.steps.cubes import open_cube
    from vampires.steps.measure import followed, measured

    cube = open_cube([Path(path) for path in group.paths], masters, config, announce=True)
    mirror = cube.source.ny if cube.flip else None
    places = centroids_of(inputs.centroids, cube.header.camera, cube.fields, mirror)
    psfs = [read_fits(path)[0][""] for path in inputs.psfs]
    found = followed(cube, places, inputs.origin)
    measured(cube, found, config, psfs).measured.write(target)
    return {"frames": cube.source.n, "moved": any(s.moved for own in found.values() for s in own)}


def task_psf() -> Iterator[Task]:
    """Synthetic PSF of each filter and camera."""
    plan = current_plan()
    yield {"basename": "psf", "name": None, "doc": task_psf.__doc__}
    if plan.config.planetary:
        return  # a disc takes its place, of the radius that the centroid file gives
    for part in plan.parts:
        yield from _psf_tasks(part)


def task_centroids() -> Iterator[Task]:
    """Rough centroids of each camera; a file written by hand is left alone."""
    plan = current_plan()
    yield {"basename": "centroids", "name": None, "doc": task_centroids.__doc__}
    for part in plan.parts:
        for camera in sorted({group.camera for group in part.groups}):
            if not is_written_by_hand(part.layout.centroids(camera)):
                yield _centroid_task(part, camera)


def task_metrics() -> Iterator[Task]:
    """Measurements of every frame, one file per exposure group."""
    plan = current_plan()
    yield {"basename": "metrics", "name": None, "doc": task_metrics.__doc__}
    for part, group in plan.groups_of_parts():
        yield _metrics_task(part, group)


def is_written_by_hand(path: Path) -> bool:
    """Whether a centroid file exists that the pipeline did not write, or that was edited.

    Parameters
    ----------
    path : Path
        Centroid file.

    Returns
    -------
    bool
        The pipeline's own files end with a digest of what comes before.
    """
    if not path.exists() or is_half_written(path):
        return False
    text, mark, found = path.read_text(encoding="utf-8", errors="replace").rpartition(AUTOMATIC)
    return not mark or found.strip() != content_digest(text)


def content_digest(text: str) -> str:
    """Short digest by which an edit of a centroid file is noticed."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


AUTOMATIC = "# found automatically, digest "
"""Start of the last line of a centroid file that the pipeline wrote."""


def _psf_tasks(plan: Plan) -> Iterator[Task]:
    size = plan.config.analysis.psf_size
    wanted = {(g.first["generation"], g.camera, name) for g in plan.groups for name in g.fields}
    for generation, camera, name in sorted(wanted, key=str):
        target = plan.layout.psf(name, camera)
        yield make_task(
            "psf", plan.named(f"{name}_cam{camera}"), make_psf,
            (generation, camera, name, size, target), file_dep=[], targets=[target], version=2,
            settings={"generation": generation, "camera": camera, "filter": name, "size": size},
            doc=f"synthetic PSF of {name}, camera {camera}",
        )  # fmt: skip


def _centroid_task(plan: Plan, camera: int) -> Task:
    target = plan.layout.centroids(camera)
    records = plan.first_records(camera)
    masters = plan.masters_of(records[0])
    return make_task(
        "centroids", plan.named(f"cam{camera}"), make_centroid,
        (camera, [Path(r["path"]) for r in records], masters, target, plan.config),
        file_dep=[*(r["path"] for r in records), *masters.paths],
        targets=[target, *region_paths(target), target.with_suffix(".png")],
        editable=[target, *region_paths(target)],
        settings={
            **plan.settings("general", "calibrate"),
            "excluded": excluded_frames(plan.config, [r["path"] for r in records]),
            **plan.fixes_of([r["path"] for r in records]),
        },
        version=2, doc=f"rough centroids of camera {camera}",
    )  # fmt: skip


def _metrics_task(plan: Plan, group: Group) -> Task:
    target = plan.layout.metrics(group.key)
    names = () if plan.config.planetary else group.fields
    inputs = MetricsInputs(
        plan.layout.centroids(group.camera),
        tuple(plan.layout.psf(name, group.camera) for name in names),
        plan.crop_origin(group.camera),
    )
    masters = plan.masters_of(group.first)
    return make_task(
        "metrics", group.key, make_metrics, (group, masters, inputs, target, plan.config),
        file_dep=[*group.paths, *masters.paths, inputs.centroids, *inputs.psfs],
        targets=[target], version=4,
        settings={
            "origin": list(inputs.origin),
            **plan.settings("general", "analysis", "calibrate"),
            "excluded": excluded_frames(plan.config, group.paths),
            **plan.fixes_of(group.paths),
        },
        doc=f"frame measurements of {group.key}",
    )  # fmt: skip


def excluded_frames(config: Config, paths: Sequence[str]) -> dict[str, Any]:
    """Frames left out by the configuration, of some files only."""
    names = {Path(path).name for path in paths}
    return {
        file: frames
        for file, frames in config.data.exclude_frames.items()
        if any(name.startswith(file) for name in names)
    }
