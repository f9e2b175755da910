"""Registered averages: positions, flux, errors, masks, and independence of how they are made."""

from __future__ import annotations

from dataclasses import replace

import astropy.units as u
import ccdproc
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from scipy import ndimage
from scipy.special import j1

from vampires.errors import MeasurementError
from vampires.images.alignment import Alignment, align_frames
from vampires.images.coadd import coadd_frames
from vampires.images.mean import mean_image
from vampires.io.frames import DEFAULT_MEMORY, FrameSource, open_frames
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate
from vampires.kernels.reduce import AVERAGES

GAIN, EXPTIME, BIAS = 0.5, 0.1, 200.0


def make_calibration(shape, **changes):
    one = np.ones(shape, np.float32)
    values = {
        "background": BIAS * one,
        "scale": GAIN / EXPTIME * one,
        "bad": one < 0,
        "bias": BIAS,
        "read_noise": 2.0,
        "excess_noise": 1.0,
        "gain": GAIN,
        "saturation": 60000.0,
        "background_variance": 0 * one,
        "flat_variance": 0 * one,
    }
    return PixelCalibration(**(values | changes))


def airy(shape, center, resolution=3.4):
    y, x = np.indices(shape)
    radius = np.maximum(np.pi * np.hypot(y - center[0], x - center[1]) / resolution, 1e-9)
    return (2 * j1(radius) / radius) ** 2


def gaussian(shape, center, sigma=2.0):
    y, x = np.indices(shape)
    return np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * sigma**2))


def centroid(image):
    y, x = np.indices(image.shape)
    good = np.isfinite(image)
    total = image[good].sum(dtype=float)
    return (y[good] * image[good]).sum() / total, (x[good] * image[good]).sum() / total


def aperture(image, radius=9.0):
    y, x = np.indices(image.shape)
    center = (np.array(image.shape) - 1) / 2
    return float(np.sum(image[np.hypot(y - center[0], x - center[1]) < radius], dtype=float))


@pytest.fixture(name="night", scope="module")
def fixture_night():
    """Forty noisy frames of a moving star on a detector with bad and saturated pixels."""
    rng = np.random.default_rng(7)
    shape = (48, 56)
    centers = np.array([23.0, 29.0]) + rng.uniform(-3, 3, (40, 2))
    light = [40 + 8000 * gaussian(shape, center) for center in centers]
    raw = np.round(BIAS + rng.poisson(light) / GAIN + rng.normal(0, 2 / GAIN, (40, *shape)))
    raw[3, 20:24, 25:30] = 65535
    bad = rng.random(shape) < 0.01
    bad[5:11, 40:46] = True
    cal = make_calibration(
        shape,
        bad=bad,
        background_variance=np.full(shape, 0.3, np.float32),
        flat_variance=np.full(shape, 1e-4, np.float32),
    )
    return raw.clip(0, 65535).astype(np.uint16), cal, centers[None]


def average(source, cal, method="mean", memory=DEFAULT_MEMORY, threads=None, **arguments):
    return coadd_frames(Alignment.of_frames(source, cal, **arguments), method, memory, threads)


def registered(source, cal, memory=DEFAULT_MEMORY, **arguments):
    return align_frames(Alignment.of_frames(source, cal, **arguments), memory)


def coadd(night, **settings):
    raw, cal, centers = night
    values = {"flip": False, "keep": np.ones(len(raw), bool), "size": (40, 41)} | settings
    return average(FrameSource.from_array(raw), cal, **({"centers": centers} | values))


