"""Mueller algebra of the simulated light path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vampires.errors import ConfigError
from vampires.simulate.light_path import LightPath, element, rotation

ANGLES = st.floats(-360, 360)


def rows(path, camera=1, hwp=0.0, flc=0.0, pa=20.0, altitude=60.0):
    return path.rows(
        camera=camera,
        flc_angle=flc,
        hwp_angle=hwp,
        imr_angle=80.0,
        altitude=altitude,
        parallactic_angle=pa,
    )


@given(ANGLES, ANGLES)
def test_rotations_add(a, b):
    np.testing.assert_allclose(rotation(a) @ rotation(b), rotation(a + b), atol=1e-9)


@given(ANGLES, st.floats(-1, 1))
def test_retarders_conserve_energy_and_polarisation(angle, retardance):
    m = element(angle, retardance)
    np.testing.assert_allclose(m.T @ m, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(m[0], [1, 0, 0, 0], atol=1e-12)


@given(ANGLES, st.floats(-1, 1), st.floats(0, 0.9))
def test_diattenuator_keeps_light_physical(angle, retardance, diattenuation):
    m = element(angle, retardance, diattenuation)
    # of a non-depolarising element: det M = (1 - D^2)^2
    assert np.linalg.det(m) == pytest.approx((1 - diattenuation**2) ** 2, abs=1e-9)
    for q, u, v in np.eye(3):
        s = m @ np.array([1, q, u, v])
        assert s[0] ** 2 - s[1] ** 2 - s[2] ** 2 - s[3] ** 2 == pytest.approx(0, abs=1e-9)


@given(ANGLES)
def test_half_wave_plate_mirrors_the_angle(angle):
    q, u = np.cos(2 * np.deg2rad(30)), np.sin(2 * np.deg2rad(30))
    s = element(angle, 0.5) @ np.array([1, q, u, 0])
    expected = 2 * np.deg2rad(2 * angle - 30)
    np.testing.assert_allclose(s[:3], [1, np.cos(expected), np.sin(expected)], atol=1e-9)


def test_quarter_wave_plate_makes_circular_light():
    s = element(45.0, 0.25) @ np.array([1, 1, 0, 0])
    np.testing.assert_allclose(np.abs(s), [1, 0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("change", [{"hwp": 45.0}, {"flc": 45.0}, {"camera": 2}])
def test_each_modulator_flips_the_sign(change):
    a, b = rows(LightPath()), rows(LightPath(), **change)
    assert a[0] == b[0] == pytest.approx(1.0)
    np.testing.assert_allclose(a[1:3], -b[1:3], atol=1e-12)


def test_quarter_cycle_swaps_q_and_u():
    q, u = rows(LightPath(), hwp=0.0)[1:3], rows(LightPath(), hwp=22.5)[1:3]
    assert np.dot(q, u) == pytest.approx(0, abs=1e-12)


def test_cameras_share_all_the_light():
    path = LightPath.named("750-50")
    both = rows(path, 1) + rows(path, 2)
    # what the mirror polarises the optics pass more or less of: a product of two small numbers
    assert both[0] == pytest.approx(2.0, abs=2 * path.opt_diat * path.m3_diat)
    assert np.abs(both[1:]).max() <= 2 * (path.opt_diat + path.m3_diat)


def test_turning_the_sky_turns_the_polarisation():
    path = LightPath.named("750-50")
    angle = 2 * np.deg2rad(17.0)
    turned = np.array([1, np.cos(angle), np.sin(angle), 0])
    assert rows(path, pa=50.0) @ turned == pytest.approx(rows(path, pa=33.0) @ [1, 1, 0, 0])


def test_vectorised_over_frames():
    hwp = np.array([0.0, 10.0, 20.0])
    many = rows(LightPath(), hwp=hwp, pa=np.array([1.0, 2.0, 3.0]))
    assert many.shape == (3, 4)
    np.testing.assert_allclose(many[1], rows(LightPath(), hwp=10.0, pa=2.0))


def test_parameters_by_name():
    assert LightPath.named({"imr_phi": 0.3}).imr_phi == 0.3
    assert LightPath.named("750-50").hwp_phi == 0.476
    with pytest.raises(ConfigError, match="unknown parameters"):
        LightPath.named({"imr": 0.3})
    with pytest.raises(ConfigError, match="allowed"):
        LightPath.named("real")
