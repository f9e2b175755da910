"""The limb of planets in an image: centre, radius, and what is no planet."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.measure.limb import find_planet
from vampires.measure.psf import synthetic_psf

SIZE = 180


def planet(
    rng: np.random.Generator,
    y: float,
    x: float,
    radius: float,
    *,
    terminator: float | None = None,
    cloud: float = 0.0,
) -> NDArray[np.float64]:
    """Draw a disc with a darkened limb, hot pixels and photon noise, blurred by 2 px."""
    yy, xx = np.indices((SIZE, SIZE)) - np.array([y, x])[:, None, None]
    r = np.hypot(yy, xx)
    mu = np.sqrt(np.clip(1 - (r / radius) ** 2, 0, 1))
    image = 1000 * np.clip(radius - r + 0.5, 0, 1) * np.maximum(mu, 0.02) ** 0.5
    spot = np.hypot(yy - 0.5 * radius, xx) / (0.2 * radius)
    image *= 1 + cloud * np.exp(-0.5 * spot**2)
    if terminator is not None:
        image *= xx / radius > terminator
    image = rng.poisson(ndimage.gaussian_filter(image, 2.0) + 20.0).astype(float)
    image[rng.integers(SIZE, size=30), rng.integers(SIZE, size=30)] += 5e4
    return image


@pytest.mark.parametrize("terminator", [None, -0.5, -0.2])
@pytest.mark.parametrize("seed", range(3))
def test_limb_gives_centre_and_radius(seed: int, terminator: float | None) -> None:
    """Up to a quarter of the frame off its centre; the radius within 3 %."""
    rng = np.random.default_rng(seed)
    y, x = 90 + 45 * rng.uniform(-1, 1, 2)
    radius = rng.uniform(20, 40)
    found = find_planet(planet(rng, y, x, radius, terminator=terminator))
    assert np.hypot(found[0] - y, found[1] - x) < (0.1 if terminator is None else 0.5)
    assert found[2] == pytest.approx(radius, rel=0.03)


def test_clouds_hardly_move_the_limb() -> None:
    """The centre of light is 1 px away."""
    rng = np.random.default_rng(5)
    y, x, radius = find_planet(planet(rng, 90, 91, 30, cloud=1.0))
    assert np.hypot(y - 90, x - 91) < 0.25
    assert radius == pytest.approx(30, rel=0.03)


def test_a_failure_says_how_far_the_search_came() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(MeasurementError, match=r"no planet: the brightest part is .* \(needs 8"):
        find_planet(rng.poisson(20, (100, 100)))
    with pytest.raises(MeasurementError, match="no planet: the image has no valid pixel"):
        find_planet(np.full((100, 100), np.nan))
    image = np.full((101, 101), 20.0)
    image[30:71, 30:71] += 1e4 * synthetic_psf("750-50", 5.91, -38.4, 41)
    message = r"px about x=51.*, y=5.* with a peak, .* in 360 of 360 directions, radius 6.* px"
    with pytest.raises(MeasurementError, match=message):
        find_planet(rng.poisson(image))


def test_a_bar_is_no_disc() -> None:
    image = np.full((120, 120), 20.0)
    image[57:63, 20:100] = 1000
    with pytest.raises(MeasurementError, match="is no resolved disc"):
        find_planet(ndimage.gaussian_filter(image, 2.0))
