"""Reading, validating and choosing configurations."""

import dataclasses
import json
import pickle
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vampires.config import (
    SECTIONS,
    Config,
    config_from_dict,
    find_config,
    load_config,
)
from vampires.config.option import options_of
from vampires.errors import ConfigError

# A config of the public pipeline 0.14 with every key it knows and every table we carry out.
PUBLIC = """
name = "20230101_ABAur"
dpp_version = "0.14.3"
coronagraphic = false
planetary = false
save_adi_cubes = false

[target]
name = "AB Aur"
ra = "04:55:45.8"
dec = "+30:33:04"
parallax = 6.4
pm_ra = 4.0
pm_dec = -24
frame = "icrs"
obstime = "J2016"

[combine]
method = "pdi"
save_intermediate = false

[calibrate]
calib_directory = "master_cals"
back_subtract = true
flat_correct = false
fix_bad_pixels = false
save_intermediate = false

[analysis]
fit_psf_model = false
psf_model = "moffat"
photometry = true
phot_aper_rad = 8
phot_ann_rad = false
strehl = true
window_size = 21

[frame_select]
frame_select = true
metric = "max"
cutoff = 0.2
save_intermediate = false

[align]
align = true
pad = true
method = "dft"
crop_width = 536
reproject = false
save_intermediate = false

[coadd]
coadd = true
method = "median"
recenter = true
recenter_method = "com"

[specphot]
unit = "e-/s"
source = "pickles"
sptype = "A0V"
mag = 7.05
mag_band = "V"
flux_metric = "photometry"

[diff_images]
make_diff = true
save_double = false

[polarimetry]
method = "triplediff"
derotate = true
mm_correct = true
hwp_adi_sync = true
use_ideal_mm = false
ip_correct = true
ip_method = "annulus"
ip_radius = 15
ip_radius2 = 20
cyl_stokes = "azimuthal"
"""


def problems(values, path=None, text=""):
    """The lines of the error a configuration gives."""
    with pytest.raises(ConfigError) as caught:
        config_from_dict(values, path, text)
    return str(caught.value).splitlines()


