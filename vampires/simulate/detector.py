"""From light to raw counts: pixel response, dark current, noise, gain and saturation."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Real = NDArray[np.float64]
ADC_MAX = 65535


def generator(seed: int, *keys: int | str) -> np.random.Generator:
    """Independent random generator for a purpose named by ``keys``; the same on every machine."""
    words = [zlib.crc32(k.encode()) if isinstance(k, str) else k for k in keys]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *words])))


@dataclass(frozen=True)
class Sensor:
    """What one detector does to electrons.

    Attributes
    ----------
    bias
        adu.
    gain
        e-/adu, before electron multiplication.
    read_noise
        e-, at the output amplifier.
    full_well
        e-, at the output (after multiplication).
    dark_current
        e-/s/px.
    em_gain
        Mean multiplication, or None for a detector without.
    """

    bias: float
    gain: float
    read_noise: float
    full_well: float
    dark_current: float
    em_gain: float | None = None

    def digitise(self, electrons: Real, rng: np.random.Generator) -> NDArray[np.uint16]:
        """Raw counts of whole electrons ``(...,)``.

        Multiplication is a gamma law of shape n and scale g (Basden et al. 2003, MNRAS 345, 985):
        mean ``n g``, and with Poisson n a variance of ``2 n g^2``.
        """
        charge = electrons if self.em_gain is None else rng.gamma(electrons, self.em_gain)
        charge = np.minimum(charge, self.full_well)
        signal = (charge + self.read_noise * rng.standard_normal(charge.shape)) / self.gain
        return np.clip(np.rint(signal + self.bias), 0, ADC_MAX).astype(np.uint16)


@dataclass(frozen=True)
class PixelMap:
    """The detector pixel by pixel, raw orientation.

    Attributes
    ----------
    flat
        Response to light, median 1 where illuminated; holds vignetting and the field stop.
    dark_rate
        e-/s, hot pixels included.
    bad
        Hot or dead.
    """

    flat: Real
    dark_rate: Real
    bad: NDArray[np.bool_]


@dataclass(frozen=True)
class Window:
    """Illuminated rectangle: centre ``(y, x)``, side (px), rotation (deg), edge softness (px)."""

    centre: tuple[float, float]
    side: float
    rotation: float = 0.0
    softness: float = 1.0


def illumination(shape: tuple[int, int], windows: list[Window], vignetting: float) -> Real:
    """Relative light on the detector through the field stops.

    Parameters
    ----------
    shape
        ``(ny, nx)``.
    windows
        Illuminated rectangles; light of several adds.
    vignetting
        Loss at the corner of a window (or of the frame, if smaller); quadratic with radius.
    """
    y, x = np.indices(shape, dtype=float)
    light = np.zeros(shape)
    for w in windows:
        a = np.deg2rad(w.rotation)
        dy, dx = y - w.centre[0], x - w.centre[1]
        u, v = np.cos(a) * dx + np.sin(a) * dy, -np.sin(a) * dx + np.cos(a) * dy
        inside = expit((w.side / 2 - np.abs(u)) / (0.4 * w.softness))
        inside *= expit((w.side / 2 - np.abs(v)) / (0.4 * w.softness))
        corner = min(w.side, max(shape)) / np.sqrt(2)
        light += inside * np.clip(1 - vignetting * (u**2 + v**2) / corner**2, 0, None)
    return light


def make_pixels(
    light: Real,
    sensor: Sensor,
    rng: np.random.Generator,
    *,
    prnu: float,
    hot_fraction: float,
    dead_fraction: float,
    hot_rate: float,
) -> PixelMap:
    """Draw a detector.

    Many arguments, because each is a flaw of its own; they are given by name.

    Parameters
    ----------
    light
        Relative illumination (`illumination`).
    sensor
        Its dark current.
    rng
        Random generator.
    prnu
        Standard deviation of the pixel response.
    hot_fraction, dead_fraction
        Fraction of pixels with excess dark current; with next to no response.
    hot_rate
        Median excess dark current of a hot pixel, e-/s.
    """
    response = light * (1 + prnu * rng.standard_normal(light.shape))
    illuminated = light > 0.5 * light.max()
    response = np.clip(response / np.median(response[illuminated]), 0, None)
    chance = rng.random(light.shape)
    hot, dead = chance < hot_fraction, chance > 1 - dead_fraction
    dark = np.full(light.shape, sensor.dark_current)
    dark[hot] += hot_rate * np.exp(0.7 * rng.standard_normal(hot.sum()))
    response[dead] *= 0.1 * rng.random(dead.sum())
    return PixelMap(response, dark, hot | dead)


def expose(
    rate: Real, sensor: Sensor, pixels: PixelMap, exptime: float, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """One exposure, or a stack of them.

    Parameters
    ----------
    rate
        Expected e-/s ``(..., ny, nx)`` on a perfect detector, raw orientation.
    sensor, pixels
        The detector.
    exptime
        s.
    rng
        Random generator.

    Returns
    -------
    ndarray
        uint16, the shape of ``rate``.

    Examples
    --------
    >>> rng = generator(1, "example")
    >>> s = Sensor(bias=200, gain=0.103, read_noise=0.4, full_well=6750, dark_current=0.0036)
    >>> ones = np.ones((4, 4))
    >>> pixels = PixelMap(ones, 0 * ones, ones < 0)
    >>> expose(1000 * ones, s, pixels, 0.1, rng).dtype
    dtype('uint16')
    """
    expected = (rate * pixels.flat + pixels.dark_rate) * exptime
    electrons = rng.poisson(np.clip(expected, 0, None)).astype(float)
    return sensor.digitise(electrons, rng)
