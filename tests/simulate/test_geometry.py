"""Sky angles against a real header and spherical trigonometry."""

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from vampires.simulate import constants as c
from vampires.simulate.geometry import sky_angles, wrap180

AB_AUR = ("04:55:45.846", "+30:33:04.29")


def pole_of_date(mjd):
    """Position angle (deg, ICRS) of the pole of date as seen from AB Aur."""
    x, y, _ = erfa.xys06a(2400000.5, mjd)
    pole = SkyCoord(np.arctan2(y, x) * u.rad, np.arccos(np.hypot(x, y)) * u.rad)
    star = SkyCoord(*AB_AUR, unit=(u.hourangle, u.deg))
    return star.position_angle(pole).wrap_at("180d").deg


def test_agrees_with_a_real_pointing():
    # AB Aur, 2022-02-24: the header's pointing belongs to the time the file was written;
    # the telescope's own includes refraction (about 0.01 deg here)
    angles = sky_angles(*AB_AUR, 59634.30736254)[0]
    assert angles.altitude == pytest.approx(56.68925, abs=0.03)
    assert angles.azimuth == pytest.approx(295.86528, abs=0.03)
    assert angles.image_rotator(-39.0) == pytest.approx(92.85608, abs=0.02)
    # the telescope counts from the pole of date
    of_date = angles.parallactic - pole_of_date(59634.30736254)
    assert wrap180(of_date - 39.0 - 180.0) == pytest.approx(-118.507, abs=0.01)


def test_parallactic_angle_from_the_pole_of_date():
    """Apparent hour angle, plus the angle between the pole of date and the ICRS pole."""
    mjd = 59634.25
    ra, dec = (float(np.deg2rad(v)) for v in (73.941025, 30.551191667))
    site = np.deg2rad([c.SUBARU_LONGITUDE, c.SUBARU_LATITUDE])
    _, _, hour_angle, apparent_dec, _, _ = erfa.atco13(
        ra, dec, 0, 0, 0, 0, 2400000.5, mjd, -0.11, *site, c.SUBARU_HEIGHT, 0, 0, 0, 0, 0, 0.75
    )
    of_date = np.arctan2(
        np.sin(hour_angle),
        np.tan(site[1]) * np.cos(apparent_dec) - np.sin(apparent_dec) * np.cos(hour_angle),
    )
    angles = sky_angles(*AB_AUR, mjd)
    # aberration displaces star and zenith together: 0.01 deg is left
    assert wrap180(
        angles.parallactic[0] - np.rad2deg(of_date) - pole_of_date(mjd)
    ) == pytest.approx(0, abs=0.02)


def test_parallactic_angle_falls_smoothly_through_a_northern_transit():
    angles = sky_angles(*AB_AUR, 59634.2 + np.linspace(0, 0.02, 21))
    steps = wrap180(np.diff(angles.parallactic))
    assert ((steps < 0) & (steps > -3)).all()
    assert np.ptp(angles.parallactic) > 300  # passes from -180 to 180


@pytest.mark.parametrize(
    ("angle", "wrapped"), [(180, -180), (-180, -180), (190, -170), (-540, -180)]
)
def test_wrap180(angle, wrapped):
    assert wrap180(angle) == wrapped


def test_synchronisation_follows_the_field():
    """A synchronised half-wave plate keeps sky Q on the same detector polarisation."""
    from vampires.simulate.light_path import LightPath

    angles = sky_angles(*AB_AUR, 59634.24 + np.linspace(0, 0.05, 6))
    rows = LightPath().rows(
        camera=1,
        flc_angle=None,
        hwp_angle=angles.hwp_synchronisation(),
        imr_angle=angles.image_rotator(-39.0),
        altitude=angles.altitude,
        parallactic_angle=angles.parallactic,
    )
    direction = np.rad2deg(np.unwrap(np.arctan2(rows[:, 2], rows[:, 1])))
    # the coordinates of the formula are of date: a slow drift of a few tenths of a degree
    assert np.ptp(direction) < 1.0
    assert np.ptp(np.unwrap(angles.parallactic, period=360)) > 20
