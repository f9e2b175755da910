"""A whole night of raw files with its truth."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.errors import FileError
from vampires.io.rawfile import write_raw
from vampires.simulate import truth as truth_files
from vampires.simulate.cameras import CameraModel, build_camera
from vampires.simulate.frames import describe, file_blocks, file_frames, frame_truth
from vampires.simulate.geometry import SkyAngles, sky_angles
from vampires.simulate.headers import clock_time, file_header, header_mjd
from vampires.simulate.plan import Exposure, file_name, plan_night
from vampires.simulate.spec import NightSpec
from vampires.simulate.writing import write_compressed


@dataclass(frozen=True)
class NightTruth:
    """A simulated night on disk and what is known of it.

    Attributes
    ----------
    path
        Folder with ``raw/``, ``truth.json`` and the truth images.
    data
        Contents of ``truth.json``.
    """

    path: Path
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path | str) -> NightTruth:
        """Truth of a night simulated before.

        Raises
        ------
        FileError
            If there is no ``truth.json``.
        """
        source = Path(path) / "truth.json"
        if not source.is_file():
            raise FileError(f"{source}: not found; simulate_night() writes it")
        return cls(Path(path), json.loads(source.read_text()))

    @property
    def raw(self) -> list[Path]:
        """All raw files, sorted by name."""
        return sorted((self.path / "raw").iterdir())

    @property
    def files(self) -> list[dict[str, Any]]:
        """One entry per science file and FLC state."""
        return list(self.data["files"])

    def file(self, name: str, flc: str | None = None) -> dict[str, Any]:
        """Entry of a science file.

        Raises
        ------
        KeyError
            If the night has no such file.
        """
        for entry in self.files:
            if entry["name"] == name and flc in (None, entry["flc"]):
                return dict(entry)
        raise KeyError(f"no science file {name!r} with FLC {flc!r}")

    def star(self, name: str, band: str | None = None) -> NDArray[np.float64]:
        """Star ``(n, 2)`` as ``(y, x)`` in raw 0-based pixels, in the order of the file."""
        entries = [entry for entry in self.files if entry["name"] == name]
        if not entries:
            raise KeyError(f"no science file {name!r}")
        field = band or next(iter(entries[0]["fields"]))
        order = np.argsort(np.concatenate([e["frame_index"] for e in entries]), kind="stable")
        places = [np.stack([e["fields"][field][axis] for axis in "yx"], axis=1) for e in entries]
        return np.asarray(np.concatenate(places)[order])


def simulate_night(spec: NightSpec, outdir: Path | str) -> NightTruth:
    """Write a raw night and its truth.

    The folder appears under its name only when it is complete. Equal specs give equal bytes.

    Parameters
    ----------
    spec
        The night.
    outdir
        Folder to make; must not exist, or be empty.

    Returns
    -------
    NightTruth

    Raises
    ------
    FileError
        If ``outdir`` is there and not empty, or is the current folder.

    Examples
    --------
    >>> night = simulate_night(NightSpec.preset("stars"), "night")  # doctest: +SKIP
    >>> night.raw[0].name  # doctest: +SKIP
    'VMPA00021001.fits'
    """
    target = Path(outdir)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileError(f"{target}: exists and is not an empty folder; choose another name")
    if target.resolve() == Path.cwd():
        raise FileError(f"{target}: is the current folder; give the name of a new one")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.parent / f".{target.name}.part{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        (scratch / "raw").mkdir(parents=True)
        data = _write(spec, scratch)
        scratch.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return NightTruth(target, data)


def _write(spec: NightSpec, folder: Path) -> dict[str, Any]:
    exposures = plan_night(spec)
    angles = _all_angles(spec, exposures)
    cameras: dict[tuple[int, bool], CameraModel] = {}
    files: list[dict[str, Any]] = []
    calibrations: list[dict[str, Any]] = []
    for exposure, (frame_angles, header_angles) in zip(exposures, angles, strict=True):
        key = (exposure.camera, exposure.swapped)
        if key not in cameras:
            cameras[key] = build_camera(spec, *key)
        name = file_name(spec, exposure, clock_time(exposure.start))
        camera = cameras[key]
        entries = _write_file(spec, camera, exposure, frame_angles, header_angles, folder, name)
        files += entries
        if not entries:
            calibrations.append(_calibration_entry(exposure, name))
    data = truth_files.summary(spec, cameras, files, calibrations)
    (folder / "truth.json").write_text(json.dumps(data) + "\n")
    truth_files.write_truth_images(spec, cameras, files, folder)
    return data


def _all_angles(spec: NightSpec, exposures: list[Exposure]) -> list[tuple[SkyAngles, SkyAngles]]:
    """Sky angles of each file's frames and of its header, from one transformation."""
    times = [np.append(e.mids, header_mjd(spec, e)) for e in exposures]
    angles = sky_angles(spec.ra, spec.dec, np.concatenate(times))
    edges = np.cumsum([0, *(len(t) for t in times)])
    return [(angles[start : stop - 1], angles[stop - 1]) for start, stop in pairwise(edges)]


def _write_file(
    spec: NightSpec,
    camera: CameraModel,
    exposure: Exposure,
    frame_angles: SkyAngles,
    header_angles: SkyAngles,
    folder: Path,
    name: str,
) -> list[dict[str, Any]]:
    """Write one raw file; its truth entries, none for a calibration."""
    header = file_header(spec, exposure, header_angles, camera.crop, camera.raw_hotspots())
    truth = frame_truth(spec, exposure, frame_angles) if exposure.science else None
    blocks = file_blocks(spec, camera, exposure, truth)
    path = folder / "raw" / name
    if spec.compress:
        write_compressed(path, header, np.concatenate(list(blocks)))
    else:
        write_raw(path, header, (file_frames(spec, exposure), *camera.crop.shape), blocks)
    return [] if truth is None else describe(spec, camera, exposure, truth, name)


def _calibration_entry(exposure: Exposure, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": exposure.kind,
        "cam": exposure.camera,
        "exptime": exposure.exptime,
        "nframes": exposure.frames,
    }
