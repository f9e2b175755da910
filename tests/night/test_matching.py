"""Which master belongs to which file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.night.matching import master_path, match_background, match_flat, same_exptime
from vampires.night.record import Record, empty_record

SCIENCE: dict[str, Any] = {
    "ok": True, "reason": None, "kind": "science", "generation": "EMCCD", "camera": 1,
    "exptime": 0.25, "detgain": 300.0, "readmode": "EM", "filter": "750-50", "mjd": 59000.0,
    "crop": [176, 176, 160, 160], "ny": 160, "nx": 160,
}  # fmt: skip


def record(name: str = "science", **changes: Any) -> Record:
    """A record of the setup of `SCIENCE`, changed."""
    return Record(**{**empty_record(f"/raw/{name}.fits", ""), **SCIENCE, **changes})


def dark(name: str, **changes: Any) -> Record:
    return record(name, **{"kind": "background", **changes})


def sky(name: str, **changes: Any) -> Record:
    return record(name, **{"kind": "sky", **changes})


def flat(name: str, **changes: Any) -> Record:
    return record(name, **{"kind": "flat", **changes})


def chosen(match: Any) -> str | None:
    return match.record["name"] if match else None


@pytest.mark.parametrize(
    "change",
    [{"camera": 2}, {"crop": [100, 176, 160, 160]}, {"crop": [176, 176, 128, 160], "nx": 128},
     {"generation": "QCMOS"}, {"ok": False}],
)  # fmt: skip
def test_camera_and_crop_are_required(change: dict[str, Any]) -> None:
    for candidate, match in (
        (dark("d", **change), match_background),
        (flat("f", **change), match_flat),
    ):
        found = match(record(), [candidate])
        assert not found
        assert "no " in (found.reason or "")


def test_reason_names_what_was_found() -> None:
    found = match_background(record(), [dark("d", camera=2)])
    assert found.reason == (
        "no background of EMCCD cam1 160x160 at (176, 176); found: EMCCD cam2 160x160 at (176, 176)"
    )


def test_gain_before_exposure_time() -> None:
    found = match_background(record(), [dark("gain", exptime=0.5), dark("time", detgain=100.0)])
    assert chosen(found) == "gain"
    assert found.relaxed == ("exposure 0.25 s wanted, 0.5 s used",)


def test_read_mode_counts_as_gain() -> None:
    qcmos = {"generation": "QCMOS", "detgain": None}
    science = record(readmode="FAST", **qcmos)
    found = match_background(
        science,
        [
            dark("slow", readmode="SLOW", **qcmos),
            dark("fast", readmode="FAST", exptime=9.0, **qcmos),
        ],
    )
    assert chosen(found) == "fast"


def test_exposure_times_are_compared_relatively() -> None:
    science = record(exptime=0.05)
    found = match_background(science, [dark("far", exptime=0.13), dark("same", exptime=0.0502)])
    assert chosen(found) == "same"
    assert found.relaxed == ()
    assert not same_exptime(0.05, 0.13)
    assert same_exptime(0.25, 0.2500001)


def test_nearest_exposure_time_by_ratio() -> None:
    science = record(exptime=1.0)
    assert (
        chosen(match_background(science, [dark("a", exptime=0.3), dark("b", exptime=2.0)])) == "b"
    )


def test_sky_of_the_night_before_dark_for_science_and_after_it_for_lamps() -> None:
    pool = [dark("dark"), sky("sky", mjd=59000.3)]
    assert chosen(match_background(record(), pool)) == "sky"
    assert chosen(match_background(record(kind="flat"), pool)) == "dark"


@pytest.mark.parametrize("change", [{"mjd": 59010.0}, {"filter": "625-50"}, {"exptime": 0.5}])
def test_dark_before_another_sky(change: dict[str, Any]) -> None:
    assert chosen(match_background(record(), [sky("sky", **change), dark("dark")])) == "dark"


def test_ties_go_to_the_closest_in_time() -> None:
    pool = [dark("early", mjd=58999.0), dark("near", mjd=59000.2), dark("late", mjd=59003.0)]
    assert chosen(match_background(record(), pool)) == "near"


def test_flat_order_of_preferences() -> None:
    pool = [
        flat("gain", detgain=100.0),
        flat("filter", filter="625-50"),
        flat("exptime", exptime=1.0, mjd=59009.0),
    ]
    found = match_flat(record(), pool)
    assert chosen(found) == "exptime"
    assert found.relaxed == ()  # a normalised flat does not suffer from another exposure time
    assert chosen(match_flat(record(), pool[:2])) == "filter"
    assert match_flat(record(), pool[1:2]).relaxed == ("filter 750-50 wanted, 625-50 used",)


def test_masters_are_where_tasks_put_them() -> None:
    folder = Path("night")
    assert master_path(dark("d"), folder) == folder / "master_cals/background/d_coll.fits"
    assert master_path(sky("s"), folder) == folder / "master_cals/background/s_coll.fits"
    assert master_path(flat("f"), folder) == folder / "master_cals/flat/f_coll.fits"
    assert master_path(flat("f", format="master"), folder) == Path("/raw/f.fits")


candidates = st.builds(
    dark,
    name=st.text("abcdef", min_size=1, max_size=6),
    exptime=st.sampled_from([0.1, 0.25, 0.2501, 1.0]),
    detgain=st.sampled_from([0.0, 100.0, 300.0]),
    mjd=st.floats(58990, 59010),
    kind=st.sampled_from(["background", "sky"]),
)


@settings(deadline=None)
@given(st.lists(candidates, min_size=1, max_size=8, unique_by=lambda r: r["name"]), st.randoms())
def test_choice_does_not_depend_on_the_order(pool: list[Record], random: Any) -> None:
    shuffled = list(pool)
    random.shuffle(shuffled)
    assert match_background(record(), pool) == match_background(record(), shuffled)


@settings(deadline=None)
@given(st.lists(candidates, min_size=1, max_size=8))
def test_an_exact_gain_is_never_passed_over(pool: list[Record]) -> None:
    found = match_background(record(), pool)
    if any(item["detgain"] == 300.0 for item in pool):
        assert found.record is not None
        assert found.record["detgain"] == 300.0
