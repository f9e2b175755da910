"""Rough centroids: star, satellite spots and planet on synthetic scenes, and their files."""

import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vampires.canonical import Header
from vampires.errors import FileError, MeasurementError
from vampires.kernels.despike import remove_spikes
from vampires.measure.centroid_files import (
    draw_centroids,
    format_centroids,
    format_regions,
    read_centroids,
    write_regions,
)
from vampires.measure.psf import synthetic_psf
from vampires.measure.spots import find_satellite_spots
from vampires.measure.star import RoughCentroid, find_star, find_stars, rough_centroids, spot_radius

PSF = synthetic_psf("750-50", 5.91, -38.4, 41).astype(float)


def add_star(image, y, x, flux):
    iy, ix = round(y), round(x)
    moved = flux * ndimage.shift(PSF, (y - iy, x - ix), order=3)
    image[iy - 20 : iy + 21, ix - 20 : ix + 21] += moved


def sprinkle(image, rng, number=60, level=5e4):
    ny, nx = image.shape
    image[rng.integers(ny, size=number), rng.integers(nx, size=number)] += level
    image[rng.integers(ny, size=number), rng.integers(nx, size=number)] = np.nan


# star


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_star_among_hot_pixels_and_a_companion(seed):
    rng = np.random.default_rng(seed)
    image = np.full((160, 170), 20.0)
    y, x = rng.uniform(25, 130, 2)
    add_star(image, y, x, 3e3)
    add_star(image, *rng.uniform(25, 130, 2), 6e2)
    image = rng.poisson(image.clip(0)).astype(float)
    sprinkle(image, rng)
    assert np.hypot(*(np.array(find_star(image)) - (y, x))) < 1.0


def test_no_star_is_said_so():
    rng = np.random.default_rng(0)
    with pytest.raises(MeasurementError, match="sigma above the sky"):
        find_star(rng.poisson(20, (100, 100)))
    with pytest.raises(MeasurementError, match="no valid pixel"):
        find_star(np.full((20, 20), np.nan))


def test_spikes_go_and_stars_stay():
    image = np.full((80, 80), 10.0)
    add_star(image, 40.4, 39.7, 1e4)
    spoilt = image.copy()
    spoilt[20, 20], spoilt[60, 50], spoilt[40, 41] = 1e5, np.nan, np.nan
    clean = remove_spikes(spoilt)
    assert abs(clean[20, 20] - image[20, 20]) < 1
    assert clean[39, 40] == spoilt[39, 40]
    assert np.isfinite(clean).all()


# satellite spots


def coronagraphic(rng, radius, angle, contrast, companion=None, n=280):
    """Halo, speckles, two pairs of spider spikes, four radially smeared spots, hot pixels."""
    centre = (n - 1) / 2 + rng.uniform(-8, 8, 2)
    y, x = np.indices((n, n)) - centre[:, None, None]
    r = np.hypot(y, x)
    speckles = ndimage.gaussian_filter(rng.normal(size=(n, n)), 1.4)
    image = 2e-4 / (1 + (r / 12) ** 2) ** 1.1 * (1 - np.exp(-((r / 6) ** 2)))
    image *= np.maximum(1 + 0.25 * speckles / speckles.std(), 0.2)
    for spike in (13.35, 89.85, 193.35, 269.85):
        away = (np.rad2deg(np.arctan2(y, x)) - spike + 180) % 360 - 180
        across = np.deg2rad(np.abs(away)) * r
        image += 1e-4 * np.exp(-((across / 2) ** 2)) / (1 + (r / 15) ** 1.5) * (r > 8)
    directions = np.deg2rad(angle + 90 * np.arange(4))
    arms = np.stack([np.sin(directions), np.cos(directions)], axis=-1)
    for step in np.linspace(-0.033, 0.033, 7):
        for arm in arms:
            add_star(image, *(centre + radius * (1 + step) * arm), contrast / 7)
    if companion is not None:
        add_star(image, *(centre + companion), 2e-2)
    image = rng.poisson(image.clip(0) * 1e7 + 20).astype(float)
    hot = rng.integers(n, size=(2, 40))
    image[hot[0], hot[1]] += rng.uniform(100, 1e4, 40)
    return image, centre, centre + radius * arms


