"""Pointing, derotation and WCS against independent routes and known geometry."""

from __future__ import annotations

import math
from types import SimpleNamespace

import astropy.units as u
import astropy_iers_data
import erfa
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.canonical import Header
from vampires.errors import HeaderError
from vampires.sky.geometry import Target, add_geometry, hwp_sync_angle, parallactic_angles, pointing
from vampires.sky.wcs import celestial_wcs, without_wcs
from vampires.utils.angles import wrap

SUBARU = EarthLocation.from_geodetic(-155.4760187, 19.825504, 4139.0)
LATITUDE = math.radians(19.825504)


@pytest.fixture(autouse=True)
def _tables_on_disk():
    """Give astropy, which serves as the reference, the table on disk; it looks for no newer one."""
    table = iers.IERS_A.open(str(astropy_iers_data.IERS_A_FILE))
    with iers.earth_orientation_table.set(table), iers.conf.set_temp("auto_max_age", None):
        yield


def make_header(**changes: object) -> Header:
    """Canonical header of a cube of 70 s on AB Aur."""
    cards: dict[str, object] = {
        "RA": "04:55:45.846", "DEC": "+30:33:04.29", "MJD": 59634.2295, "MJD-STR": 59634.2291,
        "MJD-END": 59634.2299, "PAOFFSET": -78.6, "PXSCALE": 6.24, "ALTITUDE": 77.48,
        "AZIMUTH": 330.65, "D_IMRANG": 103.24, "D_IMRMOD": "ADI", "D_IMRPAP": -39.0,
        "OBJECT": "ABAUR",
    }  # fmt: skip
    cards.update({keyword.replace("__", "-"): value for keyword, value in changes.items()})
    return Header({key: value for key, value in cards.items() if value is not None})


def random_sky(count: int, seed: int) -> tuple[Time, SkyCoord, SkyCoord]:
    """Instants, ICRS places above 20 deg, and where they are seen."""
    rng = np.random.default_rng(seed)
    times = Time(rng.uniform(57000, 61200, count), format="mjd")
    ra = rng.uniform(0, 360, count)
    dec = np.degrees(np.arcsin(rng.uniform(-0.75, 0.98, count)))
    stars = SkyCoord(ra * u.deg, dec * u.deg)
    seen = stars.transform_to(AltAz(obstime=times, location=SUBARU))
    up = seen.alt > 20 * u.deg
    return times[up], stars[up], seen[up]


# -- parallactic angle -------------------------------------------------------------------


def test_parallactic_angle_by_displacement_towards_the_zenith():
    """Route 1: astropy's AltAz, the star displaced upwards by 0.01 deg."""
    times, stars, seen = random_sky(200, seed=1)
    above = SkyCoord(seen.az, seen.alt + 0.01 * u.deg, frame=seen.frame).icrs
    expected = SkyCoord(seen.az, seen.alt, frame=seen.frame).icrs.position_angle(above).deg
    for mjd, star, angle in zip(times.mjd, stars, expected, strict=True):
        ours = parallactic_angles(mjd, star.ra.deg, star.dec.deg)[0]
        assert abs(wrap(ours - angle)) < 1e-5


def test_parallactic_angle_by_hour_angle_of_the_apparent_place():
    """Route 2: hour angle with apparent sidereal time, turned by the local north of date."""
    times, stars, _ = random_sky(200, seed=2)
    for time, star in zip(times, stars, strict=True):
        astrom, origins = erfa.apci13(2400000.5, time.tt.mjd)
        ra, dec = erfa.atciq(star.ra.rad, star.dec.rad, 0, 0, 0, 0, astrom)
        sidereal = time.sidereal_time("apparent", longitude=SUBARU.lon).rad
        hour = sidereal - (ra - origins)
        of_date = math.atan2(
            math.sin(hour), math.tan(LATITUDE) * math.cos(dec) - math.sin(dec) * math.cos(hour)
        )
        north = erfa.pas(star.ra.rad, star.dec.rad, *erfa.aticq(ra, dec + 1e-4, astrom))
        ours = parallactic_angles(time.mjd, star.ra.deg, star.dec.deg)[0]
        assert abs(wrap(ours - math.degrees(of_date + north))) < 1e-3


