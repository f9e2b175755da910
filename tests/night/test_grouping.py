"""Grouping of records into cubes; no file is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.errors import ConfigError
from vampires.night.grouping import MAX_PAUSE, group_cubes, left_out, unusable_records
from vampires.night.record import Record, empty_record

MINUTE = 1 / 1440


def science(name: str, minute: float, **changes: Any) -> Record:
    """A usable science record of 10 frames, half a minute long."""
    record = empty_record(f"/raw/{name}.fits", "")
    base: dict[str, Any] = {
        "ok": True, "reason": None, "kind": "science", "camera": 1, "flc": "A", "hwp": 0.0,
        "exptime": 0.25, "filter": "750-50", "fields": ["750-50"], "nframes": 10,
        "mjd": 59000 + (minute + 0.25) * MINUTE, "mjd_start": 59000 + minute * MINUTE,
        "mjd_end": 59000 + (minute + 0.5) * MINUTE, "crop": [0, 0, 8, 8], "object": "STAR",
    }  # fmt: skip
    return Record(**{**record, **base, **changes})


def cycle(files_per_state: int = 2, cycles: int = 2) -> list[Record]:
    """HWP cycles with both cameras and FLC states, as the instrument takes them."""
    records, minute, number = [], 0.0, 1
    for _ in range(cycles):
        for hwp in (0.0, 45.0, 22.5, 67.5):
            for _ in range(files_per_state):
                for camera in (1, 2):
                    for flc in "AB":
                        records.append(science(f"VMPA{number:05d}", minute, camera=camera,
                                               flc=flc, hwp=hwp))  # fmt: skip
                        number += 1
                minute += 1
    return records


def test_cube_groups_are_the_files() -> None:
    records = cycle()
    groups = group_cubes(records, "cube")
    assert [g.key for g in groups] == [r["name"] for r in records]


def test_pdi_groups_are_the_runs_at_one_angle() -> None:
    groups = group_cubes(cycle(files_per_state=3), "pdi")
    assert len(groups) == 2 * 4 * 2 * 2
    assert {len(g.records) for g in groups} == {3}
    assert groups[0].key == "VMPA00001_cam1_FLCA"
    assert groups[0].nframes == 30
    for group in groups:
        assert len({(r["camera"], r["flc"], r["hwp"]) for r in group.records}) == 1


def test_a_missing_state_does_not_join_two_runs() -> None:
    """Without cam1 files at three angles, its two runs at 0 deg stay apart."""
    records = [r for r in cycle() if not (r["camera"] == 1 and r["hwp"] != 0.0)]
    groups = [g for g in group_cubes(records, "pdi") if g.camera == 1]
    assert len(groups) == 4


def test_a_pause_ends_a_run() -> None:
    later = MAX_PAUSE / 60 + 1
    groups = group_cubes([science("a", 0), science("b", 1), science("c", 2 + later)], "pdi")
    assert [g.key for g in groups] == ["a_cam1_FLCA", "c_cam1_FLCA"]


@pytest.mark.parametrize(
    "change", [{"filter": "Halpha"}, {"exptime": 0.5}, {"object": "OTHER"}, {"crop": [1, 0, 8, 8]}]
)
def test_another_setup_ends_a_run(change: dict[str, Any]) -> None:
    assert len(group_cubes([science("a", 0), science("b", 1, **change)], "pdi")) == 2


def test_no_flc_no_flc_in_the_name() -> None:
    groups = group_cubes([science("a", 0, flc="NA")], "pdi")
    assert [g.key for g in groups] == ["a_cam1"]


def test_dubious_flc_states_are_left_out_of_pdi_with_the_reason() -> None:
    records = [science("a", 0), science("b", 1, flc="D")]
    assert [g.key for g in group_cubes(records, "pdi")] == ["a_cam1_FLCA"]
    assert len(group_cubes(records, "cube")) == 2
    assert "dubious" in left_out(records, "pdi")["/raw/b.fits"]
    assert left_out(records, "cube") == {}


def test_unusable_and_calibrations_make_no_group() -> None:
    bad = empty_record("/raw/bad.fits", "/raw/bad.fits: truncated")
    records = [science("a", 0), science("dark", 1, kind="background"), bad]
    assert [g.key for g in group_cubes(records)] == ["a"]
    assert unusable_records(records) == [bad]


def test_unknown_method() -> None:
    with pytest.raises(ConfigError, match="allowed are 'cube' and 'pdi'"):
        group_cubes([], "night")


@settings(deadline=None)
@given(st.permutations(cycle(1, 1)), st.sampled_from(["cube", "pdi"]))
def test_order_of_the_records_does_not_matter(records: list[Record], method: str) -> None:
    assert group_cubes(records, method) == group_cubes(cycle(1, 1), method)


@settings(deadline=None)
@given(st.lists(st.sampled_from(cycle(1, 1)), unique_by=lambda r: r["name"]))
def test_a_new_later_file_renames_nothing(records: list[Record]) -> None:
    keys = {g.key for g in group_cubes(records, "pdi")}
    more = [*records, science("VMPA99999", 30)]
    assert keys <= {g.key for g in group_cubes(more, "pdi")}
