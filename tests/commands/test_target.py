"""`doit target`: a row of SIMBAD and options into the configuration; no network is used."""

import pytest
from astropy.table import MaskedColumn, Table
from fixtures.doit import doit, doit_here

from vampires.config import load_config
from vampires.sky.catalogue import COLUMNS, StarFacts, library_type

CONFIG = """# my night
name = "n"

[target]
name = "old"  # what I looked at before
pm_ra = 99.0
parallax = 3.0

[specphot]
unit = "Jy"  # stays
sptype = "M2III"
"""
NO_NETWORK = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    (tmp_path / "n.toml").write_text(CONFIG)
    return tmp_path


def answer(**values):
    """A table as astroquery 0.4.8 and later gives it, one row; None is masked."""
    columns = {
        "main_id": "V* AB  Aur", "ra": 73.94102, "dec": 30.551196, "sp_type": "A0Ve",
        "pmra": 4.018, "pmdec": -24.027, "plx_value": 6.4127, "r": None, "R": 6.96, "i": None,
        "I": 6.7, "V": 7.05, **values,
    }  # fmt: skip
    assert {"main_id", "ra", "dec", *COLUMNS} == set(columns)
    table = Table()
    for name, value in columns.items():
        kind = "U30" if name in ("main_id", "sp_type") else "f8" if name in ("ra", "dec") else "f4"
        blank = "" if kind == "U30" else 1e20
        column = MaskedColumn([blank if value is None else value], mask=[value is None], dtype=kind)
        table[name] = column
    return dict(zip(table.colnames, table[0], strict=True))


def test_a_row_of_simbad_becomes_settings():
    facts = StarFacts.from_simbad(answer())
    assert facts.name == "V* AB Aur"
    assert {f"{s.section}.{s.key}": s.value for s in facts.settings("AB Aur")} == {
        "target.name": "AB Aur", "target.ra": "04:55:45.8448", "target.dec": "+30:33:04.306",
        "target.obstime": "J2000", "target.frame": "icrs", "target.pm_ra": 4.018,
        "target.pm_dec": -24.027, "target.parallax": 6.4127, "specphot.sptype": "A0V",
        "specphot.mag": 6.96, "specphot.mag_band": "R",
    }  # fmt: skip


def test_what_is_masked_is_not_known_and_r_is_not_folded_with_its_capital():
    facts = StarFacts.from_simbad(
        answer(dec=-0.5, r=7.1, R=None, I=None, V=None, pmra=None, sp_type=None, plx_value=-0.3)
    )
    assert facts.magnitudes == {"r": 7.1}
    assert facts.dec == "-00:30:00.000"
    assert (facts.pm_ra, facts.pm_dec, facts.sptype, facts.parallax) == (None, -24.027, None, None)
    taken_out = {s.key for s in facts.settings("x") if s.value is None}
    assert taken_out == {"pm_ra", "parallax", "sptype"}
    assert None not in [s.value for s in facts.settings()]


@pytest.mark.parametrize(
    ("simbad", "library"),
    [("B9.5V", "B9.5V"), ("G8III+A0V", "G8III"), ("M2Iab:", "M2I"), ("F0IV/V", "F0IV"),
     ("K5", "K5"), ("gK5", "K5III"), ("kA1hA9mF1", None), ("sdF8", None), ("M1VI", None),
     ("", None)],
)  # fmt: skip
def test_spectral_types(simbad, library):
    assert library_type(simbad) == library


def test_values_are_written_and_the_star_before_is_gone(folder):
    done = doit_here(
        folder, "target", "AB", "Aur", "--ra", "04:55:45.85", "--dec", "-00:33:04.3",
        "--pm-dec", "-24.03", "--mag", "V=7.05",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    target, specphot = (
        load_config(folder / "n.toml").target,
        load_config(folder / "n.toml").specphot,
    )
    assert (target.name, target.ra, target.dec) == ("AB Aur", "04:55:45.85", "-00:33:04.3")
    assert (target.pm_ra, target.pm_dec, target.parallax) == (0.0, -24.03, None)
    assert target.obstime == "J2016"
    assert (specphot.mag, specphot.mag_band, specphot.sptype) == (7.05, "V", None)
    text = (folder / "n.toml").read_text()
    assert "# what I looked at before" in text
    assert 'unit = "Jy"  # stays' in text
    assert "[target] parallax taken out" in done.stdout


def test_without_a_name_only_what_is_given_changes(folder):
    done = doit_here(folder, "target", "--mag=r=7.2", "--sptype", "A0V")
    assert done.returncode == 0, done.stderr
    expected = CONFIG.replace('"M2III"', '"A0V"') + 'mag = 7.2\nmag_band = "r"\n'
    assert (folder / "n.toml").read_text() == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which star?"),
        (["--ra", "4:55:45"], "belong together"),
        (["--ra", "33:00:00", "--dec", "1:0:0"], "[target] ra"),
        (["--mag", "Q=7"], "[specphot] mag_band"),
        (["--mag", "V=bright"], "'bright' is not a magnitude"),
        (["--mag"], "--mag: NAME=VALUE is expected after it"),
        (["Vega", "--mag", "V"], "--mag: NAME=VALUE is expected after it"),
        (["--sptype", "Q9"], "no such type"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(folder, words, message):
    done = doit_here(folder, "target", *words)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert message in done.stderr
    assert (folder / "n.toml").read_text() == CONFIG


def test_without_network_the_advice_is_one_line(folder):
    pytest.importorskip("astroquery")
    done = doit(folder, "target", "AB Aur", **NO_NETWORK)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "SIMBAD does not answer" in done.stderr
    assert "doit target 'AB Aur' --ra" in done.stderr
    assert (folder / "n.toml").read_text() == CONFIG


def test_without_astroquery_the_advice_is_one_line(folder):
    hidden = folder / "hidden" / "astroquery"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError")  # as good as not there
    done = doit(folder, "target", "AB Aur", PYTHONPATH=str(hidden.parent))
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "pip install 'vampires[target]'" in done.stderr
