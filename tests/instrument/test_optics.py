"""Optics, telescope and Earth orientation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.time import Time
from astropy.utils import iers

from vampires.instrument.optics import (
    FLC_THROUGHPUT,
    beamsplitter_throughput,
    flc_angle,
    spot_flux,
)
from vampires.instrument.telescope import PUPIL, SUBARU
from vampires.sky.earth import Sky, earth_orientation, tai_minus_utc


def test_throughputs():
    assert beamsplitter_throughput("PBS", 1) == pytest.approx(0.3676)
    assert beamsplitter_throughput("PBS ", 2) == pytest.approx(0.4288)
    assert beamsplitter_throughput("NPBS", 2) == pytest.approx(0.4535)
    assert beamsplitter_throughput("Open", 1) == 1.0
    assert pytest.approx(0.968) == FLC_THROUGHPUT


def test_flc_angles():
    assert [flc_angle("EMCCD", state) for state in "AB"] == [0.0, 45.0]
    assert flc_angle("QCMOS", "B") == flc_angle("QCMOS-NBS", "B") == 43.0
    assert flc_angle("QCMOS", "NA") is None


@pytest.mark.parametrize(
    ("asked", "found", "c1", "c0"),
    [(10.0, 10.3, 14.217, -0.111), (15.5, 15.5, 7.634, -0.043), (40.0, 31.0, 0.561, -0.002)],
)
def test_satellite_spot_flux(asked, found, c1, c0):
    law = spot_flux(asked)
    assert law.separation == found
    assert law.ratio(0.1, 0.5) == pytest.approx(0.2 * c0 + 0.04 * c1)


def test_pupil():
    assert len(PUPIL.spiders) == 5
    assert len(PUPIL.discs) == 2
    directions = [math.radians(leg.angle) for leg in PUPIL.spiders[:4]]
    assert sum(map(math.cos, directions)) == pytest.approx(0.0, abs=1e-12)
    assert sum(map(math.sin, directions)) == pytest.approx(0.0, abs=1e-12)
    ring = math.pi / 4 * (PUPIL.diameter**2 - PUPIL.obstruction**2)
    assert 0.8 * ring < PUPIL.area < ring


def test_site():
    assert (SUBARU.longitude, SUBARU.latitude) == (-155.4760187, 19.825504)


@pytest.mark.parametrize("mjd", [57000.3, 59634.2, 60981.4])
def test_earth_orientation_agrees_with_astropy(mjd):
    time = Time(mjd, format="mjd")
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        delta = float(time.delta_ut1_utc)
    xp, yp, ut1_utc = earth_orientation(mjd)
    assert ut1_utc == pytest.approx(delta, abs=1e-3)
    assert abs(xp) < 4e-6
    assert abs(yp) < 4e-6


def test_leap_seconds():
    assert [tai_minus_utc(mjd) for mjd in (57203.9, 57204.0, 57753.9, 57754.0, 70000.0)] == [
        35.0, 36.0, 36.0, 37.0, 37.0,
    ]  # fmt: skip


def test_far_future_is_quiet():
    sky = Sky(72000.0)
    assert 0 <= sky.sidereal_time() < 360
    assert np.isfinite(sky.horizontal(10.0, 20.0, 0.0, np.array([72000.0]))).all()
