"""Covariances by compiled loops against plain matrix algebra."""

import numpy as np

from vampires.kernels.covariance import add_radial, pack, pair, transform, unpack


def symmetric(rng, k, shape):
    root = rng.normal(size=(k, k, *shape))
    return np.einsum("abyx,cbyx->acyx", root, root).astype(np.float32)


def test_transform_is_matrix_algebra():
    rng = np.random.default_rng(1)
    covariance, matrix = symmetric(rng, 4, (5, 7)), rng.normal(size=(4, 4))
    expected = np.einsum("ac,cdyx,bd->abyx", matrix, covariance, matrix)
    out = transform(matrix, pack(covariance))
    np.testing.assert_allclose(unpack(out), expected, rtol=2e-6, atol=1e-5)


def test_each_pair_is_kept_once():
    covariance = symmetric(np.random.default_rng(4), 5, (2, 3))
    packed = pack(covariance)
    assert len(packed) == 15
    np.testing.assert_array_equal(unpack(packed), covariance)
    np.testing.assert_array_equal(packed[pair(3, 1, 5)], covariance[1, 3])


def test_a_zero_coefficient_does_not_spread_nan():
    rng = np.random.default_rng(2)
    covariance = symmetric(rng, 3, (4, 4))
    covariance[2, :, 1, 1] = covariance[:, 2, 1, 1] = np.nan
    matrix = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    out = unpack(transform(matrix, pack(covariance)))
    assert np.isfinite(out[:2, :2]).all()
    assert np.isnan(out[2, :, 1, 1]).all()
    assert np.isnan(out).sum() == 5


def test_radial_covariances_are_interpolated():
    rng = np.random.default_rng(3)
    table = symmetric(rng, 4, (9, 1))[..., 0].astype(float)
    place = rng.uniform(0, 8, (6, 5)).astype(np.float32)
    place[0, 0], place[0, 1] = 0, 8
    scale, out = rng.random((6, 5)).astype(np.float32), np.ones((10, 6, 5), np.float32)
    add_radial(out, pack(table), place, scale)
    for k, m in np.ndindex(4, 4):
        expected = 1 + scale * np.interp(place, np.arange(9), table[k, m])
        np.testing.assert_allclose(out[pair(k, m)], expected, atol=1e-5)