@pytest.mark.parametrize("size", [(40, 40), (41, 41), (40, 41)])
@pytest.mark.parametrize("flip", [False, True])
def test_noiseless_star_comes_to_the_centre(size, flip):
    """Frame by frame to 0.01 px rms, flux to 1e-4."""
    rng = np.random.default_rng(1)
    shape = (64, 70)
    centers = np.array([31.0, 36.0]) + rng.uniform(-2, 2, (30, 2))
    cube = (BIAS + 20000 * np.array([gaussian(shape, c, 1.5) for c in centers])).astype(np.float32)
    if flip:
        cube = np.ascontiguousarray(cube[:, ::-1])
    arguments = {"flip": flip, "centers": centers[None], "keep": np.ones(30, bool), "size": size}
    cal = make_calibration(shape)
    middle = (np.array(size) - 1) / 2
    total = 20000 * gaussian(shape, (31, 36), 1.5).sum() * GAIN / EXPTIME
    errors = []
    for _, data, _ in registered(FrameSource.from_array(cube), cal, **arguments, memory=200_000):
        for frame in data[:, 0]:
            errors.append(np.subtract(centroid(frame), middle))
            assert frame.sum(dtype=float) == pytest.approx(total, rel=1e-4)
    assert len(errors) == 30
    assert np.sqrt(np.mean(np.square(errors))) < 0.002
    assert np.abs(errors).max() < 0.01
    result = average(FrameSource.from_array(cube), cal, **arguments)
    np.testing.assert_allclose(centroid(result.data[0]), middle, atol=0.002)


def test_diffraction_limited_star_is_reproduced():
    """Residual below 2.5e-3 of the peak in each frame and 1.5e-3 in the mean."""
    rng = np.random.default_rng(2)
    centers = 31.5 + rng.uniform(-1, 1, (20, 2))
    cube = np.array([BIAS + 1e4 * airy((64, 64), c) for c in centers]).astype(np.float32)
    arguments = {"flip": False, "centers": centers[None], "keep": np.ones(20, bool)}
    cal = make_calibration((64, 64))
    truth = 1e4 * airy((45, 45), (22, 22)) * GAIN / EXPTIME
    for _, data, _ in registered(FrameSource.from_array(cube), cal, size=(45, 45), **arguments):
        assert np.abs(data[:, 0] - truth).max() < 2.5e-3 * truth.max()
    result = average(FrameSource.from_array(cube), cal, size=(45, 45), **arguments)
    assert np.abs(result.data[0] - truth).max() < 1.5e-3 * truth.max()


@pytest.mark.parametrize("method", AVERAGES)
def test_bad_pixels_neither_cost_pixels_nor_flux(method):
    """0.05 per cent of bad pixels, one of them at the peak: photometry within 1e-3."""
    rng = np.random.default_rng(3)
    shape = (80, 80)
    centers = 39.5 + rng.uniform(-2, 2, (25, 2))
    cube = np.array([BIAS + 5000 * airy(shape, c) for c in centers]).astype(np.float32)
    bad = rng.random(shape) < 5e-4
    bad[40, 40] = True
    broken = cube.copy()
    broken[:, bad] = 3e4
    arguments = {"flip": False, "centers": centers[None], "keep": np.ones(25, bool)}
    whole = average(
        FrameSource.from_array(cube),
        make_calibration(shape),
        size=(60, 60),
        method=method,
        **arguments,
    )
    repaired = average(
        FrameSource.from_array(broken), make_calibration(shape, bad=bad), size=(60, 60),
        method=method, **arguments,
    )  # fmt: skip
    assert np.isfinite(repaired.data).all()
    assert aperture(repaired.data[0]) == pytest.approx(aperture(whole.data[0]), rel=1e-3)


@pytest.mark.parametrize("method", AVERAGES)
def test_result_does_not_depend_on_memory_threads_or_format(night, method, tmp_path):
    raw, cal, centers = night
    reference = coadd(night, method=method)
    plain, packed = tmp_path / "raw.fits", tmp_path / "raw.fits.fz"
    fits.PrimaryHDU(raw).writeto(plain)
    fits.CompImageHDU(raw, compression_type="RICE_1", tile_shape=(1, 1, 56)).writeto(packed)
    arguments = {"flip": False, "centers": centers, "keep": np.ones(40, bool), "size": (40, 41)}
    for path, settings in [
        (plain, {"memory": 100_000}),
        (plain, {"memory": 1, "threads": 3}),
        (packed, {"memory": 300_000, "threads": 2}),
        (packed, {}),
    ]:
        result = average(open_frames(path), cal, method=method, **arguments, **settings)
        for name in ("data", "variance", "systematic", "count"):
            np.testing.assert_array_equal(getattr(result, name), getattr(reference, name))


