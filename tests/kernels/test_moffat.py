"""Moffat fits against scipy.optimize.curve_fit and astropy."""

import numpy as np
import pytest
from astropy.modeling.fitting import LMLSQFitter
from astropy.modeling.models import Const2D, Moffat2D
from scipy.optimize import curve_fit

from vampires.kernels.moffat import fit_windows
from vampires.measure.psf import synthetic_psf

TRUTH = (1000.0, 10.4, 9.7, 3.0, 2.5, 5.0)
YY, XX = np.mgrid[:21, :21].astype(float)
NOWHERE = np.full((1, 2), np.nan)
CENTRE = np.array([[10, 10]])


def moffat(_, a, y, x, gamma, beta, b):
    r2 = (YY - y) ** 2 + (XX - x) ** 2
    return (b + a * (1 + r2 / gamma**2) ** -beta).ravel()


def noisy(seed):
    rng = np.random.default_rng(seed)
    return (moffat(None, *TRUTH) + rng.normal(0, 5, 441)).reshape(21, 21)


@pytest.mark.parametrize("seed", range(5))
def test_same_minimum_as_curve_fit(seed):
    window = noisy(seed)
    expected, _ = curve_fit(
        moffat, None, window.ravel(), p0=(900, 10, 10, 3, 3, 0), ftol=1e-12, xtol=1e-12
    )
    found = fit_windows(window[None], CENTRE, 10, NOWHERE)[0]
    np.testing.assert_allclose(found[1:3], expected[1:3], atol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_same_minimum_as_astropy():
    window = noisy(7)
    start = Moffat2D(900, 10, 10, 3, 2.0) + Const2D(0)
    fit = LMLSQFitter()(start, XX, YY, window, maxiter=500, acc=1e-12)
    found = fit_windows(window[None], CENTRE, 10, NOWHERE)[0]
    np.testing.assert_allclose(found[1:3], (fit.y_0_0.value, fit.x_0_0.value), atol=1e-5)
    assert found[5] == pytest.approx(fit.amplitude_1.value, rel=1e-3)


def test_noiseless_profile_is_recovered_in_any_window():
    stamp = np.zeros((1, 43, 43))
    stamp[0, 12:33, 8:29] = moffat(None, *TRUTH).reshape(21, 21)
    found = fit_windows(stamp, np.array([[22, 18]]), 10, NOWHERE)[0]
    expected = np.add(TRUTH, (0, 12, 8, 0, 0, 0))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bad_pixels_are_left_out():
    window = moffat(None, *TRUTH).reshape(1, 21, 21).copy()
    window[0, 9:11, 10] = np.nan
    found = fit_windows(window, CENTRE, 10, NOWHERE)[0]
    np.testing.assert_allclose(found, TRUTH, rtol=1e-5)
    window[0, :11] = np.nan
    assert np.isnan(fit_windows(window, CENTRE, 10, NOWHERE)).all()


def test_diffraction_core_is_centred_although_no_moffat():
    psf = synthetic_psf("750-50", 6.24, 140.4, 21).astype(float)
    a, y, x, gamma, beta, _ = fit_windows(3e4 * psf[None], CENTRE, 10, NOWHERE)[0]
    assert (y, x) == pytest.approx((10, 10), abs=1e-5)
    assert a > 0
    assert gamma > 0
    assert 0.66 < beta <= 50.001


def test_empty_window_fails_quietly():
    assert np.isnan(fit_windows(np.zeros((1, 21, 21)), CENTRE, 10, NOWHERE)).all()
