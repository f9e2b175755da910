"""The table of sets, edited by hand, is what the sets are."""

import pytest
from astropy.table import Table

from vampires.errors import PolarimetryError
from vampires.night.edited import chosen_sets, read_edited, sets_by_hand
from vampires.night.grouping import group_cubes
from vampires.night.polarimeters import sets_of_groups
from vampires.night.record import Record, empty_record
from vampires.tasks.sets import make_sets_table

HWP = (0.0, 45.0, 22.5, 67.5)


def night(cycles=2):
    records = []
    for step in range(4 * cycles):
        for flc in "AB":
            for camera in (1, 2):
                name = f"f{step:02d}{flc}{camera}"
                mjd = 59634.0 + step / 1000 + (flc == "B") / 9000
                facts = {
                    "ok": True, "reason": None, "kind": "science", "camera": camera, "flc": flc,
                    "hwp": HWP[step % 4], "filter": "750-50", "obsmod": "IPOL", "nframes": 4,
                    "mjd": mjd, "mjd_start": mjd, "mjd_end": mjd + 1e-5, "pa": 10.0 + step / 10,
                    "exptime": 0.1,
                }  # fmt: skip
                records.append(Record(**{**empty_record(f"/raw/{name}.fits", ""), **facts}))
    return group_cubes(records)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "night_stokes_sets.ecsv"
    found = sets_of_groups(night(), "triplediff")
    assert len(found.sets) == 2
    make_sets_table(found.fates, "", path)
    return path


def test_a_table_as_it_was_written_is_not_edited(table):
    assert read_edited(table) is None
    table.with_suffix(".csv").unlink()
    assert read_edited(table) is None
    table.unlink()
    assert read_edited(table) is None


@pytest.mark.parametrize("suffix", [".ecsv", ".csv"])
def test_a_rejected_set_is_left_out(table, suffix):
    path = table.with_suffix(suffix)
    rows = Table.read(path)
    rows["set"][rows["set"] == 0] = -1
    rows.write(path, overwrite=True)
    found = sets_by_hand(night(), read_edited(table), "triplediff", table)
    assert found.problem == ""
    assert [(s.number, len(s.exposures)) for s in found.sets] == [(1, 16)]
    assert {f.exposure.key[:3] for f in found.fates if f.set is None} == {
        "f00",
        "f01",
        "f02",
        "f03",
    }
    assert {f.reason for f in found.fates} == {"by hand"}


def test_sets_are_regrouped(table):
    rows = Table.read(table)
    swapped = {0: 1, 1: 0}
    for row in rows:
        if row["file"].startswith(("f00", "f04")):
            row["set"] = swapped[int(row["set"])]
    rows.write(table, overwrite=True)
    found = sets_by_hand(night(), read_edited(table), "triplediff", table)
    first = {key[:3] for key in found.sets[0].keys}
    assert first == {"f04", "f01", "f02", "f03"}


def test_what_cannot_be_followed_is_said(table):
    rows = Table.read(table)
    rows["set"][3] = -1
    rows.write(table, overwrite=True)
    found = sets_by_hand(night(), read_edited(table), "triplediff", table)
    assert "set 0 lacks HWP 0 FLC B cam 2" in found.problem
    assert found.sets == ()
    assert "no exposure is called 'x'" in sets_by_hand(night(), {"x": 0}, "leastsq", table).problem


def test_two_edits_that_disagree_are_an_error(table):
    for suffix, number in ((".ecsv", 2), (".csv", 3)):
        path = table.with_suffix(suffix)
        rows = Table.read(path)
        rows["set"][0] = number
        rows.write(path, overwrite=True)
    with pytest.raises(PolarimetryError, match="delete one"):
        read_edited(table)


def test_a_table_made_elsewhere_counts_as_by_hand(tmp_path):
    path = tmp_path / "night_stokes_sets.ecsv"
    path.with_suffix(".csv").write_text("file,set\nf00A1,0\n")
    assert read_edited(path) == {"f00A1": 0}
    path.with_suffix(".csv").write_text("name\nf00A1\n")
    with pytest.raises(PolarimetryError, match="needs the columns"):
        read_edited(path)


def test_a_table_that_says_what_is_found_is_nobodys(table):
    """Half of the pair was copied, the half without a digest; or the digest was lost."""
    found = sets_of_groups(night(), "triplediff")
    table.unlink()
    assert read_edited(table) is not None
    assert chosen_sets(night(), found, table, "triplediff") is found
    rows = Table.read(table.with_suffix(".csv"))
    rows.write(table)
    assert chosen_sets(night(), found, table, "triplediff") is found
    rows["set"][rows["set"] == 0] = -1
    rows.write(table, overwrite=True)
    table.with_suffix(".csv").unlink()
    (kept,) = chosen_sets(night(), found, table, "triplediff").sets
    assert kept.number == 1


def test_a_table_of_no_sets_is_a_problem_not_an_exception(table):
    found = sets_of_groups(night(), "triplediff")
    table.with_suffix(".csv").write_text("name\nx\n")
    assert "needs the columns" in chosen_sets(night(), found, table, "triplediff").problem
