"""What the data look like at each stage: pictures of masters, star and first coadds.

Each picture is a file of its own, drawn as soon as its input is there, and carries its own
caption and text alternative; the report only puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vampires.canonical import Header
from vampires.images.image import CameraImage
from vampires.images.units import RATE
from vampires.io.products import read_fits
from vampires.plotting.figures import save_figure
from vampires.plotting.images import draw_master
from vampires.report.parts import DPI, Number, Pictures, Section, picture_texts, stored_picture

if TYPE_CHECKING:
    from vampires.report.night import NightReport

_CENTROIDS = "Mean image with the star, or the satellite spots, marked"
"""What is seen on the only pictures that do not say it themselves."""


def stages(report: NightReport) -> Section | None:
    """Masters, rough centroids and first coadds."""
    pictures = tuple(stored_picture(path, _CENTROIDS) for path in report.stages)
    return Section("Stage by stage", (Pictures(pictures),)) if pictures else None


def write_master_picture(master: Path, camera: int, target: Path) -> None:
    """Draw a master frame.

    Parameters
    ----------
    master : Path
        FITS file.
    camera : int
        That it is of.
    target : Path
        PNG.
    """
    planes, header, _ = read_fits(master)
    data = np.asarray(planes[""], dtype=float)
    kind, unit = master.parent.name, header.known(Header.unit, "")
    figure = draw_master(data, header.pixel_scale / 1000, f"cam{camera} {kind}", unit)
    seen = data[np.isfinite(data)]
    says = f"median {Number(float(np.median(seen)), 4)} {unit}" if seen.size else "empty"
    texts = picture_texts(
        f"cam{camera} {kind}/{master.name}", f"Master {kind} of cam{camera}: {says}".rstrip()
    )
    save_figure(figure, target, DPI, texts)


def write_coadd_pictures(coadd: Path, key: str, targets: Mapping[str, Path]) -> None:
    """Draw each field of a coadd.

    Parameters
    ----------
    coadd : Path
    key : str
        Of its exposure group.
    targets : mapping of str to Path
        PNG of each field.
    """
    image = CameraImage.read(coadd)
    unit = image.header.known(Header.unit, RATE)
    for index, name in enumerate(image.fields):
        label = f"cam{image.header.camera} {name}"
        seen = image.data[index][np.isfinite(image.data[index])]
        peak = Number(float(seen.max()) if seen.size else np.nan, 4)
        alt = f"First coadd of {label}, star in the centre, brightest pixel {peak} {unit}"
        save_figure(image.plot(name), targets[name], DPI, picture_texts(f"{label}, {key}", alt))
