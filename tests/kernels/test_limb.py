"""Search for the limb on whole pixels."""

from __future__ import annotations

import numpy as np
import pytest

from vampires.kernels.limb import find_limbs

SIZE = 161
RADIUS = 20.0


def disc(y: float, x: float, *, terminator: float = -1.0, cloud: float = 0.0) -> np.ndarray:
    yy, xx = np.indices((SIZE, SIZE)) - np.array([y, x])[:, None, None]
    image = 10 / (1 + np.exp(np.hypot(yy, xx) - RADIUS)) * (xx > terminator * RADIUS)
    return image * (1 + cloud * (np.hypot(yy + 8, xx + 8) < 6))


@pytest.mark.parametrize(("terminator", "cloud"), [(-1.0, 0.0), (-1.0, 3.0), (-0.3, 0.0)])
def test_the_limb_is_found_from_the_centre_of_light(terminator: float, cloud: float) -> None:
    """Within 2 px, at 5 photons a pixel; the centre of light is up to 7 px away."""
    rng = np.random.default_rng(2)
    places = rng.uniform(70, 90, (20, 2))
    images = [disc(y, x, terminator=terminator, cloud=cloud) for y, x in places]
    starts = []
    for image in images:
        weights = image / image.sum()
        starts.append([round(float((weights * axis).sum())) for axis in np.indices(image.shape)])
    stamps = rng.poisson(0.5 * np.stack(images)).astype(np.float32)
    found = find_limbs(stamps, np.array(starts), RADIUS, 40)
    assert np.abs(found - places).max() < 2


def test_bad_pixels_and_the_reach_are_heeded() -> None:
    image = disc(80, 83)
    image[np.random.default_rng(0).random(image.shape) < 0.3] = np.nan
    start = np.array([[80, 80]])
    stamps = image[None].astype(np.float32)
    assert np.abs(find_limbs(stamps, start, RADIUS, 40)[0] - (80, 83)).max() <= 1
    assert find_limbs(stamps, start, RADIUS, 2)[0, 1] == 82
    assert (find_limbs(np.full_like(stamps, np.nan), start, RADIUS, 40) == start).all()
