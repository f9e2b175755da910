"""What a perfect reduction of a simulated night would find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import map_coordinates

from vampires.simulate.cameras import RADII, CameraModel, Field, relative_fluxes
from vampires.simulate.frames import pupil_offset_angle
from vampires.simulate.light_path import LightPath
from vampires.simulate.scene import detector_to_sky
from vampires.simulate.spec import NightSpec
from vampires.simulate.writing import write_images

Real = NDArray[np.float64]
Cameras = Mapping[tuple[int, bool], CameraModel]
ORIENTATIONS = 6  # field rotations averaged for the truth images


def summary(
    spec: NightSpec,
    cameras: Cameras,
    files: list[dict[str, Any]],
    calibrations: list[dict[str, Any]],
) -> dict[str, Any]:
    """Contents of ``truth.json``.

    Positions are raw 0-based pixels, fluxes e-/s (``apflux``: the star in circles of some radii,
    px), angles deg, ``mueller_row`` the file's mean first Mueller row times 2, ``satspots`` the
    offsets ``(x, y)`` of the satellite spots from the star in calibrated px.
    """
    options = spec.options()
    facts = spec.generation.cameras
    fields = {f.band: f for camera in cameras.values() for f in camera.fields}
    degree, angle = spec.star_polarisation
    strehl = {band: _mean_strehl(files, band) for band in fields}
    return {
        "files": files,
        "calibs": calibrations,
        "stokes_sets": _stokes_sets(spec, files),
        "options": options,
        "fields": list(fields),
        "flipcam": next(k for k, camera in facts.items() if camera.flipped),
        "paoffset": {str(k): pupil_offset_angle(spec, k) for k in facts},
        "pxscale": {str(k): facts[k].pixel_scale for k in facts},
        "mueller_params": asdict(LightPath.named(spec.mueller)),
        "star": {
            "flux_per_camera": spec.flux,
            "relflux": relative_fluxes(spec),
            "Q": degree * float(np.cos(2 * np.deg2rad(angle))),
            "U": degree * float(np.sin(2 * np.deg2rad(angle))),
            "strehl_mean": strehl,
        },
        "disk": options["ring"],
        "binary": options["companion"],
        "planet": options["planet"],
        "detector": {str(k): asdict(spec.sensor(k)) for k in facts},
        "spots": _spots(fields) if spec.spots else None,
        "apradii": list(RADII),
    }


def _mean_strehl(files: list[dict[str, Any]], band: str) -> float:
    values = [e["fields"][band]["strehl"] for e in files if band in e["fields"]]
    return float(np.mean(np.concatenate(values)))


def _spots(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        band: {
            "ratio": f.renderer.bank.spot_ratio,
            "satspots": [[dx, dy] for dy, dx in f.renderer.bank.spots],
        }
        for band, f in fields.items()
    }


def _stokes_sets(spec: NightSpec, files: list[dict[str, Any]]) -> list[list[str]]:
    if spec.polarimetry == "none":
        return []
    return [
        list(dict.fromkeys(e["name"] for e in files if e["cycle"] == cycle))
        for cycle in range(spec.cycles)
    ]


def write_truth_images(
    spec: NightSpec, cameras: Cameras, files: list[dict[str, Any]], folder: Path
) -> None:
    """Write ``truth_det_camN.fits`` and ``truth_stokes[_BAND].fits``."""
    for (number, swapped), camera in sorted(cameras.items()):
        if not swapped:
            _write_detector(camera, folder / f"truth_det_cam{number}.fits")
    derotations = np.unwrap([e["derotang_mean"] for e in files if e["cam"] == 1], period=360)
    done = set()
    for (number, _), camera in sorted(cameras.items()):
        for field in camera.fields:
            if number == 1 and field.band not in done:
                done.add(field.band)
                suffix = f"_{field.band}" if spec.bands != "single" else ""
                _write_stokes(spec, field, derotations, folder / f"truth_stokes{suffix}.fits")


def _write_detector(camera: CameraModel, path: Path) -> None:
    pixels = camera.pixels
    images = [
        fits.ImageHDU(pixels.flat.astype(np.float32), name="FLAT"),
        fits.ImageHDU(pixels.dark_rate.astype(np.float32), name="DARKRATE"),
        fits.ImageHDU(pixels.bad.astype(np.uint8), name="BADPIX"),
    ]
    write_images(path, fits.PrimaryHDU(), images)


def _write_stokes(spec: NightSpec, field: Field, derotations: Real, path: Path) -> None:
    """North-up Stokes images at camera 1's pixel scale, the star at the image centre."""
    y, x = _centred(spec.size)
    renderer = field.renderer
    east, north = detector_to_sky(y, x, 0.0, renderer.pixel_scale)
    area = (renderer.pixel_scale / 1000) ** 2
    model = renderer.flux * area * renderer.scene.extended(east, north)
    stokes, star = _mean_sky_images(spec, field, derotations)
    cards = {"BUNIT": "e-/s", "FIELD": field.band, "PIXSCALE": renderer.pixel_scale}
    planes = fits.Header({"PLANES": "I,Q,U,QPHI,UPHI", **cards})
    primary = fits.PrimaryHDU(_with_azimuthal(stokes, east, north), planes)
    images = [
        fits.ImageHDU(_with_azimuthal(model, east, north), planes, name="MODEL"),
        fits.ImageHDU(star.astype(np.float32), fits.Header(cards), name="STAR"),
    ]
    write_images(path, primary, images)


