"""Error planes of coadds agree with the scatter over noise realisations of the whole chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vampires.cube import CameraCube
from vampires.images.recenter import shift
from vampires.io.frames import FrameSource
from vampires.measure.psf import header_psf
from vampires.simulate import NightSpec
from vampires.simulate.cube import simulate_cube

FRAMES, SIZE, WIDTH, NIGHTS = 17, 64, 48, 80
STAR, SKY = 60_000.0, 300.0  # electrons in a frame, and in each of its pixels


@pytest.fixture(name="cube", scope="module")
def fixture_cube(tmp_path_factory):
    path = tmp_path_factory.mktemp("ensemble") / "VMPA00000001.fits"
    simulate_cube(NightSpec.preset("imaging", size=SIZE), path, FRAMES)
    return CameraCube.open([path])


def expected_electrons(cube, rng):
    """Moving star on sky, raw orientation, (n, ny, nx)."""
    psf = header_psf(cube.header, cube.fields[0], 63).astype(float)
    plane = np.pad(psf, ((0, 1), (0, 1)))
    frames = []
    for dy, dx in rng.uniform(-1.5, 1.5, (FRAMES, 2)):
        moved, _ = shift(plane, plane, dy, dx)
        frames.append(SKY + STAR * np.nan_to_num(moved).clip(0))
    return np.array(frames)


def realisations(cube, method, transmission):
    """Coadds and variances of many nights that differ in their noise only."""
    rng = np.random.default_rng(11)
    light = expected_electrons(cube, rng) * transmission[:, None, None]
    gain, noise, bias = (cube.header[key] for key in ("EFFGAIN", "RN", "BIAS"))
    data, variance = [], []
    for _ in range(NIGHTS):
        electrons = rng.poisson(light) + rng.normal(0, noise, light.shape)
        raw = np.round(bias + electrons / gain).clip(0, 65535).astype(np.uint16)
        night = replace(cube, source=FrameSource.from_array(raw, cube.source.paths[0]))
        image = night.measure().register("dft").coadd(
            method, crop_width=WIDTH, pad=False, recenter=None
        )  # fmt: skip
        data.append(image.data[0])
        variance.append(image.variance[0])
    return np.array(data), np.array(variance)


@pytest.mark.parametrize("method", ["mean", "median", "varmean"])
def test_errors_are_the_scatter(cube, method):
    """To 7 % away from the star, to 15 % on it, where the centroid's noise comes in."""
    transmission = np.ones(FRAMES) if method != "varmean" else np.linspace(0.6, 1.4, FRAMES)
    data, variance = realisations(cube, method, transmission)
    ratio = data.std(axis=0, ddof=1) / np.sqrt(variance.mean(axis=0))
    y, x = np.indices(ratio.shape) - (WIDTH - 1) / 2
    radius = np.hypot(y, x)
    inside = np.maximum(abs(y), abs(x)) < WIDTH / 2 - 6
    away, on_star = ratio[inside & (radius > 12)], ratio[radius < 3]
    assert np.sqrt((away**2).mean()) == pytest.approx(1, abs=0.07)
    assert np.sqrt((on_star**2).mean()) == pytest.approx(1, abs=0.15)
