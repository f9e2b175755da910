"""A night split into what was observed alike: light records only."""

from typing import Any

import pytest

from vampires.errors import ConfigError
from vampires.night.choice import choose, exclude
from vampires.night.record import Record, empty_record
from vampires.night.setups import Setup, find_setups, separation

BASE: dict[str, Any] = {
    "ok": True, "reason": None, "kind": "science", "generation": "EMCCD", "object": "AB Aur",
    "ra": 73.941, "dec": 30.551, "camera": 1, "flc": "A", "hwp": 0.0, "exptime": 0.25,
    "detgain": 300.0, "readmode": "em", "filter": "750-50", "filter01": "750-50",
    "filter02": "Open", "obsmod": "IPOL", "mask": "LyotStop", "nframes": 10, "ny": 256, "nx": 256,
    "crop": [128, 128, 256, 256],
}  # fmt: skip


def night(*files: dict[str, Any]) -> list[Record]:
    records = []
    for i, changes in enumerate(files):
        start = 59634.0 + i / 1440
        times = {"mjd_start": start, "mjd": start + 3e-4, "mjd_end": start + 6e-4}
        facts = {**empty_record(f"/raw/f{i:02d}.fits", ""), **BASE, **times, **changes}
        records.append(Record(**facts))
    return records


def names(setups: tuple[Setup, ...]) -> dict[str, list[str]]:
    return {setup.label: [record["name"] for record in setup.records] for setup in setups}


def test_a_night_of_one_setup_has_no_label():
    setups = find_setups(night({}, {"camera": 2}, {"hwp": 45.0}, {"flc": "B"}))
    assert names(setups) == {"": ["f00", "f01", "f02", "f03"]}
    assert setups[0].cameras == (1, 2)


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        ({"filter": "625-50"}, ["750-50", "625-50"]),
        ({"object": "HD 1", "ra": 10.0}, ["AB_Aur", "HD_1"]),
        ({"object": "HD 1"}, ["AB_Aur", "HD_1"]),
        ({"ra": 10.0}, ["AB_Aur_J0455+3033", "AB_Aur_J0040+3033"]),
        ({"obsmod": "IPOL_PUP"}, ["IPOL", "IPOL_PUP"]),
        ({"generation": "QCMOS"}, ["EMCCD", "QCMOS"]),
        ({"mask": "Annulus"}, ["LyotStop", "Annulus"]),
        ({"fieldstop": "CLC-3"}, ["LyotStop", "CLC-3_LyotStop"]),
        ({"nx": 512, "ny": 512}, ["256x256", "512x512"]),
        ({"detgain": 1.0}, ["em_g300", "em_g1"]),
        ({"exptime": 1.0}, ["0.25s", "1s"]),
        ({"filter": "625-50", "exptime": 1.0}, ["750-50", "625-50"]),
    ],
)
def test_each_difference_makes_a_setup_named_by_it(change, labels):
    setups = find_setups(night({}, change))
    assert [setup.label for setup in setups] == labels
    assert all(len(setup.records) == 1 for setup in setups)


@pytest.mark.parametrize(
    "change",
    [
        {"object": "ABAUR"}, {"object": "ab_aur "}, {"ra": 73.945}, {"ra": None, "dec": None},
        {"exptime": 0.2501}, {"crop": [158, 128, 256, 256]}, {"flc_in": True}, {"hwp": 22.5},
    ],
)  # fmt: skip
def test_what_is_no_other_setup(change):
    assert len(find_setups(night({}, change))) == 1


def test_names_hold_only_what_tells_setups_apart():
    other = {"object": "HD 1", "ra": 10.0}
    setups = find_setups(night({}, {"filter": "625-50"}, other, {"exptime": 1.0}))
    assert [setup.label for setup in setups] == [
        "AB_Aur_750-50_0.25s", "AB_Aur_625-50", "HD_1", "AB_Aur_750-50_1s",
    ]  # fmt: skip


def test_a_planet_moves_and_stays_one_target():
    moving = [{"object": "Uranus", "ra": 50.0 + i * 0.01} for i in range(30)]
    assert len(find_setups(night(*moving))) == 1


def test_a_target_that_comes_again_is_the_same():
    other = {"object": "HD 1", "ra": 10.0}
    assert names(find_setups(night({}, other, {}, other))) == {
        "AB_Aur": ["f00", "f02"], "HD_1": ["f01", "f03"],
    }  # fmt: skip


def test_cameras_that_are_read_differently_belong_together():
    one, two = {"nx": 2236}, {"camera": 2, "nx": 2240}
    together = {"mjd_start": 59634.0, "mjd_end": 59634.001}
    (setup,) = find_setups(night({**one, **together}, {**two, **together}))
    assert setup.cameras == (1, 2)
    assert [way.size for way in setup.readouts] == ["2236x256", "2240x256"]


def test_ways_of_reading_are_paired_by_the_time_exposed_together():
    first, second = ({"mjd_start": t, "mjd_end": t + 1e-3} for t in (59634.0, 59634.1))
    setups = find_setups(
        night({"nx": 10, **first}, {"nx": 20, "camera": 2, **first}, {"nx": 11, **second},
              {"nx": 21, "camera": 2, **second})
    )  # fmt: skip
    assert list(names(setups).values()) == [["f00", "f01"], ["f02", "f03"]]


def test_line_and_continuum_are_one_setup():
    line, continuum = {"filter": "Halpha"}, {"filter": "Ha-Cont", "camera": 2}
    swapped = {"filter": "Ha-Cont"}, {"filter": "Halpha", "camera": 2}
    assert len(find_setups(night(line, continuum, *swapped))) == 1


def test_labels_do_not_depend_on_later_files_of_the_same_setups():
    records = night({}, {"filter": "625-50"}, {}, {"filter": "625-50"})
    early, late = names(find_setups(records[:2])), names(find_setups(records))
    assert list(early) == list(late)


def test_objects_kinds_and_files_are_chosen():
    records = night({}, {"object": "HD 1"}, {"kind": "flat"}, {"kind": "background"})
    assert [r["ok"] for r in choose(records, objects=("ABAUR",))] == [True, False, True, True]
    assert [r["ok"] for r in choose(records, kinds=("science",))] == [True, True, False, False]
    assert [r["ok"] for r in choose(records, include=("f01*",))] == [False, True, True, True]
    assert [r["ok"] for r in exclude(records, ("f02.fits",))] == [True, True, False, True]
    left = choose(records, objects=("ABAUR",))[1]
    assert left["reason"] == "f01: left out by [data] object: it shows HD 1"


def test_a_name_that_is_a_pattern_too_means_the_file_of_that_name():
    records = night({}, {})
    records[0]["name"] = "f[01]1"
    assert [r["ok"] for r in exclude(records, ("f[01]1",))] == [False, True]
    reasons = [r["reason"] for r in exclude(records, ("f01", "f*"))]
    assert ["'f*'" in reasons[0], "'f01'" in reasons[1]] == [True, True]


def test_a_file_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match="files=: no raw file is g01, h"):
        choose(night({}, {}), include=("f01", "g01", "h"))


def test_an_object_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match="no file shows Vega; found: AB Aur"):
        choose(night({}), objects=("Vega",))


def test_separation_is_right_at_the_pole():
    assert separation((0.0, 89.9), (180.0, 89.9)) == pytest.approx(720.0, abs=1e-6)
