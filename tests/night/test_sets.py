import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.errors import PolarimetryError
from vampires.night.cycles import stack_repeats
from vampires.night.sets import (
    HWP_CYCLE,
    Exposure,
    fast_turns,
    fates_table,
    find_sets,
    nominal_hwp,
    set_states,
)
from vampires.polarimetry.modulation import difference_weights


def night(cycles=2, flcs=("A", "B"), filter_name="750-50", turn=0.5, start=0):
    """Exposures 75 s apart, the field turning by ``turn`` deg from one to the next."""
    out = []
    for step in range(4 * cycles):
        for i, flc in enumerate(flcs):
            for camera in (1, 2):
                out.append(
                    Exposure(
                        key=f"{filter_name}_{start + step:03d}{flc}{camera}",
                        camera=camera,
                        flc=flc,
                        hwp=HWP_CYCLE[step % 4] + 0.001,
                        mjd=59634.0 + (start + step) * 75 / 86400 + i * 2 / 86400,
                        filter=filter_name,
                        pa=100.0 + turn * (start + step),
                    )
                )
    return out


def without(exposures, *parts):
    return [e for e in exposures if not any(p in e.key for p in parts)]


def numbers(sets):
    return [sorted({int(k.split("_")[1][:3]) for k in s.keys}) for s in sets]


@pytest.mark.parametrize(
    ("method", "flcs", "size", "count"),
    [("triplediff", ("A", "B"), 16, 3), ("doublediff", ("NA",), 8, 3), ("doublediff", "AB", 8, 6)],
)
def test_complete_cycles_are_all_found(method, flcs, size, count):
    exposures = night(3, flcs)
    sets, fates = find_sets(exposures, method)
    assert [len(s.exposures) for s in sets] == [size] * count
    assert [s.number for s in sets] == list(range(count))
    assert all(f.set is not None for f in fates)
    first = [(nominal_hwp(e.hwp), e.flc, e.camera) for e in sets[0].exposures]
    assert tuple(first) == set_states(method, first[0][1])


def test_a_missing_file_costs_only_its_own_set():
    exposures = without(night(3, turn=2.0), "_005A1")
    sets, fates = find_sets(exposures, "triplediff", max_rotation=1.0)
    assert numbers(sets) == [[0, 1, 2, 3], [8, 9, 10, 11]]
    left = [f for f in fates if f.set is None]
    assert len(left) == 15
    assert {f.reason for f in left} == {"its cycle is incomplete"}


def test_an_aborted_cycle_and_a_repeated_exposure():
    # 0 45 | 0 45 22.5 67.5 | 0 45 22.5 22.5 67.5: the first is cut off, the last repeats 22.5
    a, b = night(1, start=0), night(2, start=2)
    repeat = [replace(e, key=e.key + "r", mjd=e.mjd + 60 / 86400)
              for e in b if "_008" in e.key]  # fmt: skip
    sets, fates = find_sets(without(a, "_002", "_003") + b + repeat, "triplediff")
    assert numbers(sets) == [[2, 3, 4, 5], [6, 7, 8, 9]]
    assert [len(s.exposures) for s in sets] == [16, 20]
    assert sum(f.set is None for f in fates) == 8


def twice(exposures, gap=30.0):
    """Each exposure in two files, one after the other in its state."""
    again = [replace(e, key=e.key + "z", mjd=e.mjd + gap / 86400) for e in exposures]
    return sorted([*exposures, *again], key=lambda e: (e.mjd, e.key))


@pytest.mark.parametrize(("method", "flcs"), [("triplediff", "AB"), ("doublediff", ("NA",))])
def test_two_files_per_angle_are_all_used_and_no_set_is_longer(method, flcs):
    single, _ = find_sets(night(3, flcs), method)
    sets, fates = find_sets(twice(night(3, flcs)), method)
    assert len(sets) == 3
    assert all(f.set is not None and f.reason == "consecutive" for f in fates)
    assert numbers(sets) == numbers(single)
    assert [len(s.exposures) for s in sets] == [2 * len(s.exposures) for s in single]
    assert all(s.borrowed == () for s in sets)


def test_a_part_without_the_other_camera_is_named():
    exposures = without(twice(night(2)), "_001A1z")
    sets, fates = find_sets(exposures, "triplediff")
    assert [len(s.exposures) for s in sets] == [30, 32]
    (left,) = [f for f in fates if f.set is None]
    assert left.exposure.key == "750-50_001A2z"
    assert left.reason == "no simultaneous exposure of the other camera"


