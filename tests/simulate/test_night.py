"""Whole simulated nights: bytes, truth, and the layout of every format."""

import filecmp

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from vampires.errors import ConfigError, FileError
from vampires.simulate import PRESETS, NightSpec, NightTruth, simulate_cube, simulate_night
from vampires.simulate.cameras import build_camera
from vampires.simulate.frames import frame_truth, science_image
from vampires.simulate.geometry import sky_angles
from vampires.simulate.plan import plan_night
from vampires.simulate.scene import Ring

TINY = {"frames": 2, "size": 48, "cycles": 1, "calibration_frames": 2, "speckles": 2}


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Every preset, made tiny, simulated when first asked for."""
    made = {}

    def night(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("nights") / name
            made[name] = simulate_night(NightSpec.preset(name, **TINY), folder)
        return made[name]

    return night


def pixels(path):
    with fits.open(path) as hdus:
        return np.asarray(hdus[-1].data), hdus[-1].header.copy()


@pytest.mark.parametrize("preset", ["stars", "fz"])
def test_bytes_are_deterministic(nights, preset, tmp_path):
    again = simulate_night(NightSpec.preset(preset, **TINY), tmp_path / "again")
    first = nights(preset)
    names = sorted(p.relative_to(first.path) for p in first.path.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(again.path) for p in again.path.rglob("*") if p.is_file())
    assert len(names) > 20
    for name in names:
        assert filecmp.cmp(first.path / name, again.path / name, shallow=False), name


def test_seeds_differ(nights, tmp_path):
    other = simulate_night(NightSpec.preset("stars", **TINY, seed=9), tmp_path / "other")
    assert not np.array_equal(pixels(other.raw[0])[0], pixels(nights("stars").raw[0])[0])


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_format_is_readable_and_described(nights, preset):
    night = nights(preset)
    names = {p.name for p in night.raw}
    described = {e["name"] for e in night.files} | {e["name"] for e in night.data["calibs"]}
    assert names == described
    assert NightTruth.read(night.path).data["files"] == night.files
    for path in night.raw:
        data, header = pixels(path)
        assert data.dtype == np.uint16
        assert data.shape == tuple(header[f"NAXIS{k}"] for k in (3, 2, 1))
        assert path.stat().st_size % 2880 == 0


def test_set_sizes(nights):
    expected = {"stars": 16, "controller": 8, "qcmos": 16, "slow": 8, "mbi": 16}
    assert {k: len(nights(k).data["stokes_sets"][0]) for k in expected} == expected
    assert nights("sdi").data["stokes_sets"] == []


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(FileError, match="is the current folder"):
        simulate_night(NightSpec.preset("stars", **TINY), ".")
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "precious").touch()
    with pytest.raises(FileError, match="not an empty folder"):
        simulate_night(NightSpec.preset("stars", **TINY), tmp_path / "night")
    assert [p.name for p in tmp_path.iterdir()] == ["night"]
    with pytest.raises(FileError, match=r"truth\.json"):
        NightTruth.read(tmp_path / "night")


def test_controller_cubes_interleave(nights):
    night = nights("controller")
    name = "ABAUR_00_750-50_LyotStop_03_cam1.fits"
    data, _ = pixels(night.path / "raw" / name)
    assert len(data) == 2 + 4 + NightSpec().aborted_frames
    assert (data[-4:] == 0).all()
    assert (data[:2].max((1, 2)) > 60000).all()
    assert night.file(name, "A")["frame_index"] == [2, 4]
    assert night.file(name, "B")["frame_index"] == [3, 5]
    assert night.star(name).shape == (4, 2)
    whole, _ = pixels(night.path / "raw" / name.replace("_03_", "_00_"))
    assert len(whole) == 6


@pytest.mark.parametrize("preset", ["qcmos", "nbs", "mbi"])
def test_star_is_where_the_truth_says(preset, tmp_path):
    spec = NightSpec.preset(
        preset, **{**TINY, "size": 64, "calibration_frames": 0}, strehl=0.99, ring=None, flux=2e6,
        exptime=0.01, hot_fraction=0.0, dead_fraction=0.0,
    )  # fmt: skip
    night = simulate_night(spec, tmp_path / "night")
    assert night.data["flipcam"] == {"qcmos": 1, "nbs": 2, "mbi": 1}[preset]
    for entry in night.files[:4]:
        assert entry["flipped"] == (entry["cam"] == night.data["flipcam"])
        data, _ = pixels(night.path / "raw" / entry["name"])
        for band in night.data["fields"]:
            for frame, (y, x) in zip(data, night.star(entry["name"], band), strict=True):
                y0, x0 = round(y), round(x)
                window = frame[y0 - 4 : y0 + 5, x0 - 4 : x0 + 5].astype(float) - 200
                j, i = np.mgrid[-4:5, -4:5]
                centroid = np.array([(window * j).sum(), (window * i).sum()]) / window.sum()
                np.testing.assert_allclose(centroid + np.array([y0, x0]), (y, x), atol=0.25)


def test_flux_arrives(tmp_path):
    spec = NightSpec.preset("imaging", **{**TINY, "size": 128, "calibration_frames": 0})
    night = simulate_night(spec, tmp_path / "night")
    detector = fits.open(night.path / "truth_det_cam1.fits")
    flat, dark = detector["FLAT"].data, detector["DARKRATE"].data
    detector.close()
    data, _ = pixels(night.raw[0])
    rate = ((data - 200.0) * 0.103 / spec.exptime - dark) / np.where(flat > 0.5, flat, np.inf)
    truth = night.files[0]["fields"]["750-50"]
    total = (rate - spec.sky_rate).sum((1, 2))
    # light beyond the frame and on dead pixels is lost
    np.testing.assert_allclose(total, truth["flux"], rtol=0.04)
    y, x = np.indices(data.shape[1:])
    for frame, cy, cx, flux in zip(
        rate, truth["y"], truth["x"], truth["apflux"]["16"], strict=True
    ):
        inside = np.hypot(y - cy, x - cx) < 16
        assert frame[inside].sum() == pytest.approx(flux, rel=0.02)


def test_truth_stokes_are_what_a_perfect_reduction_finds(tmp_path):
    """Noise-free frames, derotated and solved for Stokes parameters with their Mueller rows."""
    ring = Ring(radius=0.14, width=0.03)
    spec = NightSpec.preset(
        "stars", frames=1, size=96, cycles=1, calibration_frames=0, speckles=1, jitter=0.0,
        sky_rate=0.0, ring=ring, star_polarisation=(0.02, 30.0), flux_scatter=0.0,
    )  # fmt: skip
    night = simulate_night(spec, tmp_path / "night")
    with fits.open(night.path / "truth_stokes.fits") as hdus:
        truth, star = hdus[0].data.astype(float), hdus["STAR"].data.astype(float)
    truth[0] += star
    truth[1] += night.data["star"]["Q"] * star
    truth[2] += night.data["star"]["U"] * star
    axis = np.arange(96) - 47.5
    y, x = np.meshgrid(axis, axis, indexing="ij")
    normal, right = np.zeros((3, 3)), np.zeros((3, 96, 96))
    cameras = {n: build_camera(spec, n) for n in (1, 2)}
    for e in plan_night(spec):
        conditions = frame_truth(spec, e, sky_angles(spec.ra, spec.dec, e.mids))
        image = science_image(cameras[e.camera], spec, conditions, 0)
        image = image[::-1] if e.camera == 1 else image
        a = np.deg2rad(conditions.derotation[0])
        cy, cx = conditions.offsets[0] + 47.5
        ys, xs = -np.sin(a) * x + np.cos(a) * y + cy, np.cos(a) * x + np.sin(a) * y + cx
        row = conditions.rows[0, :3]
        normal += np.outer(row, row)
        right += row[:, None, None] * map_coordinates(image, [ys, xs], order=3)
    solved = np.tensordot(np.linalg.inv(normal), right, 1)
    for radii in ((0, 6), (12, 32)):  # star, ring
        here = (np.hypot(y, x) >= radii[0]) & (np.hypot(y, x) < radii[1])
        for k in range(3):
            scale = np.abs(truth[k][here]).max()
            np.testing.assert_allclose(solved[k][here], truth[k][here], atol=0.06 * scale)
            slope = (solved[k] * truth[k])[here].sum() / (truth[k] ** 2)[here].sum()
            assert slope == pytest.approx(1.0, abs=0.01)


def test_pdi_cameras_see_opposite_polarisation(nights):
    entries = nights("qcmos").files
    first = next(e for e in entries if e["cam"] == 1)
    second = next(e for e in entries if e["cam"] == 2)
    np.testing.assert_allclose(first["mueller_row"][1:], -np.array(second["mueller_row"][1:]))


def test_flats_and_darks_have_their_levels(nights):
    night = nights("qcmos")
    means = {}
    for entry in night.data["calibs"]:
        data, header = pixels(night.path / "raw" / entry["name"])
        means[entry["type"]] = np.median(data)
        assert header["EXPTIME"] == entry["exptime"]
        assert header["DATA-TYP"] == entry["type"]
    assert means["DARK"] == pytest.approx(200, abs=1)
    assert means["FLAT"] == pytest.approx(200 + 3000 / 0.103, rel=0.01)
    exposures = {e["exptime"] for e in night.data["calibs"] if e["type"] == "DARK"}
    assert exposures == {0.05, 0.2}


@pytest.mark.parametrize("suffix", [".fits", ".fits.fz"])
def test_big_cubes(tmp_path, suffix):
    path = tmp_path / f"cube{suffix}"
    places = simulate_cube(NightSpec.preset("qcmos", size=64, speckles=2), path, 20, scenes=4)
    data, header = pixels(path)
    assert data.shape == (20, 64, 64)
    assert header["DATA-TYP"] == "OBJECT"
    assert places["750-50"].shape == (20, 2)
    assert not np.array_equal(data[0], data[4])
    brightest = np.unravel_index(data[:4].astype(float).mean(0).argmax(), (64, 64))
    np.testing.assert_allclose(brightest, places["750-50"][:4].mean(0), atol=4)


@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 4), st.integers(1, 3), st.floats(1e-3, 0.5))
def test_plans_never_overlap(preset, frames, cycles, exptime):
    spec = NightSpec.preset(preset, frames=frames, cycles=cycles, exptime=exptime)
    exposures = plan_night(spec)
    assert [e.number for e in exposures] == list(range(1, len(exposures) + 1))
    for camera in (1, 2):
        mine = [e for e in exposures if e.camera == camera]
        starts = np.sort(np.concatenate([e.starts for e in mine if e.science]))
        assert (np.diff(starts) * 86400 >= exptime * 0.999).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"mode": "ccd"},
        {"polarimetry": "very fast"},
        {"bands": "mbi"},
        {"filter": "800-50"},
        {"exptime": 30.0},
        {"readmode": "medium"},
    ],
)
def test_bad_specs_are_refused(bad):
    with pytest.raises(ConfigError, match=r"found|fit"):
        NightSpec(**bad)


def test_unknown_preset():
    with pytest.raises(ConfigError, match="preset"):
        NightSpec.preset("night")
