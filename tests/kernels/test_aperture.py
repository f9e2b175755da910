"""Exact-overlap photometry against photutils."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photutils.aperture import (
    ApertureStats,
    CircularAnnulus,
    CircularAperture,
    aperture_photometry,
)

from vampires.kernels.aperture import (
    annulus_mean,
    circle_sum,
    circle_weights,
    measure_apertures,
    overlap,
)
from vampires.polarimetry.photometry import region_weights

POSITION = st.floats(17.0, 23.0)


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    return rng.normal(10, 3, (41, 41)), rng.uniform(1, 2, (41, 41))


@settings(deadline=None)  # the first call compiles
@given(POSITION, POSITION, st.floats(0.05, 15.0))
def test_sums_and_errors_are_those_of_photutils(y, x, r):
    rng = np.random.default_rng(0)
    data, variance = rng.normal(10, 3, (41, 41)), rng.uniform(1, 2, (41, 41))
    total, scatter, area = circle_sum(data, variance, y, x, r)
    table = aperture_photometry(
        data, CircularAperture((x, y), r), error=np.sqrt(variance), method="exact"
    )
    assert total == pytest.approx(table["aperture_sum"][0], rel=1e-10, abs=1e-10)
    assert np.sqrt(scatter) == pytest.approx(table["aperture_sum_err"][0], rel=1e-10)
    assert area == pytest.approx(np.pi * r**2, rel=1e-10)


@settings(deadline=None)  # the first call compiles
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 3))
def test_overlap_is_a_symmetric_fraction(y, x, r):
    part = overlap(y, x, r)
    assert -1e-12 <= part <= 1 + 1e-12
    for other in ((-y, x), (y, -x), (x, y)):
        assert overlap(*other, r) == pytest.approx(part, abs=1e-12)


def test_annulus_mean_is_that_of_photutils(image):
    data, variance = image
    mean, error2 = annulus_mean(data, variance, 20.3, 19.6, 10.0, 14.5)
    aperture = CircularAnnulus((19.6, 20.3), 10.0, 14.5)
    stats = ApertureStats(data, aperture, sum_method="exact", error=np.sqrt(variance))
    area = np.pi * (14.5**2 - 10.0**2)
    assert mean == pytest.approx(stats.sum / area, rel=1e-10)
    assert np.sqrt(error2) == pytest.approx(stats.sum_err / area, rel=1e-10)


def test_background_of_the_annulus_is_removed(image):
    data = np.full((1, 41, 41), 5.0)
    data[0, 20, 20] += 1000.0
    variance = np.ones_like(data)
    flux, error, background = measure_apertures(
        data, variance, np.array([[20.0, 20.0]]), 8.0, 12.0, 16.0
    )[0]
    area, ring = np.pi * 64, np.pi * (256 - 144)
    assert flux == pytest.approx(1000.0, rel=1e-10)
    assert background == pytest.approx(5.0)
    assert error == pytest.approx(np.sqrt(area + area**2 / ring), rel=1e-10)


def test_hole_or_edge_in_the_aperture_is_no_flux(image):
    data, variance = (plane.copy() for plane in image)
    data[22, 24] = np.nan
    assert np.isnan(circle_sum(data, variance, 20.0, 20.0, 8.0)[0])
    assert np.isfinite(circle_sum(data, variance, 20.0, 12.0, 8.0)[0])
    assert np.isnan(circle_sum(data, variance, 20.0, 5.0, 8.0)[0])
    assert np.isfinite(annulus_mean(data, variance, 20.0, 20.0, 3.0, 8.0)[0])


def test_unknown_place_is_unknown_flux(image):
    data, variance = image
    nowhere = np.array([[np.nan, 3.0]])
    assert np.isnan(measure_apertures(data[None], variance[None], nowhere, 5.0, 0, 0)).all()


def test_scatter_of_realisations_is_the_error():
    rng = np.random.default_rng(1)
    stars = rng.poisson(np.full((2000, 23, 23), 30.0)).astype(float)
    centres = np.tile([[11.2, 10.7]], (2000, 1))
    flux, error, _ = measure_apertures(stars, stars, centres, 6.0, 0.0, 0.0).T
    # w v instead of w^2 v at the rim: slightly more than the scatter
    assert 0.9 < flux.std() / error.mean() < 1.02


@settings(deadline=None)
@given(st.floats(-5, 35), st.floats(-5, 45), st.floats(0.2, 20))
def test_weights_are_the_masks_of_photutils(y, x, r):
    shape = (30, 41)
    mask = CircularAperture((x, y), r).to_mask(method="exact").to_image(shape)
    expected = np.zeros(shape) if mask is None else mask
    np.testing.assert_allclose(circle_weights(*shape, y, x, r), expected, atol=1e-9)


def test_weights_of_an_annulus_about_the_centre_are_those_of_photutils():
    mask = CircularAnnulus((20.0, 14.5), 3.3, 9.1).to_mask(method="exact").to_image((30, 41))
    np.testing.assert_allclose(region_weights((30, 41), 3.3, 9.1), mask, atol=1e-9)