def test_j2000_hour_angle_is_wrong_by_a_degree_near_transit():
    """What the apparent place is needed for."""
    star = SkyCoord("04:55:45.846 +24:30:00", unit=(u.hourangle, u.deg))
    times = Time(np.linspace(60324.33, 60324.40, 200), format="mjd")
    hour = times.sidereal_time("apparent", longitude=SUBARU.lon).rad - star.ra.rad
    dec = star.dec.rad
    naive = np.arctan2(np.sin(hour), np.tan(LATITUDE) * np.cos(dec) - np.sin(dec) * np.cos(hour))
    error = wrap(np.degrees(naive) - parallactic_angles(times.mjd, star.ra.deg, star.dec.deg))
    assert 1.0 < np.abs(error).max() < 5.0


def test_altitude_and_azimuth_agree_with_astropy():
    header = make_header()
    star = SkyCoord("04:55:45.846 +30:33:04.29", unit=(u.hourangle, u.deg))
    grid = Time(np.linspace(header["MJD-STR"], header["MJD-END"], 201), format="mjd")
    seen = star.transform_to(AltAz(obstime=grid, location=SUBARU))
    ours = pointing(header)
    assert ours.altitude == pytest.approx(np.mean(seen.alt.deg), abs=1e-4)
    assert ours.azimuth == pytest.approx(np.mean(seen.az.deg), abs=1e-3)
    middle = Time(header["MJD"], format="mjd")
    sidereal = middle.sidereal_time("apparent", longitude=SUBARU.lon).deg
    assert ours.lst == pytest.approx(sidereal, abs=1e-4)


def test_mean_over_the_cube():
    header = make_header(MJD__STR=59634.22, MJD__END=59634.24, MJD=59634.23)
    ours = pointing(header)
    grid = np.linspace(59634.22, 59634.24, 20001)
    angles = parallactic_angles(
        grid, 15 * (4 + 55 / 60 + 45.846 / 3600), 30 + 33 / 60 + 4.29 / 3600
    )
    assert ours.pa == pytest.approx(angles.mean(), abs=1e-3)
    assert ours.pa_start == pytest.approx(angles[0], abs=1e-4)
    assert ours.pa_end == pytest.approx(angles[-1], abs=1e-4)


def test_transit_north_of_zenith_is_averaged_across_180_degrees():
    """At dec +30 the parallactic angle passes through 180; its mean must not be near 0."""
    star = Target(70.0, 30.0)
    day = np.linspace(59634.1, 59634.3, 20001)
    transit = day[np.argmax(np.abs(parallactic_angles(day, 70.0, 30.0)))]
    header = make_header(MJD=transit, MJD__STR=transit - 2e-3, MJD__END=transit + 2e-3)
    ours = pointing(header, star)
    assert abs(wrap(ours.pa - 180.0)) < 0.1
    assert ours.pa_start * ours.pa_end < 0


def test_single_instant():
    header = make_header(MJD=59634.2291, MJD__END=59634.2291)
    ours = pointing(header)
    assert ours.pa == pytest.approx(ours.pa_start, abs=1e-9)


# -- target ------------------------------------------------------------------------------


def test_proper_motion_is_applied_to_the_date():
    """Barnard's star moves by 10 arcsec a year."""
    star = Target(269.45, 4.739, pm_ra=-801.55, pm_dec=10362.39, epoch="J2016")
    mjd = Time("J2026").mjd
    ra, dec = star.at(mjd)
    assert (dec - 4.739) * 3600 == pytest.approx(103.6239, abs=0.02)
    assert (ra - 269.45) * 3600 * math.cos(math.radians(4.739)) == pytest.approx(-8.0155, abs=0.01)


def test_older_frames_are_turned_to_icrs():
    star = SkyCoord(70 * u.deg, 30 * u.deg)
    old = star.transform_to("fk4")
    ra, dec = Target(old.ra.deg, old.dec.deg, frame="fk4", epoch="J2000").at(51544.5)
    assert (ra, dec) == (pytest.approx(70.0, abs=2e-4), pytest.approx(30.0, abs=2e-4))


