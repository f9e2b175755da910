"""What a night still lacks."""

import dataclasses

import pytest

from vampires.night.headlines import Headlines
from vampires.night.index import build_index
from vampires.night.missing import needs
from vampires.night.setups import find_setups


@pytest.fixture(scope="module", name="records")
def fixture_records(stars_night):
    return build_index([stars_night / "raw"])


def told(records, **options):
    calibrations = [r for r in records if r["ok"] and r["kind"] != "science"]
    found = needs(find_setups(records), calibrations, method="triplediff", **options)
    return [str(need) for need in found]


def science(records):
    return [record for record in records if record["kind"] == "science"]


def test_a_complete_night_lacks_nothing(records):
    assert told(records) == []


def test_darks_and_flats_that_are_missing_are_named_with_their_setting(records):
    bare = told(science(records))
    assert len(bare) == 4  # dark and flat, of two cameras
    assert "dark: 0.25 s, camera 1, 128 x 128 px at" in bare[0]
    assert "EM, gain 300 (there is none; for 16 files)" in bare[0]
    assert bare[2].startswith("flat: 750-50, camera 1")
    assert len(told(science(records), flats=False)) == 2


def test_a_dark_of_another_exposure_is_named(records):
    changed = [{**r, "exptime": 1.0} if r["kind"] in ("background", "sky") else r for r in records]
    found = told(changed)
    assert any("exposure 0.25 s wanted, 1 s used" in text for text in found)


def test_positions_that_an_unfinished_cycle_lacks_are_named(records):
    cut = [r for r in science(records) if r["mjd"] < sorted(x["mjd"] for x in science(records))[24]]
    rest = [r for r in records if r["kind"] != "science"]
    (only,) = told([*cut, *rest])
    assert only.startswith("HWP: 750-50: 22.5 deg; 67.5 deg (the cycle begun with")
    assert only.endswith("for 8 files)")
    first = science(records)[0]
    one_less = [r for r in records if r["path"] != first["path"]]
    (only,) = told(one_less)
    assert f"0 deg FLC {first['flc']} camera {first['camera']} (the cycle" in only


def test_headlines_tell_the_night_and_the_template(records):
    night = Headlines(tuple(records), find_setups(records))
    lines = night.lines()
    assert "32 science" in lines[0]
    assert "750-50" in lines[1]
    assert "32 files, cameras 1 and 2" in lines[1]
    assert night.method() == "triplediff"
    assert night.template() == "pdi"


@pytest.mark.parametrize(
    ("changes", "template"),
    [
        ({"flc": "NA"}, "pdi-slow"),
        ({"fieldstop": "CLC-3"}, "pdi-coronagraph"),
        ({"filter": "MBI"}, "pdi-mbi"),
        ({"filter": "MBI", "obsmod": "IMAG_MBI"}, "adi-mbi-coronagraph"),
        ({"obsmod": "IMAG"}, "speckle"),
        ({"filter": "Halpha", "obsmod": "IMAG_SDI"}, "sdi-halpha"),
        ({"object": "Neptune"}, "planet"),
    ],
)
def test_the_template_follows_from_the_headers(records, changes, template):
    changed = tuple({**record, **changes} for record in science(records))
    night = Headlines(changed, find_setups(changed))
    assert dataclasses.replace(night).template() == template
