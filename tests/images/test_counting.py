"""Photon counting behind the EM register: unbiased, with honest errors, better than the mean."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vampires.errors import MeasurementError
from vampires.images.alignment import Alignment
from vampires.images.counting import CountingLaw, count_photons
from vampires.io.frames import FrameSource
from vampires.kernels.calibrate import PixelCalibration
from vampires.simulate.detector import PixelMap, Sensor, expose, generator

GAIN, EM, NOISE, EXPTIME = 4.5, 300.0, 89.0, 0.25


def frames(electrons: float, count: int, shape=(40, 40), seed=1) -> np.ndarray:
    sensor = Sensor(150.0, GAIN, NOISE, 8e5, 0.0, EM)
    ones = np.ones(shape)
    pixels = PixelMap(ones, 0 * ones, ones < 0)
    rate = np.broadcast_to(electrons / EXPTIME, (count, *shape))
    return expose(rate, sensor, pixels, EXPTIME, generator(seed, "counting"))


def alignment(raw: np.ndarray, **changes) -> Alignment:
    shape = raw.shape[1:]
    plain = np.zeros(shape, np.float32)
    cal = PixelCalibration(
        background=plain + 150, scale=plain + GAIN / EM / EXPTIME, bad=plain > 0, bias=150.0,
        read_noise=float(np.hypot(NOISE, GAIN / np.sqrt(12)) / EM), excess_noise=np.sqrt(2),
        gain=GAIN / EM, saturation=60000.0, background_variance=plain, flat_variance=plain,
    )  # fmt: skip
    cal = dataclasses.replace(cal, **changes)
    source = FrameSource.from_array(raw)
    centers = np.full((1, len(raw), 2), (shape[0] - 1) / 2)
    return Alignment.of_frames(
        source, cal, flip=False, centers=centers, keep=np.ones(len(raw), bool), size=shape
    )


@pytest.mark.parametrize("electrons", [0.01, 0.03, 0.1, 0.3, 1.0])
def test_unbiased_and_errors_true(electrons):
    """To 1 % from 0.01 to 1 electron a frame; the error plane is the scatter between pixels."""
    count = 600 if electrons > 0.02 else 2000
    data, variance, seen, _ = count_photons(alignment(frames(electrons, count)))
    inner = data[0] * EXPTIME
    noise = np.std(inner)
    mean_error = noise / np.sqrt(inner.size)
    assert inner.mean() == pytest.approx(electrons, abs=0.01 * electrons + 3 * mean_error)
    assert mean_error < 0.02 * electrons
    assert np.sqrt(variance.mean()) * EXPTIME == pytest.approx(noise, rel=0.07)
    assert (seen == count).all()


def test_better_than_the_mean_where_it_says_so():
    electrons, count = 0.03, 800
    raw = frames(electrons, count, seed=3)
    counted = count_photons(alignment(raw))[0][0] * EXPTIME
    mean = (raw.mean(axis=0) - 150) * GAIN / EM
    law = CountingLaw(0.2967)
    assert mean.std() / counted.std() == pytest.approx(float(law.gain(electrons)), rel=0.08)
    assert law.gain(0.01) > 1.7
    assert 0.95 < law.gain(0.1) < 1
    assert law.gain(1.0) < 1


def test_few_frames_have_no_bias_of_inversion():
    law = CountingLaw(0.297)
    rng = np.random.default_rng(5)
    for m in (0.1, 0.5, 1.0):
        part = rng.binomial(40, law.above(m), 400_000) / 40
        value, _ = law.electrons(part, 40)
        assert value[np.isfinite(value)].mean() == pytest.approx(m, rel=0.01)


def test_bright_pixels_take_the_mean():
    raw = frames(5.0, 50, seed=2)
    data, variance, _, _ = count_photons(alignment(raw))
    mean = (raw.mean(axis=0) - 150) * GAIN / EM / EXPTIME
    np.testing.assert_allclose(data[0], mean, rtol=1e-4)
    assert np.sqrt(variance.mean()) == pytest.approx(data[0].std(), rel=0.07)


def test_light_that_moves_is_noticed():
    """Speckles that come and go count too low; steady light does not."""
    steady = count_photons(alignment(frames(0.2, 400, seed=6))).bias
    assert abs(steady.value) < 3 * steady.error < 0.03
    assert not steady.significant
    raw = np.concatenate([frames(0.02, 200, seed=7), frames(0.8, 200, seed=8)])
    moving = count_photons(alignment(raw)).bias
    assert moving.value < -0.01
    assert moving.significant


def test_refused_where_it_means_nothing():
    with pytest.raises(MeasurementError, match="EMCCD frames with EM gain"):
        count_photons(alignment(frames(0.1, 30), excess_noise=1.0))
    with pytest.raises(MeasurementError, match="needs 20 frames, found 10"):
        count_photons(alignment(frames(0.1, 10)))


def test_bad_pixels_are_left_out():
    bad = np.zeros((40, 40), bool)
    bad[20, 20] = True
    data, _, seen, _ = count_photons(alignment(frames(0.1, 30), bad=bad))
    assert np.isnan(data[0, 20, 20]) or seen[0, 20, 20] == 0
    assert np.isfinite(data[0, 5, 5])
