"""Where the telescope pointed and how the sky lies on the detector.

The parallactic angle is the position angle, from ICRS north eastward, of the direction to the
zenith as seen from the target, at the apparent place (proper motion, aberration, precession,
nutation, Earth rotation; no refraction). A frame turned counter-clockwise by
``DEROTANG = PA + PAOFFSET`` has north up and east left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from vampires.canonical import Header
from vampires.errors import HeaderError
from vampires.instrument.telescope import SUBARU
from vampires.sky.earth import Sky
from vampires.sky.target import Target
from vampires.utils.angles import wrap

__all__ = [
    "Pointing",
    "Target",
    "add_geometry",
    "hwp_sync_angle",
    "parallactic_angles",
    "pointing",
]

SAMPLE_SECONDS = 1.0  # spacing of the instants over which a cube's angles are averaged
MAX_SAMPLES = 20000


@dataclass(frozen=True, slots=True)
class Pointing:
    """Angles of a cube, deg; means from its start to its end unless said otherwise.

    Attributes
    ----------
    mjd : float
        Middle, UTC.
    pa, pa_start, pa_end : float
        Parallactic angle: mean, at the start, at the end; [-180, 180).
    altitude : float
        Without refraction.
    azimuth : float
        0 = north, 90 = east; [0, 360).
    lst : float
        Local apparent sidereal time at the middle; [0, 360).
    hwp_sync : float
        What a synchronised half-wave plate adds to its nominal angle; [-90, 90).
    ra, dec : float
        ICRS place of the target at the middle.
    """

    mjd: float
    pa: float
    pa_start: float
    pa_end: float
    altitude: float
    azimuth: float
    lst: float
    hwp_sync: float
    ra: float
    dec: float


def pointing(header: Header, target: Target | None = None) -> Pointing:
    """Angles of a cube, averaged from its start to its end.

    Parameters
    ----------
    header : Header
        Canonical header.
    target : Target, optional
        Default: the header's own coordinates.

    Returns
    -------
    Pointing

    Raises
    ------
    HeaderError
        When the header has no usable coordinates and no target is given.

    Notes
    -----
    The place of the star is computed with the IAU 2006/2000A models by ERFA; the parallactic
    angle is the position angle of the great circle, on the ICRS sphere, from the star to the
    star displaced towards the zenith. The mean is that of the unwrapped angle, so that a
    transit north or south of the zenith is averaged along the arc it went through.
    """
    start, end, middle = header.mjd_start, header.mjd_end, header.mjd
    star = target or Target.from_header(header)
    ra, dec = star.at(middle)
    count = math.ceil((end - start) * 86400.0 / SAMPLE_SECONDS) + 1
    mjd = np.linspace(start, end, min(max(count, 3), MAX_SAMPLES))
    sky = Sky(middle)
    pa, altitude, azimuth = sky.horizontal(ra, dec, (star.parallax or 0.0) / 1e3, mjd)
    pa = np.unwrap(pa, period=360.0)
    sync = np.unwrap(hwp_sync_angle(altitude, azimuth), period=180.0)
    return Pointing(
        mjd=float(middle),
        pa=wrap(_mean(pa)),
        pa_start=wrap(float(pa[0])),
        pa_end=wrap(float(pa[-1])),
        altitude=_mean(altitude),
        azimuth=_mean(np.unwrap(azimuth, period=360.0)) % 360.0,
        lst=sky.sidereal_time(),
        hwp_sync=wrap(_mean(sync), 180.0),
        ra=ra,
        dec=dec,
    )


def parallactic_angles(mjd: np.ndarray, ra: float, dec: float, parallax: float = 0.0) -> np.ndarray:
    """Parallactic angle at each of some instants of one night.

    Parameters
    ----------
    mjd : ndarray, shape (n,)
        UTC, within a day.
    ra, dec : float
        ICRS place at that date, deg.
    parallax : float
        mas.

    Returns
    -------
    ndarray, shape (n,)
        Degrees, [-180, 180).
    """
    mjd = np.atleast_1d(np.asarray(mjd, dtype=float))
    return Sky(float(mjd.mean())).horizontal(ra, dec, parallax / 1e3, mjd)[0]


def hwp_sync_angle(altitude: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Angle that a half-wave plate in ``SYNCHRO_ADI`` mode adds to its nominal angle.

    Parameters
    ----------
    altitude, azimuth : ndarray
        Degrees; azimuth from north eastward.

    Returns
    -------
    ndarray
        ``0.5 atan2(sin A, sin a cos A + cos a tan lat) + a`` in degrees, with a the altitude
        and A the azimuth from south westward.
    """
    alt, az = np.radians(altitude), np.radians(np.asarray(azimuth) - 180.0)
    tan_latitude = math.tan(math.radians(SUBARU.latitude))
    turn = np.arctan2(np.sin(az), np.sin(alt) * np.cos(az) + np.cos(alt) * tan_latitude)
    return 0.5 * np.degrees(turn) + altitude


