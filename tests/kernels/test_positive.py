"""Positive least squares against scipy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from vampires.kernels.positive import fit_dim_points, solve_positive


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_solution_is_that_of_scipy(seed, k):
    rng = np.random.default_rng(seed)
    terms, level = rng.normal(size=(12, k)), rng.normal(size=12)
    found = solve_positive(terms.T @ terms, terms.T @ level)
    np.testing.assert_allclose(found, nnls(terms, level)[0], atol=1e-9)


def test_points_above_the_model_are_left_out_and_the_last_term_has_a_floor():
    x = np.arange(40.0)
    terms = np.stack([np.exp(-x / 5), 1 / (1 + x), np.ones(40)], axis=-1)
    level = terms @ [100.0, 30.0, -2.0]
    level[10:14] += 50.0  # a companion
    values, keep = fit_dim_points(terms[None], level, -5.0, 2.5, 18.0)
    np.testing.assert_allclose(values[0], [100.0, 30.0, -2.0], rtol=1e-6)
    assert np.flatnonzero(~keep[0]).tolist() == [10, 11, 12, 13]
    floored, _ = fit_dim_points(terms[None], level, -1.0, 2.5, 18.0)
    assert floored[0, 2] == -1.0


def test_too_few_points_end_the_search():
    terms = np.ones((1, 10, 1))
    level = np.r_[np.zeros(5), np.full(5, 100.0)]
    values, keep = fit_dim_points(terms, level, 0.0, 2.5, 8.0)
    assert keep.all()
    assert values[0, 0] == 50.0
