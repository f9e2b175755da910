"""The pixels of each file, frame by frame, with the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.instrument.optics import flc_angle
from vampires.simulate.bank import PsfBank, shift_phase
from vampires.simulate.cameras import RADII, CameraModel, Field
from vampires.simulate.detector import expose, generator
from vampires.simulate.geometry import SkyAngles, wrap180
from vampires.simulate.light_path import LightPath
from vampires.simulate.plan import Exposure
from vampires.simulate.spec import NightSpec

Real = NDArray[np.float64]
CORRUPTED = 2  # frames of garbage that begin every controller cube
CAMERA_SHIFT = (0.7, -0.7)  # px (y, x) between the cameras, calibrated orientation
BATCH = 16  # frames exposed at once


@dataclass(frozen=True)
class FrameTruth:
    """What is true of the frames of one file; arrays have one element per frame.

    Attributes
    ----------
    flc
        FLC state of each frame.
    parallactic, derotation
        deg.
    rows
        ``(n, 4)`` first Mueller rows.
    offsets
        ``(n, 2)`` star ``(y, x)`` from the hotspot, calibrated px.
    draws
        ``(n, k)`` members of the bank averaged in each frame.
    transmission
        Relative transmission of the atmosphere.
    """

    flc: list[str]
    parallactic: Real
    derotation: Real
    rows: Real
    offsets: Real
    draws: NDArray[np.int64]
    transmission: Real


def pupil_offset_angle(spec: NightSpec, camera: int) -> float:
    """Angle that turns a parallactic into a derotation angle (PAOFFSET), deg."""
    g = spec.generation
    return float(wrap180(g.cameras[camera].pupil_offset - 180 + g.image_rotator_pupil_angle))


def frame_truth(spec: NightSpec, e: Exposure, angles: SkyAngles) -> FrameTruth:
    """Draw the conditions of each frame; cameras in step share them.

    Parameters
    ----------
    spec, exposure
        The file.
    angles
        Sky angles at the middle of each frame.
    """
    if e.flc == "AB":
        states = ["A" if k % 2 == 0 else "B" for k in range(e.frames)]
    else:
        states = [e.flc] * e.frames
    rng = generator(spec.seed, "frames", e.kind, e.cycle, e.hwp_index, "NAB".index(e.flc[0]))
    jitter = spec.jitter * rng.standard_normal((e.frames, 2))
    total = (spec.dwell + spec.overhead) / 86400 * spec.cycles
    total *= 4 if spec.polarimetry != "none" else 1
    progress = (e.mids - spec.start_mjd) / total - 0.5
    drift = spec.drift * progress[:, None] * np.array([0.6, 0.8])
    centre = np.array(spec.offset[::-1]) + (CAMERA_SHIFT if e.camera == 2 else (0.0, 0.0))
    draws = rng.integers(0, spec.speckles, (e.frames, spec.speckles_per_frame))
    scatter = spec.flux_scatter * rng.standard_normal(e.frames)
    return FrameTruth(
        flc=states,
        parallactic=angles.parallactic,
        derotation=wrap180(angles.parallactic + pupil_offset_angle(spec, e.camera)),
        rows=mueller_rows(spec, e, states, angles),
        offsets=centre + drift + jitter,
        draws=draws,
        transmission=np.clip(1 + scatter, 0.1, None),
    )


def mueller_rows(spec: NightSpec, e: Exposure, states: list[str], angles: SkyAngles) -> Real:
    """First Mueller row of each frame, ``(n, 4)``; (1, 0, 0, 0) without a polarising splitter."""
    rows = np.zeros((len(states), 4))
    if spec.polarimetry == "none":
        rows[:, 0] = 1
        return rows
    path = LightPath.named(spec.mueller)
    hwp = e.hwp + (angles.hwp_synchronisation() if spec.hwp_sync else np.zeros(len(states)))
    for state in sorted(set(states)):
        chosen = np.array([s == state for s in states])
        part = angles[chosen]
        rows[chosen] = path.rows(
            camera=e.camera,
            flc_angle=flc_angle(spec.generation.name, state),
            hwp_angle=hwp[chosen],
            imr_angle=part.image_rotator(spec.generation.image_rotator_pupil_angle),
            altitude=part.altitude,
            parallactic_angle=part.parallactic,
        )
    return rows


def science_image(camera: CameraModel, spec: NightSpec, truth: FrameTruth, k: int) -> Real:
    """Render frame k as a perfect detector would see it: e-/s, raw orientation."""
    parts = []
    for field in camera.fields:
        y, x = np.array(field.hotspot) + truth.offsets[k] - np.array(field.corner)
        image = field.renderer.image(
            truth.rows[k], truth.draws[k], float(truth.derotation[k]), (y, x), field.shape
        )
        parts.append(image * truth.transmission[k] * camera.throughput)
    return camera.frame(parts) + spec.sky_rate


def calibration_image(camera: CameraModel, spec: NightSpec, kind: str) -> Real:
    """Make a calibration image on a perfect detector: e-/s, raw orientation."""
    if kind == "COMPARISON":
        return camera.frame(
            [_pinholes(field.renderer.bank, field.shape, spec) for field in camera.fields]
        )
    level = {
        "DARK": 0.0,
        "FLAT": spec.flat_level / spec.flat_exptime,
        "SKYFLAT": spec.sky_rate,
    }[kind]
    return np.full(camera.crop.shape, level)


def _pinholes(bank: PsfBank, shape: tuple[int, int], spec: NightSpec) -> Real:
    """Lay out a square grid of points of light."""
    step = spec.size / 6
    spectrum = sum(
        shift_phase(bank.size, shape[0] / 2 + step * i, shape[1] / 2 + step * j)
        for i in (-2, -1, 0, 1, 2)
        for j in (-2, -1, 0, 1, 2)
    )
    image = np.fft.irfft2(spectrum * bank.off_axis[0], s=(bank.size, bank.size))
    return spec.flux / 50 * np.clip(image[: shape[0], : shape[1]], 0, None)


def file_blocks(
    spec: NightSpec, camera: CameraModel, e: Exposure, truth: FrameTruth | None
) -> Iterator[NDArray[np.uint16]]:
    """Raw frames of a file in blocks, the controller's spoilt ones included."""
    rng = generator(spec.seed, "noise", e.number)
    if spec.controller:
        yield _corrupted(camera.crop.shape, rng)
    for start in range(0, e.frames, BATCH):
        indices = range(start, min(start + BATCH, e.frames))
        if truth is None:
            rates = np.stack([calibration_image(camera, spec, e.kind)] * len(indices))
        else:
            rates = np.stack([science_image(camera, spec, truth, k) for k in indices])
        yield expose(rates, camera.sensor, camera.pixels, e.exptime, rng)
    if aborted(spec, e):
        yield np.zeros((aborted(spec, e), *camera.crop.shape), np.uint16)


