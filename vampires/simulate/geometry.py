"""Where the sky is: altitude, azimuth and parallactic angle of a star over Subaru.

Everything comes from astropy's horizontal frame; no hour angles are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from numpy.typing import ArrayLike, NDArray

from vampires.simulate import constants as c

Real = NDArray[np.float64]
SUBARU = EarthLocation.from_geodetic(c.SUBARU_LONGITUDE, c.SUBARU_LATITUDE, c.SUBARU_HEIGHT)


def wrap180(angle: ArrayLike) -> Any:
    """Angle (deg) in [-180, 180)."""
    return (np.asarray(angle, float) + 180) % 360 - 180


@dataclass(frozen=True)
class SkyAngles:
    """Horizontal coordinates and parallactic angle, deg, one element per time.

    ``azimuth`` counts from north through east; ``parallactic`` is the position angle of the zenith
    as seen from the star, from ICRS north through east.
    """

    altitude: Real
    azimuth: Real
    parallactic: Real

    def __getitem__(self, index: Any) -> SkyAngles:
        """Angles at some of the times."""
        return SkyAngles(self.altitude[index], self.azimuth[index], self.parallactic[index])

    def image_rotator(self, pupil_angle: float) -> Real:
        """Angle of the image rotator when it holds the pupil still (deg)."""
        return self.altitude / 2 + (90 - pupil_angle) / 2

    def hwp_synchronisation(self) -> Real:
        """Angle added to the half-wave plate so that it follows the field (SYNCHRO_ADI), deg."""
        az, alt = np.deg2rad(self.azimuth - 180), np.deg2rad(self.altitude)
        tan_latitude = np.tan(np.deg2rad(c.SUBARU_LATITUDE))
        turn = np.arctan2(np.sin(az), np.sin(alt) * np.cos(az) + np.cos(alt) * tan_latitude)
        return np.rad2deg(turn) / 2 + self.altitude


def sky_angles(ra: str, dec: str, mjd: ArrayLike) -> SkyAngles:
    """Angles of a star at given times, without refraction.

    Parameters
    ----------
    ra, dec
        ICRS, ``hh:mm:ss`` and ``dd:mm:ss``.
    mjd
        UTC.

    Returns
    -------
    SkyAngles
    """
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        iers.conf.set_temp("auto_max_age", None),
    ):
        star = SkyCoord(ra, dec, unit=(u.hourangle, u.deg), frame="icrs")
        frame = AltAz(obstime=Time(np.atleast_1d(mjd), format="mjd", scale="utc"), location=SUBARU)
        here = star.transform_to(frame)
        above = SkyCoord(az=here.az, alt=here.alt + 0.01 * u.deg, frame=frame).transform_to("icrs")
        parallactic = star.position_angle(above)
    return SkyAngles(here.alt.deg, here.az.deg, wrap180(parallactic.deg))
