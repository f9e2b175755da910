"""Stars' fluxes from CSV tables as calibration groups publish them.

One row is a file: one camera, one FLC state, one half-wave-plate angle; FITS keywords are columns.
Such tables have been through other programs: names of columns differ, spreadsheets turned times
into ``26:03.2``, right ascensions were wrapped to negative, cards are missing. So every quantity
has several places where it may stand, the sky angles are computed from time and coordinates, and
checked against the pointing in the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.time import Time

from vampires.errors import PolarimetryError
from vampires.instrument.telescope import SUBARU
from vampires.log import get_logger
from vampires.mueller.lamp_table import number, read_rows
from vampires.polarimetry.standards import StarExposure
from vampires.sky.earth import Sky
from vampires.sky.geometry import hwp_sync_angle

log = get_logger(__name__)

# Columns of the flux, best first: a fixed aperture of 15 px, then other apertures.
_FLUXES = ("R_15_TOTAL_COUNTS", "PHOTF0", "PHOTF", "PHOTFLUX", "APERTURE_FLUX", "FLUX")
_STATES = {"1": "A", "2": "B", "1.0": "A", "2.0": "B", "A": "A", "B": "B", "NA": "NA", "": "NA"}
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
    if np.isfinite([start, end]).all() and start > 40000:
        return float((start + end) / 2)
    mjd = number(row, "MJD")
    if mjd > 40000:
        return float(mjd)
    day = row.get("DATE-OBS", "")[:10]
    for text in (f"{day}T{row.get('UT', '')}", row.get("DATE", "")):
        try:
            return float(Time(text.replace(" ", "T"), format="isot", scale="utc").mjd)
        except ValueError:
            continue
    return float("nan")


def _exposure(row: Mapping[str, str], flux_column: str, path: Path) -> StarExposure | str:
    """Exposure of a row, or the name of what it lacks."""
    flux = number(row, flux_column)
    camera = number(row, "U_CAMERA", "CAMERA", "CAM")
    hwp = number(row, "U_HWPANG", "RET-ANG1", "RET-POS1")
    mjd = mid_exposure(row)
    state = row.get("U_FLC") or row.get("U_FLCSTT") or row.get("FLC") or ""
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
        star=(row.get("OBJECT") or path.stem).upper(),
        filter=_filter(row),
        generation="QCMOS" if row.get("U_DETMOD") else "EMCCD",
        camera=int(camera), flc=_STATES[state.upper()], hwp=hwp % 180, mjd=mjd, pa=pa,
        altitude=altitude, sync=float(hwp_sync_angle(np.array(altitude), np.array(azimuth))),
        imr=_rotator(row, altitude), flux=flux,
        error=error if error > 0 else float(np.sqrt(flux)),
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
        if row.get(name, "").upper() not in ("", "UNKNOWN", "NAN"):
            return row[name]
    return "Open"
