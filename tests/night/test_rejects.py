"""Suggestions, decisions and their undoing."""

from pathlib import Path

import numpy as np
import pytest

from vampires.errors import FileError
from vampires.measure.quicklook import QuickLook
from vampires.night.record import empty_record
from vampires.night.rejects import Reject, Selection, parse_reject, suggest, write_lists


def looked(name, n=20, **changes):
    """A steady file but for the values given by frame."""
    rng = np.random.default_rng(abs(hash(name)) % 1000)
    table = {key: rng.normal(100, 1, n) for key in ("flux", "peak", "sharpness", "y", "x")}
    for key, values in changes.items():
        for frame, value in values.items():
            table[key][frame] = value
    empty = np.zeros((1, 1, 1), np.float32)
    place = np.stack([table["y"], table["x"]], axis=1)
    return QuickLook(Path(name), 10 * n, 10 * np.arange(n), empty[0], empty, np.arange(1),
                     table["flux"], table["peak"], table["sharpness"], place)  # fmt: skip


def records(looks, **changes):
    return {one.name: {**empty_record(one.name, ""), **changes} for one in looks}


def every(value, n=20):
    return dict.fromkeys(range(n), value)


def test_files_unlike_the_others_are_suggested_with_the_reason():
    looks = [looked(f"{k}.fits") for k in range(6)]
    looks.append(looked("faint.fits", flux=every(40.0), peak=every(40.0)))
    looks.append(looked("blurred.fits", sharpness=every(50.0)))
    looks.append(looked("off.fits", x=every(130.0)))
    found = suggest(looks, records(looks))
    assert [str(item) for item in found] == ["faint.fits", "blurred.fits", "off.fits"]
    assert found[0].why == "flux 40% of the usual, peak 40% of the usual"
    assert found[1].why == "sharpness 50% of the usual"
    assert found[2].why == "30 px off the usual place"


def test_sharper_than_usual_is_no_reason():
    looks = [looked(f"{k}.fits") for k in range(6)] + [looked("best.fits", sharpness=every(180.0))]
    assert suggest(looks, records(looks)) == []


def test_setups_are_not_compared_with_each_other():
    looks = [looked(f"{k}.fits") for k in range(6)] + [looked("other.fits", flux=every(40.0))]
    known = records(looks)
    known["other.fits"]["filter"] = "Halpha"
    assert suggest(looks, known) == []


def test_outlying_frames_are_suggested_as_ranges_of_what_was_seen():
    one = looked("a.fits", y={4: 140.0, 5: 140.0, 9: np.nan}, x={9: np.nan}, flux={9: np.nan})
    found = suggest([one], records([one]))
    assert [str(item) for item in found] == ["a.fits 40-50", "a.fits 90"]
    assert found[1].why == "no light"


def test_decisions_are_undone_by_going_back():
    start = Selection()
    once = start.reject(Reject("a.fits", (3, 5)))
    twice = once.reject(Reject("a.fits", (5, 6)))
    assert twice.frames == {"a.fits": (3, 4, 5, 6)}
    assert twice.describe("a.fits") == "4 frames rejected"
    whole = twice.reject(Reject("a.fits", None))
    assert whole.frames == {}
    assert whole.describe("a.fits") == "rejected"
    assert whole.keep("a.fits") == start


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("a", "a.fits"), ("a.fits", "a.fits"), ("a 7", "a.fits 7"), ("a.fits:7-9", "a.fits 7-9"),
     ("a  7 - 9", "a.fits 7-9")],
)  # fmt: skip
def test_names_and_ranges_as_typed(typed, meant):
    assert str(parse_reject(typed, {"a.fits": 10, "ab.fits": 10})) == meant


@pytest.mark.parametrize(
    ("typed", "words"),
    [("b", "none of the 1"), ("a 7-12", "frames 0 to 9"), ("a 9-7", "frames 9-7"),
     ("a x", "expected FILE")],
)  # fmt: skip
def test_mistyped_names_and_ranges(typed, words):
    with pytest.raises(FileError, match=words):
        parse_reject(typed, {"a.fits": 10})


def test_lists_have_one_path_a_line(tmp_path):
    paths = [Path("raw/a.fits"), Path("raw/b.fits"), Path("raw/c.fits")]
    selection = Selection(frozenset({"b.fits"}), {"c.fits": (1,)})
    kept, left = write_lists(tmp_path, paths, selection)
    assert kept.read_text() == "raw/a.fits\nraw/c.fits\n"
    assert left.read_text() == "raw/b.fits\n"
