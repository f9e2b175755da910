"""Every product says what its filter is."""

import numpy as np
import pytest

from vampires.canonical import Header
from vampires.io.products import read_fits, stamp, write_fits


@pytest.mark.parametrize(
    ("name", "low", "high", "mean"),
    [("750-50", 724, 776, 748), ("Halpha", 655.9, 656.7, 656.3), ("MBIR", 646, 776, 711)],
)
def test_a_stamped_header_has_the_cards_of_the_public_pipeline(name, low, high, mean):
    header = stamp(Header({"FILTER": name}), "digest", [])
    assert header["FILTNAME"] == name
    assert (header["WAVEMIN"], header["WAVEMAX"], header["WAVEAVE"]) == (low, high, mean)
    assert header["DLAMLAM"] == pytest.approx(100 * header["WAVEFWHM"] / mean, abs=1e-3)
    assert header["DIAMETER"] == 7.92
    assert header["RESELEM"] == pytest.approx(mean * 1e-9 / 7.92 * 206264806.2, abs=1e-3)


def test_an_unknown_filter_has_none():
    assert "FILTNAME" not in stamp(Header({"FILTER": "glass"}), "digest", [])


def test_each_field_has_its_own(tmp_path):
    header = stamp(Header({"FILTER": "MBIR"}), "digest", [])
    names = ("F670", "F720", "F760")
    planes = {"": np.zeros((3, 4, 4), np.float32)}
    write_fits(tmp_path / "x.fits", planes, header, dict.fromkeys(names, header))
    _, primary, fields = read_fits(tmp_path / "x.fits")
    assert primary["FILTNAME"] == "MBIR"
    assert {name: fields[name]["WAVEAVE"] for name in names} == {
        "F670": 670,
        "F720": 721,
        "F760": 761,
    }
