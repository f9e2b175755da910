"""Lamp sequences as the calibration groups publish them: a CSV table of fluxes.

Two forms are known. In the EMCCD one each row is a file of one camera, with the FITS keywords as
columns and the flux of each FLC state (``..._FLUX_FLC_1``, ``..._FLC_2``). In the qCMOS one each
row is a pair of cameras in one FLC state, with ``diff`` = cam1 - cam2 and ``sum``; multiband rows
hold an array with one value per field, in the order F760, F720, F670, F610 of the raw headers.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vampires.errors import PolarimetryError
from vampires.log import get_logger
from vampires.mueller.measurements import LampMeasurements

log = get_logger(__name__)

FIELDS = ("F760", "F720", "F670", "F610")

# The tables state the spread over pixels or frames, not the error of the mean, and the residuals
# of any light path are far above photon noise. These stand for what no model here describes
# (scattered light, bandwidth, a lamp that is not quite steady).
DIFFERENCE_FLOOR = 0.01
TOTAL_FLOOR = 0.015

# What is fitted to a table, and what holds the directions that the lamp hardly tells: half-wave
# plate, image rotator and lamp can turn together; FLC and optics do nearly the same; the optics'
# diattenuation and a camera ratio that changes with the FLC state do too. Centre and standard
# deviation: mechanical offsets of some degrees, a half-wave plate made for 0.5 waves, an FLC within
# its specification (achromatic half-wave for the qCMOS; 0.24-0.39 waves published for the EMCCD).
FREE = (
    "hwp_retardance", "hwp_offset", "imr_retardance", "imr_diattenuation", "imr_offset",
    "optics_retardance", "optics_diattenuation", "optics_offset", "flc_retardance", "flc_offset",
    "throughput", "throughput_b", "lamp_degree", "camera2_contrast",
)  # fmt: skip
_PRIORS = {
    "hwp_retardance": (0.475, 0.05), "hwp_offset": (0.0, 2.0), "imr_offset": (0.0, 2.0),
    "imr_diattenuation": (0.0, 0.05), "optics_retardance": (0.0, 0.25),
    "optics_diattenuation": (0.0, 0.2), "flc_offset": (0.0, 5.0), "throughput_b": (1.0, 0.05),
    "camera2_contrast": (1.0, 0.1),
}  # fmt: skip
PRIORS = {
    "EMCCD": _PRIORS | {"flc_retardance": (0.3, 0.1)},
    "QCMOS": _PRIORS | {"flc_retardance": (0.5, 0.05)},
}
LAMP_ANGLES = {"EMCCD": 0.0, "QCMOS": 90.0}
"""Angle of the lamp's polariser, deg. That of 2022 follows from the path that gives the angles of
polarised stars. A lamp alone does not tell 0 from 90 deg: that of 2023 is what makes state A of the
FLC stand at 0 deg, as headers and published light paths say; see docs/steps/polarimetry.md."""

_FAINT = 0.02  # of the brightest exposure of a filter: the lamp was off
_SECONDS = 20.0  # within which files of two cameras are one exposure

Point = tuple[float, float, str, float, float]  # HWP, IMR, FLC, difference, total


def is_lamp_table(path: Path) -> bool:
    """Whether a file is a CSV rather than FITS."""
    return path.suffix.lower() in (".csv", ".txt")


def read_lamp_table(path: Path) -> tuple[str, dict[str, LampMeasurements]]:
    """Read a published table of a lamp sequence.

    Parameters
    ----------
    path : Path

    Returns
    -------
    generation : str
        'EMCCD' or 'QCMOS'.
    measurements : dict of str to LampMeasurements
        By filter or multiband field, with the total flux.

    Raises
    ------
    PolarimetryError
        If the columns are those of neither form, or nothing usable is in it.
    """
    rows = read_rows(path)
    columns = set(rows[0])
    if {"DIFF", "SUM", "D_IMRANG", "U_FLC"} <= columns:
        generation, points = "QCMOS", _qcmos_points(rows)
    elif any(c.endswith("FLUX_FLC_1") for c in columns) and "U_CAMERA" in columns:
        generation, points = "EMCCD", _emccd_points(rows)
    else:
        raise PolarimetryError(
            f"{path}: neither form of a lamp table: it needs the columns diff, sum, D_IMRANG and "
            "U_FLC, or U_CAMERA and ..._FLUX_FLC_1, ..._FLUX_FLC_2"
        )
    found = {name: _measurements(own) for name, own in points.items() if len(own) > 1}
    if not found:
        raise PolarimetryError(f"{path}: no exposure with both cameras and its angles")
    return generation, found


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file by column name in capitals; blanks and quotes stripped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [
                {
                    k.strip().upper(): v.strip().strip("'\"").strip()
                    for k, v in row.items()
                    if isinstance(k, str) and isinstance(v, str)
                }
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PolarimetryError(f"{path}: cannot be read as a CSV table: {error}") from error
    if not rows:
        raise PolarimetryError(f"{path}: a CSV table without rows")
    return rows


def number(row: Mapping[str, str], *names: str) -> float:
    """First of some columns that holds a finite number; NaN without one."""
    for name in names:
        try:
            value = float(row[name])
        except (KeyError, ValueError):
            continue
        if np.isfinite(value):
            return value
    return float("nan")


def _qcmos_points(rows: Sequence[Mapping[str, str]]) -> dict[str, list[Point]]:
    points: dict[str, list[Point]] = {}
    for row in rows:
        hwp, imr = number(row, "RET-ANG1", "RET-POS1"), number(row, "D_IMRANG")
        difference, total = _array(row["DIFF"]), _array(row["SUM"])
        multiband = "MBI" in row.get("OBS-MOD", "").upper()
        names = FIELDS[: len(total)] if multiband else (row.get("FILTER01", "Open"),)
        if not np.isfinite([hwp, imr]).all() or not len(names) == len(difference) == len(total):
            continue
        for name, d, s in zip(names, difference, total, strict=True):
            if s > 0:
                points.setdefault(name, []).append((hwp, imr, row["U_FLC"].upper(), d / s, s))
    return points


def _emccd_points(rows: Sequence[Mapping[str, str]]) -> dict[str, list[Point]]:
    columns = {
        state: next(c for c in rows[0] if "MEDIAN" in c and c.endswith(f"FLUX_FLC_{k}"))
        for state, k in (("A", 1), ("B", 2))
    }
    shape = Counter((r.get("NAXIS1"), r.get("EXPTIME")) for r in rows).most_common(1)[0][0]
    exposures: dict[tuple[object, ...], dict[int, Mapping[str, str]]] = {}
    for row in rows:
        if (row.get("NAXIS1"), row.get("EXPTIME")) != shape:
            continue  # another window or exposure time: another total flux
        time = number(row, "MJD-STR", "MJD") * 86400 / _SECONDS
        key = (
            row.get("U_FILTER") or row.get("FILTER01"), round(time), number(row, "U_HWPANG"),
            round(number(row, "D_IMRANG"), 1),
        )  # fmt: skip
        exposures.setdefault(key, {})[int(number(row, "U_CAMERA"))] = row
    points: dict[str, list[Point]] = {}
    for (name, _, _, _), cameras in exposures.items():
        if set(cameras) != {1, 2}:
            continue
        hwp = number(cameras[1], "U_HWPANG", "RET-ANG1")
        imr = number(cameras[1], "D_IMRANG")
        for state, column in columns.items():
            one, two = (number(cameras[k], column) for k in (1, 2))
            if np.isfinite([hwp, imr, one, two]).all() and one + two > 0:
                points.setdefault(str(name), []).append(
                    (hwp, imr, state, (one - two) / (one + two), one + two)
                )
    return points


def _measurements(points: Iterable[Point]) -> LampMeasurements:
    every = list(points)
    brightest = max(p[4] for p in every)
    lit = [p for p in every if p[4] > _FAINT * brightest]
    if len(lit) < len(every):
        log.warning("lamp exposures with the lamp off left out", n=len(every) - len(lit))
    hwp, imr, flc, difference, total = zip(*lit, strict=True)
    n = len(lit)
    return LampMeasurements(
        np.array(hwp), np.array(imr), tuple(flc), np.array(difference),
        np.full(n, DIFFERENCE_FLOOR), np.array(total), np.full(n, TOTAL_FLOOR),
    )  # fmt: skip


def _array(text: str) -> list[float]:
    """Numbers of a cell: one, or as numpy prints an array."""
    try:
        return [float(part) for part in text.strip("[]").replace(",", " ").split()]
    except ValueError:
        return []