def _centred(size: int) -> tuple[Real, Real]:
    axis = np.arange(size) - (size - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return y, x


def _with_azimuthal(stokes: Real, east: Real, north: Real) -> NDArray[np.float32]:
    """Append Q_phi and U_phi."""
    i, q, u = stokes
    angle = 2 * np.arctan2(east, north)
    q_phi = -q * np.cos(angle) - u * np.sin(angle)
    u_phi = q * np.sin(angle) - u * np.cos(angle)
    return np.stack([i, q, u, q_phi, u_phi]).astype(np.float32)


def _mean_sky_images(spec: NightSpec, field: Field, derotations: Real) -> tuple[Real, Real]:
    """Blur resolved sources ``(3, ny, nx)`` and star by the mean image; north up, e-/s.

    The image of a point is fixed to the detector and so turns on the sky: the mean over the
    night's field rotation is taken.
    """
    renderer, bank = field.renderer, field.renderer.bank
    axis = np.fft.fftfreq(bank.size, 1 / bank.size)
    x, y = np.meshgrid(axis, axis)
    otf = bank.off_axis.mean(0)
    area = (renderer.pixel_scale / 1000) ** 2
    chosen = np.quantile(derotations, (np.arange(ORIENTATIONS) + 0.5) / ORIENTATIONS)
    stokes, star = np.zeros((3, spec.size, spec.size)), np.zeros((spec.size, spec.size))
    for angle in chosen:
        sky = renderer.scene.extended(*detector_to_sky(y, x, angle, renderer.pixel_scale))
        for k in range(3):
            stokes[k] += _derotate(rfft2(sky[k] * area) * otf, bank.size, angle, spec.size)
        star += _derotate(bank.on_axis.mean(0), bank.size, angle, spec.size)
    return stokes * renderer.flux / ORIENTATIONS, star * renderer.flux / ORIENTATIONS


def _derotate(spectrum: NDArray[np.complex128], n: int, angle: float, size: int) -> Real:
    """Image of a spectrum about the origin, turned counter-clockwise by ``angle`` deg.

    Twofold Fourier oversampling and quintic splines: exact to 1e-5 for a band-limited image.
    """
    fine = np.zeros((2 * n, n + 1), complex)
    half = n // 2
    fine[:half, : half + 1] = spectrum[:half, : half + 1]
    fine[-half:, : half + 1] = spectrum[-half:, : half + 1]
    image = irfft2(fine, s=(2 * n, 2 * n)) * 4
    y, x = _centred(size)
    a = np.deg2rad(angle)
    # the pixel that lands at (x, y) comes from the clockwise-turned place
    xs, ys = np.cos(a) * x + np.sin(a) * y, -np.sin(a) * x + np.cos(a) * y
    return np.asarray(map_coordinates(image, [2 * ys, 2 * xs], order=5, mode="grid-wrap"))
