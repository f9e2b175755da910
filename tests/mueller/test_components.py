import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.mueller.components import (
    Component,
    analyser,
    coherency_eigenvalues,
    diattenuating_retarder,
    is_realisable,
    rotator,
)

angles = st.floats(-360, 360)
waves = st.floats(-1, 1)
diattenuations = st.floats(-0.99, 0.99)


@settings(deadline=None)
@given(angles, angles)
def test_rotations_add_up(a, b):
    np.testing.assert_allclose(rotator(a) @ rotator(b), rotator(a + b), atol=1e-9)


@settings(deadline=None)
@given(waves, angles)
def test_a_retarder_loses_no_light_and_no_polarisation(d, a):
    m = diattenuating_retarder(d, angle=a)
    np.testing.assert_allclose(m.T @ m, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(m @ diattenuating_retarder(-d, angle=a), np.eye(4), atol=1e-9)


@settings(deadline=None)
@given(waves, diattenuations, angles)
def test_turning_an_element_is_turning_the_axes(d, e, a):
    turned = rotator(-a) @ diattenuating_retarder(d, e) @ rotator(a)
    np.testing.assert_allclose(diattenuating_retarder(d, e, a), turned, atol=1e-12)


@settings(deadline=None)
@given(waves, diattenuations, angles)
def test_elements_are_real_optics_that_do_not_depolarise(d, e, a):
    m = diattenuating_retarder(d, e, a)
    assert is_realisable(m)
    np.testing.assert_allclose(coherency_eigenvalues(m)[:3], 0, atol=1e-7)


@settings(deadline=None)
@given(waves, diattenuations, angles)
def test_light_seen_backwards_meets_the_transpose(d, e, a):
    """Reciprocity (Sekera 1966): the element turned round has O M^t O, O = diag(1, 1, -1, 1)."""
    o = np.diag([1, 1, -1, 1])
    backwards = o @ diattenuating_retarder(d, e, a).T @ o
    assert is_realisable(backwards)
    np.testing.assert_allclose(backwards, diattenuating_retarder(d, e, -a), atol=1e-9)


@settings(deadline=None)
@given(st.floats(-1, 1), angles, waves, diattenuations, angles)
def test_no_element_makes_light_more_than_fully_polarised(p, psi, d, e, a):
    stokes = np.array([1, p * np.cos(np.radians(psi)), p * np.sin(np.radians(psi)), 0])
    out = diattenuating_retarder(d, e, a) @ stokes
    assert np.linalg.norm(out[1:]) <= out[0] + 1e-9


def test_arrays_broadcast():
    m = diattenuating_retarder(0.3, [0.0, 0.1], np.zeros((3, 1)))
    assert m.shape == (3, 2, 4, 4)
    np.testing.assert_allclose(m[2, 1], diattenuating_retarder(0.3, 0.1, 0))


def test_cameras_share_the_light():
    mean = (analyser(1) + analyser(2)) / 2
    np.testing.assert_array_equal(mean[0], [1, 0, 0, 0])
    with pytest.raises(ValueError, match="camera"):
        analyser(3)


def test_impossible_optics_are_told():
    assert not is_realisable(np.diag([1, 1, 1, -1.0]))
    assert not is_realisable(np.diag([1, 1.1, 1, 1]))
    with pytest.raises(ValueError, match="diattenuation"):
        Component(diattenuation=1.5)
    with pytest.raises(ValueError, match="finite"):
        Component(retardance=float("nan"))