@pytest.mark.parametrize("seed", range(16))
def test_spots_within_a_third_of_a_pixel(seed):
    rng = np.random.default_rng(seed)
    radius = (33.9, 51.1, 102.2)[seed % 3]
    contrast = (5e-3, 1.5e-2)[seed % 2]
    companion = rng.uniform(-55, 55, 2) if seed % 4 < 2 else None
    scene = coronagraphic(rng, radius, rng.uniform(0, 90), contrast, companion)
    image, centre, truth = scene
    expected = radius * rng.uniform(0.97, 1.03) if seed % 8 < 6 else None
    found = find_satellite_spots(image, radius=expected)
    apart = np.linalg.norm(found.positions[:, None] - truth[None], axis=-1)
    assert apart.min(axis=1).max() < 0.3
    assert len(set(apart.argmin(axis=1))) == 4
    assert np.hypot(*(np.array(found.star) - centre)) < 0.2
    assert found.radius == pytest.approx(radius, abs=0.3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("radius", [51.1, None])
def test_no_false_lock(seed, radius):
    rng = np.random.default_rng(100 + seed)
    companion = rng.uniform(-55, 55, 2) if seed % 2 else None
    image, *_ = coronagraphic(rng, 51.1, 30.0, 0.0, companion)
    with pytest.raises(MeasurementError, match=r"point sources, \d+ squares.*centroid file"):
        find_satellite_spots(image, radius=radius)


def test_two_squares_are_a_question():
    rng = np.random.default_rng(1)
    image, centre, _ = coronagraphic(rng, 51.1, 10.0, 1.5e-2)
    for k in range(4):
        angle = np.deg2rad(50 + 90 * k)
        place = centre + 51.1 * np.array([np.sin(angle), np.cos(angle)])
        add_star(image, *place, 0.6e-2 * 1e7)
    with pytest.raises(MeasurementError, match="as significant"):
        find_satellite_spots(image, radius=51.1)


def test_expected_radius_from_the_header():
    header = Header({"X_GRDSEP": 15.5, "X_GRDST": "ON", "PXSCALE": 5.91})
    expected = 15.5 * 748e-9 / 7.92 * 206264.806e3 / 5.91
    assert spot_radius(header, "750-50") == pytest.approx(expected, rel=1e-5)
    header["X_GRDST"] = "OFF"
    assert spot_radius(header, "750-50") is None
    assert spot_radius(Header({"PXSCALE": 5.91}), "750-50") is None


# fields


def test_each_field_is_searched_on_its_own():
    rng = np.random.default_rng(0)
    image = np.full((100, 200), 20.0)
    truth = [(48.0, 52.5), (55.25, 147.0)]
    for flux, place in zip((5e4, 4e3), truth, strict=True):
        add_star(image, *place, flux)
    image = rng.poisson(image.clip(0)).astype(float)
    found = rough_centroids(image, centers=[(49.5, 49.5), (49.5, 149.5)], width=100)
    np.testing.assert_allclose([field.star for field in found], truth, atol=0.3)
    assert found[0].psfs.shape == (1, 2)
    with pytest.raises(MeasurementError, match="use star, spots or planet"):
        rough_centroids(image, "galaxy")


def test_kinds_give_what_is_measured():
    rng = np.random.default_rng(2)
    image, centre, _ = coronagraphic(rng, 51.1, 10.0, 1.5e-2)
    (spots,) = rough_centroids(image, "spots", radii=[50.0])
    assert spots.psfs.shape == (4, 2)
    assert np.hypot(*(np.array(spots.star) - centre)) < 0.2
    y, x = np.indices((160, 160))
    light = rng.poisson(1000.0 * ndimage.gaussian_filter(1.0 * (np.hypot(y - 80, x - 81) < 30), 2))
    (disc,) = rough_centroids(light, "planet")
    assert disc.star == pytest.approx((80, 81), abs=0.1)
    assert disc.radius == pytest.approx(30, abs=0.5)


# files

SPOTS = ((10.0, 20.5), (30.25, 20.0), (30.0, 40.0), (10.0, 40.0))


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["750-50", "F610", "Open"]),
        st.builds(
            RoughCentroid,
            st.tuples(st.floats(-0.4, 2000), st.floats(-0.4, 2000)),
            st.sampled_from([(), SPOTS]),
            st.sampled_from([None, 21.5]),
        ),
        min_size=1,
    )
)
def test_text_is_read_back(tmp_path_factory, fields):
    path = tmp_path_factory.mktemp("centroids") / "c.toml"
    path.write_text(format_centroids(2, fields), "utf-8")
    again = read_centroids(path, camera=2)
    assert list(again) == list(fields)
    for name, centroid in fields.items():
        assert again[name].star == pytest.approx(centroid.star, abs=6e-4)
        assert len(again[name].spots) == len(centroid.spots)
        assert again[name].radius == centroid.radius


