import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.polarimetry import planes as pl

values = st.floats(-100, 100)


def test_azimuth_runs_from_north_through_east():
    phi = np.degrees(pl.azimuth((5, 5)))
    assert phi[4, 2] == 0  # up is north
    assert phi[2, 0] == 90  # left is east
    assert phi[2, 4] == -90
    assert abs(phi[0, 2]) == 180


def test_an_azimuthally_polarised_ring_has_only_positive_q_phi():
    phi = pl.azimuth((20, 21))
    # polarisation across the radius: its angle is phi + 90 deg
    Q, U = np.cos(2 * phi + np.pi), np.sin(2 * phi + np.pi)
    q_phi, u_phi = pl.azimuthal_stokes(Q, U, phi)
    np.testing.assert_allclose(q_phi, 1)
    np.testing.assert_allclose(u_phi, 0, atol=1e-12)
    q_r, u_r = pl.azimuthal_stokes(Q, U, phi, radial=True)
    np.testing.assert_array_equal(q_r, -q_phi)
    np.testing.assert_array_equal(u_r, -u_phi)


@settings(deadline=None)
@given(values, values, st.floats(-np.pi, np.pi))
def test_azimuthal_stokes_keep_the_polarised_intensity(q, u, phi):
    q_phi, u_phi = pl.azimuthal_stokes(q, u, phi)
    assert np.hypot(q_phi, u_phi) == pytest.approx(np.hypot(q, u), abs=1e-9)


def test_errors_agree_with_the_scatter():
    rng = np.random.default_rng(3)
    cov = np.array([[1.0, 0.5], [0.5, 2.0]])
    Q0, U0, phi = 30.0, -40.0, 0.7
    Q, U = rng.multivariate_normal([Q0, U0], cov, 200_000).T
    v = (cov[0, 0], cov[1, 1], cov[0, 1])
    expected = pl.azimuthal_variance(*v, phi)
    for sample, variance in zip(pl.azimuthal_stokes(Q, U, phi), expected, strict=True):
        assert sample.var() == pytest.approx(variance, rel=0.02)
    lp = pl.linear_polarisation(Q, U)
    assert lp.var() == pytest.approx(pl.lp_variance(Q0, U0, *v), rel=0.02)
    assert pl.polarisation_angle(Q, U).std() == pytest.approx(pl.angle_error(Q0, U0, *v), rel=0.02)


def test_debiasing_takes_out_the_positive_bias():
    rng = np.random.default_rng(4)
    for true in (3.0, 5.0):
        noisy = np.hypot(true + rng.normal(size=100_000), rng.normal(size=100_000))
        assert abs(pl.debiased_lp(noisy, 1.0).mean() - true) < 0.03
        assert noisy.mean() - true > 0.09
    np.testing.assert_array_equal(
        pl.debiased_lp([0.0, 2.0, np.nan], [1.0, 0.0, 1.0]), [0, 2, np.nan]
    )


def test_an_unknown_angle_has_the_error_of_a_random_one():
    assert pl.angle_error(0.0, 0.0, 1.0, 1.0, 0.0) == pytest.approx(51.96, abs=0.01)
    assert pl.angle_error(0.01, 0.0, 1.0, 1.0, 0.0) == pytest.approx(51.96, abs=0.01)


@pytest.mark.parametrize("scale", [1e-14, 1.0, 1e14])
def test_errors_do_not_depend_on_the_unit(scale):
    """In Jy a pixel is 1e-10: products of four such numbers are beyond float32."""
    Q, U = (
        np.float32([3.0, -1.0, 0.0]) * np.float32(scale),
        np.float32([4, 2, 0]) * np.float32(scale),
    )
    v = [np.float32(k) * np.float32(scale) ** 2 for k in (0.04, 0.09, 0.01)]
    expected = [0.04 * 0.36 + 0.09 * 0.64 + 0.01 * 0.96, (0.04 + 4 * 0.09 - 4 * 0.01) / 5, 0.065]
    found = pl.lp_variance(Q, U, *v)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found / np.float32(scale) ** 2, expected, rtol=1e-5)
    across = np.array([0.04 * 0.64 + 0.09 * 0.36 - 0.01 * 0.96, (4 * 0.04 + 0.09 + 4 * 0.01) / 5])
    np.testing.assert_allclose(
        pl.angle_error(Q, U, *v),
        [*np.rad2deg(np.sqrt(across) / [10, 2 * np.sqrt(5)]), 180 / np.sqrt(12)], rtol=1e-5,
    )  # fmt: skip
