"""The turning Earth: from directions in ICRS to the horizon of the telescope.

Polar motion and UT1 come from the tables that astropy's data package brings along. No network
is used and nothing is warned about: beyond the end of the table its last values are good
enough (UT1-UTC changes by less than 0.1 s a year, which turns the sky by 1.5 arcsec).
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import astropy_iers_data  # type: ignore[import-untyped]
import erfa
import numpy as np

from vampires.instrument.telescope import SUBARU

# Columns of the IERS file finals2000A.all: MJD, pole x and y (arcsec), UT1-UTC (s).
_COLUMNS = (slice(7, 15), slice(18, 27), slice(37, 46), slice(58, 68))
_FIRST_MJD = 55000  # before the instrument; older rows are skipped
MJD_ZERO = 2400000.5
UPWARD_STEP = 1e-4  # rad; how far above the star the point is that tells the way up
ARCSEC = np.pi / 648000.0


def earth_orientation(mjd: float) -> tuple[float, float, float]:
    """Polar motion and UT1-UTC.

    Parameters
    ----------
    mjd : float
        UTC.

    Returns
    -------
    xp, yp, ut1_utc : float
        Radians, radians, seconds.
    """
    days, *columns = _table()
    xp, yp, ut1_utc = (float(np.interp(mjd, days, column)) for column in columns)
    return xp * ARCSEC, yp * ARCSEC, ut1_utc


def tai_minus_utc(mjd: float) -> float:
    """Leap seconds at an MJD (UTC), s; those of the last known row for the future."""
    starts, seconds = _leap_seconds()
    return float(seconds[np.searchsorted(starts, mjd, side="right") - 1])


class Sky:
    """Sky over the telescope on one night, for directions at instants near ``mjd`` (UTC).

    Precession, nutation and the Earth's motion are those of ``mjd``; only the Earth's rotation
    follows the instants. Over six hours this costs 1e-4 deg at most.
    """

    def __init__(self, mjd: float) -> None:
        xp, yp, self._ut1_utc = earth_orientation(mjd)
        tt = mjd + (tai_minus_utc(mjd) + 32.184) / 86400.0
        heliocentric, barycentric = erfa.epv00(MJD_ZERO, tt)
        self._npb = erfa.pnm06a(MJD_ZERO, tt)
        x, y = erfa.bpn2xy(self._npb)
        self._locator = erfa.s06(MJD_ZERO, tt, x, y)
        self._mjd, self._longitude = mjd, math.radians(SUBARU.longitude)
        self._astrom = erfa.apco(
            MJD_ZERO,
            tt,
            barycentric,
            heliocentric["p"],
            x,
            y,
            self._locator,
            self._rotation(mjd),
            self._longitude,
            math.radians(SUBARU.latitude),
            SUBARU.height,
            xp,
            yp,
            erfa.sp00(MJD_ZERO, tt),
            0.0,
            0.0,
        )

    def sidereal_time(self) -> float:
        """Local apparent sidereal time, deg."""
        local = self._rotation(self._mjd) + self._longitude
        return float(math.degrees(local - erfa.eors(self._npb, self._locator)) % 360.0)

    def horizontal(
        self, ra: float, dec: float, parallax: float, mjd: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where an ICRS direction is seen from the telescope.

        Parameters
        ----------
        ra, dec : float
            Degrees.
        parallax : float
            arcsec.
        mjd : ndarray, shape (n,)
            UTC.

        Returns
        -------
        parallactic_angle, altitude, azimuth : ndarray, shape (n,)
            Degrees: position angle, in ICRS, of the way to the zenith; without refraction;
            from north eastward.
        """
        astrom = erfa.aper(self._rotation(mjd), self._astrom)
        place = erfa.atciq(math.radians(ra), math.radians(dec), 0.0, 0.0, parallax, 0.0, astrom)
        azimuth, zenith_distance, *_ = erfa.atioq(*place, astrom)
        return (
            self._upward(azimuth, zenith_distance, astrom),
            90.0 - np.degrees(zenith_distance),
            np.degrees(azimuth),
        )

    @staticmethod
    def _upward(azimuth: np.ndarray, zenith_distance: np.ndarray, astrom: Any) -> np.ndarray:
        """ICRS position angle of the way up at horizontal directions, deg."""
        star, above = (
            erfa.aticq(*erfa.atoiq("A", azimuth, zenith_distance - step, astrom), astrom)
            for step in (0.0, UPWARD_STEP)
        )
        return np.degrees(erfa.pas(*star, *above))

    def _rotation(self, mjd: Any) -> Any:
        """Earth rotation angle, rad."""
        return erfa.era00(MJD_ZERO, mjd + self._ut1_utc / 86400.0)


@cache
def _leap_seconds() -> tuple[np.ndarray, np.ndarray]:
    """MJD from which each value of TAI-UTC holds, and the values, s."""
    rows = erfa.leap_seconds.get()
    return erfa.cal2jd(rows["year"], rows["month"], 1)[1], rows["tai_utc"]


@cache
def _table() -> np.ndarray:
    """Rows MJD, x, y, UT1-UTC of the table, to the end of its predictions."""
    lines = Path(astropy_iers_data.IERS_A_FILE).read_text("ascii").splitlines()
    # One line per day, the first being MJD 41684 (1973-01-02).
    skip = max(_FIRST_MJD - int(float(lines[0][_COLUMNS[0]])), 0)
    rows = [[line[column] for column in _COLUMNS] for line in lines[skip:]]
    known = [row for row in rows if all(cell.strip() for cell in row)]
    return np.array(known, dtype=float).T
