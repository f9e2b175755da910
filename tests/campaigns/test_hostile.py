"""Names and header values meant to harm: in tasks, tables, headers, pages, configurations."""

import os
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import vampires
from vampires.canonical import Header
from vampires.config import load_config
from vampires.config.write import Setting, apply_settings, read_template
from vampires.io.products import stamp, write_table
from vampires.night.index import build_index
from vampires.night.setups import find_setups
from vampires.night.sorting import sort_files
from vampires.night.table import header_table
from vampires.utils.text import ascii_text, is_plain, shown

pytestmark = pytest.mark.campaign

NAMES = st.text(
    st.characters(exclude_characters="/\0", max_codepoint=0x2FFF), min_size=1, max_size=40
)
BYTES = st.binary(min_size=1, max_size=30).map(
    lambda raw: os.fsdecode(raw.replace(b"/", b"").replace(b"\0", b"") or b"x")
)


VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60) | st.sampled_from(
    ("../../x", "/etc/passwd", ".", "..", "~", "-rf", "<script>a()</script>", "$(x)",
     "'; drop table doit; --", "%s{0}", "darks", "nan", "CON", "x=y", "''", "&amp;", "T")
)  # fmt: skip


KEYS = ("OBJECT", "U_FILTER", "U_MASK", "FRAMEID", "DATA-TYP", "OBS-MOD", "U_OGFNAM")


def examples(few):
    """Settings of hypothesis for the number of trials."""
    return settings(max_examples=int(os.environ.get("VAMPIRES_TRIALS", few)))


@examples(60)
@given(NAMES | BYTES)
def test_any_name_can_be_shown_and_written_to_a_header(name):
    assert is_plain(shown(name))
    shown(name).encode()
    header = stamp(Header(), "digest", [Path("/raw") / f"x{name}.fits"])
    text = header.to_fits().tostring()
    assert text.isascii()
    assert fits.Header.fromstring(text)["SRC0001"] == ascii_text(f"x{name}.fits").rstrip()


@pytest.fixture(scope="module", name="raw")
def fixture_raw(stars_night):
    """Header of a raw file."""
    return fits.getheader(sorted((stars_night / "raw").glob("*.fits"))[0])


@pytest.mark.filterwarnings("default")
@examples(10)
@given(
    values=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(KEYS, VALUES),
    ),
    name=NAMES,
)
def test_any_header_text_goes_through_index_sort_and_table(raw, tmp_path_factory, values, name):
    """It is shown, sorted into the folder asked for, or refused with a line."""
    folder = tmp_path_factory.mktemp("hostile")
    header = raw.copy()
    for key, value in values.items():
        header[key] = value[: 68 - value.count("'")]
    name = f"{shown(name)[:60]}.fits".replace("/", "_")
    path = folder / name
    fits.PrimaryHDU(np.zeros((1, 32, 32), np.uint16), header).writeto(
        path, output_verify="silentfix"
    )
    (record,) = build_index([path], folder, cache_path=folder / "index.sqlite")
    assert record["ok"] or is_plain(record["reason"])
    for setup in find_setups([record]):
        assert is_plain(f"{setup.label} {setup}")
        assert "/" not in setup.label
    write_table(folder / "table.ecsv", header_table([path]))
    (done,) = sort_files([path], folder / "out", action="link")
    if done.target is None:
        assert is_plain(done.reason)
    else:
        assert done.target.resolve().is_relative_to(folder / "out")
        assert done.target.relative_to(folder / "out").parts[-1] == name
        assert len(done.target.relative_to(folder / "out").parts) == 3
    assert {p.name for p in folder.iterdir()} <= {name, "out", "table.ecsv", "table.csv",
        "index.sqlite", "index.sqlite-wal", "index.sqlite-shm"}  # fmt: skip


@examples(25)
@given(NAMES | VALUES)
def test_a_value_cannot_leave_its_place_in_a_configuration(value):
    text = apply_settings(read_template("pdi"), [Setting("target", "name", value)])
    found, before = tomllib.loads(text), tomllib.loads(read_template("pdi"))
    assert found.pop("target")["name"] == value
    assert found == before


def test_files_of_odd_names_are_indexed_or_refused_with_a_line(stars_night, tmp_path):
    source = sorted((stars_night / "raw").glob("*.fits"))[0]
    odd = {
        "plain": True, "with space": True, "-dash": True, "Müller": True, "x=y": None,
        "a\nb": False, "esc\x1b[31m": False, os.fsdecode(b"caf\xe9"): False,
    }  # fmt: skip
    for name in odd:
        (tmp_path / f"{name}.fits").symlink_to(source)
    records = build_index("*.fits", tmp_path, cache_path=tmp_path / "index.sqlite")
    assert len(records) == len(odd)
    for record in records:
        record["path"].encode()
        if not record["ok"]:
            assert is_plain(record["reason"])
    bad = [r["reason"] for r in records if "control characters" in (r["reason"] or "")]
    assert len(bad) == 3
    assert any("\\n" in reason for reason in bad)
    again = build_index("*.fits", tmp_path, cache_path=tmp_path / "index.sqlite")
    assert again == records
    write_table(tmp_path / "table.ecsv", header_table(tmp_path.glob("*.fits")))
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1 + len(odd)


def test_a_folder_whose_name_is_no_text(project, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9\n")
    folder.mkdir()
    there = type(project)(folder).write({"a": "1"})
    assert there.doit()[0] == 0
    assert there.doit() == (0, ["everything is up to date (2 tasks)"])


@pytest.mark.parametrize("value", ['x"\nmemory = "1 TB', "'''", "\\", "a = 1", "\x1b[31m"])
def test_values_given_to_new_stay_values(tmp_path, value):
    from fixtures.doit import doit

    run = doit(tmp_path, "new", "night.toml", "--template", "pdi", "--yes", "--set",
               f"target.name={value}")  # fmt: skip
    assert "Traceback" not in run.stdout + run.stderr
    if run.returncode == 0:
        config = load_config(tmp_path / "night.toml")
        assert config.target is not None
        assert config.target.name == value
        assert config.execution.memory == "2 GB"


def test_nothing_that_a_file_names_is_run():
    """No pickles of strangers, no evaluation, no import by name from data."""
    forbidden = re.compile(r"\b(eval|exec)\(|allow_pickle=True|pickle\.load\(|yaml\.load\(")
    for path in Path(vampires.__file__).parent.rglob("*.py"):
        assert not forbidden.search(path.read_text()), path
    users = [
        path.name
        for path in Path(vampires.__file__).parent.rglob("*.py")
        if "pickle.loads(" in path.read_text()
    ]
    assert users == ["executor.py"]  # between a run and its own workers
