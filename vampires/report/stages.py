"""What the data look like at each stage, one picture a camera and field."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vampires.canonical import Header
from vampires.images.image import CameraImage
from vampires.io.products import read_fits
from vampires.plotting.images import draw_image
from vampires.report.groups import GroupReport
from vampires.report.parts import Number, Picture, Pictures, Section, png

if TYPE_CHECKING:
    from vampires.report.night import NightReport


def stages(report: NightReport) -> Section | None:
    """Masters, rough centroids and first coadds."""
    first = list(_first_of_each(report.groups))
    pictures = (*_masters(report.folder, first), *_centroids(report.centroids), *_coadds(first))
    return Section("Stage by stage", (Pictures(pictures),)) if pictures else None


def _first_of_each(groups: Iterable[GroupReport]) -> Iterable[GroupReport]:
    """First group of each camera and filter."""
    first: dict[tuple[int, str], GroupReport] = {}
    for item in groups:
        first.setdefault((item.group.camera, item.group.filter), item)
    return (item for _, item in sorted(first.items(), key=lambda found: found[0]))


def _masters(folder: Path, first: Iterable[GroupReport]) -> list[Picture]:
    """Masters of the first groups, each once."""
    found: dict[str, str] = {}
    for item in first:
        for name in item.masters:
            found.setdefault(name, f"cam{item.group.camera}")
    pictures = []
    for name, camera in sorted(found.items()):
        path = folder / "master_cals" / name
        if not path.exists():
            continue  # masters made elsewhere are only named
        planes, header, _ = read_fits(path)
        data = np.asarray(planes[""], dtype=float)
        if not np.isfinite(data).any():
            continue  # a flat that could not be made
        kind, unit = name.partition("/")[0], header.known(Header.unit, "")
        figure = draw_image(data, header.pixel_scale / 1000, f"{camera} {kind}", unit)
        middle = Number(float(np.nanmedian(data)), 4)
        alt = f"Master {kind} of {camera}: median {middle} {unit}".rstrip()
        pictures.append(Picture(png(figure), alt, f"{camera} {name}"))
    return pictures


def _centroids(paths: Iterable[Path]) -> list[Picture]:
    return [
        Picture(path.read_bytes(), "Mean image with the star, or the satellite spots, marked",
                path.name)
        for path in paths
    ]  # fmt: skip


def _coadds(first: Iterable[GroupReport]) -> list[Picture]:
    pictures = []
    for item in first:
        if item.coadd is None:
            continue
        image = CameraImage.read(item.coadd)
        for index, name in enumerate(image.fields):
            label = f"cam{item.group.camera} {name}"
            peak = Number(float(np.nanmax(image.data[index])), 4)
            alt = f"First coadd of {label}, star in the centre, brightest pixel {peak} e-/s"
            caption = f"{label}, {item.group.key}"
            pictures.append(Picture(png(image.plot(name)), alt, caption))
    return pictures
