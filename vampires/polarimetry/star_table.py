"""Stars' fluxes from CSV tables as calibration groups publish them.

One row is a file: one camera, one FLC state, one half-wave-plate angle; FITS keywords are columns.
Such tables have been through other programs: names of columns differ, spreadsheets turned times
into ``26:03.2``, right ascensions were wrapped to negative, cards are missing. So every quantity
has several places where it may stand, the sky angles are computed from time and coordinates, and
checked against the pointing in the row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.time import Time

from vampires.errors import PolarimetryError
from vampires.instrument.detectors import Generation, first_mjd
from vampires.instrument.telescope import SUBARU
from vampires.log import get_logger
from vampires.mueller.lamp_table import number, read_rows
from vampires.polarimetry.standards import StarExposure, star_name
from vampires.sky.earth import Sky
from vampires.sky.geometry import hwp_sync_angle

log = get_logger(__name__)

# Columns of the flux, best first: a fixed aperture of 15 px, then other apertures.
_FLUXES = ("R_15_TOTAL_COUNTS", "PHOTF0", "PHOTF", "PHOTFLUX", "APERTURE_FLUX", "FLUX")
_STATES = {
    "1": "A", "2": "B", "1.0": "A", "2.0": "B", "A": "A", "B": "B",
    "NA": "NA", "NAN": "NA", "": "NA",
}  # fmt: skip
_EARLIEST, _LATEST = 40000.0, 90000.0  # MJD that a night can have
_NOTHING = ("", "UNKNOWN", "NAN", "NONE", "NA")
_DEFAULT_ROTATOR_PUPIL = -39.0  # D_IMRPAP of the years these tables are from
_POINTING_TOLERANCE = 1.0  # deg between the row's altitude and that of its coordinates and time


def read_star_table(path: Path) -> list[StarExposure]:
    """Read the exposures of a table; rows that lack what is needed are left out and counted.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of StarExposure

    Raises
    ------
    PolarimetryError
        If no row has flux, camera, half-wave-plate angle, time and pointing.
    """
    rows = read_rows(path)
    flux_column = _flux_column(rows[0], path)
    found: list[StarExposure] = []
    missing: dict[str, int] = {}
    for row in rows:
        exposure = _exposure(row, flux_column, path)
        if isinstance(exposure, str):
            missing[exposure] = missing.get(exposure, 0) + 1
        else:
            found.append(exposure)
    if missing:
        log.warning("rows left out", table=path.name, missing=missing, used=len(found))
    if not found:
        raise PolarimetryError(f"{path}: no usable row; missing or unreadable are {missing}")
    return found


def right_ascension(row: Mapping[str, str]) -> float:
    """Right ascension of a row, deg from 0 to 360; NaN when it is unreadable.

    Examples
    --------
    Wrapped by half a turn too much, and spoilt by a spreadsheet:

    >>> round(right_ascension({"RA": "-5:14:20.45"}), 4)
    281.4148
    >>> right_ascension({"RA": "30:36.5"})
    nan
    """
    hours = _sexagesimal(row.get("RA", ""))
    if np.isfinite(hours):
        return float(15 * hours % 360)
    return float(number(row, "RA_DEG", "RA", "CRVAL1") % 360)


def mid_exposure(row: Mapping[str, str]) -> float:
    """Mid-exposure of a row, MJD; NaN when nothing tells."""
    start, end = number(row, "MJD-STR"), number(row, "MJD-END")
    if np.isfinite([start, end]).all() and _EARLIEST < start <= end < _LATEST:
        return float((start + end) / 2)
    mjd = number(row, "MJD")
    if _EARLIEST < mjd < _LATEST:
        return float(mjd)
    day = row.get("DATE-OBS", "")[:10]
    for text in (f"{day}T{row.get('UT', '')}", row.get("DATE", "")):
        moment = _time(text)
        if np.isfinite(moment):
            return moment
    return float("nan")


def _time(text: str) -> float:
    """MJD of ``yyyy-mm-ddThh:mm:ss``; NaN for anything else. Milliseconds may follow a colon."""
    stamp = re.sub(r"(:\d\d:\d\d):(\d+)$", r"\1.\2", text.strip().replace(" ", "T"))
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", stamp):
        return float("nan")
    try:
        return float(Time(stamp, format="isot", scale="utc").mjd)
    except ValueError:
        return float("nan")


def _camera(row: Mapping[str, str]) -> float:
    """1 or 2, else NaN."""
    stated = number(row, "U_CAMERA", "CAMERA", "CAM")
    if stated in (1.0, 2.0):
        return stated
    for name in ("DETECTOR", "FILE_NAME"):
        found = re.search(r"CAM_?([12])(?!\d)", row.get(name, "").upper())
        if found:
            return float(found[1])
    return float("nan")


def _generation(row: Mapping[str, str], mjd: float) -> Generation:
    if "U_DETMOD" not in row or row["U_DETMOD"].upper() in _NOTHING:
        return "EMCCD"
    return "QCMOS-NBS" if mjd >= first_mjd("QCMOS-NBS") else "QCMOS"


def _setting(row: Mapping[str, str]) -> str:
    """How the detector was read: exposures of other gains or times are not compared."""
    gain = number(row, "U_EMGAIN", "DETGAIN", "GAIN")
    return f"{gain:g} {number(row, 'U_AQTINT', 'EXPTIME'):g} {row.get('U_DETMOD', '')}"


def _exposure(row: Mapping[str, str], flux_column: str, path: Path) -> StarExposure | str:
    """Exposure of a row, or the name of what it lacks."""
    flux = number(row, flux_column)
    camera = _camera(row)
    hwp = number(row, "U_HWPANG", "RET-ANG1", "RET-POS1")
    mjd = mid_exposure(row)
    state = next((row[k] for k in ("U_FLC", "U_FLCSTT", "FLC") if row.get(k)), "")
    for name, value in (
        ("flux", flux if flux > 0 else np.nan), ("camera", camera), ("HWP angle", hwp),
        ("time", mjd), ("FLC state", 0.0 if state.upper() in _STATES else np.nan),
    ):  # fmt: skip
        if not np.isfinite(value):
            return name
    sky = _sky(row, mjd)
    if sky is None:
        return "pointing"
    pa, altitude, azimuth = sky
    error = number(
        row, f"{flux_column}_PHOTON_NOISE", f"{flux_column}_ERR", f"{flux_column[:-1]}ER0"
    )
    return StarExposure(
        star=star_name(row.get("OBJECT") or path.stem),
        filter=_filter(row),
        generation=_generation(row, mjd),
        camera=int(camera), flc=_STATES[state.upper()], hwp=hwp % 180, mjd=mjd, pa=pa,
        altitude=altitude, sync=float(hwp_sync_angle(np.array(altitude), np.array(azimuth))),
        imr=_rotator(row, altitude), flux=flux,
        error=error if error > 0 else float(np.sqrt(flux)), setting=_setting(row),
    )  # fmt: skip


def _flux_column(row: Mapping[str, str], path: Path) -> str:
    others = sorted(c for c in row if c.startswith("R_") and c.endswith("_TOTAL_COUNTS"))
    for column in (*_FLUXES, *others):
        if column in row:
            return column
    raise PolarimetryError(
        f"{path}: no column with the flux of the star; wanted is one of {', '.join(_FLUXES)}"
    )


def _sky(row: Mapping[str, str], mjd: float) -> tuple[float, float, float] | None:
    """Parallactic angle, altitude and azimuth at mid-exposure, deg."""
    altitude, azimuth = number(row, "ALTITUDE"), number(row, "AZIMUTH")
    stated = np.isfinite([altitude, azimuth]).all()
    ra, dec = right_ascension(row), _declination(row)
    if np.isfinite([ra, dec]).all():
        angles = Sky(mjd).horizontal(ra, dec, 0.0, np.array([mjd]))
        pa, alt, az = (float(a[0]) for a in angles)
        if not stated or abs(alt - altitude) < _POINTING_TOLERANCE:
            return pa, alt, az % 360
    return (parallactic_angle(altitude, azimuth), altitude, azimuth) if stated else None


def parallactic_angle(altitude: float, azimuth: float) -> float:
    """Parallactic angle of a direction, deg; azimuth from north eastward.

    Examples
    --------
    South of the zenith, on the meridian, the way up is north:

    >>> abs(round(parallactic_angle(50.0, 180.0), 6))
    0.0
    """
    alt, az = np.deg2rad(altitude), np.deg2rad(azimuth)
    latitude = np.deg2rad(SUBARU.latitude)
    return float(
        np.rad2deg(
            np.arctan2(
                -np.sin(az) * np.cos(latitude),
                np.sin(latitude) * np.cos(alt) - np.cos(latitude) * np.sin(alt) * np.cos(az),
            )
        )
    )


def _rotator(row: Mapping[str, str], altitude: float) -> float:
    """Image rotator at mid-exposure: where it stood if parked, else carried with the altitude."""
    stated = number(row, "D_IMRANG")
    parked = row.get("D_IMR", "").upper().startswith("STAND")
    tracking = row.get("D_IMRMOD", "ADI").upper() == "ADI" and not parked
    if not tracking and np.isfinite(stated):
        return stated
    written = number(row, "ALTITUDE")
    if np.isfinite([stated, written]).all() and stated >= 0:
        return stated + (altitude - written) / 2
    pupil = number(row, "D_IMRPAP")
    pupil = _DEFAULT_ROTATOR_PUPIL if not np.isfinite(pupil) else pupil
    return altitude / 2 + (90 - pupil) / 2


def _declination(row: Mapping[str, str]) -> float:
    degrees = _sexagesimal(row.get("DEC", ""))
    return degrees if np.isfinite(degrees) else number(row, "DEC_DEG", "DEC", "CRVAL2")


def _sexagesimal(text: str) -> float:
    """Value of ``[-]a:b:c``; NaN for anything else, such as what spreadsheets make of it."""
    parts: Sequence[str] = text.replace("+", "").strip().split(":")
    if len(parts) != 3:
        return float("nan")
    try:
        first, second, third = (abs(float(part)) for part in parts)
    except ValueError:
        return float("nan")
    value = first + second / 60 + third / 3600
    return -value if parts[0].startswith("-") else value


def _filter(row: Mapping[str, str]) -> str:
    for name in ("U_FILTER", "FILTNAME", "FILTER01", "FILTER"):
        if row.get(name, "").upper() not in _NOTHING:
            return row[name]
    return "Open"
