"""The star is followed from file to file; a file without it is refused."""

import numpy as np
import pytest

from vampires.errors import MeasurementError
from vampires.measure.follow import Sighting, follow_star
from vampires.measure.psf import synthetic_psf
from vampires.measure.star import RoughCentroid, rough_centroids

PSF = synthetic_psf("750-50", 6.24, 140.4, 61)


def field(*sources, size=200, sky=3.0, noise=0.2, seed=1):
    """Image of stars (y, x, flux) on a noisy sky."""
    image = np.random.default_rng(seed).normal(sky, noise, (size, size))
    for y, x, flux in sources:
        image[y - 30 : y + 31, x - 30 : x + 31] += flux * PSF
    return image


def first(*sources):
    return rough_centroids(field(*sources))


def test_a_star_that_stays_keeps_its_place_exactly():
    places = first((100, 90, 1e4))
    (sighting,) = follow_star(field((102, 88, 8e3), seed=2), places)
    assert sighting.centroid == places[0]
    assert not sighting.moved
    assert sighting.brightness == pytest.approx(0.8, rel=0.1)


def test_an_offset_is_followed():
    (sighting,) = follow_star(field((70, 125, 1e4)), first((100, 90, 1e4)))
    assert sighting.moved
    assert sighting.centroid.star == pytest.approx((70, 125), abs=0.5)


@pytest.mark.parametrize("companion", [(140, 60), (104, 96)])
def test_a_companion_draws_no_attention(companion):
    places = first((100, 90, 1e4), (*companion, 4e3))
    (still,) = follow_star(field((100, 90, 1e4), (*companion, 4e3), seed=3), places)
    assert not still.moved
    dy, dx = -15, 20
    moved_field = field((100 + dy, 90 + dx, 1e4), (companion[0] + dy, companion[1] + dx, 4e3))
    (moved,) = follow_star(moved_field, places)
    assert moved.centroid.star == pytest.approx((85, 110), abs=0.7)


def test_hot_pixels_are_not_followed():
    image = field((100, 90, 1e4))
    image[40, 150] = 1e6
    assert not follow_star(image, first((100, 90, 1e4)))[0].moved


@pytest.mark.parametrize(
    "sources",
    [(), ((60, 60, 300),), ((160, 160, 1.5e3),)],
    ids=["dark", "faint", "companion left"],
)
def test_a_file_without_the_star_is_refused(sources):
    with pytest.raises(MeasurementError, match=r"VMPA7.fits: no star: .* of the star's peak"):
        follow_star(field(*sources), first((100, 90, 1e4)), name="VMPA7.fits")


def test_a_faint_star_whose_peak_is_not_known_stays_where_it_was_expected():
    (sighting,) = follow_star(field(), [RoughCentroid((100.0, 90.0))])
    assert sighting.centroid.star == (100.0, 90.0)
    assert np.isnan(sighting.brightness)


def test_a_star_expected_outside_the_frame_is_found_inside():
    (sighting,) = follow_star(field((100, 90, 1e4)), [RoughCentroid((-20.0, 300.0))])
    assert sighting.centroid.star == pytest.approx((100, 90), abs=0.5)


SQUARE = tuple(
    (100 + 40 * np.cos(a), 90 + 40 * np.sin(a)) for a in np.deg2rad(20 + 90 * np.arange(4))
)


@pytest.mark.parametrize("seed", range(3))
def test_a_file_without_spots_or_planet_is_refused(seed):
    spots = RoughCentroid((100.0, 90.0), SQUARE)
    planet = RoughCentroid((100.0, 90.0), radius=30.0)
    dark = field(seed=seed)
    with pytest.raises(MeasurementError, match=r"VMPA7.fits: no satellite spots: .* exclude the"):
        follow_star(dark, [spots], radii=[40.0], name="VMPA7.fits")
    with pytest.raises(MeasurementError, match=r"VMPA7.fits: no planet: nothing is brighter"):
        follow_star(dark, [planet], name="VMPA7.fits")


def test_spots_and_planets_that_are_hard_to_recognise_stay():
    """Three of four spots behind a cloud; a disc with hardly a limb."""
    spots = RoughCentroid((100.0, 90.0), SQUARE)
    one = field(*((round(y), round(x), 300) for y, x in SQUARE[:1]))
    assert follow_star(one, [spots], radii=[40.0])[0] == Sighting(spots, False)
    planet = RoughCentroid((100.0, 90.0), radius=30.0)
    yy, xx = np.indices((200, 200))
    soft = field() + 0.15 * np.exp(-((yy - 100) ** 2 + (xx - 90) ** 2) / 2 / 30**2)
    assert follow_star(soft, [planet])[0].centroid.star == pytest.approx((100, 90), abs=12)
