"""Cut-outs and window statistics, against plain numpy and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vampires.io.frames import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate, calibration_planes
from vampires.kernels.windows import (
    brightest,
    centre_of_mass,
    cut_stamps,
    fill_holes,
    measure_windows,
    smooth_window,
    window_statistics,
)


def calibration(ny, nx, rng, bad_pixels=3):
    bad = np.zeros((ny, nx), bool)
    bad.flat[rng.choice(ny * nx, bad_pixels, replace=False)] = True
    return PixelCalibration(
        background=rng.uniform(190, 210, (ny, nx)).astype(np.float32),
        scale=rng.uniform(0.9, 1.1, (ny, nx)).astype(np.float32),
        bad=bad,
        bias=200.0,
        read_noise=0.4,
        excess_noise=1.0,
        gain=0.1,
        saturation=60000.0,
        background_variance=np.zeros((ny, nx), np.float32),
        flat_variance=np.zeros((ny, nx), np.float32),
    )


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("corner", [(3, 5), (-4, -2), (14, 20)])
def test_stamp_is_a_piece_of_the_calibrated_frame(flip, big_endian, corner):
    rng = np.random.default_rng(1)
    raw = rng.integers(150, 62000, (2, 20, 26)).astype(np.uint16)
    cal = calibration(20, 26, rng)
    whole = calibrate(RawBlock(raw, False), cal, flip=flip, repair=True)
    numbers = (raw ^ np.uint16(0x8000)).byteswap() if big_endian else raw
    planes = calibration_planes(cal)
    stamps = cut_stamps(numbers, big_endian, 0, planes, corner, 9, flip)
    for stamp, frame in zip(stamps, whole, strict=True):
        padded = np.pad(frame, ((0, 0), (9, 9), (9, 9)), constant_values=np.nan)
        y, x = corner[0] + 9, corner[1] + 9
        np.testing.assert_array_equal(stamp, padded[:, y : y + 9, x : x + 9])


def test_band_of_rows_gives_the_same_stamp():
    rng = np.random.default_rng(2)
    raw = rng.integers(150, 900, (1, 40, 30)).astype(np.uint16)
    planes = calibration_planes(calibration(40, 30, rng, 20))
    whole = cut_stamps(raw, False, 0, planes, (12, 8), 11, True)
    low, high = 40 - 12 - 11 - 2, 40 - 12 + 2
    band = cut_stamps(raw[:, low:high], False, low, planes, (12, 8), 11, True)
    np.testing.assert_array_equal(whole[0], band[0])
    np.testing.assert_array_equal(whole[1], band[1])


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.6))
def test_statistics_are_those_of_the_good_pixels(seed, part):
    rng = np.random.default_rng(seed)
    window = rng.normal(5, 3, (7, 9)).astype(np.float32)
    window[rng.random(window.shape) < part] = np.nan
    if np.isnan(window).all():
        window[0, 0] = 1
    good = window[np.isfinite(window)].astype(float)
    expected = good.max(), good.sum(), good.mean(), np.median(good), good.var()
    np.testing.assert_allclose(window_statistics(window), expected, rtol=1e-10, atol=1e-10)


def test_window_without_a_good_pixel_has_no_statistics():
    assert np.isnan(window_statistics(np.full((5, 5), np.nan))).all()


def test_smoothing_is_the_binomial_kernel_with_normalised_weights():
    rng = np.random.default_rng(3)
    window = rng.normal(size=(12, 15))
    window[4, 5] = np.nan
    taps = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    good = np.isfinite(window)
    expected = ndimage.convolve(np.where(good, window, 0), taps, mode="constant")
    expected /= ndimage.convolve(good.astype(float), taps, mode="constant")
    out = np.empty(window.shape)
    smooth_window(window, out)
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_holes_take_the_mean_of_their_nearest_good_neighbours():
    window = np.arange(25.0).reshape(5, 5)
    window[2, 2] = np.nan
    out = np.empty(window.shape)
    assert fill_holes(window, out) == 1
    assert out[2, 2] == pytest.approx(12.0)
    np.testing.assert_array_equal(np.delete(out.ravel(), 12), np.delete(window.ravel(), 12))
    assert fill_holes(np.full((3, 3), np.nan), out[:3, :3]) == 9
    assert np.isnan(out[:3, :3]).all()


def gaussian(shape, y, x, sigma=1.4):
    yy, xx = np.indices(shape)
    return np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * sigma**2))


@settings(deadline=None)  # the first call compiles
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-50, 50))
def test_centre_of_mass_does_not_feel_a_flat_background(dy, dx, background):
    window = 1000 * gaussian((21, 21), 10 + dy, 10 + dx) + background
    y, x = centre_of_mass(window, background + 1e-9)
    assert (y, x) == pytest.approx((10 + dy, 10 + dx), abs=1e-6)


def test_nothing_above_the_floor_has_no_centre():
    assert np.isnan(centre_of_mass(np.zeros((5, 5)), 1.0)).all()


def test_brightest_follows_the_star_and_stays_within_reach():
    stamps = np.zeros((1, 3, 41, 41), np.float32)
    for k, (y, x) in enumerate([(20, 20), (12, 28), (20, 33)]):
        stamps[0, k] = 100 * gaussian((41, 41), y, x)
    stamps[0, :, 22, 14] = 150.0  # a hot pixel, brighter than the star
    peaks = brightest(stamps, 10)
    np.testing.assert_array_equal(peaks[:2], [[20, 20], [12, 28]])
    assert np.abs(peaks[2] - 20).max() <= 10


def test_four_spots_outvote_a_speckle_beside_one():
    stamps = np.stack([gaussian((41, 41), 23, 18)[None] for _ in range(4)])
    stamps[0, 0] += 3 * gaussian((41, 41), 14, 26)
    np.testing.assert_array_equal(brightest(stamps, 10), [[23, 18]])


def test_windows_are_measured_where_the_star_is():
    stamp = (500 * gaussian((41, 41), 24.3, 17.8) + 7).astype(np.float32)[None]
    row = measure_windows(stamp, np.array([[24, 18]]), 10)[0]
    window = stamp[0, 14:35, 8:29].astype(float)
    expected = window.max(), window.sum(), window.mean(), np.median(window), window.var()
    np.testing.assert_allclose(row[:5], expected, rtol=1e-9)
    np.testing.assert_allclose(row[5:7], (24.3, 17.8), atol=0.02)
    np.testing.assert_array_equal(row[7:9], (24, 18))