def add_geometry(header: Header, target: Target | None = None) -> Header:
    """Add the angles of a cube to its header.

    Parameters
    ----------
    header : Header
        Canonical header; not altered.
    target : Target, optional
        Default: the header's own coordinates.

    Returns
    -------
    Header
        New header with ``PA``, ``PA-STR``, ``PA-END``, ``DEROTANG``, ``ALT_MID``, ``AZ_MID``,
        ``LST_MID``, ``HWPSYNCA``, ``TARG-RA``, ``TARG-DEC``, and ``IMRANG`` when the header
        tells how the image rotator moved.

    Raises
    ------
    HeaderError
        When the header has no usable coordinates and no target is given, or the image rotator
        followed neither the pupil nor the field.

    Notes
    -----
    With the rotator following the pupil (``D_IMRMOD`` = ADI) the sky turns by the parallactic
    angle and ``DEROTANG = PA + PAOFFSET``. With it following the field (SID) the position angle
    of the sky, ``D_IMRPAD``, is fixed and ``DEROTANG = D_IMRPAD + INST-PA``, which in pupil
    tracking is the same number at every moment.

    The image rotator's angle in the header is of one instant. In pupil-tracking mode it is
    ``altitude / 2`` plus a constant, so it is carried to the middle of the cube by the
    difference of altitudes.
    """
    sky = pointing(header, target)
    out = header.copy()
    out.put(
        pa=sky.pa, pa_start=sky.pa_start, pa_end=sky.pa_end,
        derotation=_derotation(header, sky.pa), altitude=sky.altitude, azimuth=sky.azimuth,
        sidereal_time=sky.lst, hwp_sync_angle=sky.hwp_sync, target_ra=sky.ra, target_dec=sky.dec,
        rotator=_rotator_angle(header, sky.altitude),
    )  # fmt: skip
    return out


def _mean(samples: np.ndarray) -> float:
    """Mean over equal steps of time, the two ends counting half (trapezoidal rule)."""
    inner = samples.sum() - 0.5 * (samples[0] + samples[-1])
    return float(inner / (len(samples) - 1))


def _derotation(header: Header, pa: float) -> float:
    """Counter-clockwise turn that brings north up, deg."""
    mode = _rotator_mode(header)
    if mode == FIELD:
        if header.rotator_position is None:
            _refuse_rotator(header, "D_IMRPAD is missing, without which", "D_IMRPAD")
        return wrap(header.rotator_position + header.pupil_angle)
    if mode != PUPIL and not _stands_by(header):
        _refuse_rotator(header, f"D_IMRMOD is {mode}: neither pupil nor field was followed, so",
                        "D_IMRMOD")  # fmt: skip
    return wrap(pa + header.pa_offset)


PUPIL, FIELD = "ADI", "SID"
"""Modes of the image rotator: it follows the pupil, or the field."""


def _rotator_mode(header: Header) -> str:
    """Mode of the image rotator; headers that do not say are of pupil tracking."""
    return (header.rotator_mode or "").strip().upper() or PUPIL


def _stands_by(header: Header) -> bool:
    """Whether the rotator stood still at its angle, as for the calibration lamp."""
    return (header.rotator_state or "").strip().upper() == "STAND-BY"


def _refuse_rotator(header: Header, why: str, key: str) -> NoReturn:
    raise HeaderError(
        f"{header.label}: {why} how the sky lies on the detector is unknown; "
        f"set {key} with [[data.fix]] or exclude the file"
    )


def _rotator_angle(header: Header, altitude: float) -> float | None:
    """Image rotator angle at the middle of the cube, deg; None when nothing tells."""
    pupil_tracking = _rotator_mode(header) == PUPIL and not _stands_by(header)
    stated, then = header.stated_rotator, header.stated_altitude
    if pupil_tracking and stated is not None and then is not None:
        return stated + 0.5 * (altitude - then)
    if pupil_tracking:
        return 0.5 * altitude + 0.5 * (90.0 - header.rotator_pupil_angle)
    return stated
