from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.night.grouping import Group
from vampires.night.pairing import pair_cameras, pair_states

DAY = 86400.0


def exposure(name, camera, start, length=60.0, flc="A", hwp=0.0, filter="750-50", pa=10.0):
    """A group of one file; times in seconds of the night."""
    begin, end = (59634 + t / DAY for t in (start, start + length))
    record = {
        "name": name, "path": f"raw/{name}.fits", "camera": camera, "flc": flc, "hwp": hwp,
        "filter": filter, "fields": [filter], "nframes": 10, "mjd": (begin + end) / 2,
        "mjd_start": begin, "mjd_end": end, "pa": pa,
    }  # fmt: skip
    return Group(name, (record,))


def night(**changes):
    """Two HWP cycles of fast polarimetry: cameras a second apart, FLC states interleaved."""
    return [
        exposure(f"{visit}{flc}{camera}", camera, 75 * visit + 0.7 * camera, flc=flc,
                 hwp=(0.0, 45.0, 22.5, 67.5)[visit % 4], **changes)
        for visit in range(8) for flc in "AB" for camera in (1, 2)
    ]  # fmt: skip


def keys(doubles):
    return [(one.key, two.key) for one, two in doubles]


def test_cameras_pair_by_overlap_not_by_equal_times():
    groups = night()
    pairs = pair_cameras(reversed(groups))
    assert len(pairs) == 16
    assert all(pair.one.key[:-1] == pair.two.key[:-1] for pair in pairs)
    assert [pair.mjd for pair in pairs] == sorted(pair.mjd for pair in pairs)


def test_the_longest_overlap_wins_and_nothing_is_used_twice():
    groups = [exposure("a", 1, 0), exposure("b", 1, 50), exposure("c", 2, 45), exposure("d", 2, 2)]
    found = [(pair.one.key, pair.two.key) for pair in pair_cameras(groups)]
    assert found == [("a", "d"), ("b", "c")]


@pytest.mark.parametrize(
    "other", [{"flc": "B"}, {"hwp": 45.0}, {"filter": "725-50"}, {"camera": 1}, {"start": 60.1}]
)
def test_what_differs_does_not_pair(other):
    two = exposure(**{"name": "b", "camera": 2, "start": 0, **other})
    assert pair_cameras([exposure("a", 1, 0), two]) == []


def test_a_missing_file_costs_only_its_own_pair():
    groups = [group for group in night() if group.key != "3B2"]
    assert {pair.key for pair in pair_cameras(groups)} == {
        group.key for group in groups if group.camera == 1 and group.key != "3B1"
    }


def test_exposures_without_ends_pair_by_their_middles():
    groups = [exposure("a", 1, 0), exposure("b", 2, 0.4), exposure("c", 2, 2.0)]
    for group in groups:
        group.first.update(mjd_start=None, mjd_end=None)
    assert [(pair.one.key, pair.two.key) for pair in pair_cameras(groups)] == [("a", "b")]


def test_flc_states_make_doubles_at_each_hwp_angle():
    doubles = keys(pair_states(pair_cameras(night())))
    assert doubles == [(f"{visit}A1", f"{visit}B1") for visit in range(8)]


def test_hwp_angles_make_doubles_without_flc():
    groups = [group for group in night() if group.flc == "A"]
    for group in groups:
        group.first["flc"] = "NA"
    expected = [("0A1", "1A1"), ("2A1", "3A1"), ("4A1", "5A1"), ("6A1", "7A1")]
    assert keys(pair_states(pair_cameras(groups))) == expected


def test_dubious_flc_states_make_no_double():
    groups = [group for group in night() if group.flc == "A"]
    for group in groups:
        group.first["flc"] = "D"
    assert len(pair_cameras(groups)) == 8
    assert pair_states(pair_cameras(groups)) == []


def test_states_far_apart_in_time_or_angle_make_no_double():
    far = [exposure("a", 1, 0), exposure("b", 2, 0)]
    far += [exposure("c", 1, 700, flc="B"), exposure("d", 2, 700, flc="B")]
    assert pair_states(pair_cameras(far)) == []
    turned = [exposure("a", 1, 0, pa=179), exposure("b", 2, 0, pa=179)]
    turned += [exposure("c", 1, 70, flc="B", pa=-176), exposure("d", 2, 70, flc="B", pa=-176)]
    assert pair_states(pair_cameras(turned)) == []
    for group in turned[2:]:
        group.first["pa"] = -178.0
    assert len(pair_states(pair_cameras(turned))) == 1


def test_line_and_continuum_pair_and_their_swap_makes_the_double():
    filters = [("Halpha", "Ha-Cont"), ("Ha-Cont", "Halpha")] * 2
    groups = [
        exposure(f"{visit}{camera}", camera, 75 * visit, flc="NA",
                 filter=filters[visit][camera - 1])
        for visit in range(4) for camera in (1, 2)
    ]  # fmt: skip
    pairs = pair_cameras(groups)
    assert [pair.swapped for pair in pairs] == [False, True, False, True]
    assert all(pair.line_and_continuum for pair in pairs)
    assert keys(pair_states(pairs)) == [("01", "11"), ("21", "31")]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.floats(0, 500), st.floats(1, 200)), max_size=14)
)
def test_pairs_overlap_and_are_disjoint_and_leave_nothing_that_could_pair(spans):
    groups = [exposure(f"g{i:02d}", *span) for i, span in enumerate(spans)]
    pairs = pair_cameras(groups)
    used = [group.key for pair in pairs for group in (pair.one, pair.two)]
    assert len(used) == len(set(used))

    def overlap(a, b):
        return min(a.mjd_end, b.mjd_end) - max(a.mjd_start, b.mjd_start)

    assert all(overlap(pair.one, pair.two) > 0 for pair in pairs)
    left = SimpleNamespace(**{
        f"cam{camera}": [g for g in groups if g.camera == camera and g.key not in used]
        for camera in (1, 2)
    })  # fmt: skip
    assert not any(overlap(a, b) > 0 for a in left.cam1 for b in left.cam2)
