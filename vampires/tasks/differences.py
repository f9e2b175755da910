"""Tasks that subtract images: of the two cameras, single and double, and of multiband fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.config import Config
from vampires.engine.actions import make_task
from vampires.errors import PolarimetryError
from vampires.night.pairing import Pair, pair_cameras, pair_states
from vampires.night.plan import Plan
from vampires.tasks.plan import current_plan

if TYPE_CHECKING:
    from vampires.images.differences import DifferenceImage
    from vampires.images.image import CameraImage

Task = dict[str, Any]
Coadds = tuple[Path, Path]

SECTIONS = ("general", "analysis", "diff_images")

_NO_PAIRS = (
    "no two exposures of cameras 1 and 2 overlap in time with the same FLC state, HWP angle and "
    "filter; set [diff_images] make_diff = false"
)
_NO_FIELDS = (
    "no multiband exposures, whose fields could be subtracted from each other; set [diff_images] "
    "multiband_sdi = false"
)
_NO_DOUBLES = (
    "no two states of both cameras close in time: FLC A and B, HWP 0 and 45 or 22.5 and 67.5 deg, "
    "or swapped filters; set [diff_images] save_double = false"
)


def make_single(pair: Pair, coadds: Coadds, target: Path, config: Config) -> dict[str, Any]:
    """Write camera 1 minus camera 2, or line minus continuum."""
    from vampires.steps.differences import difference

    image = difference(pair, _read(coadds), config)
    _write(image, coadds, target, config)
    return {}


def make_double(
    pairs: tuple[Pair, Pair], coadds: tuple[Coadds, Coadds], target: Path, config: Config
) -> dict[str, Any]:
    """Write the double difference of two states."""
    from vampires.steps.differences import double

    image = double(pairs, (_read(coadds[0]), _read(coadds[1])), config)
    _write(image, (*coadds[0], *coadds[1]), target, config)
    return {}


def make_sdi(coadd: Path, target: Path, config: Config) -> dict[str, Any]:
    """Write each field minus the others, rescaled to its wavelength."""
    from vampires.images.image import CameraImage
    from vampires.images.sdi import multiband_sdi
    from vampires.steps.differences import star_region

    image = multiband_sdi(CameraImage.read(coadd), star_region(config))
    _write(image, (coadd,), target, config)
    return {"fields": list(image.fields)}


def report_no_pairs(reason: str) -> dict[str, Any]:
    """Fail with the reason why there is no difference image."""
    raise PolarimetryError(reason)


def task_diff() -> Iterator[Task]:
    """Difference images of simultaneous exposures."""
    plan = current_plan()
    kinds = {
        "diff:single": "camera 1 minus camera 2, or line minus continuum",
        "diff:double": "single differences of two states of FLC, HWP or filters, subtracted",
        "diff:sdi": "each field of a multiband coadd minus the others, rescaled",
    }
    yield {"basename": "diff", "actions": None, "task_dep": [*kinds], "doc": task_diff.__doc__}
    for kind, doc in kinds.items():
        yield {"basename": kind, "name": None, "doc": doc}
    settings = plan.config.diff_images
    pairs = [(part, pair_cameras(part.groups)) for part in plan.parts]
    if settings.multiband_sdi:
        yield from _of_parts("diff:sdi", map(_multiband, plan.parts), _NO_FIELDS)
    if settings.make_diff:
        yield from _of_parts("diff:single", (_singles(*both) for both in pairs), _NO_PAIRS)
    if settings.make_diff and settings.save_double:
        yield from _of_parts("diff:double", (_doubles(*both) for both in pairs), _NO_DOUBLES)


def _of_parts(basename: str, parts: Iterable[Iterator[Task]], reason: str) -> Iterator[Task]:
    """Tasks of all setups, or one that fails with the reason why there are none."""
    tasks = [task for part in parts for task in part]
    yield from tasks or [_nothing(basename, reason)]


def _singles(plan: Plan, pairs: list[Pair]) -> Iterator[Task]:
    for pair in pairs:
        coadds, target = _coadds(plan, pair), plan.layout.difference("single", pair.key)
        yield make_task(
            "diff:single", pair.key, make_single, (pair, coadds, target, plan.config),
            file_dep=coadds, targets=[target], settings=_settings(plan, pair), version=2,
            doc=f"{pair.one.key} minus {pair.two.key}",
        )  # fmt: skip


def _doubles(plan: Plan, pairs: list[Pair]) -> Iterator[Task]:
    for first, second in pair_states(pairs):
        coadds = _coadds(plan, first), _coadds(plan, second)
        target = plan.layout.difference("double", first.key)
        yield make_task(
            "diff:double", first.key, make_double, ((first, second), coadds, target, plan.config),
            file_dep=[*coadds[0], *coadds[1]], targets=[target], version=2,
            settings=_settings(plan, first), doc=f"{first.key} minus {second.key}",
        )  # fmt: skip


def _multiband(plan: Plan) -> Iterator[Task]:
    groups = [group for group in plan.groups if len(group.fields) > 1]
    for group in groups:
        coadd, target = plan.layout.coadd(group.key), plan.layout.difference("sdi", group.key)
        yield make_task(
            "diff:sdi", group.key, make_sdi, (coadd, target, plan.config),
            file_dep=[coadd], targets=[target], settings=_scaling(plan.config), version=1,
            doc=f"fields of {group.key}, each minus the others",
        )  # fmt: skip


def _nothing(basename: str, reason: str) -> Task:
    task = make_task(
        basename, "pairs", report_no_pairs, (reason,), file_dep=[], targets=[], settings={},
        version=1, doc=reason,
    )  # fmt: skip
    return {**task, "uptodate": [False]}


def _coadds(plan: Plan, pair: Pair) -> Coadds:
    return plan.layout.coadd(pair.one.key), plan.layout.coadd(pair.two.key)


def _settings(plan: Plan, pair: Pair) -> dict[str, Any]:
    """Only the scaling of the continuum has anything to set."""
    return _scaling(plan.config) if pair.line_and_continuum else {}


def _scaling(config: Config) -> dict[str, Any]:
    return {"coronagraphic": config.coronagraphic, "radius": config.analysis.phot_aper_rad}


def _read(coadds: Coadds) -> tuple[CameraImage, CameraImage]:
    from vampires.images.image import CameraImage

    return CameraImage.read(coadds[0]), CameraImage.read(coadds[1])


def _write(image: DifferenceImage, sources: tuple[Path, ...], target: Path, config: Config) -> None:
    from vampires.io.products import stamp, write_fits

    header = stamp(image.header, config.digest_of(*SECTIONS), sources)
    write_fits(target, image.planes(), header, dict.fromkeys(image.fields, header))
