"""Measuring frames: truth recovery, orientation, files, selection, satellite spots."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import ndimage

from vampires.config import AnalysisSettings
from vampires.cube import CameraCube
from vampires.errors import FileError, MeasurementError
from vampires.io.frames import FrameSource
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate
from vampires.measure.frames import FrameMetrics, Measurement, measure_frames, measure_image
from vampires.measure.metrics import COLUMNS, FRAME_COLUMNS
from vampires.measure.psf import synthetic_psf
from vampires.simulate.cube import simulate_cube
from vampires.simulate.spec import NightSpec

BIAS, GAIN, EXPTIME = 200.0, 0.1, 0.5
NAME = Path("night/VMPA1.fits")


@pytest.fixture(scope="module")
def psf():
    return synthetic_psf("750-50", 5.91, -38.4, 31)


def star(shape, y, x, psf):
    """The PSF at a sub-pixel place (cubic spline: good to 0.01 px)."""
    iy, ix = round(y), round(x)
    half = len(psf) // 2
    frame = np.zeros(shape)
    moved = ndimage.shift(psf.astype(float), (y - iy, x - ix), order=3)
    frame[iy - half : iy + half + 1, ix - half : ix + half + 1] = moved
    return frame


def calibration(ny, nx, bad=None):
    one = np.ones((ny, nx), np.float32)
    return PixelCalibration(
        BIAS * one, GAIN / EXPTIME * one, np.zeros((ny, nx), bool) if bad is None else bad,
        BIAS, 0.4, 1.0, GAIN, 65535.0, 0 * one, 0 * one,
    )  # fmt: skip


def observe(scenes, seed=0):
    """Raw frames of scenes given in electrons."""
    rng = np.random.default_rng(seed)
    electrons = rng.poisson(np.maximum(scenes, 0)) + rng.normal(0, 0.4, np.shape(scenes))
    return np.rint(electrons / GAIN + BIAS).clip(0, 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def night(psf):
    """Frames (raw = calibrated orientation) of a star that moves, and where it is."""
    rng = np.random.default_rng(1)
    places = np.array([38.0, 44.0]) + rng.uniform(-6, 6, (12, 2))
    scenes = [2e4 * star((80, 90), *place, psf) for place in places]
    return observe(scenes), places


def measure(raw, psf, *, flip=False, rough=((38.0, 44.0),), cal=None, memory=10**9, **settings):
    source = FrameSource.from_array(raw, NAME)
    cal = calibration(*raw.shape[1:]) if cal is None else cal
    job = Measurement(
        source, cal, flip, np.array(rough)[None], psf[None], ("750-50",),
        AnalysisSettings(**settings),
    )  # fmt: skip
    return measure_frames(job, memory)


def test_positions_flux_and_strehl_are_recovered(night, psf):
    raw, places = night
    metrics = measure(raw, psf, fit_psf_model=True)
    assert metrics.shape == (1, 1, 12)
    for method, limit in (("dft", 0.03), ("model", 0.04), ("com", 0.08), ("peak", 0.55)):
        error = metrics.positions(method)[0] - places
        assert np.sqrt((error**2).mean()) < limit, method
        assert method == "peak" or np.abs(error.mean(axis=0)).max() < 0.03
    inside = psf.sum(
        where=np.hypot(*(np.indices(psf.shape) - 15)) < 8, dtype=float
    )  # of the light, in the aperture
    np.testing.assert_allclose(metrics.photf, 2e4 / EXPTIME * inside, rtol=0.04)
    np.testing.assert_allclose(metrics.phote / metrics.photf, 1 / np.sqrt(2e4), rtol=0.15)
    np.testing.assert_allclose(metrics.photr, 8.0)
    np.testing.assert_allclose(metrics.sharpness, 1.0, atol=0.06)
    np.testing.assert_allclose(metrics.nvar, metrics.var / metrics.mean)


def test_rows_are_reversed_for_a_flipped_camera(night, psf):
    raw, _ = night
    plain = measure(raw, psf)
    flipped = measure(np.ascontiguousarray(raw[:, ::-1]), psf, flip=True)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(plain, name), getattr(flipped, name), err_msg=name)
    for name in FRAME_COLUMNS:  # sums over rows in another order
        np.testing.assert_allclose(getattr(plain, name), getattr(flipped, name), 1e-6, 0, name)
    np.testing.assert_array_equal(plain.row_weights, flipped.row_weights)


def test_results_do_not_depend_on_memory_or_company(night, psf):
    raw, _ = night
    together = measure(raw, psf)
    single = measure(raw, psf, memory=1)
    alone = measure(raw[5:6], psf)
    for name in (*COLUMNS, *FRAME_COLUMNS):
        np.testing.assert_array_equal(getattr(together, name), getattr(single, name))
        np.testing.assert_array_equal(getattr(together, name)[..., 5:6], getattr(alone, name))


def test_static_bad_pixels_hardly_matter(night, psf):
    raw, _ = night
    rng = np.random.default_rng(2)
    bad = rng.random(raw.shape[1:]) < 0.005
    spoilt = raw.copy()
    spoilt[:, bad] = 40000
    clean, repaired = measure(raw, psf), measure(spoilt, psf, cal=calibration(80, 90, bad))
    assert np.abs(repaired.positions() - clean.positions()).max() < 0.02
    np.testing.assert_allclose(repaired.photf, clean.photf, rtol=0.01)


def test_saturated_frame_keeps_its_statistics_but_has_no_flux(night, psf):
    raw, places = night
    spoilt = raw[:1].copy()
    y, x = np.rint(places[0]).astype(int)
    spoilt[0, y, x] = 65535
    metrics = measure(spoilt, psf)
    assert np.isfinite(metrics.max).all()
    assert np.isnan(metrics.photf).all()
    assert np.isnan(metrics.sharpness).all()
    assert np.abs(metrics.positions()[0, 0] - places[0]).max() < 0.2


def test_only_what_is_asked_for_is_measured(night, psf):
    metrics = measure(night[0], psf, photometry=False, strehl=False)
    for name in ("photr", "photf", "phote", "sharpness", "strehl", "modelx", "modely"):
        assert np.isnan(getattr(metrics, name)).all()


def test_star_at_the_border_is_still_found(psf):
    scene = np.pad(psf, 20)[24:64, 22:62] * 2e4  # star at row 11, column 13
    metrics = measure(observe([scene]), psf, rough=((11.0, 13.0),))
    assert np.abs(metrics.positions()[0, 0] - (11, 13)).max() < 0.05


def test_inconsistent_inputs_are_refused(night, psf):
    raw, _ = night
    with pytest.raises(MeasurementError, match="belong together"):
        measure(raw, np.stack([psf, psf]))
    with pytest.raises(MeasurementError, match=r"x=101\.0, y=4\.0"):
        measure(raw, psf, rough=((3.0, 100.0),))


def test_image_of_a_coadd_is_measured_about_its_centre(psf):
    for shape in ((81, 90), (64, 61)):
        middle = (shape[0] - 1) / 2 + 1.3, (shape[1] - 1) / 2 - 2.4
        image = 100 * star(shape, *middle, psf)
        image[2, 3] = np.nan
        assert measure_image(image, psf) == pytest.approx(middle, abs=0.01)
    settings = AnalysisSettings(fit_psf_model=True)
    assert measure_image(image, psf, settings, "model") == pytest.approx(middle, abs=0.02)
    assert np.isnan(measure_image(np.full((50, 50), np.nan), psf)).all()


# whole frames

SAMPLING = {"frame_mean": 0.05, "frame_var": 0.08}  # of the value, for a star and its halo


def described(data, weights, saturated):
    """Mean, variance and saturated pixels by numpy, of calibrated frames with NaN."""
    good = np.isfinite(data)
    weights = np.broadcast_to(weights[:, None], data.shape) * good
    mean = np.average(np.where(good, data, 0), axis=(1, 2), weights=weights)
    square = np.where(good, data - mean[:, None, None], 0) ** 2
    variance = np.average(square, axis=(1, 2), weights=weights)
    return mean, variance, (saturated * weights.max(axis=2, keepdims=True)).sum(axis=(1, 2))


@pytest.mark.parametrize("flip", [False, True])
def test_whole_frames_are_described_by_weighted_rows(psf, flip):
    rng = np.random.default_rng(8)
    shape = (300, 70)
    raw = observe([2e4 * star(shape, 150.3, 33.8, psf) + 20] * 3)
    bad = rng.random(shape) < 0.01
    raw[:, bad] = 65535
    raw[1, 150, 33:36] = 65535
    raw[2, 0:4, 0] = 65535  # not among the rows
    cal = calibration(*shape, bad)
    metrics = measure(raw, psf, flip=flip, rough=((149.0 if flip else 150.0, 34.0),), cal=cal)
    data = calibrate(RawBlock(raw, False), cal, flip=flip)[0].astype(float)
    saturated = ((raw == 65535) & ~bad)[:, :: -1 if flip else 1]
    weights = metrics.row_weights
    assert weights.sum() == pytest.approx(300)
    assert (weights == 0).sum() > 200
    np.testing.assert_array_equal(weights[130:170], 1)
    mean, variance, number = described(data, weights, saturated)
    np.testing.assert_allclose(metrics.frame_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(metrics.frame_var, variance, rtol=1e-5)
    np.testing.assert_allclose(metrics.frame_nvar, variance / mean, rtol=1e-5)
    np.testing.assert_allclose(metrics.frame_max, np.nanmax(data[:, weights > 0], axis=(1, 2)))
    np.testing.assert_array_equal(metrics.frame_nsat, [0, 3 - bad[150, 33:36].sum(), 0])
    np.testing.assert_array_equal(metrics.frame_nsat, number)
    np.testing.assert_array_equal(metrics.max[0, 0], metrics.frame_max)


def test_small_frame_is_described_in_full(psf):
    raw = observe([2e4 * star((60, 50), 30.2, 25.1, psf)])
    metrics = measure(raw, psf, rough=((30.0, 25.0),))
    np.testing.assert_array_equal(metrics.row_weights, 1)
    data = (raw.astype(float) - BIAS) * GAIN / EXPTIME
    np.testing.assert_allclose(metrics.frame_mean, data.mean(), rtol=1e-6)
    np.testing.assert_allclose(metrics.frame_var, data.var(), rtol=1e-6)
    np.testing.assert_allclose(metrics.frame_max, data.max(), rtol=1e-6)


@pytest.mark.parametrize("preset", ["qcmos", "mbi", "coronagraph"])
def test_simulated_frames_are_described_whatever_their_format(tmp_path, preset):
    """The sample of rows gives the whole frame; `.fits.fz` and `.fits` the same bytes."""
    spec = NightSpec.preset(preset)
    paths = [tmp_path / "a.fits", tmp_path / "b.fits", tmp_path / "c.fits.fz"]
    for path, frames in zip(paths, (3, 2, 3), strict=True):
        simulate_cube(spec, path, frames)
    plain = CameraCube.open(paths[:2]).measure()
    metrics, packed = plain.measured, CameraCube.open(paths[2:]).measure().measured
    assert metrics.frame_mean.shape == (5,)
    assert metrics.shape[0] == len(plain.fields)
    of_group = {"strehl", "strehl_err"}  # the light is that of the mean of all frames
    for name in (name for name in (*COLUMNS, *FRAME_COLUMNS) if name not in of_group):
        np.testing.assert_array_equal(getattr(metrics, name)[..., :3], getattr(packed, name), name)
    cube = plain.source.read(0, 5)
    data = calibrate(cube, plain.pixel_calibration, flip=plain.flip)[0].astype(float)
    for name, function in (("frame_mean", np.nanmean), ("frame_var", np.nanvar)):
        expected = function(data, axis=(1, 2))
        np.testing.assert_allclose(getattr(metrics, name), expected, rtol=SAMPLING[name])
    np.testing.assert_allclose(metrics.frame_max, np.nanmax(data, axis=(1, 2)))
    assert (metrics.row_weights == 0).any()


# files


def made(values=None, nframes=6, npsfs=1, nfields=1, **columns):
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(10, 1, (nfields, npsfs, nframes)) for name in COLUMNS}
    arrays |= {name: rng.normal(10, 1, nframes) for name in FRAME_COLUMNS}
    return FrameMetrics(
        **(arrays | columns), row_weights=rng.random(512),
        fields=tuple(f"F{i}" for i in range(nfields)), files=("VMPA1.fits", "VMPA22.fits.fz"),
        file_index=np.zeros(nframes, int),
        frame_index=np.arange(nframes), nx=536, ny=512,
    )  # fmt: skip


def test_file_holds_everything_and_is_reproducible(tmp_path):
    metrics = made(nfields=2, npsfs=4)
    metrics.write(tmp_path / "a.h5")
    metrics.write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    again = FrameMetrics.read(tmp_path / "a.h5")
    for name in (*COLUMNS, *FRAME_COLUMNS, "row_weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(metrics, name))
    assert (again.fields, again.files) == (metrics.fields, metrics.files)
    assert (again.nx, again.ny) == (536, 512)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["dftx"].attrs["units"] == b"pix"
        assert file["frame_var"].attrs["units"] == b"(e-/s)^2"
        assert b"row_weights" in file["frame_nsat"].attrs["description"]
        assert all(file[name].attrs["description"] for name in (*COLUMNS, *FRAME_COLUMNS))


def test_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(FileError, match=r"broken\.h5"):
        FrameMetrics.read(path)
    with h5py.File(path, "w") as file:
        file["max"] = [1.0]
    with pytest.raises(FileError, match=r"broken\.h5"):
        FrameMetrics.read(path)


def test_file_without_whole_frames_is_refused(tmp_path):
    made().write(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "a") as file:
        del file["frame_mean"]
    with pytest.raises(FileError, match=r"old\.h5: not a file of frame measurements.*frame_mean"):
        FrameMetrics.read(tmp_path / "old.h5")


# selection


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        ("strehl", "sharpness"),
        ("max", "max"),
        ("peak", "max"),
        ("normvar", "nvar"),
        ("l2norm", "var"),
    ],
)
def test_the_worst_quantile_goes(metric, column):
    values = np.array([[[5.0, 1.0, 4.0, np.nan, 3.0, 2.0]]])
    metrics = made(**{column: values})
    kept = metrics.select(metric, 0.25)
    np.testing.assert_array_equal(kept, [True, False, True, False, True, True])
    np.testing.assert_array_equal(metrics.select(metric, 0.0), np.isfinite(values[0, 0]))


def test_fields_and_spots_weigh_the_same():
    bright, faint = np.array([10.0, 20, 30, 40]) * 1000, np.array([4.0, 3, 2, 1])
    third = np.array([1.0, 2, 3, 4])
    metrics = made(nframes=4, sharpness=np.stack([bright, faint, third])[:, None])
    np.testing.assert_array_equal(metrics.select("strehl", 0.5), [False, False, True, True])


def test_unmeasured_or_unknown_metric_is_an_error():
    with pytest.raises(MeasurementError, match="no frame has a value"):
        made(sharpness=np.full((1, 1, 6), np.nan)).select("strehl", 0.1)
    saturated = made(sharpness=np.full((1, 1, 6), np.nan), frame_nsat=np.full(6, 4.0))
    with pytest.raises(
        MeasurementError, match=r"6 of 6 frames hold saturated .* metric = 'l2norm'"
    ):
        saturated.select("strehl", 0.1)
    with pytest.raises(MeasurementError, match="use one of strehl"):
        made().select("sharpness", 0.1)
    with pytest.raises(MeasurementError, match="use one of dft"):
        made().positions("gauss")


# satellite spots


def spots(nframes=20, angle=20.0, stretch=1.0, seed=0):
    rng = np.random.default_rng(seed)
    places = np.array([100.0, 120.0]) + rng.normal(0, 2, (nframes, 2))
    directions = np.deg2rad(angle + 90 * np.array([2, 0, 3, 1]))  # in no order
    arms = 50 * np.stack([stretch * np.sin(directions), np.cos(directions)], axis=-1)
    return places, arms[:, None] + places


def test_star_is_where_the_diagonals_cross():
    places, four = spots(stretch=1.02)
    metrics = made(nframes=20, npsfs=4, dfty=four[None, ..., 0], dftx=four[None, ..., 1])
    np.testing.assert_allclose(metrics.positions()[0], places, atol=1e-9)


@pytest.mark.parametrize("lost", [(0,), (0, 1), (0, 2, 3)])
def test_lost_spots_are_done_without(lost):
    places, four = spots()
    four[list(lost), 3] = np.nan
    four[lost[0], 5] += 30.0  # locked on a companion
    metrics = made(nframes=20, npsfs=4, dfty=four[None, ..., 0], dftx=four[None, ..., 1])
    np.testing.assert_allclose(metrics.positions()[0], places, atol=1e-9)


def test_frame_without_any_spot_has_no_position():
    _, four = spots()
    four[:, 2] = np.nan
    metrics = made(nframes=20, npsfs=4, dfty=four[None, ..., 0], dftx=four[None, ..., 1])
    lost = np.isnan(metrics.positions()[0]).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(lost), [2])
    empty = replace(metrics, dftx=np.full((1, 4, 20), np.nan))
    assert np.isnan(empty.positions()).all()


def test_four_spots_in_real_frames(psf):
    rng = np.random.default_rng(3)
    centre = np.array([70.0, 72.0])
    places = centre + rng.uniform(-3, 3, (6, 2))
    arms = 40 * np.array([[1, 0.2], [-0.2, 1], [-1, -0.2], [0.2, -1]])
    scenes = [sum(3e4 * star((144, 144), *(place + arm), psf) for arm in arms) for place in places]
    metrics = measure(observe(scenes), psf, rough=centre + arms)
    assert np.abs(metrics.positions()[0] - places).max() < 0.03


def test_practice_with_fields_of_different_filters(psf):
    other = synthetic_psf("F610", 5.91, -38.4, 31)
    scene = 2e4 * star((80, 160), 40.3, 38.8, psf) + 1e4 * star((80, 160), 39.1, 121.4, other)
    job = Measurement(
        FrameSource.from_array(observe([scene])), calibration(80, 160), flip=False,
        rough=[[[40, 40]], [[40, 120]]], psfs=np.stack([psf, other]), fields=("F760", "F610"),
    )  # fmt: skip
    metrics = measure_frames(job)
    assert metrics.shape == (2, 1, 1)
    np.testing.assert_allclose(metrics.positions()[:, 0], [[40.3, 38.8], [39.1, 121.4]], atol=0.04)
    np.testing.assert_allclose(metrics.sharpness.ravel(), 1, atol=0.05)
