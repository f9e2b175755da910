"""Observation: a night seen through its headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fixtures.doit import doit, doit_here

from vampires.errors import FileError, HeaderError, PolarimetryError
from vampires.night.index import build_index
from vampires.observation import Observation
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion


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


@pytest.fixture(scope="module")
def narrowband(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    return tiny("sdi", tmp_path_factory.mktemp("sdi"))


class TestProducts:
    """Of nights too small to be good, but of every kind; `tests/test_reduction.py` compares."""

    def test_a_product_of_each_filter_and_differences(self, narrowband: Observation) -> None:
        with pytest.raises(PolarimetryError, match="triple difference needs A and B"):
            narrowband.stokes()
        with pytest.raises(PolarimetryError, match="name the filter"):
            narrowband.stokes(method="doublediff")
        frame = narrowband.stokes("Halpha", method="doublediff")
        assert frame.fields == ("Halpha",)
        assert np.isfinite(frame.data).any()
        image = next(narrowband.differences())
        assert image.fields == ("Halpha",)
        assert image.header["SDICONT"] == "Ha-Cont"
        pair = narrowband.pairs()[0]
        line, continuum = narrowband.coadd(pair.one), narrowband.coadd(pair.two)
        again = line.difference(continuum)
        np.testing.assert_array_equal(again.difference, image.difference)
        assert "NIMAGES" not in again._repr_html_()

    def test_multiband_fields(self, tmp_path: Path) -> None:
        night = tiny("mbi", tmp_path)
        image = next(night.differences("sdi"))
        assert image.fields == ("F610", "F670", "F720", "F760")
        with pytest.raises(PolarimetryError, match="allowed are single"):
            next(night.differences("both"))

    def test_adi(self, narrowband: Observation) -> None:
        with pytest.raises(FileError, match="Ha-Cont, Halpha: name one"):
            narrowband.adi(camera=1)
        cube, angles = narrowband.adi(camera=1, filter_name="Halpha")
        assert cube.shape[:2] == (1, len(angles))
        assert np.all(np.diff(angles) != 0)

    def test_an_image_is_turned_north_up_once(self, narrowband: Observation) -> None:
        image = narrowband.coadd(0)
        turned = image.derotate()
        assert turned.header["CD1_2"] == pytest.approx(0)
        assert turned.header["CD1_1"] < 0
        assert np.nansum(turned.data) == pytest.approx(np.nansum(image.data), rel=0.02)
        with pytest.raises(HeaderError, match="north up already"):
            turned.derotate()
        for thing in (image, narrowband[0], narrowband):
            assert "object" in thing._repr_html_().lower()


NIGHTS = {
    "sdi": ("sdi", "sdi-halpha", {"size": 64}, ("diff:single",)),
    "multiband": ("mbi", "pdi-mbi", {"polarimetry": "none"}, ("diff:sdi",)),
    "binary": (
        "imaging", "speckle",
        {"size": 64, "cycles": 1, "companion": Companion(0.6, 0.12, 60.0)}, ("coadd",),
    ),
}  # fmt: skip
"""Preset, template, what is changed of the preset, and tasks."""


@pytest.mark.parametrize("kind", NIGHTS)
def test_a_notebook_gives_the_images_of_the_tasks(kind: str, tmp_path: Path) -> None:
    preset, template, changes, tasks = NIGHTS[kind]
    spec = NightSpec.preset(
        preset, **{"frames": 2, "cycles": 1, "calibration_frames": 0, "speckles": 2, **changes}
    )
    simulate_night(spec, tmp_path)
    fields = str(kind == "multiband").lower()
    new = doit_here(
        tmp_path, "new", "n.toml", "--template", template, "--yes", "--set", "name=n",
        "--set", "calibrate.flat_correct=false", "--set", f"diff_images.multiband_sdi={fields}",
    )  # fmt: skip
    assert new.returncode == 0, new.stderr
    run = doit(tmp_path, "run", *tasks)
    assert run.returncode == 0, run.stdout + run.stderr
    night = Observation.from_config(tmp_path / "n.toml")
    layout = night.plan.layout
    if kind == "sdi":
        names = [layout.difference("single", pair.key) for pair in night.pairs()]
        images = [image.difference for image in night.differences()]
    elif kind == "multiband":
        names = [layout.difference("sdi", group.key) for group in night.groups()]
        images = [image.difference for image in night.differences("sdi")]
    else:
        names = [layout.coadd(group.key) for group in night.groups()]
        images = [night.coadd(group).data for group in night.groups()]
    assert len(names) == len(images) > 0
    for path, image in zip(names, images, strict=True):
        np.testing.assert_array_equal(fits.getdata(path), np.squeeze(image))


def tiny(preset: str, folder: Path) -> Observation:
    spec = NightSpec.preset(
        preset, frames=2, cycles=1, calibration_frames=0, speckles=2, ring=None,
        **({} if preset == "mbi" else {"size": 64, "polarimetry": "slow"}),
    )  # fmt: skip
    simulate_night(spec, folder)
    return Observation.from_directory(folder / "raw")
