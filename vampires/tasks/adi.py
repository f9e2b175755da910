"""Tasks of angular differential imaging: cubes for other programs, and images."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.config import AdiSettings, Config, load_config
from vampires.engine.actions import make_task
from vampires.engine.gathering import there_of
from vampires.errors import ConfigError
from vampires.night.pairing import pair_cameras
from vampires.night.plan import Plan, make_plan
from vampires.tasks.plan import current_plan

if TYPE_CHECKING:
    from vampires.canonical import Header

Task = dict[str, Any]
Frame = tuple[Path, ...]

IMAGE_SECTIONS = ("general", "adi")


def make_adi(
    frames: list[Frame],
    cube: Path,
    angles: Path,
    config: Config,
    missing: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Write one ADI cube and its derotation angles, of the frames that there are."""
    from vampires.images.adi import AdiFrame, write_adi

    opened = [AdiFrame.open(*frame) for frame in there_of(frames, missing, "frame")]
    shape = write_adi(opened, cube, angles, config.digest_of("general"))
    return {"shape": list(shape)}


@dataclass(frozen=True)
class ImageTargets:
    """Files of one ADI image.

    Parameters
    ----------
    images, pictures : tuple of Path
        Of the fields; of multiband data one more, of all fields together.
    throughput : Path or None
        Table of what injected companions lose.
    """

    images: tuple[Path, ...]
    pictures: tuple[Path, ...]
    throughput: Path | None

    @property
    def files(self) -> list[Path]:
        """All of them."""
        table = [] if self.throughput is None else [self.throughput]
        return [*self.images, *self.pictures, *table, *(t.with_suffix(".csv") for t in table)]


