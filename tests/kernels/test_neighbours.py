"""Medians of neighbours against scipy and numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vampires.kernels.neighbours import of_eight, running_median
from vampires.kernels.rings import ring_sums


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(4, 700), st.sampled_from([3, 5, 7]), st.integers(0, 9))
def test_running_median_is_that_of_scipy(ny, nx, size, seed):
    image = np.random.default_rng(seed).normal(size=(ny + size, nx + size)).astype(np.float32)
    for axis, shape in ((0, (size, 1)), (1, (1, size))):
        expected = ndimage.median_filter(image, shape, mode="mirror")
        np.testing.assert_array_equal(running_median(image, size, axis), expected)


def test_neighbours_are_those_of_numpy():
    rng = np.random.default_rng(3)
    image = rng.normal(size=(15, 18))
    image[rng.random(image.shape) < 0.3] = np.nan
    image[:3, :3] = np.nan
    padded = np.pad(image, 1, constant_values=np.nan)
    around = [
        padded[1 + i : 16 + i, 1 + j : 19 + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
    ]
    middle, mean = of_eight(image, -7.0)
    alone = np.isnan(around).all(axis=0)
    assert alone[0, 0]
    np.testing.assert_allclose(middle[~alone], np.nanmedian(np.array(around)[:, ~alone], axis=0))
    np.testing.assert_allclose(mean[~alone], np.nanmean(np.array(around)[:, ~alone], axis=0))
    assert (middle[alone] == -7.0).all()
    assert (mean[alone] == -7.0).all()


def test_ring_sums_are_those_of_masks():
    rng = np.random.default_rng(4)
    image = rng.normal(size=(60, 70))
    image[20:25, 30:33] = np.nan
    center, inner, width = (25.3, 31.8), 4.0, 2.5
    number, total, way = ring_sums(image, center, inner, width, 6, 4)
    y, x = np.indices(image.shape)
    dy, dx = y - center[0], x - center[1]
    r, quadrant = np.hypot(dy, dx), ((np.arctan2(dy, dx) / (2 * np.pi) + 0.5) * 4).astype(int) % 4
    for ring in range(6):
        for sector in range(4):
            inside = np.isfinite(image) & (quadrant == sector)
            inside &= (r >= inner + ring * width) & (r < inner + (ring + 1) * width)
            assert number[ring, sector] == inside.sum()
            assert total[ring, sector] == pytest.approx(image[inside].sum())
            assert way[ring, sector] == pytest.approx(r[inside].sum())
