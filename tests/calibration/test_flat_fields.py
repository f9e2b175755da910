"""Fields of multiband flats: found, measured, normalised each by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from vampires.calibration.flat_fields import find_fields
from vampires.calibration.flats import lit_fields, make_flat, unusable_flat
from vampires.calibration.masters import make_background
from vampires.calibration.pixels import pixel_calibration
from vampires.errors import CalibrationError
from vampires.night.index import build_index
from vampires.night.raw import raw_header
from vampires.observation import Observation
from vampires.simulate import NightSpec, simulate_night

SHAPE = (220, 420)
CENTERS = {"F610": (55.0, 60.0), "F720": (165.0, 170.0), "F760": (160.0, 340.0)}


def light(
    angle: float = 0.8, softness: float = 1.0, width: float = 96.0, height: float = 90.0
) -> np.ndarray:
    """Rectangles of different brightness, turned by `angle` deg (x towards y)."""
    y, x = np.indices(SHAPE, dtype=float)
    turn = np.deg2rad(angle)
    total = np.zeros(SHAPE)
    for level, (cy, cx) in zip((300.0, 2000.0, 5000.0), CENTERS.values(), strict=True):
        u = np.cos(turn) * (x - cx) + np.sin(turn) * (y - cy)
        v = -np.sin(turn) * (x - cx) + np.cos(turn) * (y - cy)
        total += (
            level * expit((width / 2 - abs(u)) / softness) * expit((height / 2 - abs(v)) / softness)
        )
    return total.astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(
    angle=st.floats(-3, 3),
    softness=st.floats(0.05, 2.5),
    dy=st.integers(-8, 8),
    dx=st.integers(-8, 8),
)
def test_rectangles_are_measured(angle: float, softness: float, dy: int, dx: int) -> None:
    """Soft or sharp, turned either way, from a rough place: sub-pixel."""
    rough = {name: (y + dy, x + dx) for name, (y, x) in CENTERS.items()}
    boxes = find_fields(light(angle, softness), rough)
    for name, (y, x) in CENTERS.items():
        box = boxes[name]
        assert (box.y, box.x) == pytest.approx((y, x), abs=0.5)
        assert (box.height, box.width) == pytest.approx((90, 96), abs=1.0)
        # A perfectly sharp edge is a staircase: one step of a pixel in 70 rows is 0.8 deg.
        assert box.angle == pytest.approx(angle, abs=0.35 if softness > 0.5 else 1.3)


def test_a_field_cut_by_the_frame_is_measured_to_the_border() -> None:
    cut = light(angle=0.0)[:, 50:]
    box = find_fields(cut, {"F610": (55.0, 20.0), "F720": (165.0, 120.0)})["F610"]
    assert box.width == pytest.approx(60 + 48 - 50 + 0.5, abs=0.6)
    assert box.height == pytest.approx(90, abs=0.6)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda image: image * 0, "F610 is dark"),
        (lambda image: np.where(np.indices(SHAPE)[1] < 120, 0, image), "F610 is dark"),
        (lambda image: np.abs(np.random.default_rng(1).normal(0, 100, SHAPE)), "F610"),
    ],
)
def test_what_is_no_field_is_an_error(spoil: object, word: str) -> None:
    image = spoil(light()).astype(np.float32)  # type: ignore[operator]
    with pytest.raises(CalibrationError, match=word):
        find_fields(image, CENTERS)


def test_a_round_spot_is_no_field() -> None:
    y, x = np.indices(SHAPE)
    spot = (1000.0 * (np.hypot(y - 55, x - 60) < 40)).astype(np.float32)
    with pytest.raises(CalibrationError, match="no straight edge"):
        find_fields(spot, {"F610": (55.0, 60.0)})


def test_each_field_has_its_own_level() -> None:
    lamp = lit_fields(light(), CENTERS)
    response = np.where(lamp.lit, lamp.smooth / lamp.level, np.nan)
    for y, x in CENTERS.values():
        assert response[int(y), int(x)] == pytest.approx(1.0, abs=0.01)
    assert lamp.cards["F610NORM"][0] == pytest.approx(300, rel=0.01)
    assert lamp.cards["F760ANG"][0] == pytest.approx(0.8, abs=0.2)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mbi")
    spec = NightSpec.preset("mbi", frames=1, polarimetry="none", calibration_frames=10)
    simulate_night(spec, folder)
    return folder


def test_simulated_multiband_flat(night: Path) -> None:
    """Within each field the detector's own response comes back, to the flat's error."""
    records = build_index("raw", night)
    record = next(r for r in records if r["kind"] == "flat" and r["camera"] == 2)
    dark = next(
        r for r in records
        if r["kind"] == "background" and r["camera"] == 2 and r["exptime"] == record["exptime"]
    )  # fmt: skip
    flat = make_flat(record["path"], make_background(dark["path"]))
    truth = fits.getdata(night / "truth_det_cam2.fits", "FLAT")
    bad = fits.getdata(night / "truth_det_cam2.fits", "BADPIX") > 0
    found = np.array([], dtype=bool)
    for name in ("F610", "F670", "F720", "F760"):
        y, x = (round(flat.header[f"{name}{axis}"]) for axis in "YX")
        box = np.s_[y - 40 : y + 40, x - 40 : x + 40]
        good = ~bad[box] & ~flat.mask[box]
        ratio = (flat.data[box] / truth[box])[good]
        assert np.std(ratio / np.median(ratio)) == pytest.approx(
            np.sqrt(np.mean(flat.uncertainty.array[box][good] ** 2)), rel=0.2
        )
        found = np.append(found, flat.mask[box][bad[box]])
    assert len(found) > 0
    assert found.mean() >= 0.9
    between = flat.data[:, 240:260]  # no field there
    assert np.all(between == 1)


@pytest.mark.parametrize(("dy", "dx"), [(20, -18), (-20, 15)])
def test_a_field_is_found_from_a_third_of_its_size_away(dy: int, dx: int) -> None:
    moved = {name: (y + dy, x + dx) for name, (y, x) in CENTERS.items()}
    found, expected = find_fields(light(), moved), find_fields(light(), CENTERS)
    for name, box in expected.items():
        assert (found[name].y, found[name].x) == pytest.approx((box.y, box.x), abs=0.5)


def test_fields_whose_wcs_point_to_one_place_are_found_in_flat_and_image(
    night: Path, tmp_path: Path
) -> None:
    shutil.copytree(night / "raw", tmp_path / "raw")
    for path in (tmp_path / "raw").iterdir():
        with fits.open(path, mode="update") as hdus:
            for key in ("CRPIX1", "CRPIX2"):
                for suffix in ("", "B", "C", "D"):
                    hdus[0].header[key + suffix] = 200.0
    right, wrong = (Observation.from_directory(root / "raw") for root in (night, tmp_path))
    for camera in (1, 2):
        there, found = right.centroids(camera), wrong.centroids(camera)
        assert list(found) == ["F610", "F670", "F720", "F760"]
        for name, place in there.items():
            assert found[name].star == pytest.approx(place.star, abs=1.0), (camera, name)
    header = raw_header(next(path for path in (tmp_path / "raw").iterdir()))
    assert header["FLDSRC"] == "reference layout"
    flats = [
        make_flat(next(r for r in o.records if (r["kind"], r["camera"]) == ("flat", 1))["path"])
        for o in (right, wrong)
    ]
    for name in ("F610", "F670", "F720", "F760"):
        for key in ("X", "Y", "NORM"):
            assert flats[1].header[name + key] == pytest.approx(
                flats[0].header[name + key], rel=2e-3
            )


def test_a_stand_in_says_why_and_changes_nothing(night: Path) -> None:
    record = next(r for r in build_index("raw", night) if r["kind"] == "flat")
    flat = unusable_flat(record["path"], "field F610\nis dark")
    assert flat.header["FLATWHY"] == "field F610 is dark"
    header = raw_header(record["path"])
    with_it, without = pixel_calibration(header, None, flat), pixel_calibration(header)
    assert np.array_equal(with_it.scale, without.scale)
    assert not with_it.bad.any()