def write(folder: Path, text: str, name: str = "c.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_public_pipeline_config_is_accepted_as_it_is(tmp_path):
    config = load_config(write(tmp_path, PUBLIC))
    stated = tomllib.loads(PUBLIC)
    for section, table in stated.items():
        if isinstance(table, dict):
            values = config.section_values(section)
            expected = {**table, **({"metric": "peak"} if section == "frame_select" else {})}
            if section == "analysis":
                expected["phot_ann_rad"] = None
            assert {key: values[key] for key in expected} == expected
    assert config.name == "20230101_ABAur"
    assert config.target.ra_deg == pytest.approx(15 * (4 + 55 / 60 + 45.8 / 3600))
    assert config.target.dec_deg == pytest.approx(30 + 33 / 60 + 4 / 3600)


def test_defaults_fill_what_is_absent():
    config = config_from_dict({})
    assert config == Config()
    assert config.target is None
    assert config.polarimetry is None
    assert config.coadd.method == "mean"
    assert config.calibrate.flat_correct
    assert config_from_dict({"polarimetry": {}}).polarimetry.method == "triplediff"


def test_name_defaults_to_the_file_and_paths_start_at_its_folder(tmp_path):
    config = load_config(write(tmp_path, "", "AB Aur.toml"))
    assert config.name == "AB_Aur"
    assert config.folder == tmp_path
    assert config.resolve("raw") == tmp_path / "raw"
    assert config.resolve("/data/raw") == Path("/data/raw")


def test_config_is_immutable_and_travels_between_processes():
    config = config_from_dict(tomllib.loads(PUBLIC))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.coadd.method = "mean"
    assert pickle.loads(pickle.dumps(config)) == config


def test_numbers_are_settled_so_that_an_integer_changes_no_digest():
    as_integer = config_from_dict({"analysis": {"phot_aper_rad": 8, "window_size": 21.0}})
    as_float = config_from_dict({"analysis": {"phot_aper_rad": 8.0, "window_size": 21}})
    assert as_integer == as_float
    assert json.dumps(as_integer.section_values("analysis")) == json.dumps(
        as_float.section_values("analysis")
    )


@pytest.mark.parametrize("section", ["general", *SECTIONS])
def test_section_values_are_json_and_read_back(section):
    config = config_from_dict(tomllib.loads(PUBLIC))
    values = config.section_values(section)
    assert json.loads(json.dumps(values)) == values


def test_digest_follows_results_only():
    config = config_from_dict({"name": "a"})
    other = config_from_dict(
        {"name": "a", "dpp_version": "0.14.3", "execution": {"memory": "4 GB"}}
    )
    assert config.digest == other.digest
    assert config.digest != config_from_dict({"name": "a", "coadd": {"method": "median"}}).digest
    assert config.digest_of("align") == Config(name="b").digest_of("align")


def test_unknown_table_of_section_values():
    with pytest.raises(KeyError, match="no table"):
        Config().section_values("coad")


def test_every_problem_is_told_at_once_with_its_line(tmp_path):
    text = (
        'name = "a b"\n[coad]\nx = 1\n[coadd]\nmethid = "mean"\nmethod = "meen"\n'
        "# the comment\nrecenter = 'true'\n[align]\ncrop_width = 3\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith('c.toml:2: [coad]: unknown table (did you mean "coadd"?)')
    assert lines[1].startswith('c.toml:1: name = "a b": must be file-friendly')
    assert lines[2] == "c.toml:10: [align] crop_width = 3: must be at least 16 px"
    assert lines[3].startswith('c.toml:5: [coadd] methid: unknown key (did you mean "method"?)')
    assert lines[4].startswith('c.toml:6: [coadd] method = "meen": must be one of "mean", "median"')
    assert lines[5] == 'c.toml:8: [coadd] recenter = "true": must be true or false'


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": 20230101}, ["name = 20230101", "text in quotes"]),
        ({"name": "../up"}, ["file-friendly"]),
        ({"coronagrphic": True}, ['did you mean "coronagraphic"']),
        ({"coadd": 3}, ["coadd must be a table"]),
        ({"coadd": {"recenter": 1}}, ["true or false"]),
        ({"analysis": {"window_size": 21.5}}, ["whole number"]),
        ({"analysis": {"window_size": True}}, ["whole number"]),
        ({"analysis": {"phot_aper_rad": "8"}}, ["a number"]),
        ({"analysis": {"phot_aper_rad": float("nan")}}, ["a number"]),
        ({"analysis": {"phot_ann_rad": [20, 10]}}, ["inner < outer"]),
        ({"analysis": {"phot_ann_rad": True}}, ["false, or [inner, outer]"]),
        ({"analysis": {"psf_model": "airy"}}, ['one of "moffat"']),
        ({"frame_select": {"cutoff": 1.5}}, ["between 0 and 1"]),
        ({"target": {"ra": "25:00:00", "dec": "0:0:0"}}, ["hours"]),
        ({"target": {"ra": 73.9, "dec": "0:0:0"}}, ["in quotes"]),
        ({"target": {"ra": "04:55:45.8"}}, ["needs dec"]),
        ({"target": {"dec": "+30:71:00", "ra": "1:0:0"}}, ["degrees"]),
        ({"target": {"obstime": "yesterday"}}, ['"J2016"']),
        ({"data": {"raw": [1, 2]}}, ["a list of any number of texts"]),
        ({"data": {"exclude_frames": {"a": [-1]}}}, ["counted from 0"]),
        ({"data": {"exclude_frames": ["a"]}}, ["a table of file name"]),
        ({"calibrate": {"require": ["dark"]}}, ['"background", "flat"']),
        ({"execution": {"memory": "2"}}, ['"2 GB"']),
        ({"execution": {"memory": "1 MB"}}, ["at least"]),
        ({"execution": {"memory": 2}}, ['"2 GB"']),
    ],
)
def test_bad_values_say_what_is_allowed(values, words):
    (line,) = problems(values)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"frame_select": {"frame_select": True}, "analysis": {"strehl": False}},
            "needs [analysis] strehl = true",
        ),
        ({"planetary": True, "frame_select": {"frame_select": True}}, "planetary"),
        ({"planetary": True, "coronagraphic": True}, "cannot be combined"),
        ({"align": {"method": "model"}}, "fit_psf_model = true"),
        ({"coadd": {"recenter_method": "model"}}, "fit_psf_model = true"),
        ({"polarimetry": {"derotate": False}}, "needs derotate = true"),
        ({"polarimetry": {"use_ideal_mm": True, "mueller_table": "m.toml"}}, "contradicts"),
        ({"polarimetry": {"ip_correct": True, "ip_method": "annulus"}}, "ip_radius2 > ip_radius"),
    ],
)
def test_contradictions_are_refused(values, words):
    (line,) = problems(values)
    assert words in line


def test_flux_settings_are_checked_together():
    lines = problems(
        {
            "specphot": {"unit": "Jy", "source": "pickles", "mag": 7},
            "analysis": {"photometry": False, "strehl": False},
        }
    )
    assert any("needs sptype, mag_band" in line for line in lines)
    assert any("needs [analysis] photometry = true" in line for line in lines)
    config_from_dict({"name": "a", "specphot": {"unit": "Jy"}, "analysis": {"photometry": False}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"spot_contrast": {"F999": 0.01}}, "no filter F999"),
        ({"spot_contrast": {"F720": 1.5}}, "ratio, above 0 and below 1"),
        ({"filter_curves": {"F720": 7}}, "file name in quotes"),
        ({"unit": "Jy", "filter_curves": {"F720": "a.txt"}}, "only for a spectrum"),
    ],
)
def test_tables_by_filter(values, words):
    (line,) = problems({"specphot": values})
    assert words in line


def test_a_resolved_target_has_no_contrast():
    (line,) = problems({"specphot": {"unit": "contrast"}, "planetary": True})
    assert "no star to compare with" in line