def test_numbers_are_those_of_ds9():
    fields = {"750-50": RoughCentroid((10.0, 20.5), SPOTS)}
    table = tomllib.loads(format_centroids(1, fields))
    assert table["camera"] == 1
    assert table["fields"]["750-50"]["star"] == [21.5, 11.0]
    regions = format_regions(fields)
    assert regions.splitlines()[2] == "image"
    assert "circle(21.500,11.000,8.000) # text={750-50}" in regions
    assert regions.count("box(") == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera = 1", "no field"),
        ('[fields."F610"]\n', "neither star nor spots"),
        ('[fields."F610"]\nstar = [1]', r"star = \[1\]: expected \[x, y\]"),
        ('[fields."F610"]\nstar = [1, "a"]', "two numbers"),
        ('[fields."F610"]\nstar = [nan, 1]', "two numbers"),
        ('[fields."F610"]\nstars = [1, 2]', "stars: unknown"),
        ('[fields."F610"]\nspots = [[1, 2]]', "expected four pairs"),
        ('[fields."F610"]\nstar = [1, 2]\nradius = -3', "radius = -3"),
        ('camera = 2\n[fields."F610"]\nstar = [1, 2]', "camera = 2, expected 1"),
        ("fields = 3", "no field"),
        ("[fields", "not a centroid file"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    path = tmp_path / "hand.toml"
    path.write_text(text)
    with pytest.raises(FileError, match=message) as caught:
        read_centroids(path, camera=1)
    assert "hand.toml" in str(caught.value)


def test_spots_alone_are_enough(tmp_path):
    path = tmp_path / "hand.toml"
    path.write_text('[fields."F610"]\nspots = [[1, 1], [11, 1], [11, 11], [1, 11]]')
    assert read_centroids(path)["F610"].star == (5.0, 5.0)


def test_regions_and_picture(tmp_path):
    fields = {"750-50": RoughCentroid((40.0, 50.0), SPOTS)}
    write_regions(tmp_path / "c.toml", fields, mirror=80)
    assert (tmp_path / "c_calibrated.reg").read_text() == format_regions(fields)
    # 0-based row 40 of 80 is row 39 seen upside down: 40 as DS9 counts.
    assert "circle(51.000,40.000," in (tmp_path / "c_raw.reg").read_text()
    assert "circle(51.000,41.000," in (tmp_path / "c_calibrated.reg").read_text()
    image = np.random.default_rng(0).normal(size=(80, 100))
    image[0, 0] = np.nan
    figure = draw_centroids(image, fields, "mean of 4 files")
    axes = figure.axes[0]
    assert tuple(axes.patches[0].center) == (51.0, 41.0)
    assert len(axes.patches) == 5
    figure.savefig(tmp_path / "c.png")
    draw_centroids(np.full((9, 9), np.nan), {}, "nothing").savefig(tmp_path / "n.png")


def test_files_of_the_public_pipeline_count_raw_pixels(tmp_path):
    path = tmp_path / "hand.toml"
    path.write_text('"750-50" = [[51.0, 41.0]]\nF610 = [[1, 1], [11, 1], [11, 11], [1, 11]]\n')
    raw = read_centroids(path, camera=1)
    assert raw["750-50"].star == (40.0, 50.0)
    assert raw["F610"].star == (5.0, 5.0)
    assert len(raw["F610"].spots) == 4
    assert read_centroids(path, camera=1, mirror=80)["750-50"].star == (39.0, 50.0)
    path.write_text('"750-50" = [[1, 2], [3, 4]]')
    with pytest.raises(FileError, match="2 pairs"):
        read_centroids(path)


def test_stars_of_a_binary_are_found_the_brightest_first():
    yy, xx = np.mgrid[:96, :96]
    image = np.random.default_rng(3).normal(10, 0.5, (96, 96))
    for y, x, height in ((40, 60, 300), (52, 38, 700)):
        image += height * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * 1.5**2))
    first, second = find_stars(image)
    assert first[:2] == pytest.approx((52, 38), abs=0.1)
    assert second == pytest.approx((40, 60, 3 / 7), abs=0.1)
    assert find_stars(np.random.default_rng(4).normal(10, 0.5, (96, 96))) == []
