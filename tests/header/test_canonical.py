"""The typed canonical header: facts by name, with units, in one place."""

from __future__ import annotations

import pytest
from astropy import units as u
from astropy.io import fits

from vampires.errors import HeaderError
from vampires.header import Header, as_header
from vampires.header.canonical import Fact, Known

FACTS = [name for name, value in vars(Header).items() if isinstance(value, Fact | Known)]


def test_facts_are_read_by_name_with_their_type():
    header = Header({"EXPTIME": 0.25, "U_CAMERA": 1, "FLIPY": True, "PRD-MIN1": 3, "PRD-MIN2": 4,
                     "PRD-RNG1": 5, "PRD-RNG2": 6, "U_FLCST": "IN"})  # fmt: skip
    assert (header.exptime, header.camera, header.flip) == (0.25, 1, True)
    assert header.crop == (3, 4, 5, 6)
    assert header.flc_in


def test_what_may_be_unknown_is_none_and_what_may_not_is_an_error():
    header = Header({"FRAMEID": "VMPA00021059"})
    assert header.pa is None
    with pytest.raises(HeaderError, match=r"VMPA00021059: the header has no EXPTIME \(exposure"):
        _ = header.exptime


def test_facts_are_written_with_unit_and_meaning():
    header = Header()
    header.put(exptime=0.25, filter="750-50", em_gain=None)
    assert header["EXPTIME"] == 0.25
    assert header.comments["EXPTIME"] == "[s] exposure time of a frame"
    assert "DETGAIN" not in header
    with pytest.raises(TypeError, match="no fact 'label'"):
        header.put(label="a")


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_has_a_meaning_and_its_unit_is_one(name: str) -> None:
    fact = Header.fact(name)
    assert fact.meaning
    assert len(fact.keyword) <= 8
    if fact.unit:
        header = Header({fact.keyword: 2})
        assert header.quantity(name).value == 2


def test_no_two_facts_share_a_keyword() -> None:
    keywords = [Header.fact(name).keyword for name in FACTS]
    assert len(set(keywords)) == len(keywords)


def test_quantities() -> None:
    header = Header({"PXSCALE": 5.9, "EFFGAIN": 0.1, "DC": 0.004})
    assert header.quantity("pixel_scale") == 5.9 * u.mas / u.pix
    assert header.quantity("effective_gain").unit == u.electron / u.adu
    assert header.quantity("dark_current").unit == u.electron / u.s / u.pix
    with pytest.raises(HeaderError, match="PA "):
        header.quantity("pa")


def test_a_header_of_a_product_is_typed_again() -> None:
    header = as_header(fits.Header([("EXPTIME", 0.25, "a"), ("U_CAMERA", 2)]))
    assert (header.exptime, header.camera, header.comments["EXPTIME"]) == (0.25, 2, "a")
