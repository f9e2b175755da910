"""Degree and angle of a star per set and night, with three kinds of error."""

import numpy as np
import pytest
from astropy.table import Table

from vampires.plotting.stokes import plot_ip
from vampires.polarimetry.star_summary import star_polarisation


def sets(n=8, seed=1, scatter=3e-4):
    rng = np.random.default_rng(seed)
    return Table(rows=[
        {"set": k, "field": "F720", "pa": 10.0 * k, "altitude": 60.0 + k,
         "q": 0.03 + scatter * rng.standard_normal(),
         "u": -0.04 + scatter * rng.standard_normal(), "q_err": 1e-4, "u_err": 1e-4,
         "model_q_err": 1e-3, "model_u_err": 1e-3, "model_degree_err": 0.05,
         "model_angle_err": 2.0, "model_ip_q": 0.01, "model_ip_u": 0.0}
        for k in range(n)
    ])  # fmt: skip


def test_the_three_errors_stand_apart():
    table = star_polarisation(sets(40))
    night = table[table["set"] == -1][0]
    one = table[table["set"] == 3][0]
    assert night["degree"] == pytest.approx(0.05, abs=2e-4)
    assert night["angle"] == pytest.approx(153.43, abs=0.2)
    assert one["degree_photon"] == pytest.approx(1e-4, rel=1e-3)
    assert night["degree_photon"] == pytest.approx(1e-4 / np.sqrt(40), rel=1e-3)
    assert one["degree_scatter"] == pytest.approx(3e-4, rel=0.3)
    assert night["degree_scatter"] == pytest.approx(3e-4 / np.sqrt(40), rel=0.3)
    # neither averages down with the sets
    assert night["degree_model"] == pytest.approx(np.hypot(1e-3, 0.05 * 0.05), rel=1e-2)
    assert night["angle_model"] == pytest.approx(
        np.hypot(2.0, np.rad2deg(0.5 * 1e-3 / 0.05)), rel=1e-2
    )


def test_one_set_has_no_scatter_and_an_unmeasured_one_is_left_out():
    table = star_polarisation(sets(1))
    assert np.isnan(table["degree_scatter"]).all()
    lost = sets(2)
    lost["q"][1] = np.nan
    assert list(star_polarisation(lost)["set"]) == [0, -1]


def test_the_picture_has_points_and_the_model():
    panels = plot_ip(sets()).axes
    assert len(panels) == 2
    assert all(len(axes.containers) == 2 for axes in panels)