def make_adi_image(
    frames: list[Frame],
    reference: list[Frame],
    targets: ImageTargets,
    config: Config,
    missing: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Subtract the star, and write images, pictures and throughput."""
    from astropy.table import vstack

    from vampires.canonical import Header
    from vampires.images.adi import AdiFrame, AdiStack
    from vampires.io.products import stamp, write_fits, write_table
    from vampires.plotting.adi import draw_residuals
    from vampires.plotting.figures import save_figure
    from vampires.steps.adi import images_of_stack

    frames = there_of(frames, missing, "frame")
    stack = AdiStack.read([AdiFrame.open(*frame) for frame in frames])
    library = [AdiFrame.open(*frame) for frame in reference]
    images = images_of_stack(stack, config, AdiStack.read(library) if library else None)
    sources = [path for frame in (*frames, *reference) for path in frame]
    for image, path, picture in zip(images, targets.images, targets.pictures, strict=True):
        header = stamp(image.header, config.digest_of(*IMAGE_SECTIONS), sources)
        _say_method(header, config)
        planes = {
            key: plane[0] if len(plane) == 1 else plane for key, plane in image.planes.items()
        }
        write_fits(path, planes, header)
        star = header.known(Header.object, "")
        title = f"{star} {' '.join(image.fields)}, {header.adi_method}".strip()
        figure = draw_residuals(
            image.planes["SCI"], image.planes["SNR"], image.fields, header.pixel_scale / 1000,
            title, header.known(Header.unit, ""),
        )  # fmt: skip
        save_figure(figure, picture)
    if targets.throughput is not None:
        tables = [image.throughput for image in images if image.throughput is not None]
        write_table(targets.throughput, vstack(tables))
    return {"frames": len(frames), "reference": len(reference)}


def _say_method(header: Header, config: Config) -> None:
    """Cards of how the star was subtracted."""
    from vampires.steps.adi import adi_settings

    settings = adi_settings(config)
    header.put(
        adi_method=settings.method,
        adi_components=settings.components if settings.method == "pca" else None,
        adi_reference=Path(settings.reference or "own frames").name,
    )


def report_none(reason: str) -> dict[str, Any]:
    """Fail with the reason why there is no ADI image."""
    raise ConfigError(reason)


def task_adi_image() -> Iterator[Task]:
    """ADI images of each camera and of both, with signal-to-noise maps (extra adi)."""
    plan = current_plan()
    yield {"basename": "adi_image", "name": None, "doc": task_adi_image.__doc__}
    settings = plan.config.adi
    if settings is None:
        return
    if find_spec("vip_hci") is None:
        yield _failing("extra", "[adi]: needs vip_hci; pip install 'vampires[adi]'")
        return
    for sequence in adi_sequences(plan):
        yield _image_task(sequence, settings)


@dataclass(frozen=True)
class AdiSequence:
    """What one ADI cube, or image, is made of.

    Parameters
    ----------
    plan : Plan
        Of its setup.
    filter : str
    label : str
        ``cam1``, ``cam2`` or ``both``.
    frames : list of tuple of Path
        Coadds of each frame.
    alone : bool
        Whether its setup has no other filter.
    """

    plan: Plan
    filter: str
    label: str
    frames: list[Frame]
    alone: bool

    @property
    def names(self) -> list[str]:
        """Filter, where there are several, and camera."""
        return [self.label] if self.alone else [self.filter, self.label]

    @property
    def task(self) -> str:
        """Name of its tasks."""
        return self.plan.named("_".join(self.names))

    def path(self, kind: str) -> Path:
        """FITS product of some kind."""
        parts = "".join(f"_{part}" for part in self.names if part != "both")
        return self.plan.layout.adi(f"{kind}{parts}")

    @property
    def multiband(self) -> bool:
        """Whether a frame has several fields."""
        coadd = self.plan.layout.coadd
        return any(
            len(group.fields) > 1
            for group in self.plan.groups
            if coadd(group.key) == self.frames[0][0]
        )


def image_targets(sequence: AdiSequence, settings: AdiSettings) -> ImageTargets:
    """Where the images of a sequence go."""
    together = sequence.multiband and settings.reference is None
    images = tuple(map(sequence.path, ["adi_image", *(["adi_sdi"] if together else [])]))
    table = sequence.path("adi_throughput").with_suffix(".ecsv")
    return ImageTargets(
        images, tuple(path.with_suffix(".png") for path in images),
        table if settings.throughput else None,
    )  # fmt: skip


def adi_sequences(night: Plan) -> Iterator[AdiSequence]:
    """Every sequence of a night."""
    for part in night.parts:
        filters = sorted({group.filter for group in part.groups})
        for name in filters:
            for label, frames in _frames_of(part, name).items():
                yield AdiSequence(part, name, label, frames, len(filters) == 1)


def _image_task(sequence: AdiSequence, settings: AdiSettings) -> Task:
    plan, frames = sequence.plan, sequence.frames
    reference, problem = _reference_frames(sequence, settings)
    if problem:
        return _failing(sequence.task, problem)
    targets = image_targets(sequence, settings)
    return make_task(
        "adi_image", sequence.task, make_adi_image, (frames, reference, targets, plan.config),
        file_dep=[path for frame in (*frames, *reference) for path in frame],
        targets=targets.files, version=1,
        settings={**plan.settings("adi"), "coronagraphic": plan.config.coronagraphic},
        doc=f"ADI image of {len(frames)} frames, {' '.join(sequence.names)}", gathers=True,
    )  # fmt: skip


def _reference_frames(sequence: AdiSequence, settings: AdiSettings) -> tuple[list[Frame], str]:
    """Coadds of the reference star that go with a sequence, or why there are none."""
    if settings.reference is None:
        return [], ""
    path = sequence.plan.config.resolve(settings.reference)
    found = [
        frame
        for other in adi_sequences(_other_plan(path))
        if (other.filter, other.label) == (sequence.filter, sequence.label)
        for frame in other.frames
    ]
    what = f'[adi] reference = "{settings.reference}"'
    if not found:
        return [], f"{what}: has no exposures of {sequence.label} in {sequence.filter}"
    absent = [coadd for frame in found for coadd in frame if not coadd.exists()]
    if absent:
        return [], (
            f"{what}: {len(absent)} of its coadds are not there; first, in {path.parent}: "
            f"doit config={path.name} coadd"
        )
    return found, ""


@functools.cache
def _other_plan(path: Path) -> Plan:
    """Plan of another reduction."""
    return make_plan(load_config(path))


def _failing(name: str, reason: str) -> Task:
    """Task that says why there is no image."""
    task = make_task(
        "adi_image", name, report_none, (reason,), file_dep=[], targets=[], settings={}, version=1,
        doc=reason,
    )  # fmt: skip
    return {**task, "uptodate": [False]}


def task_adi() -> Iterator[Task]:
    """ADI cubes and their angles, of each camera and of both."""
    plan = current_plan()
    yield {"basename": "adi", "name": None, "doc": task_adi.__doc__}
    if not plan.config.save_adi_cubes:
        return
    yield from map(_adi_task, adi_sequences(plan))


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


def _adi_task(sequence: AdiSequence) -> Task:
    frames, config = sequence.frames, sequence.plan.config
    cube, angles = (sequence.path(f"adi_{what}") for what in ("cube", "angles"))
    return make_task(
        "adi", sequence.task, make_adi, (frames, cube, angles, config),
        file_dep=[path for frame in frames for path in frame], targets=[cube, angles],
        settings={}, version=1,
        doc=f"ADI cube of {len(frames)} frames, {' '.join(sequence.names)}", gathers=True,
    )  # fmt: skip
