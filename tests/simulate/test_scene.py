"""Sources on the sky, and where they fall on a camera."""

import numpy as np
import pytest

from vampires.simulate import NightSpec
from vampires.simulate.cameras import build_camera
from vampires.simulate.frames import FrameTruth, science_image
from vampires.simulate.scene import Companion, Planet, Ring, detector_to_sky, sky_to_detector

AXIS = (np.arange(400) - 199.5) * 0.004
EAST, NORTH = np.meshgrid(AXIS, AXIS)
AREA = 0.004**2


def still(n=1, **changes):
    """Conditions of frames without motion or polarisation."""
    rows = np.tile([1.0, 0, 0, 0], (n, 1))
    values = {
        "flc": ["NA"] * n,
        "parallactic": np.zeros(n),
        "derotation": np.zeros(n),
        "rows": rows,
        "offsets": np.zeros((n, 2)),
        "draws": np.zeros((n, 1), int),
        "transmission": np.ones(n),
    }
    return FrameTruth(**{**values, **changes})


@pytest.mark.parametrize("inclination", [0.0, 40.0, 70.0])
def test_ring_light_and_polarisation(inclination):
    ring = Ring(contrast=0.2, inclination=inclination, position_angle=60.0, max_polarisation=0.4)
    i, q, u = ring.brightness(EAST, NORTH)
    assert i.sum() * AREA == pytest.approx(0.2, rel=2e-3)
    angle = 2 * np.arctan2(EAST, NORTH)
    q_phi, u_phi = -q * np.cos(angle) - u * np.sin(angle), q * np.sin(angle) - u * np.cos(angle)
    assert q_phi.min() >= 0
    assert np.abs(u_phi).max() < 1e-12 * q_phi.max()
    bright = i > 0.01 * i.max()
    degree = q_phi[bright] / i[bright]
    assert degree.max() == pytest.approx(0.4, abs=0.002)
    cosine = np.sin(np.deg2rad(inclination))
    assert degree.min() == pytest.approx(0.4 * (1 - cosine**2) / (1 + cosine**2), abs=0.002)


def test_ring_major_axis_is_at_its_position_angle():
    i, _, _ = Ring(position_angle=60.0, inclination=60.0).brightness(EAST, NORTH)
    xx, yy, xy = (i * EAST**2).sum(), (i * NORTH**2).sum(), (i * EAST * NORTH).sum()
    assert np.rad2deg(0.5 * np.arctan2(2 * xy, yy - xx)) % 180 == pytest.approx(60.0, abs=0.2)


def test_planet_is_radially_polarised():
    i, q, u = Planet(diameter=0.8).brightness(EAST, NORTH)
    assert i.sum() * AREA == pytest.approx(1.0, rel=0.02)
    angle = 2 * np.arctan2(EAST, NORTH)
    radial = q * np.cos(angle) + u * np.sin(angle)
    assert radial.min() >= 0
    assert (radial / np.where(i > 0, i, 1)).max() == pytest.approx(0.05, rel=0.1)
    assert i[np.hypot(EAST, NORTH) > 0.41].max() == 0


def test_derotation_convention():
    # turned by +90 deg, what was left of the centre comes below it: south
    east, north = detector_to_sky(np.array(0.0), np.array(-10.0), 90.0, 6.0)
    assert (float(east), float(north)) == pytest.approx((0.0, -0.06))
    # and without rotation east is left
    assert sky_to_detector(0.06, 0.0, 0.0, 6.0) == pytest.approx((0.0, -10.0))


def test_sky_and_detector_are_inverse():
    dy, dx = sky_to_detector(0.21, -0.13, 37.0, 5.9)
    east, north = detector_to_sky(np.array(dy), np.array(dx), 37.0, 5.9)
    assert (float(east), float(north)) == pytest.approx((0.21, -0.13))


@pytest.mark.parametrize(("mode", "camera"), [("qcmos", 1), ("qcmos", 2), ("qcmos-nbs", 2)])
def test_star_and_companion_on_the_detector(mode, camera):
    spec = NightSpec.preset(
        "imaging", mode=mode, size=128, strehl=0.999, speckles=1, sky_rate=0.0,
        companion=Companion(contrast=0.5, separation=0.2, position_angle=110.0),
    )  # fmt: skip
    model = build_camera(spec, camera)
    angle = 25.0
    truth = still(offsets=np.array([[4.3, -7.6]]), derotation=np.array([angle]))
    image = science_image(model, spec, truth, 0)
    # a little falls beyond the frame
    assert image.sum() == pytest.approx(1.5 * spec.flux, rel=0.015)
    calibrated = image[::-1] if (mode, camera) in (("qcmos", 1), ("qcmos-nbs", 2)) else image
    star = np.array([63.5 + 4.3, 63.5 - 7.6])
    radius = 200 / spec.generation.cameras[camera].pixel_scale
    # position angle 110 deg east (left) of north, which stands `angle` clockwise of up
    turn = np.deg2rad(110.0 - angle)
    companion = star + radius * np.array([np.cos(turn), -np.sin(turn)])
    for place in (star, companion):
        y0, x0 = np.rint(place).astype(int)
        y, x = np.mgrid[y0 - 2 : y0 + 3, x0 - 2 : x0 + 3]
        window = calibrated[y0 - 2 : y0 + 3, x0 - 2 : x0 + 3]
        centroid = [(window * y).sum() / window.sum(), (window * x).sum() / window.sum()]
        # a small window pulls the centroid towards its centre
        np.testing.assert_allclose(centroid, place, atol=0.35)
        assert window.max() == calibrated[y0 - 6 : y0 + 7, x0 - 6 : x0 + 7].max()


def test_line_emission_shows_in_the_line_filter_only():
    ratios = {}
    for number, band in ((1, "Halpha"), (2, "Ha-Cont")):
        sums = []
        for companion in (Companion(contrast=0.1, separation=0.1, line_excess=5.0), None):
            spec = NightSpec.preset("sdi", size=96, speckles=1, companion=companion)
            model = build_camera(spec, number)
            assert model.fields[0].band == band
            sums.append(science_image(model, spec, still(), 0).sum())
        ratios[band] = (sums[0] - sums[1]) / model.fields[0].renderer.flux
    assert ratios["Halpha"] == pytest.approx(5 * ratios["Ha-Cont"], rel=0.05)
