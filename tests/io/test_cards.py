"""Cards are read and written as astropy would, only faster."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from vampires.io.cards import format_cards, parse_cards, read_cards
from vampires.io.layout import image_and_header
from vampires.utils.cards import Cards, Unreadable

HEADERS = sorted((Path(__file__).parents[1] / "data" / "headers").glob("*.header"))


def as_astropy_reads(text: str) -> Cards:
    return Cards.from_fits(fits.Header.fromstring(text))


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_headers_of_every_era_are_read_and_written_as_by_astropy(path: Path) -> None:
    text = fits.Header.fromtextfile(path).tostring()
    cards = parse_cards(text)
    assert cards == as_astropy_reads(text)
    assert [type(value) for value in cards.values()] == [
        type(value) for value in as_astropy_reads(text).values()
    ]
    assert format_cards(cards) == cards.to_fits().tostring().encode()


@pytest.mark.parametrize(
    "card",
    [
        "HIERARCH ESO TEL NAME  = 'Subaru'  / long keyword",
        "REAL    =           1.25D-03 / old exponent",
        "REAL    = 1E5",
        "REAL    = .5/no space",
        "INTEGER =                  007",
        "TEXT    = 'O''Neill  '         / a quote",
        "TEXT    = ''",
        "TEXT    = '        '",
        "FLAG    =                    T / comment / with slash",
        "NOTHING =                      / undefined",
        "COMPLEX = (1.0, 2.0)",
        "COMMENT  a remark = 'of sorts'",
        "HISTORY",
        "BAD     = nan",
        "BAD     = 'never closed",
        "BAD     = 12 13",
        "lower   =                    1",
    ],
)
def test_odd_cards_are_read_as_by_astropy(card: str) -> None:
    text = card.ljust(80) + "END".ljust(80)
    ours, theirs = parse_cards(text), as_astropy_reads(text)
    assert list(ours) == list(theirs)
    for key in theirs:
        assert isinstance(ours[key], Unreadable) == isinstance(theirs[key], Unreadable)
    assert ours == theirs


def test_long_strings_continue_on_further_cards() -> None:
    header = fits.Header([("LONG", "x" * 150 + "'y", "comment"), ("NEXT", 1)])
    assert parse_cards(header.tostring()) == Cards(
        {"LONG": ("x" * 150 + "'y", "comment"), "NEXT": 1}
    )


def test_the_first_of_repeated_cards_counts_and_the_others_are_kept() -> None:
    text = "".join(f"A       = {value}".ljust(80) for value in (1, 2, 2)) + "END".ljust(80)
    cards = parse_cards(text)
    assert cards["A"] == 1
    assert cards.repeated == {"A": [2, 2]}


VALUES = st.one_of(
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90).map(str.rstrip),
)


@given(VALUES)
def test_any_value_is_written_as_by_astropy(value: object) -> None:
    cards = Cards({"KEY": value})
    assert format_cards(cards) == cards.to_fits().tostring().encode()


@given(VALUES)
def test_any_value_is_read_back(value: object) -> None:
    found = parse_cards(format_cards(Cards({"KEY": value})).decode())["KEY"]
    if isinstance(value, float):
        assert math.isclose(found, value, rel_tol=1e-11)
    else:
        assert found == value


def test_a_header_without_end_is_an_error() -> None:
    with pytest.raises(EOFError):
        read_cards(io.BytesIO(b"SIMPLE  =                    T".ljust(2880)))


def test_the_header_of_a_compressed_image_is_that_of_the_image(tmp_path: Path) -> None:
    cube = np.arange(2 * 8 * 8, dtype=np.uint16).reshape(2, 8, 8)
    header = fits.Header([("OBJECT", "HD 1"), ("U_FLC", "A", "state"), ("EXTNAME", "RAW")])
    fits.PrimaryHDU(cube, header).writeto(tmp_path / "a.fits")
    packed = fits.CompImageHDU(cube, header, compression_type="RICE_1")
    packed.writeto(tmp_path / "a.fits.fz")
    layout, plain = image_and_header(tmp_path / "a.fits")
    rice, cards = image_and_header(tmp_path / "a.fits.fz")
    assert (layout.encoding, rice.encoding) == ("plain", "rice")
    structural = {"SIMPLE", "XTENSION", "EXTEND", "PCOUNT", "GCOUNT"}
    assert {key: cards[key] for key in cards if key not in structural} == {
        key: plain[key] for key in plain if key not in structural
    }
