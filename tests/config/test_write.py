"""Templates and settings put into them."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vampires.config import config_from_dict, load_config
from vampires.config.write import (
    Setting,
    apply_settings,
    exclude_in,
    parse_setting,
    read_template,
    template_folder,
    templates,
    write_config,
)
from vampires.errors import ConfigError

SCENARIOS = {
    "pdi",
    "pdi-coronagraph",
    "pdi-slow",
    "pdi-mbi",
    "adi-mbi-coronagraph",
    "speckle",
    "sdi-halpha",
    "planet",
    "demo",
}


def test_every_scenario_has_a_template_with_a_title():
    assert set(templates()) == SCENARIOS
    assert all(len(title) > 20 for title in templates().values())


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_templates_load_and_are_named_after_themselves(name):
    config = load_config(template_folder() / f"{name}.toml")
    assert config.name == name
    assert (config.polarimetry is not None) == (
        name.startswith("pdi") or name in ("planet", "demo")
    )
    assert config.coronagraphic == name.endswith("coronagraph")
    assert all(len(line) <= 100 for line in read_template(name).splitlines())


def test_unknown_template():
    with pytest.raises(ConfigError, match=r"did you mean \"speckle\".*templates: adi-mbi"):
        read_template("spekle")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("coadd.method=median", Setting("coadd", "method", "median")),
        ('coadd.method="median"', Setting("coadd", "method", "median")),
        ("align.crop_width = 256", Setting("align", "crop_width", 256)),
        ("coronagraphic=true", Setting("", "coronagraphic", True)),
        ("name=20230101", Setting("", "name", "20230101")),
        ('name="x"', Setting("", "name", "x")),
        ("target.ra=04:55:45.8", Setting("target", "ra", "04:55:45.8")),
        ("target.name=AB Aur", Setting("target", "name", "AB Aur")),
        ("data.raw=raw/*.fits", Setting("data", "raw", "raw/*.fits")),
        ('data.raw=["a", "b"]', Setting("data", "raw", ["a", "b"])),
        ("analysis.phot_ann_rad=[10,15]", Setting("analysis", "phot_ann_rad", [10, 15])),
        ("data.exclude_frames={a=[1]}", Setting("data", "exclude_frames", {"a": [1]})),
        ("polarimetry.mueller_table=a=b", Setting("polarimetry", "mueller_table", "a=b")),
    ],
)
def test_settings_are_toml_or_plain_texts(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("coadd.method", "must be key=value"),
        ("method=mean", r"write the table too: .*coadd\.method"),
        ("coad.method=mean", r"did you mean \"coadd\.method\""),
        ("nonsense=1", "unknown key"),
        ("coadd.method=meen", 'must be one of "mean"'),
        ("align.crop_width=wide", "not valid TOML"),
        ("align.crop_width=2", "at least 16"),
        ("coadd.recenter=1", "true or false"),
    ],
)
def test_bad_settings_are_explained(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_setting(text)


def test_comments_and_order_survive():
    text = '# top\nname = "a"  # who\n\n[coadd]\n# why\nmethod = "mean"  # how\n'
    changed = apply_settings(
        text,
        [
            Setting("coadd", "method", "median"),
            Setting("", "coronagraphic", True),
            Setting("target", "name", "AB Aur"),
        ],
    )
    assert all(comment in changed for comment in ("# top", "# who", "# why", "# how"))
    assert tomllib.loads(changed) == {
        "name": "a",
        "coronagraphic": True,
        "coadd": {"method": "median"},
        "target": {"name": "AB Aur"},
    }


@given(
    raw=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), min_size=1),
    radius=st.floats(1, 100),
    name=st.from_regex(r"[A-Za-z0-9_+][A-Za-z0-9._+-]{0,10}", fullmatch=True),
)
def test_values_written_are_read_back(raw, radius, name):
    text = apply_settings(
        read_template("pdi"),
        [
            Setting("", "name", name),
            Setting("data", "raw", raw),
            Setting("analysis", "phot_aper_rad", radius),
        ],
    )
    config = config_from_dict(tomllib.loads(text))
    assert (config.name, config.data.raw) == (name, tuple(raw))
    assert config.analysis.phot_aper_rad == radius


def test_an_invalid_text_is_not_written(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("# mine\n")
    with pytest.raises(ConfigError, match=r"a\.toml:2"):
        write_config(path, "[coadd]\nmethod = 3\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        write_config(path, "[coadd\n")
    assert path.read_text() == "# mine\n"
    assert list(tmp_path.iterdir()) == [path]


def test_exclusions_keep_comments_patterns_and_what_was_not_decided():
    text = (
        '[data]\nexclude = [\n    "bad_*",  # clouds\n    "a",  # short\n    "other.fits",\n]\n'
        '\n[data.exclude_frames]\n"b.fits" = [1, 2]  # jump\n"c.fits" = [7]\n'
    )
    known = ["a.fits", "b.fits", "d.fits"]
    changed = exclude_in(text, ["d.fits"], {"a.fits": [0]}, known)
    assert "# clouds" in changed
    assert tomllib.loads(changed)["data"] == {
        "exclude": ["bad_*", "other.fits", "d.fits"],
        "exclude_frames": {"c.fits": [7], "a.fits": [0]},
    }
    assert exclude_in(text, ["a.fits"], {"b.fits": [1, 2]}, known) == text
    assert exclude_in("# mine\n", [], {}, known).startswith("# mine\n")
