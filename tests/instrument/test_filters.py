"""Filters and their transmission curves."""

from __future__ import annotations

import numpy as np
import pytest

from vampires.errors import FileError
from vampires.instrument.curves import Curve, filter_curve, read_curve
from vampires.instrument.filters import FILTERS, neutral_density_transmission


def test_fourteen_filters():
    assert len(FILTERS) == 14
    assert [name for name, band in FILTERS.items() if band.narrowband] == [
        "Halpha", "Ha-Cont", "SII", "SII-Cont",
    ]  # fmt: skip


@pytest.mark.parametrize("band", FILTERS.values(), ids=FILTERS.keys())
def test_zero_points_agree_with_each_other(band):
    """The table rounds: rate, magnitude and C_FD say the same within that.

    The published C_FD of L24 are Vega's flux over the rate, times 1.155 airmasses of extinction.
    """
    assert -2.5 * np.log10(band.zero_rate) == pytest.approx(-band.zero_mag, abs=0.12)
    air = 10 ** (0.4 * band.extinction * 1.155)
    if band.name not in ("775-50", "F610", "Open"):  # their Jy of magnitude 0 hold leaked light
        assert band.flux_conversion * air == pytest.approx(band.flux_conversions[1], rel=0.08)
    # those of the public pipeline are for the sum of both cameras behind the NPBS
    sum_of_both = band.flux_conversions[1] / (0.4395 + 0.4535)
    assert band.flux_conversions[0] == pytest.approx(sum_of_both, rel=0.05)
    if band.name != "775-50":  # L24 print 1.6e-6 where flux over rate is 1.24e-6
        assert band.zero_flux / band.zero_rate == pytest.approx(band.flux_conversions[1], rel=0.1)


def test_flux_density_with_extinction():
    band = FILTERS["750-50"]
    assert band.flux_density(1e6, 0.0) == pytest.approx(2589 / 7.7e3)
    air = 10 ** (0.8 * band.extinction)
    assert band.flux_density(1e6, 2.0) == pytest.approx(2589 / 7.7e3 * air)


@pytest.mark.parametrize("name", FILTERS)
def test_model_reproduces_edges_and_mean(name):
    """Within the rounding of the table: 0.05 nm for narrow filters, 0.5 nm for broad ones."""
    band, curve = FILTERS[name], filter_curve(name)
    tolerance = 0.06 if band.narrowband else 0.01
    assert curve.half_maximum == pytest.approx(band.edges, abs=tolerance)
    assert curve.mean == pytest.approx(band.mean, abs=tolerance)
    assert curve.transmission.max() == 1.0
    assert curve.transmission.min() >= 0.0
    assert curve(band.minimum - 50.0) == 0.0


def test_edges_of_the_table_except_one():
    odd = [name for name, f in FILTERS.items() if f.edges != (f.minimum, f.maximum)]
    assert odd == ["750-50"]
    assert FILTERS["750-50"].edges == (724.0, 772.0)


def test_samples_of_a_curve():
    wavelength, weight = filter_curve("F610").sample(11)
    assert weight.sum() == pytest.approx(1.0)
    assert wavelength[0] > 580
    assert wavelength[-1] < 645
    assert np.average(wavelength, weights=weight) == pytest.approx(614.0, abs=1.0)


def test_half_maximum_of_a_triangle():
    curve = Curve(np.array([600.0, 700.0, 800.0]), np.array([0.0, 1.0, 0.0]))
    assert curve.half_maximum == (650.0, 750.0)
    assert curve.mean == pytest.approx(700.0)


def test_half_maximum_of_a_curve_that_starts_high():
    curve = Curve(np.array([600.0, 700.0, 800.0]), np.array([1.0, 1.0, 0.0]))
    assert curve.half_maximum == (600.0, 750.0)


@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_user_curve(tmp_path, separator):
    path = tmp_path / "curve.csv"
    rows = ["wave nm", "# measured", f"600{separator}0.0", f"610{separator}0.9", ""]
    path.write_text("\n".join([*rows, f"620{separator}0.0"]))
    curve = read_curve(path)
    assert curve(605.0) == pytest.approx(0.45)
    assert curve.mean == pytest.approx(610.0)


@pytest.mark.parametrize(
    "text",
    ["", "600 1", "600 0.1\n590 0.2", "600 0\n610 0", "600 x\n610 1", "0.6 1\n0.7 1", "6\n7"],
)
def test_unusable_user_curve(tmp_path, text):
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=r"curve\.csv"):
        read_curve(path)


def test_missing_user_curve(tmp_path):
    with pytest.raises(FileError, match="nowhere"):
        read_curve(tmp_path / "nowhere.csv")


def test_neutral_densities():
    assert neutral_density_transmission("ND10") == pytest.approx(0.1)
    assert neutral_density_transmission("ND25 ") == pytest.approx(10**-2.33)
    assert neutral_density_transmission("LyotStop") == 1.0
