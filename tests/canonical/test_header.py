"""The typed canonical header: facts by name, with units, in one place."""

from __future__ import annotations

import pytest
from astropy import units as u
from astropy.io import fits

from vampires.canonical import Header
from vampires.canonical.exposure import ExposureFacts
from vampires.canonical.fact import Fact, Known, Numbered
from vampires.canonical.product import ProductFacts
from vampires.errors import HeaderError

FACTS = [
    name
    for part in (ExposureFacts, ProductFacts)
    for name, value in vars(part).items()
    if isinstance(value, Fact | Known | Numbered)
]


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
    if fact.unit not in ("", "lambda/D"):
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
    header = Header.of(fits.Header([("EXPTIME", 0.25, "a"), ("U_CAMERA", 2)]))
    assert (header.exptime, header.camera, header.comments["EXPTIME"]) == (0.25, 2, "a")


def test_the_prose_of_a_product_stays_with_it() -> None:
    given = fits.Header({"EXPTIME": 0.25})
    given.add_history("made by hand")
    assert Header.of(given).to_fits()["HISTORY"] == given["HISTORY"]
    assert Header.of(Header({"EXPTIME": 1.0})).exptime == 1.0


def test_what_is_needed_and_missing_or_no_number_is_an_error_that_says_what_for() -> None:
    header = Header({"RAWFILE": "a.fits", "PXSCALE": "wide"})
    with pytest.raises(HeaderError, match=r"a\.fits: the header has no DEROTANG .*; to turn it"):
        header.need(Header.derotation, "to turn it")
    with pytest.raises(HeaderError, match="PXSCALE is 'wide', expected pixel scale in mas/pixel"):
        _ = header.pixel_scale
    assert header.known(Header.derotation, 1.5) == 1.5


def test_facts_of_fields_are_a_tuple_or_carry_a_number() -> None:
    header = Header()
    header.put(field_names=("F610", "F670"))
    header.set(Header.efficiency_q.of(1), 0.9)
    assert header.field_names == ("F610", "F670")
    assert header.comments["FIELD1"] == "name of field 1"
    assert (header["EFFQ1"], header.comments["EFFQ1"]) == (0.9, "polarisation efficiency of Q")
    assert header.has(Header.efficiency_q.of(1))
    assert not header.has(Header.efficiency_q)
    header.drop(Header.efficiency_q.of(1), Header.pa)
    assert list(header) == ["FIELD0", "FIELD1"]


def test_a_fact_may_be_written_with_a_comment_of_its_own() -> None:
    header = Header()
    header.put(integration=(4.0, "[s] of one camera"))
    assert (header.integration, header.comments["TINT"]) == (4.0, "[s] of one camera")