@pytest.mark.parametrize("flip", [False, True])
def test_methods_average_the_aligned_frames(night, flip):
    raw, cal, centers = night
    keep = np.arange(40) % 3 != 0
    arguments = {"flip": flip, "centers": centers, "keep": keep, "size": (40, 41)}
    parts = list(registered(FrameSource.from_array(raw), cal, **arguments, memory=250_000))
    assert [start for start, _, _ in parts] == np.cumsum(
        [0, *(len(p[1]) for p in parts[:-1])]
    ).tolist()
    stack = np.concatenate([data for _, data, _ in parts])[:, 0]
    noise = np.concatenate([variance for _, _, variance in parts])[:, 0]
    assert len(stack) == keep.sum()
    count = np.isfinite(stack).sum(axis=0)
    mean = average(FrameSource.from_array(raw), cal, **arguments, method="mean")
    median = average(FrameSource.from_array(raw), cal, **arguments, method="median")
    np.testing.assert_array_equal(mean.count[0], count)
    np.testing.assert_array_equal(median.count[0], count)
    seen = count > 0
    assert seen.all()
    np.testing.assert_allclose(mean.data[0], np.nanmean(stack.astype(float), axis=0), rtol=1e-6)
    np.testing.assert_array_equal(median.data[0], np.nanmedian(stack, axis=0))
    expected = np.nansum(noise.astype(float), axis=0) / count**2
    positive = expected > 0
    np.testing.assert_allclose(mean.variance[0][positive], expected[positive], rtol=1e-6)
    np.testing.assert_allclose(
        median.variance[0][positive], expected[positive] * np.pi / 2, rtol=1e-6
    )


def test_same_as_ccdproc_and_scipy():
    """Against subtraction, flat and spline shift, one after another.

    Photometry to 1e-4; pixels to 2e-3 of the peak, and to 5e-4 after smoothing.
    """
    rng = np.random.default_rng(4)
    shape = (64, 64)
    centers = 31.5 + rng.uniform(-2, 2, (12, 2))
    flat = rng.normal(1, 0.02, shape)
    background = rng.normal(205, 1, shape)
    light = np.array([20000 * gaussian(shape, c, 2.2) for c in centers])
    raw = np.round(background + rng.poisson(light * flat) / GAIN).astype(np.uint16)
    cal = make_calibration(
        shape,
        background=background.astype(np.float32),
        scale=(GAIN / (EXPTIME * flat)).astype(np.float32),
    )
    shifted = []
    for frame, center in zip(raw, centers, strict=True):
        ccd = CCDData(frame.astype(float), unit="adu")
        ccd = ccdproc.subtract_bias(ccd, CCDData(background, unit="adu"))
        ccd = ccdproc.flat_correct(ccd, CCDData(flat, unit=""), norm_value=1)
        ccd = ccdproc.gain_correct(ccd, GAIN * u.electron / u.adu)
        shifted.append(ndimage.shift(ccd.data / EXPTIME, 31.5 - center, order=5))
    expected = np.mean(shifted, axis=0)
    result = average(
        FrameSource.from_array(raw),
        cal,
        flip=False,
        centers=centers[None],
        keep=np.ones(12, bool),
        size=shape,
    )
    inner = (slice(10, -10), slice(10, -10))
    assert aperture(result.data[0]) == pytest.approx(aperture(expected), rel=1e-4)
    difference = (result.data[0] - expected)[inner]
    assert np.abs(difference).max() < 2e-3 * expected.max()
    # splines pass more of the noise beyond the telescope's cutoff, hence the smoothing
    assert np.abs(ndimage.gaussian_filter(difference, 2)).max() < 5e-4 * expected.max()