def aborted(spec: NightSpec, e: Exposure) -> int:
    """All-zero frames that end a file."""
    last = e.cycle == spec.cycles - 1 and e.hwp_index == 3
    return spec.aborted_frames if spec.controller and e.science and last else 0


def _corrupted(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Garbage: torn read-outs of random counts."""
    frames = np.zeros((CORRUPTED, *shape), np.uint16)
    frames[:, shape[0] // 3 :] = rng.integers(0, 65536, frames[:, shape[0] // 3 :].shape)
    return frames


def file_frames(spec: NightSpec, e: Exposure) -> int:
    """All frames in a file."""
    return e.frames + aborted(spec, e) + (CORRUPTED if spec.controller else 0)


def describe(
    spec: NightSpec, camera: CameraModel, e: Exposure, truth: FrameTruth, name: str
) -> list[dict[str, object]]:
    """Entries of truth.json for a file: one per FLC state."""
    entries: list[dict[str, object]] = []
    first = CORRUPTED if spec.controller else 0
    for state in sorted(set(truth.flc)):
        chosen = np.flatnonzero([s == state for s in truth.flc])
        entries.append(
            {
                "name": name,
                "cam": e.camera,
                "flc": state,
                "hwp": e.hwp,
                "cycle": e.cycle,
                "exptime": e.exptime,
                "nframes": len(chosen),
                "frame_index": (chosen + first).tolist(),
                "flipped": camera.flipped,
                "mjd_mid": float(e.mids[chosen].mean()),
                "pa": truth.parallactic[chosen].round(6).tolist(),
                "derotang": truth.derotation[chosen].round(6).tolist(),
                "derotang_mean": circular_mean(truth.derotation[chosen]),
                "mueller_row": truth.rows[chosen].mean(0).round(7).tolist(),
                "fields": {f.band: _field_truth(camera, f, truth, chosen) for f in camera.fields},
            }
        )
    return entries


def circular_mean(degrees: Real) -> float:
    """Mean direction in deg, safe across 180."""
    return float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(degrees)).mean())))


def _field_truth(
    camera: CameraModel, field: Field, truth: FrameTruth, chosen: NDArray[np.int64]
) -> dict[str, object]:
    y, x = (np.array(field.hotspot) + truth.offsets[chosen]).T
    renderer = field.renderer
    weight = truth.rows[chosen, :3] @ np.array(renderer.scene.star_stokes)
    flux = renderer.flux * weight * truth.transmission[chosen] * camera.throughput
    encircled = renderer.bank.encircled[truth.draws[chosen]].mean(1)
    strehl = renderer.bank.strehl[truth.draws[chosen]].mean(1)
    return {
        "x": x.round(4).tolist(),
        "y": camera.raw_rows(y).round(4).tolist(),
        "flux": flux.round(3).tolist(),
        "apflux": {
            f"{r:g}": (flux * encircled[:, j]).round(3).tolist() for j, r in enumerate(RADII)
        },
        "strehl": strehl.round(4).tolist(),
    }
