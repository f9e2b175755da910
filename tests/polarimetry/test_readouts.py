"""Profiles and maps of rings and noise whose truth is known."""

import numpy as np
import pytest

from vampires.errors import PolarimetryError
from vampires.polarimetry.planes import radius
from vampires.polarimetry.readouts import r2_scaled, radial_profile, snr_map

SHAPE = (81, 81)
SIGMA = 0.5


@pytest.fixture(name="planes")
def fixture_planes():
    """A ring of 4 between 18 and 22 px, noise of 0.5 in both planes, a corner unseen."""
    rng = np.random.default_rng(5)
    r = radius(SHAPE)
    ring = np.where((r >= 18) & (r < 22), 4.0, 0.0)
    planes = {
        "Q_PHI": ring + rng.normal(0, SIGMA, SHAPE), "U_PHI": rng.normal(0, SIGMA, SHAPE),
    }  # fmt: skip
    for plane in planes.values():
        plane[:5, :5] = np.nan
    return planes, {name: np.full(SHAPE, SIGMA) for name in planes}


def test_the_profile_has_the_ring_and_honest_errors(planes):
    table = radial_profile(*planes, pixel_scale=0.006, width=2.0)
    ring = (table["r"] > 18) & (table["r"] < 22)
    off = ((table["r"] < 18) | (table["r"] > 22)) & (table["n"] > 20)
    assert table["q_phi"][ring] == pytest.approx(4.0, abs=0.2)
    assert np.std(table["q_phi"][off] / table["q_phi_err"][off]) == pytest.approx(1, abs=0.35)
    assert table["q_phi_err"] == pytest.approx(SIGMA / np.sqrt(table["n"]))
    assert table["noise"][off] == pytest.approx(table["u_phi_err"][off], rel=0.4)
    assert table["snr"] == pytest.approx(table["q_phi"] / table["noise"])
    assert table["r_arcsec"] == pytest.approx(0.006 * table["r"])
    assert table["n"].sum() == 81 * 81 - 25


def test_interpolated_noise_counts_more_in_means(planes):
    plain = radial_profile(*planes, pixel_scale=1.0)
    more = radial_profile(*planes, pixel_scale=1.0, variance_gain=1.44)
    assert more["q_phi_err"] == pytest.approx(1.2 * plain["q_phi_err"])
    assert more["snr"] == pytest.approx(plain["snr"] / 1.2)


def test_maps(planes):
    (q_phi, u_phi), r = planes[0].values(), radius(SHAPE)
    snr = snr_map(q_phi, u_phi, 4.0)
    assert np.nanmedian(snr[(r >= 18) & (r < 22)]) == pytest.approx(4 / SIGMA, rel=0.2)
    assert np.nanstd(snr[r > 24]) == pytest.approx(1, abs=0.1)
    assert np.isnan(snr[:5, :5]).all()
    disk = r2_scaled(np.where(r > 0, 1 / np.maximum(r, 1) ** 2, 0), 2.0)
    assert disk[r > 1] == pytest.approx(4.0)


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan])
def test_widths_that_are_none(planes, width):
    with pytest.raises(PolarimetryError, match="must be above 0"):
        radial_profile(*planes, pixel_scale=1.0, width=width)