@pytest.mark.parametrize("method", AVERAGES)
def test_error_plane_is_the_scatter(method):
    """Over 300 realisations of 30 frames, on average over the image.

    To 4 per cent; to 8 for median and biweight, whose stated loss is that of many frames.
    """
    rng = np.random.default_rng(5)
    shape, n = (20, 22), 30
    centers = np.array([9.5, 10.5]) + rng.uniform(-0.5, 0.5, (1, n, 2))
    light = np.array([200 + 800 * gaussian(shape, center, 4.0) for center in centers[0]])
    cal = make_calibration(shape)
    arguments = {"flip": False, "centers": centers, "keep": np.ones(n, bool), "size": (10, 10)}
    images, variances = [], []
    for _ in range(300):
        raw = BIAS + (rng.poisson(light) + rng.normal(0, 2, (n, *shape))) / GAIN
        result = average(
            FrameSource.from_array(raw.astype(np.float32)), cal, method=method, **arguments
        )
        images.append(result.data[0])
        variances.append(result.variance[0])
    ratio = np.var(images, axis=0, ddof=1) / np.mean(variances, axis=0)
    tolerance = 0.08 if method in ("median", "biweight") else 0.04
    assert np.mean(ratio) == pytest.approx(1, abs=tolerance)


def test_faint_signal_is_not_biased():
    """Mean and inverse-variance mean of 2 electrons a pixel, behind 2 electrons of read noise."""
    rng = np.random.default_rng(6)
    raw = BIAS + (rng.poisson(2, (60, 64, 64)) + rng.normal(0, 2, (60, 64, 64))) / GAIN
    for method in ("mean", "varmean"):
        result = average(
            FrameSource.from_array(raw.astype(np.float32)), make_calibration((64, 64)), flip=False,
            centers=np.full((1, 60, 2), 31.7), keep=np.ones(60, bool), size=(50, 50), method=method,
        )  # fmt: skip
        sigma = np.sqrt(6 / 60) / 50 / EXPTIME
        assert result.data.mean() == pytest.approx(2 / EXPTIME, abs=4 * sigma)
        assert (result.variance > 0).all()


def test_varmean_prefers_quiet_frames():
    rng = np.random.default_rng(8)
    raw = np.full((4, 30, 30), BIAS + 100, np.float32)
    raw[2:] += 10000 + rng.normal(0, 1, (2, 30, 30))
    result = average(
        FrameSource.from_array(raw), make_calibration((30, 30)), flip=False,
        centers=np.full((1, 4, 2), 14.5), keep=np.ones(4, bool), size=(10, 10), method="varmean",
    )  # fmt: skip
    quiet, loud = 100 * GAIN + 4, 10100 * GAIN + 4
    expected = (100 / quiet + 10100 / loud) / (1 / quiet + 1 / loud) * GAIN / EXPTIME
    np.testing.assert_allclose(result.data, expected, rtol=3e-4)


def test_pixel_is_lost_only_when_no_frame_saw_it(night):
    result = coadd(night, size=(60, 70))
    lost = np.isnan(result.data[0])
    np.testing.assert_array_equal(lost, result.count[0] == 0)
    for plane in (result.variance[0], result.systematic[0]):
        np.testing.assert_array_equal(np.isnan(plane), lost)
    assert lost[0].all()
    assert not lost[13:-13, 13:-13].any()
    assert not (result.data[0] == 0).any()
    saturated = coadd(night, keep=np.arange(40) == 3)
    assert np.isnan(saturated.data).any()


def test_fields_are_cut_out_in_one_pass(night):
    centers = night[2]
    both = np.concatenate([centers, centers + np.array([4.0, -6.0])])
    for method in ("mean", "median"):
        together = coadd(night, centers=both, size=(20, 20), method=method)
        for field in (0, 1):
            alone = coadd(night, centers=both[field : field + 1], size=(20, 20), method=method)
            np.testing.assert_array_equal(together.data[field], alone.data[0])
            np.testing.assert_array_equal(together.systematic[field], alone.systematic[0])


