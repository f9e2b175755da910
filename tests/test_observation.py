"""Observation: a night seen through its headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from vampires.night.index import build_index
from vampires.observation import Observation


@pytest.fixture(scope="module")
def night(stars_night: Path) -> Observation:
    return Observation.from_directory(stars_night / "raw")


def test_what_the_night_holds(night: Observation) -> None:
    assert len(night) == len(night.science) == 32
    assert len(night.table) == len(night.records)
    assert {"name", "kind", "camera", "hwp", "reason"} <= set(night.table.colnames)
    assert len(night.unusable) == 0
    assert night.unusable.colnames == ["name", "reason"]
    assert len(night.calibrations.backgrounds) == 4


def test_groups_by_either_method(night: Observation) -> None:
    assert len(night.groups()) == 32
    assert all("_cam" in group.key for group in night.groups("pdi"))


def test_hwp_sets(night: Observation) -> None:
    sets = night.hwp_sets()
    assert len(sets) == 2
    assert all(len(one.exposures) == 16 for one in sets)


def test_unusable_files_are_listed(stars_night: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.fits").write_text("nothing")
    records = build_index([stars_night / "raw", tmp_path])
    table = Observation(records).unusable
    assert table["name"].tolist() == ["broken"]
    assert "FITS" in table["reason"][0]


def test_reprs_inform(night: Observation) -> None:
    text = repr(night)
    for word in ("32 science", "ABAUR", "750-50", "EMCCD", "32 groups by 'cube'"):
        assert word in text
    html = night._repr_html_()
    assert html.startswith("<b>Observation</b>")
    assert "ABAUR" in html


def test_from_config(stars_night: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").symlink_to(stars_night / "raw")
    config = tmp_path / "night.toml"
    config.write_text('name = "night"\n[data]\nraw = ["raw/*.fits"]\n[combine]\nmethod = "pdi"\n')
    observation = Observation.from_config(config)
    assert observation.method == "pdi"
    assert len(observation) == 32
    assert observation.target is None


def test_a_cube_by_its_number(night: Observation) -> None:
    cube = night[3]
    assert cube.shape == (6, 128, 128)
    assert Path(cube.source.paths[0]).stem == night.groups()[3].key
    assert sum(1 for _ in night) == 32


def test_empty() -> None:
    empty = Observation([])
    assert len(empty) == 0
    assert len(empty.table) == 0
    assert "0 groups" not in repr(empty)
