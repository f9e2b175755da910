"""How the groups of a night become the sets of its polarimeters."""

from __future__ import annotations

from vampires.night.grouping import Group
from vampires.night.polarimeters import sets_of_groups
from vampires.night.record import empty_record

HWP = (0.0, 45.0, 22.5, 67.5)


def group(camera: int, hwp: float, filter_name: str, mjd: float, **facts: object) -> Group:
    name = f"{filter_name}_{hwp}_{camera}_{facts.get('flc', 'NA')}"
    record = empty_record(f"{name}.fits", "")
    record |= {
        "ok": True, "reason": None, "kind": "science", "camera": camera, "hwp": hwp, "flc": "NA",
        "filter": filter_name, "mjd": mjd, "nframes": 5, "pa": 10.0, "obsmod": "IPOL",
    }  # fmt: skip
    record |= facts  # type: ignore[typeddict-item]
    return Group(name, (record,))


def night(filter_name: str, start: float) -> list[Group]:
    return [
        group(camera, hwp, filter_name, start + i / 1000, flc=flc)
        for i, hwp in enumerate(HWP)
        for flc in "AB"
        for camera in (1, 2)
    ]


def narrowband(cameras: tuple[str, str] = ("Halpha", "Ha-Cont")) -> list[Group]:
    return [
        group(camera, hwp, name, 59000 + i / 1000, obsmod="IPOL_SDI")
        for i, hwp in enumerate(HWP)
        for camera, name in enumerate(cameras, start=1)
    ]


def test_sets_of_all_filters_are_numbered_in_time():
    found = sets_of_groups(night("675-50", 59000.5) + night("750-50", 59000.2), "triplediff")
    assert [(s.number, s.filter) for s in found.sets] == [(0, "750-50"), (1, "675-50")]
    for fate in found.fates:
        assert fate.exposure.key in found.sets[fate.set].keys
    assert [f.exposure.mjd for f in found.fates] == sorted(f.exposure.mjd for f in found.fates)


def test_each_filter_has_its_product():
    both = sets_of_groups(night("675-50", 59000.5) + night("750-50", 59000.2), "triplediff")
    products = both.by_filter()
    assert set(products) == {"675-50", "750-50"}
    assert [s.number for s in products["675-50"]] == [1]
    one = sets_of_groups(night("675-50", 59000.5), "triplediff")
    assert one.by_filter() == {None: list(one.sets)}


def test_with_narrowband_filters_each_camera_is_a_polarimeter():
    found = sets_of_groups(narrowband(), "doublediff")
    assert [(s.filter, len(s.exposures)) for s in found.sets] == [("Ha-Cont", 4), ("Halpha", 4)]
    assert all(len({e.camera for e in s.exposures}) == 1 for s in found.sets)
    assert not found.problem


def test_a_filter_without_a_set_leaves_the_other_alone():
    found = sets_of_groups(night("675-50", 59000.5)[:4] + night("750-50", 59000.2), "triplediff")
    assert [s.filter for s in found.sets] == ["750-50"]
    left = [f for f in found.fates if f.set is None]
    assert {f.exposure.filter for f in left} == {"675-50"}
    assert {f.reason for f in left} == {"no complete set"}


def test_no_set_at_all_has_a_reason():
    assert "missing HWP 22.5" in sets_of_groups(night("675-50", 59000.5)[:8], "triplediff").problem
    assert sets_of_groups([], "triplediff") == sets_of_groups([], "doublediff")
    assert sets_of_groups([], "triplediff").problem == "no science exposures"
