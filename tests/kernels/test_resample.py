"""Shift, rotation and affine resampling: conventions, accuracy, masks, variance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vampires.kernels.covariance import pack
from vampires.kernels.resample import affine, rotate, rotate_smooth, shift
from vampires.kernels.sinc import MIN_WEIGHT, TAPS, exact_weights, sinc_weights
from vampires.kernels.sums import sums_covariance, weighted_sums

SIZE = 61
CENTER = (SIZE - 1) / 2


def gaussian(y=CENTER, x=CENTER, sigma=1.6, shape=(SIZE, SIZE)):
    rows, columns = np.indices(shape)
    radius = (rows - y) ** 2 + (columns - x) ** 2
    return np.exp(-radius / (2 * sigma**2)).astype(np.float32)


def centroid(image):
    rows, columns = np.indices(image.shape)
    good = np.isfinite(image)
    total = image[good].sum(dtype=float)
    return (
        (rows[good] * image[good]).sum(dtype=float) / total,
        (columns[good] * image[good]).sum(dtype=float) / total,
    )


def weights_at(fraction):
    weights = np.empty(TAPS, np.float32)
    sinc_weights(fraction, weights)
    return weights


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_weights_keep_constants_and_lines(fraction):
    weights = weights_at(fraction)
    assert weights.sum(dtype=float) == pytest.approx(1, abs=1e-6)
    assert weights @ np.arange(-3, 5) == pytest.approx(fraction, abs=2e-6)
    np.testing.assert_allclose(weights, exact_weights(np.array([fraction]))[0], atol=3e-6)
    np.testing.assert_allclose(weights, weights_at(1 - fraction)[::-1], atol=3e-6)


@pytest.mark.parametrize(("frequency", "tolerance"), [(0.1, 3e-3), (0.2, 2e-3), (0.29, 8e-3)])
def test_weights_pass_what_the_telescope_passes(frequency, tolerance):
    """Error of the transfer function, in cycles per pixel; the cutoff is at 0.29 to 0.38."""
    fractions = np.linspace(0, 1, 21)
    phase = np.exp(2j * np.pi * frequency * (np.arange(-3, 5) - fractions[:, None]))
    transfer = (exact_weights(fractions) * phase).sum(axis=1)
    assert np.abs(transfer - 1).max() < tolerance


def test_weights_at_a_pixel_are_that_pixel():
    np.testing.assert_array_equal(weights_at(0.0), np.eye(TAPS)[3])


@settings(max_examples=40, deadline=None)
@given(dy=st.floats(-3, 3), dx=st.floats(-3, 3))
def test_shift_moves_the_centroid_and_keeps_the_flux(dy, dx):
    image = gaussian()
    moved, _ = shift(image, image, dy, dx)
    assert np.nansum(moved) == pytest.approx(image.sum(), rel=1e-4)
    np.testing.assert_allclose(centroid(moved), (CENTER + dy, CENTER + dx), atol=0.002)
    truth = gaussian(CENTER + dy, CENTER + dx)
    assert np.nanmax(np.abs(moved - truth)) < 2e-3


def test_whole_shift_copies_pixels():
    image = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    moved, variance = shift(image, image**2, 3, -5)
    np.testing.assert_array_equal(moved[3:, :-5], image[:-3, 5:])
    np.testing.assert_array_equal(variance[3:, :-5], image[:-3, 5:] ** 2)
    assert np.isnan(moved[:3]).all()
    assert np.isnan(moved[:, -5:]).all()


@pytest.mark.parametrize(("order", "tolerance"), [(3, 2.5e-2), (5, 6e-3)])
def test_shift_agrees_with_spline_interpolation(order, tolerance):
    """On a star field of FWHM 3.8 px, relative to the peak; splines err more than we do."""
    image = gaussian() + 0.5 * gaussian(20.3, 41.8)
    moved, _ = shift(image, image, 0.43, -1.27)
    expected = ndimage.shift(image.astype(float), (0.43, -1.27), order=order)
    inner = (slice(6, -6), slice(6, -6))
    np.testing.assert_allclose(moved[inner], expected[inner], atol=tolerance)


@pytest.mark.parametrize(
    ("angle", "place"), [(90, (-1, 0)), (180, (0, 1)), (-90, (1, 0)), (270, (1, 0)), (0, (0, -1))]
)
@pytest.mark.parametrize("size", [20, 21])
def test_rotation_turns_left_to_below(angle, place, size):
    center = (size - 1) / 2
    image = gaussian(center, center - 5, shape=(size, size))
    turned, _ = rotate(image, image, angle)
    np.testing.assert_allclose(
        centroid(turned), (center + 5 * place[0], center + 5 * place[1]), atol=0.01
    )


@settings(max_examples=15, deadline=None)
@given(st.floats(-180, 180))
def test_rotation_and_back(angle):
    image = gaussian(CENTER + 4, CENTER - 7) + 0.3 * gaussian(CENTER - 9, CENTER + 3, 2.5)
    turned, variance = rotate(image, np.ones_like(image), angle)
    assert np.nansum(turned) == pytest.approx(image.sum(), rel=1e-4)
    back, _ = rotate(turned, variance, -angle)
    rows, columns = np.indices(image.shape)
    inside = np.hypot(rows - CENTER, columns - CENTER) < CENTER - 6
    assert np.abs(back - image)[inside].max() < 0.008


def test_affine_has_the_convention_of_scipy():
    image = gaussian(28, 33, 3.0)
    matrix = np.array([[1.01, 0.05], [-0.04, 0.98]])
    offset = np.array([0.7, -1.2])
    expected = ndimage.affine_transform(image.astype(float), matrix, offset, (50, 70), order=5)
    result, _ = affine(image, image, matrix, offset, (50, 70))
    assert result.shape == (50, 70)
    good = np.isfinite(result)
    np.testing.assert_allclose(result[good], expected[good], atol=2e-3)


def test_masked_pixels_neither_spread_nor_turn_to_zero():
    rng = np.random.default_rng(1)
    image = np.full((80, 80), 7.0, np.float32)
    bad = np.zeros(image.shape, bool)
    bad[3::5, 2::6] = True
    image[bad] = np.nan
    for dy, dx in rng.uniform(-0.5, 0.5, (20, 2)):
        moved, _ = shift(image, np.ones_like(image), dy, dx)
        inner = moved[5:-5, 5:-5]
        lost = np.isnan(inner)
        assert (lost <= bad[5:-5, 5:-5]).all()  # at most the pixel itself, never a neighbour
        np.testing.assert_allclose(inner[~lost], 7, rtol=1e-4)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5])
def test_lost_column_costs_at_most_one_column(fraction):
    image = np.full((40, 40), 3.0, np.float32)
    image[:, 20] = np.nan
    moved, _ = shift(image, np.ones_like(image), 0, fraction)
    lost = np.isnan(moved[10:-10, 10:-10]).any(axis=0).sum()
    assert lost == (1 if weights_at(1 - fraction if fraction else 0).max() > 1 - MIN_WEIGHT else 0)


def test_outside_is_not_a_number():
    image = gaussian()
    turned, variance = rotate(image, image, 45)
    assert np.isnan(turned[0, 0])
    assert np.isnan(variance[0, 0])
    np.testing.assert_array_equal(np.isnan(turned), np.isnan(variance))
    rows, columns = np.indices(image.shape)
    inside = np.hypot(rows - CENTER, columns - CENTER) < CENTER - 1
    assert np.isfinite(turned[inside]).all()


@pytest.mark.parametrize("angle", [17.0, 45.0])
def test_variance_is_that_of_the_scatter(angle):
    """Over 400 noise realisations, to 3 per cent on average, near masked pixels as well."""
    rng = np.random.default_rng(2)
    variance = 1 + 3 * gaussian(15, 15, 6.0, (32, 32))
    mask = np.where(rng.random(variance.shape) < 0.03, np.nan, 1)
    turned = []
    for _ in range(400):
        noise = rng.normal(0, np.sqrt(variance)) * mask
        image, predicted = rotate(noise, variance, angle)
        turned.append(image)
    inner = (slice(10, 22), slice(10, 22))
    ratio = np.var(turned, axis=0)[inner] / predicted[inner]
    assert np.nanmean(ratio) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("angle", [0.0, 30.0, -77.0, 180.0])
def test_smooth_maps_are_turned_as_scipy_turns_them_linearly(angle):
    image = np.random.default_rng(3).normal(size=(21, 26)).astype(np.float32)
    expected = ndimage.rotate(image, -angle, reshape=False, order=1, cval=np.nan, prefilter=False)
    found = rotate_smooth(image, angle)
    inside = np.isfinite(expected)
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-5)


def test_smooth_maps_lose_only_pixels_without_a_valid_neighbour():
    image = np.full((15, 15), 2.0, np.float32)
    image[7, 7] = np.nan
    found = rotate_smooth(image, 12.0)
    np.testing.assert_allclose(found[np.isfinite(found)], 2.0)
    assert np.isnan(found[7, 7])
    assert np.isfinite(np.delete(found[4:11, 4:11].ravel(), 24)).all()


def test_weighted_sums_and_their_covariance():
    rng = np.random.default_rng(4)
    weights = np.array([[0.5, 0.5, 0.0], [1.0, -1.0, 0.0]])
    images = rng.normal(size=(3, 4, 5)).astype(np.float32)
    images[2] = np.nan  # without weight: it spreads nothing
    sums, covariance = np.empty((2, 4, 5), np.float32), np.empty((3, 4, 5), np.float32)
    weighted_sums(weights, images, sums)
    sums_covariance(weights, images**2, covariance)
    np.testing.assert_allclose(sums[0], images[:2].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(sums[1], images[0] - images[1], rtol=1e-6)
    expected = np.einsum("ki,mi,iyx->kmyx", weights[:, :2], weights[:, :2], images[:2] ** 2)
    np.testing.assert_allclose(covariance, pack(expected), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="each pair"):
        sums_covariance(weights, images**2, covariance[:2])
