"""The target: its place on the sky, from the headers or from the configuration."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from vampires.canonical import Fact, Header
from vampires.errors import HeaderError
from vampires.utils.angles import sexagesimal

J2000_MJD = 51544.5
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Target:
    """A star's position and motion.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Degrees.
    pm_ra, pm_dec : float
        Proper motion, mas/yr, the first with cos(dec).
    parallax : float, optional
        mas.
    frame : {'icrs', 'fk5', 'fk4'}
        Reference frame of position and motion; the last two at J2000 and B1950.
    epoch : str
        Epoch of the position, such as 'J2016'.
    name : str
    """

    ra_deg: float
    dec_deg: float
    pm_ra: float = 0.0
    pm_dec: float = 0.0
    parallax: float | None = None
    frame: str = "icrs"
    epoch: str = "J2016"
    name: str = ""

    @classmethod
    def from_header(cls, header: Header) -> Target:
        """Target at the header's ``RA`` and ``DEC``, taken as they are at the observation.

        The telescope's coordinates are J2000 (FK5), which agrees with ICRS within 0.03 arcsec.

        Raises
        ------
        HeaderError
            When they are missing or cannot be read.
        """
        if (header.equinox or "2000").strip() not in ("2000", "2000.0"):
            _refuse(header, Header.equinox, "2000")
        ra = _sexagesimal(header, Header.ra, 24.0) * 15.0
        dec = _sexagesimal(header, Header.dec, 90.0)
        name = header.known(Header.object, "").strip()
        return cls(ra, dec, epoch=f"MJD{header.mjd:.3f}", name=name)

    @classmethod
    def from_config(cls, section: Any) -> Target | None:
        """Target of the configuration's ``[target]`` section.

        Parameters
        ----------
        section : object or None
            With ``ra_deg``, ``dec_deg`` (degrees), ``pm_ra``, ``pm_dec``, ``parallax``,
            ``frame``, ``obstime`` and ``name``.

        Returns
        -------
        Target or None
            None where there is no section, or one without coordinates (a name only): the
            headers' coordinates count.
        """
        if section is None or section.ra_deg is None or section.dec_deg is None:
            return None
        return cls(
            ra_deg=float(section.ra_deg),
            dec_deg=float(section.dec_deg),
            pm_ra=float(section.pm_ra),
            pm_dec=float(section.pm_dec),
            parallax=None if section.parallax is None else float(section.parallax),
            frame=str(section.frame).lower(),
            epoch=str(section.obstime),
            name=str(section.name),
        )

    def at(self, mjd: float) -> tuple[float, float]:
        """ICRS right ascension and declination at an instant, deg.

        Parameters
        ----------
        mjd : float
            UTC.
        """
        ra, dec, pm_ra, pm_dec = _in_icrs(self)
        years = (mjd - _epoch_mjd(self.epoch)) / DAYS_PER_YEAR if (pm_ra or pm_dec) else 0.0
        east, north = (years * pm / 3.6e6 for pm in (pm_ra, pm_dec))
        return (ra + east / math.cos(math.radians(dec))) % 360.0, dec + north


def _sexagesimal(header: Header, fact: Fact[str], limit: float) -> float:
    """Value of ``RA`` (hours) or ``DEC`` (degrees) as written by the telescope."""
    text = header.known(fact, "").strip()
    try:
        found = sexagesimal(text)
    except ValueError:
        found = math.inf
    if fact is Header.ra and -24.0 < found < 0:
        return found + 24.0  # wrapped, as some programs do that rewrite headers
    if abs(found) > limit:
        _refuse(header, fact, "coordinates such as 04:55:45.846 and +30:33:04.29")
    return found


def _refuse(header: Header, fact: Fact[Any], allowed: str) -> NoReturn:
    raise HeaderError(
        f"{header.label}: {fact.keyword} is {header.known(fact)!r}, expected {allowed}; "
        "give the position in the [target] section of the configuration"
    )


def header_separation(header: Header, target: Target) -> float | None:
    """Angle between a header's own coordinates and a target, deg; None where it has none."""
    try:
        ra, dec = Target.from_header(header).at(header.mjd)
    except HeaderError:
        return None
    ra0, dec0 = map(math.radians, target.at(header.mjd))
    ra, dec = math.radians(ra), math.radians(dec)
    half = math.sin((dec - dec0) / 2) ** 2
    half += math.cos(dec) * math.cos(dec0) * math.sin((ra - ra0) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(half))))


@cache
def _in_icrs(target: Target) -> tuple[float, float, float, float]:
    """Position (deg) and proper motion (mas/yr) of a target in ICRS."""
    if target.frame == "icrs":
        return target.ra_deg, target.dec_deg, target.pm_ra, target.pm_dec
    from astropy import units as u  # slow to load, and seldom needed
    from astropy.coordinates import SkyCoord

    motion = u.mas / u.yr
    place = SkyCoord(
        target.ra_deg * u.deg,
        target.dec_deg * u.deg,
        pm_ra_cosdec=target.pm_ra * motion,
        pm_dec=target.pm_dec * motion,
        frame=target.frame,
    ).icrs
    return (
        float(place.ra.deg),
        float(place.dec.deg),
        float(place.pm_ra_cosdec.to_value(motion)),
        float(place.pm_dec.to_value(motion)),
    )


def _epoch_mjd(epoch: str) -> float:
    """MJD of an epoch: 'J2016', 'MJD59634.3', or a date."""
    if epoch.upper().startswith("MJD"):
        return float(epoch[3:])
    if re.fullmatch(r"J\d+(\.\d*)?", epoch.upper()):
        return J2000_MJD + (float(epoch[1:]) - 2000.0) * DAYS_PER_YEAR
    from astropy.time import Time  # slow to load, and seldom needed

    return float(Time(epoch).mjd)
