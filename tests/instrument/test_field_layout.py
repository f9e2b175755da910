"""Fields on the detector: from the header, and by rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

from vampires.canonical import Header
from vampires.header import normalize_header
from vampires.instrument.fields import field_names, raw_field_centers, typical_origin
from vampires.instrument.tables import load_table

HEADERS = Path(__file__).parents[1] / "data" / "headers"
# Raw cam 1 hotspots, 0-based (x, y) on the full detector, minus the corner of the crop.
CAM1 = {
    "F610": (867.8 - 596, 1188.9 - 920),
    "F670": (1420.9 - 596, 1195.4 - 920),
    "F720": (1420.3 - 596, 1762.0 - 920),
    "F760": (1420.6 - 596, 2884.1 - 920),
}


def multiband_header() -> fits.Header:
    raw = fits.Header.fromtextfile(HEADERS / "qcmos_mbi_2024.header")
    return normalize_header(raw, "a.fits")


def test_one_field_is_in_the_middle():
    assert raw_field_centers(Header({"FILTER": "Halpha"}), 536, 256) == {"Halpha": (267.5, 127.5)}


def test_fields_from_the_wcs_of_the_header():
    centers = raw_field_centers(multiband_header(), 1096, 2236)
    assert list(centers) == ["F610", "F670", "F720", "F760"]
    for name, position in CAM1.items():
        assert centers[name] == pytest.approx(position, abs=1e-6)


@pytest.mark.parametrize("change", [{"WCSNAMEC": "NA"}, {"CRPIX1": 9e9}, {"CRPIX2B": "far"}])
def test_rule_when_the_wcs_does_not_place_every_field(change):
    header = multiband_header()
    header.update(change)
    centers = raw_field_centers(header, 1096, 2236)
    half_y, half_x = 1095 / 2, 2235 / 2
    assert centers["F610"] == pytest.approx((1095 - 1.5 * half_y, 0.25 * half_x))
    for name, position in CAM1.items():  # camera 1 is flipped, and the rule is rough
        assert centers[name] == pytest.approx(position, abs=20)


def test_rule_agrees_with_camera_2_unflipped():
    header = Header({"FILTER": "MBI", "FLIPY": False})
    spots = load_table("fields")["MBI"]["camera"]["2"]["hotspots"]
    for name, (y, x) in raw_field_centers(header, 1096, 2240).items():
        assert (x, y) == pytest.approx((spots[name][0] - 916, spots[name][1] - 692), abs=22)


@pytest.mark.parametrize("flip", [False, True])
def test_rule_for_three_fields(flip):
    centers = raw_field_centers(Header({"FILTER": "MBIR", "FLIPY": flip}), 540, 2232)
    assert list(centers) == ["F670", "F720", "F760"]
    assert centers["F720"] == pytest.approx((539 / 2, 0.75 * 2231 / 2))


def test_names():
    assert field_names("MBIR") == ("F670", "F720", "F760")
    assert field_names("Open") == ("Open",)


@pytest.mark.parametrize(
    ("mode", "camera", "nx", "ny", "origin"),
    [
        ("MBI", 1, 2236, 1096, (920, 596)),
        ("MBI", 2, 2240, 1096, (916, 692)),
        ("MBIR", 1, 2232, 540, (924, 1152)),
        ("MBIR", 2, 2228, 552, (928, 692)),
        ("MBI", 1, 2000, 1000, (1048, 652)),
        ("750-50", 1, 536, 536, (1780, 884)),
    ],
)
def test_usual_crops(mode, camera, nx, ny, origin):
    assert typical_origin(mode, camera, nx, ny) == origin
