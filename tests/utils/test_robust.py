"""Robust scatter: that of astropy, and about a known centre."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.stats import mad_std

from vampires.utils.robust import robust_std


def test_as_astropy_gives_it() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, (70, 31))
    values[0] = 1e9
    assert robust_std(values) == pytest.approx(mad_std(values), rel=2e-6)
    assert robust_std(values) == pytest.approx(2.0, rel=0.05)


def test_about_a_known_centre() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert robust_std(values, 0.0) == pytest.approx(2 * 1.4826)
    assert robust_std(values, float(np.median(values))) == robust_std(values)


def test_of_nothing_it_is_unknown() -> None:
    assert np.isnan(robust_std([]))
