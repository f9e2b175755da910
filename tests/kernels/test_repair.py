"""Bad pixels rebuilt from neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import j1

from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate
from vampires.kernels.repair import REACH, kriging_weights, repair_table


def airy(shape, center, resolution):
    y, x = np.indices(shape)
    radius = np.pi * np.hypot(y - center[0], x - center[1]) / resolution
    radius = np.maximum(radius, 1e-9)
    return (2 * j1(radius) / radius) ** 2


def simple_calibration(bad, saturation=60000.0):
    one = np.ones(bad.shape, np.float32)
    return PixelCalibration(100 * one, one, bad, 100.0, 5.0, 1.0, 1.0, saturation, 0 * one, 0 * one)


def repaired(frame, bad, **settings):
    block = RawBlock(frame[None].astype(np.float32), big_endian=False)
    data, variance = calibrate(block, simple_calibration(bad, **settings), flip=False, repair=True)
    return data[0], variance[0]


def test_weights_sum_to_one_and_follow_the_symmetry():
    offsets = np.argwhere(np.ones((5, 5), bool)) - REACH
    offsets = offsets[np.any(offsets != 0, axis=1)].astype(float)
    weights = kriging_weights(offsets)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(weights, weights[::-1], atol=1e-10)
    assert (weights**2).sum() < 2  # noise of a rebuilt pixel: at most 1.4 of a neighbour's


@pytest.mark.parametrize(("resolution", "tolerance"), [(2.6, 0.015), (3.4, 0.008)])
def test_psf_is_rebuilt(resolution, tolerance):
    rng = np.random.default_rng(1)
    bad = np.zeros((21, 21), bool)
    bad[10, 10] = True
    for _ in range(50):
        truth = airy(bad.shape, 10 + rng.uniform(-5, 5, 2), resolution) * 10000
        frame = truth + 100
        frame[10, 10] = 65535
        data, _ = repaired(frame, bad)
        assert abs(data[10, 10] - truth[10, 10]) < tolerance * 10000


def test_constant_stays_constant_with_a_good_pixels_variance():
    bad = np.zeros((30, 30), bool)
    bad[[0, 0, 29, 12, 13, 20], [0, 15, 29, 5, 5, 20]] = True
    bad[:, 25] = True
    data, variance = repaired(np.full((30, 30), 150.0), bad)
    np.testing.assert_allclose(data, 50, rtol=1e-5)
    np.testing.assert_allclose(variance, 75, rtol=1e-5)


def test_middle_of_a_cluster_stays_masked():
    bad = np.zeros((20, 20), bool)
    bad[5:10, 5:10] = True
    data, variance = repaired(np.full((20, 20), 150.0), bad)
    assert np.isnan(data[6:9, 6:9]).all()
    assert np.isnan(variance[6:9, 6:9]).all()
    np.testing.assert_array_equal(np.isnan(data), np.isnan(variance))
    assert np.isfinite(data[~bad]).all()


def test_nothing_is_rebuilt_from_saturated_pixels():
    bad = np.zeros((9, 9), bool)
    bad[4, [1, 4]] = True
    frame = np.full((9, 9), 150.0)
    frame[4, 6] = 61000
    data, _ = repaired(frame, bad)
    assert np.argwhere(np.isnan(data)).tolist() == [[4, 4], [4, 6]]
    assert data[4, 1] == pytest.approx(50, rel=1e-5)


def test_table_lists_rows_in_order():
    bad = np.random.default_rng(2).random((40, 50)) < 0.05
    table = repair_table(bad)
    rows = np.repeat(np.arange(40), np.diff(table.row_start))
    np.testing.assert_array_equal(np.stack([rows, table.column]).T, np.argwhere(bad))
    assert not bad[table.neighbor_row, table.neighbor_column].any()
    assert np.abs(table.neighbor_row - np.repeat(rows, np.diff(table.first))).max() == REACH
    masked = repair_table(bad, rebuild=False)
    assert masked.first.max() == 0
    assert repair_table(np.zeros((3, 3), bool)).row_start.tolist() == [0, 0, 0, 0]
