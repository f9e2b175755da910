"""Names and header values meant to harm: in tasks, tables, headers, pages, configurations."""

import os
import re
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import vampires
from vampires.canonical import Header
from vampires.config import load_config
from vampires.io.products import stamp, write_table
from vampires.night.index import build_index
from vampires.night.table import header_table
from vampires.utils.text import ascii_text, is_plain, shown

pytestmark = pytest.mark.campaign

NAMES = st.text(
    st.characters(exclude_characters="/\0", max_codepoint=0x2FFF), min_size=1, max_size=40
)
BYTES = st.binary(min_size=1, max_size=30).map(
    lambda raw: os.fsdecode(raw.replace(b"/", b"").replace(b"\0", b"") or b"x")
)


@settings(max_examples=60)
@given(NAMES | BYTES)
def test_any_name_can_be_shown_and_written_to_a_header(name):
    assert is_plain(shown(name))
    shown(name).encode()
    header = stamp(Header(), "digest", [Path("/raw") / f"x{name}.fits"])
    text = header.to_fits().tostring()
    assert text.isascii()
    assert fits.Header.fromstring(text)["SRC0001"] == ascii_text(f"x{name}.fits").rstrip()


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