def test_target_from_the_configuration():
    section = SimpleNamespace(
        name="AB Aur", ra_deg=73.94, dec_deg=30.55, pm_ra=4.0, pm_dec=-24.0, parallax=None,
        frame="icrs", obstime="J2016",
    )  # fmt: skip
    star = Target.from_config(section)
    assert star == Target(73.94, 30.55, 4.0, -24.0, name="AB Aur")
    assert pointing(make_header(), star).dec == pytest.approx(30.55 - 24e-3 / 3600 * 6.15, abs=1e-7)


@pytest.mark.parametrize("text", ["04:55:45.846", "04 55 45.846", "04.55.45.846", "+04:55:45.846"])
def test_header_coordinates(text):
    star = Target.from_header(make_header(RA=text, DEC="-00:30:36"))
    assert star.ra_deg == pytest.approx(73.941025, abs=1e-9)
    assert star.dec_deg == pytest.approx(-0.51, abs=1e-9)


def test_right_ascension_that_was_wrapped():
    """As headers of 2021 have it that another program has written anew (HD 173667)."""
    star = Target.from_header(make_header(RA="-5:14:20.45", DEC="20:32:46.66"))
    assert star.ra_deg == pytest.approx(15 * (18 + 45 / 60 + 39.55 / 3600), abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "keyword"),
    [
        ({"RA": None}, "RA"),
        ({"RA": "25:00:00"}, "RA"),
        ({"RA": "-24:55:45"}, "RA"),
        ({"DEC": "somewhere"}, "DEC"),
        ({"DEC": "+91:00:00"}, "DEC"),
        ({"DEC": "+30:75:00"}, "DEC"),
        ({"RA": 73.94}, "RA"),
        ({"EQUINOX": 1950.0}, "EQUINOX"),
    ],
)
def test_unusable_coordinates_are_an_error_of_science_only(changes, keyword):
    with pytest.raises(HeaderError, match=rf"{keyword}.*\[target\]"):
        pointing(make_header(**changes))
    assert pointing(make_header(**changes), Target(73.94, 30.55)).altitude > 70


# -- header ------------------------------------------------------------------------------


def test_geometry_cards():
    header = make_header()
    before = header.copy()
    out = add_geometry(header)
    assert header == before
    ours = pointing(header)
    assert out["PA"] == ours.pa
    assert out["DEROTANG"] == wrap(ours.pa - 78.6)
    assert out["AZIMUTH"] == 330.65
    assert out["ALT_MID"] == ours.altitude
    assert out["AZ_MID"] == ours.azimuth


def test_image_rotator_is_carried_to_mid_exposure():
    """In pupil tracking the angle is altitude / 2 + (90 - D_IMRPAP) / 2 at any time."""
    altitude = pointing(make_header()).altitude
    stated = add_geometry(make_header(ALTITUDE=50.0, D_IMRANG=25.0 + 64.5))
    assert stated["IMRANG"] == pytest.approx(altitude / 2 + 64.5)
    assert add_geometry(make_header(D_IMRANG=None))["IMRANG"] == pytest.approx(altitude / 2 + 64.5)


def test_image_rotator_that_stood_by():
    """For the lamp it stands at its angle, whatever its mode says."""
    at_rest = {"D_IMRMOD": "ADI", "D_IMR": "STAND-BY"}
    assert add_geometry(make_header(D_IMRANG=33.0, **at_rest))["IMRANG"] == 33.0
    assert "IMRANG" not in add_geometry(make_header(D_IMRANG=None, **at_rest))


@pytest.mark.parametrize("mode", ["FIX", "NON-SID", "STOP", "OTHER"])
def test_image_rotator_that_followed_nothing_is_refused(mode):
    with pytest.raises(HeaderError, match=rf"D_IMRMOD is {mode}.*data.fix"):
        add_geometry(make_header(D_IMRMOD=mode))


