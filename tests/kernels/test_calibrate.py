"""Calibration against ccdproc and against the statistics of simulated frames."""

from __future__ import annotations

import astropy.units as u
import ccdproc
import numpy as np
import pytest
from astropy.nddata import CCDData

from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate

SHAPE = (24, 33)
EXPTIME = 0.2
GAIN = 0.105


def make_calibration(rng, **changes):
    flat = rng.normal(1, 0.05, SHAPE).astype(np.float32)
    values = {
        "background": rng.normal(203, 2, SHAPE).astype(np.float32),
        "scale": (GAIN / (EXPTIME * flat)).astype(np.float32),
        "bad": rng.random(SHAPE) < 0.03,
        "bias": 200.0,
        "read_noise": 0.25,
        "excess_noise": 1.0,
        "gain": GAIN,
        "saturation": 5000.0,
        "background_variance": np.full(SHAPE, 0.5, np.float32),
        "flat_variance": np.full(SHAPE, 1e-5, np.float32),
    }
    return PixelCalibration(**(values | changes)), flat


def make_raw(rng, n=3):
    raw = rng.poisson(900, (n, *SHAPE)).astype(np.uint16)
    raw[1, 3, 4] = 5000
    raw[1, 3, 5] = 4999
    raw[2, 0, 0] = 65535
    return raw


def test_same_as_ccdproc():
    rng = np.random.default_rng(0)
    cal, flat = make_calibration(rng)
    raw = make_raw(rng)
    data, variance = calibrate(RawBlock(raw, big_endian=False), cal, flip=False)
    for frame, result in zip(raw, data, strict=True):
        ccd = CCDData(frame.astype(float), unit="adu")
        ccd = ccdproc.subtract_bias(ccd, CCDData(cal.background.astype(float), unit="adu"))
        ccd = ccdproc.gain_correct(ccd, GAIN * u.electron / u.adu)
        ccd = ccdproc.flat_correct(ccd, CCDData(flat.astype(float), unit=""), norm_value=1)
        expected = np.where(cal.bad | (frame >= 5000), np.nan, ccd.data / EXPTIME)
        np.testing.assert_allclose(result, expected, rtol=3e-6, atol=1e-3)
    noise = (GAIN * (raw - 200.0) + 0.25**2) * (cal.scale / GAIN) ** 2
    np.testing.assert_allclose(variance, np.where(np.isnan(data), np.nan, noise), rtol=2e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_file_bytes_native_and_float_agree(flip):
    rng = np.random.default_rng(1)
    cal, _ = make_calibration(rng)
    raw = make_raw(rng)
    bytes_of_file = (raw ^ 0x8000).byteswap()
    blocks = [
        RawBlock(raw, big_endian=False),
        RawBlock(bytes_of_file, big_endian=True),
        RawBlock(raw.astype(np.float32), big_endian=False),
    ]
    results = [calibrate(block, cal, flip=flip) for block in blocks]
    plain, _ = calibrate(blocks[0], cal, flip=False)
    np.testing.assert_array_equal(results[0][0], plain[:, ::-1] if flip else plain)
    for data, variance in results[1:]:
        np.testing.assert_array_equal(data, results[0][0])
        np.testing.assert_array_equal(variance, results[0][1])


def test_window_of_the_calibration_fits_a_window_of_the_frames():
    rng = np.random.default_rng(2)
    cal, _ = make_calibration(rng)
    raw = make_raw(rng)
    rows, columns = slice(2, 11), slice(5, 30)
    whole, _ = calibrate(RawBlock(raw, big_endian=False), cal, flip=False)
    part, _ = calibrate(
        RawBlock(raw[:, rows, columns], big_endian=False), cal.window(rows, columns), flip=False
    )
    np.testing.assert_array_equal(part, whole[:, rows, columns])


@pytest.mark.parametrize(("signal", "noise_factor"), [(0.0, 1.0), (3.0, 2**0.5), (400.0, 1.0)])
def test_variance_is_that_of_the_scatter(signal, noise_factor):
    """Mean variance over pixels equals their scatter to 3 per cent, also without signal."""
    rng = np.random.default_rng(3)
    bias, read_noise, gain = 150.0, 3.0, 0.5
    shape = (200, 200)
    electrons = rng.poisson(signal, shape).astype(float)
    if noise_factor > 1:  # variance 2 x signal, as behind a multiplication register
        electrons += rng.normal(0, np.sqrt(signal), shape)
    raw = np.round(bias + (electrons + rng.normal(0, read_noise, shape)) / gain)
    one = np.ones(shape, np.float32)
    cal = PixelCalibration(
        bias * one, gain * one, one < 0, bias, read_noise, noise_factor, gain, 6e4, 0 * one, 0 * one
    )
    data, variance = calibrate(
        RawBlock(raw[None].astype(np.uint16), big_endian=False), cal, flip=False
    )
    assert variance.mean() == pytest.approx(data.var(), rel=0.03)
    if signal == 0:
        assert variance.min() < 0  # unclipped, or the mean would be too large


def test_useless_masters_mask_the_pixel():
    cal, _ = make_calibration(np.random.default_rng(4), bad=np.zeros(SHAPE, bool))
    cal.scale[2, 3] = np.inf
    cal.background[4, 5] = np.nan
    raw = RawBlock(np.full((1, *SHAPE), 300, np.uint16), big_endian=False)
    data, _ = calibrate(raw, cal, flip=False)
    assert np.argwhere(np.isnan(data[0])).tolist() == [[2, 3], [4, 5]]
    assert np.isfinite(calibrate(raw, cal, flip=False, repair=True)[0]).all()


def test_given_arrays_are_filled():
    rng = np.random.default_rng(5)
    cal, _ = make_calibration(rng)
    block = RawBlock(make_raw(rng), big_endian=False)
    out = np.empty((2, 3, *SHAPE), np.float32)
    data, _ = calibrate(block, cal, flip=False, out=(out[0], out[1]))
    assert data.base is out
    np.testing.assert_array_equal(out[0], calibrate(block, cal, flip=False)[0])


def test_wrong_shape_is_refused():
    cal, _ = make_calibration(np.random.default_rng(6))
    with pytest.raises(ValueError, match="differ in shape"):
        calibrate(RawBlock(np.zeros((1, 5, 5), np.uint16), big_endian=False), cal, flip=False)