def test_what_is_valid_but_not_done_is_refused_and_says_so():
    (line,) = problems({"nrm": {}})
    assert "valid, but not carried out yet" in line


def test_old_configs_are_sent_to_upgrade(tmp_path):
    path = write(tmp_path, 'name = "a"\nversion = "0.8"\n[collapse]\nmethod = "mean"\n')
    with pytest.raises(ConfigError, match=r"doit upgrade c\.toml"):
        load_config(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"c\.toml: not valid TOML.*line 1"):
        load_config(write(tmp_path, "name = \n"))
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_config(tmp_path)
    (tmp_path / "b.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_config(tmp_path / "b.toml")


def test_texts_where_lists_are_meant_and_dates():
    config = config_from_dict(
        {
            "data": {"raw": "night/*.fits", "exclude_frames": {"b": [3, 1, 3], "a": []}},
            "calibrate": {"require": "flat"},
            **tomllib.loads("[target]\nobstime = 2016-01-01\n"),
        }
    )
    assert config.data.raw == ("night/*.fits",)
    assert config.data.exclude_frames == {"a": (), "b": (1, 3)}
    assert config.calibrate.require == ("flat",)
    assert config.target.obstime == "2016-01-01"
    assert config.target.ra_deg is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("2 GB", 2e9), ("500MB", 5e8), ("1.5 GiB", 1.5 * 2**30), (" 64 mb ", 6.4e7)],
)
def test_memory_sizes(text, size):
    config = config_from_dict({"execution": {"memory": text}})
    assert config.execution.memory_bytes == size


def test_repr_shows_what_differs_from_the_defaults():
    shown = repr(config_from_dict({"name": "x", "coadd": {"method": "median"}}))
    assert "coadd.method = 'median'" in shown
    assert "crop_width" not in shown


# -- choosing ------------------------------------------------------------------------------


def test_find_prefers_explicit_then_environment_then_the_only_one(tmp_path):
    assert find_config(tmp_path, environment={}) is None
    first = write(tmp_path, 'name = "a"\n', "a.toml")
    assert find_config(tmp_path, environment={}) == first
    second = write(tmp_path, "[coadd]\n", "b.toml")
    assert find_config(tmp_path, "b.toml", {"VAMPIRES_CONFIG": "a.toml"}) == second
    assert find_config(tmp_path, environment={"VAMPIRES_CONFIG": str(first)}) == first
    with pytest.raises(ConfigError, match=r"a\.toml, b\.toml.*doit config=a\.toml"):
        find_config(tmp_path, environment={})
    with pytest.raises(ConfigError, match=r"config=c\.toml: no such file; .*a\.toml, b\.toml"):
        find_config(tmp_path, "c.toml", {})


def test_find_ignores_other_toml_files(tmp_path):
    write(tmp_path, '[project]\nname = "p"\n', "pyproject.toml")
    write(tmp_path, '[tool.other]\nvalue = "p"\n', "other.toml")
    assert find_config(tmp_path, environment={}) is None


def test_find_takes_a_broken_config_so_that_its_error_is_seen(tmp_path):
    broken = write(tmp_path, 'name = "a\n[coadd]\n', "a.toml")
    assert find_config(tmp_path, environment={}) == broken


# -- properties ----------------------------------------------------------------------------


def values_of(field):
    """Valid values of a setting, as TOML would give them."""
    about = field.metadata["option"]
    if about.choices:
        return st.sampled_from([*about.choices])
    if about.read is not None:
        return None
    low = about.minimum if about.minimum is not None else -1000
    high = about.maximum if about.maximum is not None else 1000
    plain = {
        bool: st.booleans(),
        int: st.integers(int(low), int(high)),
        float: st.floats(low, high) | st.integers(int(low) + 1, int(high)),
        str: st.text(st.characters(codec="utf-8"), max_size=20),
        tuple[str, ...]: st.lists(st.text(max_size=5), max_size=3),
    }
    kind = next((k for k in plain if field.type in (k, k | None)), None)
    return plain.get(kind)


FREE = {
    section: {
        key: values
        for key, field in options_of(SECTIONS[section]).items()
        if (values := values_of(field)) is not None
    }
    for section in ("combine", "calibrate", "analysis", "diff_images", "data")
}


@given(
    st.fixed_dictionaries(
        {},
        optional={s: st.fixed_dictionaries({}, optional=keys) for s, keys in FREE.items()},
    )
)
def test_valid_values_are_kept_and_normalising_is_idempotent(values):
    config = config_from_dict(values)
    for section, table in values.items():
        read = config.section_values(section)
        assert {key: read[key] for key in table} == table
        again = {key: value for key, value in read.items() if value is not None}
        assert config_from_dict({section: again}).section_values(section) == read


@given(
    st.dictionaries(
        st.sampled_from([*SECTIONS, "name", "coad", "polarimetri"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["method", "raw", "memory", "ra", "cutoff", "x"]),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_nonsense_gives_a_config_or_a_config_error(values):
    message = ""
    try:
        config_from_dict(values)
    except ConfigError as error:
        message = str(error)
    assert all(line.startswith("configuration: ") for line in message.splitlines())
