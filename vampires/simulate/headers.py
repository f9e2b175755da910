"""Raw headers as the instrument writes them, with the defects of each generation.

Sources: the observatory's FITS dictionary and public archive headers of 2022 and 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time

from vampires.simulate import constants as c
from vampires.simulate.geometry import SkyAngles, wrap180
from vampires.simulate.plan import FIRST_NUMBER, SECOND, Exposure, original_name
from vampires.simulate.spec import NightSpec

WRITING_DELAY = 1.24  # s from the last frame to the file's time stamps
Cards = list[tuple[str, Any, str]]


@dataclass(frozen=True)
class Crop:
    """Window read out of the chip: origin ``(x, y)`` and shape ``(ny, nx)``."""

    origin: tuple[int, int]
    shape: tuple[int, int]


def clock_time(mjd: float, hours: float = 0.0) -> str:
    """``hh:mm:ss.sss`` of a MJD, shifted by some hours."""
    stamp = Time(round((mjd + hours / 24) * 86400e3) / 86400e3, format="mjd", scale="utc")
    return str(stamp.isot[11:23])


def header_mjd(spec: NightSpec, exposure: Exposure) -> float:
    """Time the pointing cards belong to: writing of the file (EMCCD), else mid-exposure."""
    if spec.emccd:
        return exposure.end + WRITING_DELAY * SECOND
    return 0.5 * (exposure.start + exposure.end)


def file_header(
    spec: NightSpec,
    exposure: Exposure,
    angles: SkyAngles,
    crop: Crop,
    hotspots: Sequence[tuple[str, float, float]],
) -> fits.Header:
    """Header of a raw file, without the structural cards.

    Parameters
    ----------
    spec, exposure
        The file.
    angles
        Sky angles (scalars) at `header_mjd`.
    crop
        Window on the chip.
    hotspots
        ``(field, y, x)`` where each field's target should be, 0-based raw pixels.

    Returns
    -------
    astropy.io.fits.Header
    """
    cards = _times(spec, exposure) + _pointing(spec, angles)
    if spec.emccd:
        cards += _emccd(spec, exposure)
    else:
        cards += _wcs(spec, exposure, angles, hotspots) + _qcmos(spec, exposure, crop)
    cards.append(("DATE", Time(header_mjd(spec, exposure), format="mjd").isot[:19], ""))
    header = fits.Header()
    for key, value, comment in cards:
        header[key] = (value, comment)
    return header


def _times(spec: NightSpec, e: Exposure) -> Cards:
    stamp = header_mjd(spec, e)
    digits = 6 if spec.emccd else 8
    edges: Cards = []
    for zone, hours, lag in (("UT", 0.0, 0.0), ("HST", -10.0, 0.007)):
        edges.append((zone, clock_time(stamp, hours), f"HH:MM:SS.S typical {zone} at exposure"))
        for end, mjd in (("STR", e.start), ("END", e.end)):
            # the old camera computer takes Hawaii time a few ms late and colons its milliseconds
            text = clock_time(mjd + (lag * SECOND if spec.emccd else 0), hours)
            text = text.replace(".", ":") if spec.emccd else text
            edges.append((f"{zone}-{end}", text, f"HH:MM:SS.S {zone} at exposure {end}"))
    date = Time(e.start, format="mjd").isot[:10]
    kind = "ACQUISITION" if spec.acquisition else e.kind
    cards: Cards = [
        ("OBJECT", spec.object_name if e.science else e.kind, "Target description"),
        ("DATE-OBS", date, "UT date of observation"),
        *edges,
        ("MJD", round(stamp, 8), "Modified Julian Day at typical time"),
        ("MJD-STR", round(e.start, digits), "Modified Julian Day at exposure start"),
        ("MJD-END", round(e.end, digits), "Modified Julian Day at exposure end"),
        ("DATA-TYP", kind, "Type of this data"),
    ]
    if not spec.controller:
        cards += [
            ("FRAMEID", f"VMPA{FIRST_NUMBER + e.number - 1:08d}", "Image sequential number"),
            ("EXPTIME", e.exptime, "[s] Integration time of one frame"),
            ("OBS-MOD", _observing_mode(spec), "Observation mode"),
        ]
    return cards


def _observing_mode(spec: NightSpec) -> str:
    if spec.emccd:
        return "IMAG_POL" if spec.polarimetry != "none" else "IMAG"
    mode = "IMAG" if spec.polarimetry == "none" else "IPOL"
    variant = {"mbi": "_MBI", "mbir": "_MBIR", "sdi-halpha": "_SDI"}.get(spec.bands, "")
    return f"{mode + variant:<16}"


def _pointing(spec: NightSpec, angles: SkyAngles) -> Cards:
    altitude = float(angles.altitude)
    pap = spec.generation.image_rotator_pupil_angle
    imr = float(angles.image_rotator(pap))
    pad = float(wrap180(angles.parallactic + pap - 180))
    return [
        ("OBSERVAT", "NAOJ", "Observatory"),
        ("TELESCOP", "Subaru", "Telescope"),
        ("INSTRUME", "VAMPIRES", "Instrument"),
        ("TIMESYS", "UTC", "Time system of the header"),
        ("PROP-ID", "o00000", "Proposal"),
        ("RADESYS", "FK5", "Equatorial coordinate system"),
        ("LONPOLE", 180.0, "[deg] North pole of standard system"),
        ("RA", spec.ra, "HH:MM:SS.SSS RA pointing"),
        ("DEC", spec.dec, "+/-DD:MM:SS.SS DEC pointing"),
        ("EQUINOX", 2000.0, "Standard FK5 (years)"),
        ("TELFOCUS", "NS_IR", "Focus where a beam is reachable"),
        ("FOC-VAL", -0.12, "[mm] Encoder value of the focus unit"),
        ("AIRMASS", round(1 / np.sin(np.deg2rad(altitude)), 3), "Averaged air mass"),
        ("ZD", round(90 - altitude, 5), "[deg] Zenith distance"),
        ("AZIMUTH", round(float(angles.azimuth), 5), "[deg] Azimuth of telescope"),
        ("ALTITUDE", round(altitude, 5), "[deg] Altitude of telescope"),
        ("FOC-POS", "Nasmyth-IR", "Focus where the instrument is attached"),
        ("AUTOGUID", "OFF", "Auto guide"),
        ("M2-TYPE", "IR", "Type of the secondary mirror"),
        ("OUT-HUM", 3.4, "[%] Outside humidity"),
        ("OUT-PRS", 623.5, "[hPa] Outside pressure"),
        ("OUT-TMP", 276.25, "[K] Outside temperature"),
        ("OUT-WND", 9.1, "[m/s] Outside wind speed"),
        ("D_IMRANG", round(imr, 5), "[deg] Image rotator angle"),
        ("D_IMRMOD", "ADI", "Image rotator mode"),
        ("D_IMRPAD", round(pad, 3), "[deg] Position angle of declination axis"),
        ("D_IMRPAP", pap, "[deg] Image rotator pupil angle"),
        ("D_IMR", "TRACK", "Image rotator status"),
        ("D_LOOP", "ON", "DM loop"),
        ("D_DMGAIN", 10.0, "DM gain"),
    ]


def _emccd(spec: NightSpec, e: Exposure) -> Cards:
    """Cards of the camera computer before 2023: integers come as floats."""
    microseconds = e.exptime * 1e6
    cards: Cards = [
        ("U_CAMERA", float(e.camera), "Camera (1 or 2)"),
        ("U_AQTINT", microseconds, "[us] Integration time"),
        ("U_AQNCYC", float(e.frames + 1), "Number of cycles in acquisition"),
        ("U_FLCOFF", 0.0, "FLC offset"),
        ("U_AQSDEL", 100000.0, "[us] Start delay"),
        ("U_AQDTIM", microseconds, "[us] Delta time"),
        ("U_HWPANG", e.hwp, "[deg] HWP angle"),
        ("U_NLOOPS", 999.0, ""),
        ("U_LOOPIT", float(e.cycle), ""),
        ("U_NPOLST", 1.0 if spec.polarimetry == "none" else 4.0, "Polarisation states"),
        ("U_PLSTIT", float(e.hwp_index), ""),
        ("U_ORGDIR", f"/mnt/data/{spec.night}/", "Original directory"),
        ("U_OGFNAM", original_name(spec, e), "Original file name"),
        ("U_OGFNUM", str(e.cycle), "Original file number"),
        ("U_EMGAIN", float(spec.em_gain), "EM gain"),
        ("U_QWP1", 128.0, "[deg] QWP 1"),
        ("U_QWP2", 168.0, "[deg] QWP 2"),
        ("U_FILTER", spec.filter, "Filter"),
        ("U_MASK", "LyotStop", "Mask"),
        ("U_MANGLE", 1.0, ""),
        ("U_AOHWP", True, "Using the HWP of AO188"),
    ]
    if spec.fast and not spec.controller:
        cards.append(("U_FLCSTT", 2 if e.flc == "B" else 1, "FLC state (1 or 2)"))
    return cards


def _wcs(
    spec: NightSpec,
    e: Exposure,
    angles: SkyAngles,
    hotspots: Sequence[tuple[str, float, float]],
) -> Cards:
    """One celestial WCS per field; fields that are absent are named NA."""
    camera = spec.generation.cameras[e.camera]
    scale = camera.pixel_scale / 3600e3
    offset = camera.pupil_offset - 180 + spec.generation.image_rotator_pupil_angle
    a = np.deg2rad(float(angles.parallactic) + offset)
    mirror = -1.0 if camera.flipped else 1.0
    cd = scale * np.array([[-np.cos(a), mirror * np.sin(a)], [np.sin(a), mirror * np.cos(a)]])
    where = {field: (x + 1, y + 1) for field, y, x in hotspots}
    first = hotspots[0]
    hours = [float(v) for v in spec.ra.split(":")]
    sign = -1.0 if spec.dec.startswith("-") else 1.0
    degrees = [abs(float(v)) for v in spec.dec.split(":")]
    sexagesimal = np.array([1, 1 / 60, 1 / 3600])
    cards: Cards = []
    for field, suffix in c.MBI_SUFFIX.items():
        x, y = where.get(field, (first[2] + 1, first[1] + 1))
        name = field if field in where else "NA"
        cards += [
            (f"CTYPE1{suffix}", "RA---TAN", ""),
            (f"CTYPE2{suffix}", "DEC--TAN", ""),
            (f"CUNIT1{suffix}", "deg", ""),
            (f"CUNIT2{suffix}", "deg", ""),
            (f"CRPIX1{suffix}", round(x, 3), ""),
            (f"CRPIX2{suffix}", round(y, 3), ""),
            (f"CRVAL1{suffix}", 15 * float(np.dot(hours, sexagesimal)), ""),
            (f"CRVAL2{suffix}", sign * float(np.dot(degrees, sexagesimal)), ""),
            *((f"CD{i + 1}_{j + 1}{suffix}", cd[i, j], "") for i in (0, 1) for j in (0, 1)),
            (f"WCSNAME{suffix}", name if spec.multiband or suffix else "PRIMARY", ""),
        ]
    return cards


def _qcmos(spec: NightSpec, e: Exposure, crop: Crop) -> Cards:
    """Cards of the qCMOS era: strings padded with blanks."""
    camera, g = spec.generation.cameras[e.camera], spec.generation
    own = spec.filters(e.camera, e.swapped)[0]
    wheel = {k: spec.filters(k, e.swapped)[0] for k in (1, 2)}
    sdi = spec.bands == "sdi-halpha"
    polarimetry = spec.polarimetry != "none"
    in_beam = spec.fast
    states = ("A", "B", "NA")
    grid = spec.spots
    return [
        ("BIN-FCT1", 1, "[pixel] Binning factor X"),
        ("BIN-FCT2", 1, "[pixel] Binning factor Y"),
        ("BUNIT", "ADU", "Unit of original values"),
        ("CROPPED", True, "Image windowed or full frame"),
        ("DET-TMP", 233.15, "[K] Detector temperature"),
        ("DETECTOR", f"{f'VCAM{e.camera} - OrcaQ':<20}", "Name of the detector"),
        ("EXTTRIG", True, "Exposure by an external trigger"),
        ("FILTER01", f"{spec.filter if spec.bands == 'single' else 'Open':<30}", "Primary filter"),
        ("FILTER02", f"{own if sdi else 'Open':<30}", "Secondary filter"),
        ("FRATE", round(1 / e.exptime, 6), "[Hz] Frame rate"),
        ("GAIN", g.gain[spec.readmode], "[e-/adu]"),
        ("BIAS", int(g.bias), "[adu]"),
        ("INST-PA", camera.pupil_offset, "[deg] PA offset of detector"),
        ("PRD-MIN1", crop.origin[0], "[pixel] Origin in X of the cropped window"),
        ("PRD-MIN2", crop.origin[1], "[pixel] Origin in Y of the cropped window"),
        ("PRD-RNG1", crop.shape[1], "[pixel] Range in X of the cropped window"),
        ("PRD-RNG2", crop.shape[0], "[pixel] Range in Y of the cropped window"),
        ("POL-ANG1", 0.0, "[deg] Polariser angle"),
        ("RET-ANG1", e.hwp, "[deg] Angle of first retarder plate"),
        ("RET-ANG2", 0.0, "[deg] Angle of second retarder plate"),
        ("RET-MOD1", f"SYNCHRO_{'ADI' if spec.hwp_sync else 'OFF':<8}", "First retarder mode"),
        ("RET-MOD2", f"{'SYNCHRO_OFF':<16}", "Second retarder mode"),
        ("RET-POS1", 0.0 if not polarimetry else 56.0, "First retarder stage"),
        ("RET-POS2", 0.0, "Second retarder stage"),
        ("U_BS", f"{'PBS' if polarimetry else 'NPBS':<16}", "Beam splitter"),
        ("U_CAMERA", e.camera, "Camera number (1 or 2)"),
        ("U_DETMOD", f"{spec.readmode.upper():<16}", "Detector readout mode (Fast/Slow)"),
        ("U_DIFFL1", f"{wheel[1] if sdi else 'Open':<8}", "Differential filter of camera 1"),
        ("U_DIFFL2", f"{wheel[2] if sdi else 'Open':<8}", "Differential filter of camera 2"),
        ("U_FILTER", f"{spec.filter if spec.bands == 'single' else 'Open':<16}", "Filter"),
        ("U_FLC", f"{e.flc if e.flc in states else 'NA':<16}", "FLC polarisation state"),
        ("U_FLCEN", in_beam and e.science, "FLC enabled"),
        ("U_FLCST", f"{'IN' if in_beam else 'OUT':<16}", "FLC stage status (IN/OUT)"),
        ("U_FLDSTP", f"{'Fieldstop' if not spec.coronagraph else 'CLC-3':<16}", "Field stop"),
        ("U_MASK", f"{'SciMask':<16}", "Pupil mask"),
        ("U_MBI", f"{'Dichroics' if spec.multiband else 'Mirror':<16}", "Multiband state"),
        ("U_OGFNAM", original_name(spec, e), "Original file name"),
        ("U_QWP1", 41.0, "[deg] QWP 1"),
        ("U_QWP2", 104.0, "[deg] QWP 2"),
        ("U_SYNC", e.science, "Whether this file has a synchronised sibling"),
        ("U_TRIGEN", True, "Trigger enabled"),
        ("U_TRIGJT", 10, "[us] Trigger jitter"),
        ("X_GRDAMP", grid.amplitude if grid else 0.0, "[um] Astrogrid amplitude"),
        ("X_GRDMOD", 1000 if grid else 0, "[Hz] Astrogrid modulation frequency"),
        ("X_GRDSEP", grid.separation if grid else 0.0, "[lambda/D] Astrogrid separation"),
        ("X_GRDST", f"{'ON' if grid else 'OFF':<8}", "Astrogrid status (ON, OFF)"),
    ]
