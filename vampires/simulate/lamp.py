"""A calibration sequence on the polarised flat lamp: flats over HWP and image-rotator angles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vampires.instrument.optics import flc_angle
from vampires.io.rawfile import write_raw
from vampires.simulate.cameras import CameraModel, build_camera
from vampires.simulate.detector import expose, generator
from vampires.simulate.geometry import SkyAngles
from vampires.simulate.headers import file_header
from vampires.simulate.light_path import LightPath
from vampires.simulate.plan import FIRST_NUMBER, FRAME_GAP, SECOND, Exposure
from vampires.simulate.spec import NightSpec

OVERHEAD = 4.0  # s between positions


def simulate_lamp(
    spec: NightSpec,
    outdir: Path | str,
    *,
    hwp: Sequence[float],
    imr: Sequence[float],
    degree: float = 1.0,
    angle: float = 0.0,
) -> list[Path]:
    """Write the raw files of a lamp sequence.

    The lamp stands in front of the half-wave plate; telescope and tertiary mirror are not in the
    beam, half-wave plate and image rotator do not track.

    Parameters
    ----------
    spec
        Instrument: mode, polarimetry, size, filter, Mueller parameters, throughput;
        ``flat_exptime`` and ``flat_level`` of the lamp, ``calibration_frames`` per file.
    outdir
        Folder for the files; made if it is not there.
    hwp, imr
        Angles, deg; every combination is taken, followed by darks.
    degree, angle
        Linear polarisation of the lamp, 0 to 1 and deg.

    Returns
    -------
    list of Path
        In order of time.
    """
    folder = Path(outdir)
    folder.mkdir(parents=True, exist_ok=True)
    spec = replace(spec, hwp_sync=False)
    cameras = {number: build_camera(spec, number) for number in (1, 2)}
    paths = []
    for exposure, rotator in _plan(spec, hwp, imr):
        camera = cameras[exposure.camera]
        rate = _lamp_rate(spec, exposure, rotator, degree, angle)
        rng = generator(spec.seed, "lamp", exposure.number)
        frames = np.full((exposure.frames, *camera.crop.shape), rate * camera.throughput)
        cube = expose(frames, camera.sensor, camera.pixels, exposure.exptime, rng)
        paths.append(_write(spec, folder, camera, exposure, rotator, cube))
    return paths


def _plan(
    spec: NightSpec, hwp: Sequence[float], imr: Sequence[float]
) -> Iterator[tuple[Exposure, float]]:
    states = ("A", "B") if spec.fast else ("NA",)
    frames, step = spec.calibration_frames, (spec.flat_exptime + FRAME_GAP) * SECOND
    clock, number = spec.start_mjd, 0
    places = [("FLAT", h, i) for i in imr for h in hwp] + [("DARK", 0.0, imr[0])]
    for kind, plate, rotator in places:
        for k, flc in enumerate(states if kind == "FLAT" else ("NA",)):
            index = np.arange(frames, dtype=np.float64)
            starts = np.asarray(clock + (index * len(states) + k) * step, dtype=np.float64)
            for camera in (1, 2):
                number += 1
                yield (
                    Exposure(
                        number, kind, camera, flc, plate, 0, 0, False, spec.flat_exptime, starts
                    ),
                    rotator,
                )
        clock += len(states) * frames * step + OVERHEAD * SECOND


def _lamp_rate(
    spec: NightSpec, exposure: Exposure, rotator: float, degree: float, angle: float
) -> float:
    """e-/s per pixel on a perfect detector."""
    if exposure.kind == "DARK":
        return 0.0
    path = replace(LightPath.named(spec.mueller), m3_phi=0.0, m3_diat=0.0)
    flc = flc_angle(spec.generation.name, exposure.flc)
    row = path.rows(
        camera=exposure.camera, flc_angle=flc, hwp_angle=exposure.hwp, imr_angle=rotator,
        altitude=0.0, parallactic_angle=0.0,
    )  # fmt: skip
    twice = 2 * np.deg2rad(angle)
    lamp = np.array([1.0, degree * np.cos(twice), degree * np.sin(twice), 0.0])
    return float(row @ lamp) * spec.flat_level / spec.flat_exptime


def _write(
    spec: NightSpec,
    folder: Path,
    camera: CameraModel,
    exposure: Exposure,
    rotator: float,
    cube: NDArray[np.uint16],
) -> Path:
    parked = SkyAngles(np.array(89.9), np.array(0.0), np.array(0.0))
    header = file_header(spec, exposure, parked, camera.crop, camera.raw_hotspots())
    header["D_IMRMOD"], header["D_IMRANG"] = "STOP", rotator
    path = folder / f"VMPA{FIRST_NUMBER + exposure.number - 1:08d}.fits"
    write_raw(path, header, cube.shape, [cube])
    return path
