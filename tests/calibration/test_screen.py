"""Cosmic rays are masked; stars and noise, photon or amplified, are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from vampires.calibration.screen import screen
from vampires.images.alignment import Alignment
from vampires.images.coadd import coadd_frames
from vampires.io.frames import open_frames
from vampires.kernels.calibrate import PixelCalibration
from vampires.measure.psf import synthetic_psf

SIZE = 48


def calibration(gain: float, read_noise: float, excess: float, bad=None) -> PixelCalibration:
    flat = np.ones((SIZE, SIZE), np.float32)
    return PixelCalibration(
        background=200 * flat, scale=gain * flat, bad=flat < 0 if bad is None else bad, bias=200.0,
        read_noise=read_noise, excess_noise=excess, gain=gain, saturation=65535.0,
        background_variance=0 * flat, flat_variance=0 * flat,
    )  # fmt: skip


def write(path: Path, electrons: np.ndarray, gain: float) -> Path:
    raw = np.clip(np.rint(200 + electrons / gain), 0, 65535).astype(np.uint16)
    fits.PrimaryHDU(raw).writeto(path)
    return path


def frames(seed: int, n: int, amplified: bool, flux: float = 2000.0) -> np.ndarray:
    """A star with photon noise (amplified or not) and read noise, electrons."""
    rng = np.random.default_rng(seed)
    light = flux * synthetic_psf("750-50", 6.24, 140.4, SIZE).astype(float) + 0.3
    counts = rng.poisson(light, (n, SIZE, SIZE)).astype(float)
    if amplified:
        counts = np.where(counts > 0, rng.gamma(np.maximum(counts, 1)), 0.0)
    return counts + rng.normal(0, 0.3, counts.shape)


@pytest.mark.parametrize(("gain", "amplified"), [(0.1, False), (0.015, True)])
def test_noise_and_stars_are_left_alone(tmp_path, gain, amplified):
    cube = frames(1, 400, amplified)
    source = open_frames([write(tmp_path / "a.fits", cube, gain)])
    cal = calibration(gain, 0.3, np.sqrt(2) if amplified else 1.0)
    screened = screen(source, cal, 10.0).read(0, 400).native()
    assert (screened == source.read(0, 400).native()).all()


@pytest.mark.parametrize(("gain", "amplified"), [(0.1, False), (0.015, True)])
def test_cosmic_rays_are_found_and_lost_in_no_coadd(tmp_path, gain, amplified):
    cube = frames(2, 20, amplified)
    clean = open_frames([write(tmp_path / "clean.fits", cube, gain)])
    rng = np.random.default_rng(3)
    hit = np.zeros(cube.shape, bool)
    hit[rng.integers(0, 20, 60), rng.integers(1, SIZE - 1, 60), rng.integers(1, SIZE - 1, 60)] = (
        True
    )
    struck = np.where(hit, cube + 600, cube)
    source = open_frames([write(tmp_path / "struck.fits", struck, gain)])
    cal = calibration(gain, 0.3, np.sqrt(2) if amplified else 1.0)
    raw = screen(source, cal, 10.0).read(0, 20).native()
    found = raw != source.read(0, 20).native()
    assert found[hit].mean() > 0.95
    assert not found[~hit].any()
    settings = {
        "flip": False, "centers": np.full((1, 20, 2), (SIZE - 1) / 2), "keep": np.ones(20, bool),
        "size": (SIZE, SIZE),
    }  # fmt: skip
    wanted, masked, spoilt = (
        coadd_frames(Alignment.of_frames(frames, cal, **settings))
        for frames in (clean, screen(source, cal, 10.0), source)
    )
    assert np.isfinite(masked.data).all()
    error = np.sqrt(wanted.variance)
    quiet = ~hit.any(axis=0) | (found & hit).any(axis=0)
    assert np.abs((masked.data - wanted.data) / error)[0][quiet].max() < 5
    assert np.abs((spoilt.data - wanted.data) / error).max() > 20


def test_bands_of_rows_are_screened_as_whole_frames(tmp_path):
    cube = frames(4, 6, False)
    cube[3, 20, 20] += 500
    cal = calibration(0.1, 0.3, 1.0)
    source = screen(open_frames([write(tmp_path / "a.fits", cube, 0.1)]), cal, 10.0)
    whole = source.read(0, 6).native()
    assert whole[3, 20, 20] == 65535
    apart = np.array([0, 1, 5, 20, 22, SIZE - 1])
    for rows in (slice(0, 20), slice(20, 21), slice(21, SIZE), apart):
        assert (source.read(0, 6, rows).native() == whole[:, rows]).all()
    assert (source.select([False] * 3 + [True] * 3).read(0, 3).native() == whole[3:]).all()


def test_bad_pixels_are_neither_judged_nor_believed(tmp_path):
    cube = frames(5, 2, False, flux=0.0)
    bad = np.zeros((SIZE, SIZE), bool)
    bad[10, 10] = bad[10, 11] = True
    cube[:, 10, 10:12] = 4000
    cube[1, 11, 11] += 500
    source = open_frames([write(tmp_path / "a.fits", cube, 0.1)])
    changed = screen(source, calibration(0.1, 0.3, 1.0, bad), 10.0).read(0, 2).native()
    assert np.argwhere(changed != source.read(0, 2).native()).tolist() == [[1, 11, 11]]
