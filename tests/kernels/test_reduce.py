"""Averages of stacks against numpy and astropy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.stats import biweight_location
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vampires.kernels import reduce


def stacks(n):
    rng = np.random.default_rng(n)
    normal = rng.normal(50, 10, (n, 150)).astype(np.float32)
    holes = np.where(rng.random(normal.shape) < 0.3, np.nan, normal)
    holes[:, 7] = np.nan
    outliers = np.where(rng.random(normal.shape) < 0.05, 1e9, normal)
    return {
        "normal": normal,
        "holes": holes,
        "integers": np.round(normal),
        "equal": np.full_like(normal, -3.25),
        "outliers": outliers,
        "two values": np.where(normal > 50, 1, 0),
        "large offset": normal * 1e-3 + 1e5,
        "around zero": (normal - 50) * 1e-20,
    }


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 10, 63, 130, 384, 385, 1001])
@pytest.mark.parametrize("kind", list(stacks(1)))
def test_median_is_exact(n, kind):
    stack = stacks(n)[kind].astype(np.float32)
    np.testing.assert_array_equal(reduce.median(stack), np.nanmedian(stack, axis=0))


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
@pytest.mark.parametrize("n", [1, 4, 63])
@pytest.mark.parametrize("kind", ["normal", "holes", "large offset"])
def test_mean_agrees_with_numpy(n, kind):
    stack = stacks(n)[kind].astype(np.float32)
    expected = np.nanmean(stack.astype(float), axis=0)
    np.testing.assert_allclose(reduce.mean(stack), expected, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("n", [1, 2, 3, 10, 63])
@pytest.mark.parametrize("kind", ["normal", "holes", "equal", "outliers", "integers"])
def test_biweight_agrees_with_astropy(n, kind):
    stack = stacks(n)[kind].astype(np.float32)
    expected = biweight_location(stack.astype(float), axis=0, ignore_nan=True)
    np.testing.assert_allclose(reduce.biweight(stack), expected, rtol=2e-6, atol=1e-6)


@settings(max_examples=150, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 24), st.just(3)),
        elements=st.floats(-(2.0**66), 2.0**66, width=32, allow_subnormal=False),
    )
)
def test_median_of_anything_finite(stack):
    # numpy halves the sum of the two middle samples, here their halves are added
    np.testing.assert_allclose(reduce.median(stack), np.median(stack, axis=0), rtol=2e-7)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(21)))
def test_order_of_frames_does_not_matter_for_the_median(order):
    stack = stacks(21)["holes"]
    np.testing.assert_array_equal(reduce.median(stack), reduce.median(stack[list(order)]))


def test_shape_is_kept_and_nothing_is_refused():
    assert reduce.median(np.zeros((4, 5, 6, 7))).shape == (5, 6, 7)
    with pytest.raises(ValueError, match="no frames"):
        reduce.mean(np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("average", "factor"),
    [(reduce.median, reduce.MEDIAN_VARIANCE), (reduce.biweight, reduce.BIWEIGHT_VARIANCE)],
)
def test_stated_loss_of_efficiency(average, factor):
    samples = np.random.default_rng(5).normal(0, 1, (301, 20000)).astype(np.float32)
    # 20000 estimates give the variance to 1 per cent
    assert np.var(average(samples)) * 301 == pytest.approx(factor, rel=0.03)


def test_median_of_very_many_frames():
    """Exact also where the stack is too long for the cache."""
    rng = np.random.default_rng(3)
    stack = rng.normal(10, 3, (2101, 200)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.01] = np.nan
    stack[:, 7] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(stack.astype(np.float32), axis=0)
    np.testing.assert_allclose(reduce.median(stack), expected, rtol=3e-7)
