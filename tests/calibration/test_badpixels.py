"""Bad pixels: injected ones found, noise left alone."""

from __future__ import annotations

import numpy as np
import pytest

from vampires.calibration.badpixels import (
    hot_pixels,
    local_median,
    noisy_pixels,
    robust_sigma,
    unresponsive_pixels,
)

SIZE = 400
NFRAMES = 20


def stack(rng: np.random.Generator, sigma: float = 20.0) -> np.ndarray:
    return rng.normal(150.0, sigma, (NFRAMES, SIZE, SIZE)).astype(np.float32)


def planes(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, its error, and mean and variance of the two halves of the frames."""
    halves = np.stack([frames[0::2].mean(0), frames[1::2].mean(0)])
    variances = np.stack([frames[0::2].var(0, ddof=1), frames[1::2].var(0, ddof=1)])
    error = frames.std(0, ddof=1) / np.sqrt(len(frames))
    return frames.mean(0), error, halves, variances


def scatter(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pixels."""
    return np.unravel_index(rng.choice(SIZE * SIZE, n, replace=False), (SIZE, SIZE))


def test_robust_sigma_ignores_outliers() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 3.0, 100_000)
    values[:500] = 1e6
    assert robust_sigma(values) == pytest.approx(3.0, rel=0.03)
    assert robust_sigma(np.array([np.nan])) == 0.0


def test_local_median_keeps_edges_and_drops_clusters() -> None:
    image = np.zeros((40, 40), np.float32)
    image[:, 20:] = 100.0
    smooth = local_median(image)
    assert np.array_equal(smooth, image)
    image[10:13, 5:8] = 1e4
    assert local_median(image).max() == 100.0


def test_hot_pixels_above_six_sigma_are_found() -> None:
    """Excesses from 6 sigma of the master up, evenly in the logarithm: 99 % are found."""
    rng = np.random.default_rng(2)
    frames = stack(rng)
    y, x = scatter(rng, 800)
    sigma = 20.0 / np.sqrt(NFRAMES)
    frames[:, y, x] += (sigma * 10 ** rng.uniform(np.log10(6), 3, 800)).astype(np.float32)
    master, error, halves, _ = planes(frames)
    found = hot_pixels(master, error, halves)
    assert found[y, x].mean() >= 0.99
    others = found.copy()
    others[y, x] = False
    assert others.sum() <= 8


def test_a_single_pixel_is_found_as_well_as_a_cluster() -> None:
    rng = np.random.default_rng(3)
    frames = stack(rng)
    frames[:, 50, 60] += 200
    frames[:, 100:103, 100:103] += 200
    found = hot_pixels(*planes(frames)[:3])
    assert found[50, 60]
    assert found[100:103, 100:103].all()


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_pure_noise_has_almost_no_false_positives(seed: int) -> None:
    """7e-6 of 160 000 Gaussian pixels is one; allow its Poisson scatter."""
    rng = np.random.default_rng(seed)
    master, error, halves, variances = planes(stack(rng))
    flagged = hot_pixels(master, error, halves) | noisy_pixels(variances, NFRAMES)
    assert flagged.sum() <= 5


def test_a_cosmic_ray_in_one_frame_is_no_hot_pixel() -> None:
    rng = np.random.default_rng(7)
    frames = stack(rng)
    y, x = scatter(rng, 200)
    frames[rng.integers(0, NFRAMES, 200), y, x] += 2000
    master, error, halves, variances = planes(frames)
    assert hot_pixels(master, error)[y, x].all()  # the mean alone cannot tell
    assert not hot_pixels(master, error, halves)[y, x].any()
    assert not noisy_pixels(variances, NFRAMES)[y, x].any()


def test_hot_pixels_on_a_sky_gradient() -> None:
    rng = np.random.default_rng(8)
    gradient = np.linspace(0, 300, SIZE, dtype=np.float32)[None, :]
    frames = stack(rng) + gradient
    y, x = scatter(rng, 100)
    frames[:, y, x] += 100
    found = hot_pixels(*planes(frames)[:3])
    assert found[y, x].mean() >= 0.99
    assert found.sum() - found[y, x].sum() <= 5


def test_noisy_and_stuck_pixels() -> None:
    rng = np.random.default_rng(9)
    frames = stack(rng)
    frames[:, 30, 30] = 150 + 10 * (frames[:, 30, 30] - 150)
    frames[:, 40, 40] = 150
    flagged = noisy_pixels(planes(frames)[3], NFRAMES)
    assert flagged[30, 30]
    assert flagged[40, 40]
    assert not noisy_pixels(planes(frames)[3], 5).any()


def test_noiseless_master_flags_what_differs() -> None:
    master = np.full((20, 20), 150.0, np.float32)
    master[4, 5] = 151
    assert np.argwhere(hot_pixels(master, np.zeros_like(master))).tolist() == [[4, 5]]


def test_dead_and_weak_pixels_of_a_flat() -> None:
    rng = np.random.default_rng(10)
    flat = rng.normal(1000, 30, (SIZE, SIZE)).astype(np.float32)
    error = np.full_like(flat, 20.0)
    y, x = scatter(rng, 300)
    flat[y, x] *= np.repeat([0.0, 0.5, 1.6], 100).astype(np.float32)
    lit = np.ones(flat.shape, bool)
    found = unresponsive_pixels(flat, error, lit, local_median(flat))
    assert found[y, x].all()
    assert found.sum() == 300
    assert not unresponsive_pixels(flat, error, ~lit, local_median(flat)).any()
