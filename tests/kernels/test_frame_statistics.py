"""Statistics of frames and the rows they are taken from, against plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.io.frames import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate, calibration_planes
from vampires.kernels.frame_statistics import frame_statistics, row_weights


def calibration(ny, nx, rng, bad=0.02, level=200.0):
    return PixelCalibration(
        background=rng.uniform(level - 10, level + 10, (ny, nx)).astype(np.float32),
        scale=rng.uniform(0.9, 1.1, (ny, nx)).astype(np.float32),
        bad=rng.random((ny, nx)) < bad,
        bias=200.0,
        read_noise=0.4,
        excess_noise=1.0,
        gain=0.1,
        saturation=60000.0,
        background_variance=np.zeros((ny, nx), np.float32),
        flat_variance=np.zeros((ny, nx), np.float32),
    )


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 600), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 60)), max_size=4)
)
def test_every_row_is_stood_for(ny, stamps):
    needed = np.zeros(ny, bool)
    for low, height in stamps:
        needed[low : low + height] = True
    weights = row_weights(needed)
    assert weights.sum() == pytest.approx(ny)
    np.testing.assert_array_equal(weights[needed], 1)
    assert ((weights == 0) | (weights >= 1)).all()
    left = np.count_nonzero(~needed)
    if left <= 24:
        np.testing.assert_array_equal(weights, 1)
    looked_at = np.flatnonzero(weights)
    assert np.diff(looked_at, prepend=-1, append=ny).max() <= max(96, left / 6)


@pytest.mark.parametrize("kind", ["little", "big", "float"])
def test_same_as_numpy_on_the_calibrated_rows(kind):
    rng = np.random.default_rng(4)
    raw = rng.poisson(1500, (5, 40, 33)).astype(np.uint16)
    raw[1, 6, 4:20] = 65535
    raw[2, 30] = 60000  # a whole row, neither looked at
    cal = calibration(40, 33, rng)
    data = calibrate(RawBlock(raw, False), cal, flip=False)[0].astype(float)
    rows = np.array([0, 3, 4, 5, 6, 7, 8, 9, 20, 21, 39])
    weights = np.array([1, 1, 1, 1, 1, 1, 1, 2.5, 2.5, 4.0, 4.0])
    held = {
        "little": raw,
        "big": (raw ^ np.uint16(0x8000)).byteswap(),
        "float": np.where(raw == 65535, np.nan, raw).astype(np.float32),
    }[kind]
    planes = calibration_planes(cal)
    found = frame_statistics(held[:, rows].copy(), kind == "big", rows, weights, planes)
    values = data[:, rows]
    good = np.isfinite(values)
    share = good * weights[:, None]
    mean = np.average(np.where(good, values, 0), axis=(1, 2), weights=share)
    square = np.where(good, values - mean[:, None, None], 0) ** 2
    np.testing.assert_array_equal(found[:, 0], np.nanmax(values, axis=(1, 2)))
    np.testing.assert_allclose(found[:, 1], mean, rtol=1e-6)
    np.testing.assert_allclose(found[:, 2], np.average(square, axis=(1, 2), weights=share), 1e-4)
    saturated = (~good & ~cal.bad[rows]).sum(axis=2) @ weights
    assert saturated[1] > 10
    np.testing.assert_array_equal(found[:, 3], saturated)


def test_photon_noise_of_a_bright_sky_keeps_its_variance():
    """It is the small difference of two large numbers."""
    rng = np.random.default_rng(5)
    raw = np.rint(rng.poisson(5800, (2, 300, 300)) / 0.1).astype(np.uint16)
    one = np.ones((300, 300), np.float32)
    cal = replace(
        calibration(300, 300, rng, bad=0), background=0 * one, scale=np.float32(0.1) * one,
        saturation=65535.0,
    )  # fmt: skip
    rows = np.arange(300)
    found = frame_statistics(raw, False, rows, np.ones(300), calibration_planes(cal))
    np.testing.assert_allclose(found[:, 1], 0.1 * raw.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found[:, 2], 0.01 * raw.var(axis=(1, 2)), rtol=1e-3)


def test_frame_without_a_good_pixel_has_no_level():
    rng = np.random.default_rng(6)
    raw = np.full((1, 8, 9), 65535, np.uint16)
    cal = calibration(8, 9, rng, bad=0.3)
    found = frame_statistics(raw, False, np.arange(8), np.ones(8), calibration_planes(cal))
    assert np.isnan(found[0, :3]).all()
    assert found[0, 3] == (~cal.bad).sum()