def test_systematic_is_that_of_the_masters(night):
    """A star on whole pixels that does not move: the masters' errors of each pixel."""
    raw, cal, _ = night
    still = np.broadcast_to([23.5, 29.0], (1, len(raw), 2))
    result = coadd((raw, replace(cal, bad=np.zeros_like(cal.bad)), still))
    expected = 0.3 * (GAIN / EXPTIME) ** 2 + 1e-4 * result.data.astype(float) ** 2
    np.testing.assert_allclose(result.systematic, expected, rtol=1e-5)
    assert result.master_pixels == pytest.approx(1)


@pytest.mark.parametrize("motion", [0.0, 0.3, 1.0])
def test_motion_of_the_star_averages_the_masters_errors(motion):
    """30 draws of masters under the same frames: scatter of the coadds to 5 %."""
    rng = np.random.default_rng(3)
    shape, n = (48, 56), 20
    centers = np.array([23.3, 29.4]) + motion * rng.normal(size=(n, 2))
    light = np.array([40 + 8000 * gaussian(shape, center) for center in centers])
    raw = np.round(BIAS + light / GAIN).astype(np.uint16)
    cal = make_calibration(
        shape,
        background_variance=np.full(shape, 9.0, np.float32),
        flat_variance=np.full(shape, 1e-4, np.float32),
    )
    data = []
    for _ in range(30):
        wrong = replace(
            cal,
            background=(cal.background + rng.normal(0, 3, shape)).astype(np.float32),
            scale=(cal.scale * (1 + rng.normal(0, 0.01, shape))).astype(np.float32),
        )
        data.append(coadd((raw, wrong, centers[None]), size=(32, 33)).data[0])
    result = coadd((raw, cal, centers[None]), size=(32, 33))
    ratio2 = np.var(data, axis=0, ddof=1) / result.systematic[0]
    assert np.sqrt(ratio2.mean()) == pytest.approx(1, abs=0.05)
    y, x = np.indices(ratio2.shape) - 16
    assert np.sqrt(ratio2[np.hypot(y, x) < 3].mean()) == pytest.approx(1, abs=0.12)


def test_single_frame(night):
    keep = np.arange(40) == 10
    results = [coadd(night, keep=keep, method=method) for method in AVERAGES]
    for result in results[1:]:
        np.testing.assert_allclose(result.data, results[0].data, rtol=1e-6)
        np.testing.assert_allclose(result.variance, results[0].variance, rtol=1e-6)
    assert results[0].count.max() == 1


def test_frames_without_a_centre_are_left_out(night):
    _, _, centers = night
    holes = centers.copy()
    holes[0, 5] = np.nan
    result = coadd(night, centers=holes)
    expected = coadd(night, keep=np.arange(40) != 5)
    np.testing.assert_array_equal(result.data, expected.data)
    with pytest.raises(MeasurementError, match="none of 40 frames"):
        coadd(night, keep=np.zeros(40, bool))


def test_wrong_arguments_are_refused(night):
    with pytest.raises(ValueError, match="choose one of mean, median"):
        coadd(night, method="mode")
    with pytest.raises(ValueError, match="do not fit"):
        coadd(night, centers=np.zeros((1, 3, 2)))


def test_mean_image(night):
    raw, cal, _ = night
    source = FrameSource.from_array(raw)
    np.testing.assert_allclose(mean_image(source), raw.mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(mean_image(source, flip=True), mean_image(source)[::-1])
    np.testing.assert_array_equal(mean_image(source, memory=1), mean_image(source))
    few = mean_image(source, frames=3)
    np.testing.assert_allclose(few, raw[[0, 20, 39]].mean(axis=0), rtol=1e-6)
    calibrated = mean_image(source, cal)
    data, _ = calibrate(RawBlock(raw, big_endian=False), cal, flip=False)
    expected = np.nanmean(np.where(cal.bad, 0, data), axis=0)
    good = ~cal.bad
    np.testing.assert_allclose(calibrated[good], expected[good], rtol=1e-4, atol=0.01)
    assert np.isnan(calibrated).sum() == np.isnan(calibrated[6:10, 41:45]).sum() == 16