def test_hwp_synchronisation_follows_the_parallactic_angle():
    """The formula is half the parallactic angle (of date, without aberration) plus altitude."""
    times, stars, seen = random_sky(50, seed=5)
    for mjd, star, place in zip(times.mjd, stars, seen, strict=True):
        turn = hwp_sync_angle(place.alt.deg, place.az.deg) - place.alt.deg
        angle = parallactic_angles(mjd, star.ra.deg, star.dec.deg)[0]
        # sense: azimuth grows westward in the formula; equal up to precession since J2000
        assert abs(wrap(2 * turn - angle)) < 0.4 / math.cos(star.dec.rad)


def test_wcs_cards_are_removed():
    header = Header({"CRPIX1": 1.0, "CD1_2B": 2.0, "WCSNAMED": "F610", "RADESYS": "FK5"})
    header["RA"] = "04:55:45.846"
    assert list(without_wcs(header)) == ["RA"]


# -- celestial WCS -----------------------------------------------------------------------


def sky_header(derotation: float, scale: float = 5.9) -> Header:
    return Header({"TARG-RA": 73.94, "TARG-DEC": 30.55, "PXSCALE": scale, "DEROTANG": derotation})


def derotated(y: float, x: float, center: tuple[float, float], angle: float) -> tuple[float, float]:
    """Where a pixel goes when a frame is turned by the stated convention.

    Turning by +90 deg moves the pixel left of the centre to below the centre.
    """
    t = math.radians(angle)
    dy, dx = y - center[0], x - center[1]
    new_dx = dx * math.cos(t) - dy * math.sin(t)
    new_dy = dx * math.sin(t) + dy * math.cos(t)
    return center[0] + new_dy, center[1] + new_dx


def test_turning_convention():
    assert derotated(0.0, -1.0, (0.0, 0.0), 90.0) == (pytest.approx(-1.0), pytest.approx(0.0))


@settings(deadline=None, max_examples=50)
@given(
    derotation=st.floats(-180, 180),
    position_angle=st.floats(0, 359.9),
    separation=st.floats(0.05, 1.0),
    shape=st.tuples(st.integers(100, 300), st.integers(100, 300)),
)
def test_source_is_where_the_derotated_image_says(derotation, position_angle, separation, shape):
    """A source at a position angle and separation, through both frames, to the sky."""
    header = sky_header(derotation)
    center = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    pa, radius = math.radians(position_angle), separation / 5.9e-3
    y, x = center[0] + radius * math.cos(pa), center[1] - radius * math.sin(pa)  # east is left
    star = SkyCoord(73.94 * u.deg, 30.55 * u.deg)

    north_up = WCS(celestial_wcs(header, shape, rotated=True)).pixel_to_world(x, y)
    assert star.separation(north_up).arcsec == pytest.approx(separation, abs=1e-6)
    assert abs(wrap(star.position_angle(north_up).deg - position_angle)) < 1e-4

    raw_y, raw_x = derotated(y, x, center, -derotation)
    as_seen = WCS(celestial_wcs(header, shape)).pixel_to_world(raw_x, raw_y)
    assert north_up.separation(as_seen).arcsec < 1e-6


def test_reference_pixel_is_counted_from_one():
    header = sky_header(10.0)
    cards = celestial_wcs(header, (101, 201))
    assert (cards["CRPIX1"], cards["CRPIX2"]) == (101.0, 51.0)
    cards = celestial_wcs(header, (100, 100), field_center=(20.25, 30.5))
    assert (cards["CRPIX1"], cards["CRPIX2"]) == (31.5, 21.25)
    x, y = WCS(cards).world_to_pixel(SkyCoord(73.94 * u.deg, 30.55 * u.deg))
    assert (float(y), float(x)) == (pytest.approx(20.25, abs=1e-6), pytest.approx(30.5, abs=1e-6))


def test_wcs_needs_the_geometry():
    header = sky_header(10.0)
    del header["DEROTANG"]
    assert celestial_wcs(header, (10, 10), rotated=True)["CD1_2"] == 0.0
    with pytest.raises(HeaderError, match="DEROTANG"):
        celestial_wcs(header, (10, 10))