@pytest.mark.parametrize(("gap", "turn", "stacks"), [(200, 1, 1), (400, 1, 2), (200, 9, 2)])
def test_a_pause_or_a_turn_at_one_angle_begins_another_exposure(gap, turn, stacks):
    first = night(1)[0]
    second = replace(first, key="second", mjd=first.mjd + gap / 86400, pa=first.pa + turn)
    assert len(stack_repeats([first, second], 4.0)) == stacks


def test_a_gap_is_filled_from_the_closest_leftover():
    # two cycles lose different files; the fuller one takes what it lacks from the other
    exposures = without(night(2), "_002A1", "_005B2", "_007A1")
    sets, fates = find_sets(exposures, "triplediff", max_rotation=4.0)
    assert len(sets) == 1
    # both cameras at once, although only one is missing
    assert sets[0].borrowed == ("750-50_006A1", "750-50_006A2")
    assert numbers(sets) == [[0, 1, 2, 3, 6]]
    assert [f.exposure.key[-3:] for f in fates if f.reason == "fills a gap"] == ["6A1", "6A2"]
    assert sum(f.set is None for f in fates) == 32 - 3 - 16


def test_filling_obeys_the_limit_of_rotation():
    exposures = without(night(2, turn=2.0), "_002A1", "_004", "_005", "_007")
    sets, fates = find_sets(exposures, "triplediff", max_rotation=10.0)
    assert sets[0].borrowed == ("750-50_006A1", "750-50_006A2")
    assert [f.reason for f in fates if f.exposure.key == "750-50_006A1"] == ["fills a gap"]
    with pytest.raises(PolarimetryError, match="set_max_rotation"):
        find_sets(exposures, "triplediff", max_rotation=2.0)


def test_a_long_pause_with_rotation_ends_a_cycle():
    half = without(night(1), "_002", "_003")
    later = [replace(e, mjd=e.mjd + 0.1, pa=e.pa + 40) for e in without(night(1), "_000", "_001")]
    with pytest.raises(PolarimetryError, match="all states occur"):
        find_sets(half + later, "triplediff")


def test_filters_never_meet():
    one = without(night(1, filter_name="750-50"), "_002", "_003")
    two = without(night(1, filter_name="675-50"), "_000", "_001")
    with pytest.raises(PolarimetryError, match=r"675-50: missing HWP 0 FLC A cam 1"):
        find_sets(one + two, "triplediff")
    sets, _ = find_sets(night(1) + night(1, filter_name="675-50", start=4), "triplediff")
    assert [{e.filter for e in s.exposures} for s in sets] == [{"750-50"}, {"675-50"}]


def test_unusable_exposures_are_named_with_the_reason():
    exposures = night(2)
    exposures[0] = replace(exposures[0], flc="D")
    exposures[20] = replace(exposures[20], hwp=31.0)
    exposures.append(replace(exposures[5], key="later", mjd=59634.5, pa=float("nan")))
    with pytest.raises(PolarimetryError, match="set_max_rotation"):
        find_sets(exposures, "triplediff", max_rotation=0.1)
    _, fates = find_sets(exposures + night(1, start=8), "triplediff", max_rotation=0.1)
    reasons = {f.exposure.key: f.reason for f in fates}
    assert reasons[exposures[0].key] == "dubious FLC state (U_FLC = D)"
    assert "31 deg" in reasons[exposures[20].key]
    assert "unknown" in reasons["later"]


def test_no_flc_says_what_to_set():
    with pytest.raises(PolarimetryError, match="needs A and B"):
        find_sets(night(1, ("NA",)), "triplediff")
    with pytest.raises(PolarimetryError, match="no exposures"):
        find_sets([], "triplediff")
    with pytest.raises(PolarimetryError, match="allowed are"):
        find_sets(night(1), "quadruple")


def test_missing_states_are_listed():
    with pytest.raises(PolarimetryError, match=r"missing HWP 67.5 FLC B cam 2"):
        find_sets(without(night(2), "_003B2", "_007B2"), "triplediff")


def test_cameras_are_filled_together():
    """The exposure of camera 1 alone would meet one of camera 2 at another time."""
    exposures = without(night(2), "002A1", "004B2", "006B1")
    sets, fates = find_sets(exposures, "triplediff")
    assert len(sets) == 1
    visits = {}
    for e in sets[0].exposures:
        visits.setdefault((nominal_hwp(e.hwp), e.flc), set()).add(e.mjd)
    assert all(len(times) == 1 for times in visits.values())
    orphan = next(f for f in fates if f.exposure.key.endswith("002A2"))
    assert orphan.set is None


