"""Headers that lie: what is not believed, what stands in, and that the header says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

from vampires.errors import HeaderError
from vampires.header import UnsupportedFileError, normalize_header, notes_of
from vampires.io.cards import parse_cards
from vampires.sky.geometry import Target, add_geometry
from vampires.utils.cards import Cards

HEADERS = Path(__file__).parents[1] / "data" / "headers"


def raw_cards(name: str, **changes: object) -> Cards:
    """Fixture with some cards changed; None removes a card, a double underscore is a minus."""
    cards = parse_cards(fits.Header.fromtextfile(HEADERS / f"{name}.header").tostring())
    for keyword, value in changes.items():
        keyword = keyword.replace("__", "-")
        if value is None:
            cards.remove(keyword, ignore_missing=True)
        else:
            cards[keyword] = value
    return cards


def normalized(name: str, **changes: object) -> Cards:
    return normalize_header(raw_cards(name, **changes), "VMPA00021059.fits")


def only_note(header: Cards) -> str:
    (note,) = notes_of(header)
    return note


def test_a_good_header_needs_no_note():
    for name in ("emccd_stars_2022", "qcmos_pdi_2024", "qcmos_mbi_2024"):
        assert notes_of(normalized(name)) == []


# -- defaults of a status server that is away ---------------------------------------------


def test_a_rotator_angle_of_minus_one_follows_from_the_altitude():
    """In pupil tracking D_IMRANG = ALTITUDE / 2 + (90 - D_IMRPAP) / 2 (facts of 2021-22)."""
    header = normalized("emccd_stars_2022", D_IMRANG=-1)
    assert "D_IMRANG is" not in header
    assert only_note(header).startswith("D_IMRANG was -1")
    away, there = add_geometry(header), add_geometry(normalized("emccd_stars_2022"))
    assert away["IMRANG"] == pytest.approx(there["IMRANG"], abs=0.03)
    assert away["IMRANG"] == pytest.approx(56.68925 / 2 + (90 + 39) / 2, abs=0.2)


def test_a_plate_angle_of_minus_one_is_unknown():
    assert normalized("emccd_stars_2022", RET__ANG1=-1)["RET-ANG1"] == 45.0  # U_HWPANG
    with pytest.raises(HeaderError, match=r"no RET-ANG1.*data\.fix"):
        normalized("qcmos_pdi_2024", RET__ANG1=-1.0)
    header = normalized("qcmos_pdi_2024", RET__ANG1=-1.0, OBS__MOD="IMAG")
    assert header["RET-ANG1"] == 0.0
    assert "RET-ANG1 was -1" in only_note(header)


def test_a_rotator_that_stands_by_is_where_it_says():
    header = add_geometry(normalized("emccd_stars_2022", D_IMR="STAND-BY", D_IMRANG=45.0))
    assert header["IMRANG"] == 45.0


# -- filters -------------------------------------------------------------------------------


def test_an_unknown_filter_is_taken_from_another_card():
    header = normalized("emccd_stars_2022", FILTER01="Unknown")
    assert header["FILTER"] == header["FILTER01"] == "750-50"
    assert only_note(header) == "FILTER01 was 'Unknown', U_FILTER says 750-50"


def test_science_without_any_filter_is_refused_and_darks_need_none():
    nothing = {"FILTER01": "Unknown", "U_FILTER": None, "U_OGFNAM": "a"}
    with pytest.raises(HeaderError, match="FILTER01 is 'Unknown'"):
        normalized("emccd_stars_2022", **nothing)
    assert normalized("emccd_dark_2023", **nothing)["DATA-TYP"] == "DARK"


def test_a_blocked_beam_is_no_science():
    with pytest.raises(UnsupportedFileError, match="Block"):
        normalized("qcmos_pdi_2024", FILTER01="Block")


# -- exposure time --------------------------------------------------------------------------


def test_an_exposure_time_that_does_not_fit_is_refused():
    with pytest.raises(HeaderError, match=r"EXPTIME is 99 s, for 139 frames taken within 70\.6 s"):
        normalized("emccd_stars_2022", EXPTIME=99.0, U_AQTINT=None)


def test_the_sum_over_the_frames_is_no_exposure_time():
    """eta Crv, 2022-01-28 (becca9808/vampires_calibration): EXPTIME 21.245, U_AQTINT 5000 us."""
    header = normalized(
        "emccd_stars_2022", EXPTIME=21.245, U_AQTINT=5000.0, NAXIS3=4249,
        UT__STR="07:21:24:254", UT__END="07:22:06:880",
    )  # fmt: skip
    assert header["EXPTIME"] == 0.005
    assert header["TINT"] == pytest.approx(21.245)
    assert only_note(header) == "EXPTIME was 21.245, U_AQTINT says 0.005 s"


def test_an_empty_exposure_time_is_replaced_with_a_note():
    header = normalized("emccd_stars_2022", EXPTIME="")
    assert header["EXPTIME"] == 0.25
    assert only_note(header) == "EXPTIME is empty"


# -- cards twice, dates ---------------------------------------------------------------------


def test_a_card_given_twice_with_two_values_is_refused():
    cards = raw_cards("qcmos_pdi_2024")
    cards.append("EXPTIME", 0.05)
    assert normalize_header(cards, "a.fits")["EXPTIME"] == 0.05
    cards.append("EXPTIME", 99.0)
    with pytest.raises(HeaderError, match=r"EXPTIME is given more than once, as 0\.05 and 99\.0"):
        normalize_header(cards, "a.fits")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"DATE__OBS": "2022-02-31"}, "DATE-OBS was '2022-02-31', MJD-STR says 2022-02-24"),
        ({"MJD": 12.0}, "MJD was 12.0, left out"),
        ({"AZIMUTH": "NaN"}, "AZIMUTH was 'NaN', left out"),
        ({"ALTITUDE": 700.0}, "ALTITUDE was 700.0, left out"),
    ],
)
def test_a_replaced_value_leaves_a_note(changes, note):
    header = normalized("emccd_stars_2022", **changes)
    assert only_note(header) == note
    assert header["DATE-OBS"] == "2022-02-24"
    assert add_geometry(header)["DEROTANG"] == pytest.approx(
        add_geometry(normalized("emccd_stars_2022"))["DEROTANG"]
    )


def test_notes_are_kept_when_a_canonical_header_is_normalised_again():
    once = normalized("emccd_stars_2022", MJD=12.0)
    assert normalize_header(once, "VMPA00021059.fits") == once


# -- kinds of data ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["TEST", "FOCUSING", "BIAS"])
def test_what_is_neither_science_nor_calibration_is_left_out(kind):
    with pytest.raises(UnsupportedFileError, match=f"left out, DATA-TYP is {kind}"):
        normalized("qcmos_pdi_2024", DATA__TYP=kind, EXPTIME="nonsense")


def test_acquisition_is_science_of_the_emccd_only():
    assert normalized("emccd_stars_2022", DATA__TYP="ACQUISITION")["DATA-TYP"] == "OBJECT"
    with pytest.raises(UnsupportedFileError, match="ACQUISITION"):
        normalized("qcmos_pdi_2024", DATA__TYP="ACQUISITION")


# -- where the telescope pointed, and how the sky lies ------------------------------------------


def test_field_tracking_is_derotated_by_the_position_angle():
    header = add_geometry(normalized("qcmos_pdi_2024", D_IMRMOD="SID", D_IMRPAD=30.0))
    assert header["DEROTANG"] == pytest.approx(30.0 - 38.9)


def test_in_pupil_tracking_both_ways_to_derotate_agree():
    """D_IMRPAD of the real header is of one moment; over this cube the field turns by 0.6 deg."""
    header = add_geometry(normalized("emccd_stars_2022"))
    assert header["DEROTANG"] == pytest.approx(header["D_IMRPAD"] + 140.4, abs=0.6)


@pytest.mark.parametrize("mode", ["NON-SID", "STOP", "OTHER"])
def test_other_modes_of_the_rotator_are_refused(mode):
    with pytest.raises(HeaderError, match=rf"D_IMRMOD is {mode}.*data\.fix"):
        add_geometry(normalized("qcmos_pdi_2024", D_IMRMOD=mode))


def test_a_wrapped_right_ascension_is_read():
    """HD 173667 in becca9808/vampires_calibration: RA -5:14:20.448 is 18:45:39.552."""
    header = normalized("emccd_stars_2022", RA="-5:14:20.448")
    assert Target.from_header(header).ra_deg == pytest.approx(15 * (18 + 45 / 60 + 39.552 / 3600))


@pytest.mark.parametrize("changes", [{"RA": 73.94}, {"EQUINOX": 1950.0}, {"RA": None}])
def test_unusable_coordinates_need_a_target_and_are_usable_with_one(changes):
    header = normalized("emccd_stars_2022", **changes)
    with pytest.raises(HeaderError, match=r"\[target\]"):
        add_geometry(header)
    star = Target(73.940308, 30.551870, epoch="J2000")
    assert add_geometry(header, star)["PA"] == pytest.approx(
        add_geometry(normalized("emccd_stars_2022"))["PA"], abs=0.01
    )


# -- multiband fields -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({f"CRPIX{axis}{field}": 400.0 for axis in (1, 2) for field in ("", "B", "C", "D")},
         "where it should be"),
        ({"CRPIX1": 1400.0}, r"F760 557 pixels"),
        ({"CRPIX2D": 9000.0}, "F610 outside the frame"),
        ({"WCSNAMEC": "F610"}, "no WCS of F670"),
    ],
)  # fmt: skip
def test_implausible_places_of_fields_are_not_believed(changes, why):
    from vampires.header.fields import field_centers

    header = normalized("qcmos_mbi_2024", **changes)
    assert header["FLDSRC"] == "reference layout"
    assert why in only_note(header)
    good = normalized("qcmos_mbi_2024")
    assert good["FLDSRC"] == "header"
    usual, true = (field_centers(h, h["NAXIS2"], h["NAXIS1"]) for h in (header, good))
    for name, place in true.items():
        assert usual[name] == pytest.approx(place, abs=20)
