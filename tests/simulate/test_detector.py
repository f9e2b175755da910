"""Noise, gain and saturation of the simulated detectors."""

import numpy as np
import pytest

from vampires.simulate import NightSpec
from vampires.simulate.detector import (
    PixelMap,
    Window,
    expose,
    generator,
    illumination,
    make_pixels,
)

SHAPE = (300, 300)


def perfect_pixels(dark=0.0):
    ones = np.ones(SHAPE)
    return PixelMap(ones, dark * ones, ones < 0)


@pytest.mark.parametrize("electrons", [0.2, 5.0, 300.0])
@pytest.mark.parametrize(("preset", "excess"), [("stars", np.sqrt(2)), ("qcmos", 1.0)])
def test_mean_and_variance(preset, excess, electrons):
    sensor = NightSpec.preset(preset).sensor(1)
    multiplication = sensor.em_gain or 1.0
    rng = generator(5, preset)
    raw = expose(np.full(SHAPE, electrons / 0.1), sensor, perfect_pixels(), 0.1, rng).astype(float)
    gain = sensor.gain / multiplication  # e-/adu
    noise = excess**2 * electrons + (sensor.read_noise / multiplication) ** 2 + gain**2 / 12
    n = raw.size
    mean = (raw.mean() - sensor.bias) * gain
    assert mean == pytest.approx(electrons, abs=5 * np.sqrt(noise / n))
    kurtosis = ((raw - raw.mean()) ** 4).mean() / raw.var() ** 2
    assert raw.var() * gain**2 == pytest.approx(noise, rel=5 * np.sqrt((kurtosis - 1) / n))


def test_conventional_amplifier_has_no_excess_noise():
    sensor = NightSpec(em_gain=1).sensor(2)
    assert sensor.em_gain is None
    raw = expose(np.full(SHAPE, 1e4), sensor, perfect_pixels(), 1.0, generator(6)).astype(float)
    variance = (raw * 4.5).var()
    assert variance == pytest.approx(1e4 + 9.6**2 + 4.5**2 / 12, rel=0.03)


def test_dark_current_grows_with_time():
    sensor = NightSpec.preset("qcmos").sensor(1)
    pixels = perfect_pixels(dark=2.0)
    levels = [
        (expose(np.zeros(SHAPE), sensor, pixels, t, generator(7)).mean() - 200) * 0.103
        for t in (1.0, 4.0)
    ]
    assert levels == pytest.approx([2.0, 8.0], rel=0.02)


def test_saturation():
    levels = {}
    for name, spec in {
        "em": NightSpec(),
        "noem": NightSpec(em_gain=1),
        "fast": NightSpec.preset("qcmos"),
        "slow": NightSpec.preset("qcmos", readmode="slow"),
        "half": NightSpec.preset("qcmos", start="2023-07-01T08:00:00"),
    }.items():
        sensor = spec.sensor(1)
        raw = expose(np.full(SHAPE, 1e7), sensor, perfect_pixels(), 1.0, generator(8))
        levels[name] = int(raw.max())
    assert levels["em"] == 65535
    assert levels["noem"] == pytest.approx(180000 / 4.5 + 150, abs=15)
    assert levels["fast"] == levels["slow"] == 65535
    assert levels["half"] == pytest.approx(65536 / 2 + 200, abs=30)


def test_bad_pixels_are_where_they_are_said_to_be():
    sensor = NightSpec().sensor(1)
    pixels = make_pixels(
        np.ones(SHAPE),
        sensor,
        generator(9),
        prnu=0.01,
        hot_fraction=1e-3,
        dead_fraction=1e-3,
        hot_rate=60.0,
    )
    assert np.median(pixels.flat) == pytest.approx(1.0, abs=1e-3)
    good = ~pixels.bad
    assert pixels.flat[good].std() == pytest.approx(0.01, rel=0.05)
    assert (pixels.dark_rate[good] == sensor.dark_current).all()
    assert pixels.bad.sum() == pytest.approx(180, abs=70)
    assert ((pixels.dark_rate > 1) | (pixels.flat < 0.2))[pixels.bad].all()


def test_illumination_is_a_turned_rectangle():
    light = illumination((200, 220), [Window((100, 110), 120, 5.0)], vignetting=0.1)
    assert (light > 0.5).sum() == pytest.approx(120**2, rel=0.01)
    assert light[100, 110] == pytest.approx(1.0, abs=1e-3)
    assert light[5, 5] < 1e-6


def test_generators_differ_by_purpose():
    a, b, again = generator(1, "a", 2), generator(1, "b", 2), generator(1, "a", 2)
    first = a.random(4)
    assert not np.array_equal(first, b.random(4))
    assert np.array_equal(first, again.random(4))