def test_leastsq_uses_incomplete_cycles():
    exposures = without(night(4), "005A1", "005A2", "005B1", "005B2", "006", "007", "013A2")
    sets, fates = find_sets(exposures, "leastsq")
    # the second cycle has one HWP position left and joins the first
    assert numbers(sets) == [[0, 1, 2, 3, 4], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert sum(len(s.exposures) for s in sets) == len(exposures) - 1
    (left,) = [f for f in fates if f.set is None]
    assert left.exposure.key.endswith("013A1")
    assert "other camera" in left.reason


def test_leastsq_joins_the_first_cycles_until_they_suffice():
    exposures = without(night(3), "000", "001", "006", "007")
    assert numbers(find_sets(exposures, "leastsq")[0]) == [[2, 3, 4, 5], [8, 9, 10, 11]]
    with pytest.raises(PolarimetryError, match="three HWP positions seen by both cameras"):
        find_sets([e for e in night(2) if nominal_hwp(e.hwp) in (0.0, 45.0)], "leastsq")


def test_one_camera_alone():
    exposures = [e for e in night(2) if e.camera == 1]
    sets, _ = find_sets(exposures, "triplediff", cameras=(1,))
    assert [len(s.exposures) for s in sets] == [8, 8]


def test_finding_sets_needs_no_heavy_package():
    """The task file finds sets each time doit starts."""
    code = (
        "import sys, vampires.night.sets; "
        "sys.exit(any(m in sys.modules for m in ('numpy', 'astropy', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_table_has_every_file():
    exposures = night(2)
    table = fates_table(find_sets(exposures, "triplediff")[1])
    assert sorted(table["file"]) == sorted(e.key for e in exposures)
    assert set(table["set"]) == {0, 1}
    assert len(fates_table([])) == 0


def outcome_of(exposures, method, limit):
    try:
        return find_sets(exposures, method, max_rotation=limit)
    except PolarimetryError as error:
        return str(error)


@given(
    st.lists(st.integers(0, 63), max_size=20, unique=True),
    st.randoms(use_true_random=False),
    st.floats(0.1, 10),
    st.sampled_from(["triplediff", "doublediff", "leastsq"]),
)
@settings(max_examples=60, deadline=None)
def test_order_of_input_does_not_matter_and_no_file_is_used_twice(lost, random, limit, method):
    exposures = [e for i, e in enumerate(night(4, turn=1.0)) if i not in lost]
    shuffled = exposures.copy()
    random.shuffle(shuffled)
    outcome = outcome_of(exposures, method, limit)
    assert outcome_of(shuffled, method, limit) == outcome
    if isinstance(outcome, str):
        return
    sets, fates = outcome
    used = [k for s in sets for k in s.keys]
    assert len(used) == len(set(used))
    assert {f.exposure.key for f in fates if f.set is not None} == set(used)
    assert {f.exposure.key for f in fates} == {e.key for e in exposures}
    for s in sets if method != "leastsq" else ():
        states = [(nominal_hwp(e.hwp), e.flc, e.camera) for e in s.exposures]
        assert tuple(states) == set_states(method, s.exposures[0].flc)


def test_weights_are_the_textbook_differences():
    states = set_states("triplediff")
    images = dict(zip(states, np.random.default_rng(1).random(16), strict=True))
    i_q, i_u, q, u = difference_weights(states) @ list(images.values())

    def plus(hwp):
        a = images[hwp, "A", 1] - images[hwp, "A", 2]
        b = images[hwp, "B", 1] - images[hwp, "B", 2]
        return (a - b) / 2 / 2

    assert q == pytest.approx((plus(0.0) - plus(45.0)) / 2)
    assert u == pytest.approx((plus(22.5) - plus(67.5)) / 2)
    assert i_q == pytest.approx(np.mean([v for s, v in images.items() if s[0] in (0, 45)]))
    assert i_u == pytest.approx(np.mean([v for s, v in images.items() if s[0] in (22.5, 67.5)]))


def test_a_set_across_the_zenith_is_named():
    turning = [replace(e, pa=e.pa + 60 * int(e.key[-5:-2])) for e in night(1)]
    _, fates = find_sets(turning, "triplediff")
    (line,) = fast_turns(fates)
    assert "set 0: the field turns by up to 60 deg" in line
    assert "stream = true" in line
    assert fast_turns(find_sets(night(2, turn=2.0), "triplediff")[1]) == []
