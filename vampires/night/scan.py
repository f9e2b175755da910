"""Scan one raw file into its light record: headers only, and never an exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vampires.errors import FileError, HeaderError, VampiresError, os_error_line
from vampires.header import Header, UnsupportedFileError
from vampires.header.fields import field_centers
from vampires.io.paths import stem
from vampires.io.regular import regular_file
from vampires.night.fixes import Fix, fixes_digest
from vampires.night.raw import (
    CALIBRATION_TYPE,
    MASTER_KINDS,
    OwnProductError,
    RawFile,
    is_product,
    read_raw,
)
from vampires.night.record import RAW_FORMATS, Record, empty_record
from vampires.sky.geometry import add_geometry
from vampires.sky.target import Target

KINDS = {
    "OBJECT": "science",
    "DARK": "background",
    "SKYFLAT": "sky",
    "FLAT": "flat",
    "COMPARISON": "pinhole",
}
"""Kind of a record by its canonical ``DATA-TYP``."""

BROKEN_HEADER = (ValueError, KeyError, TypeError, IndexError, ArithmeticError)
"""What astropy and arithmetic raise on headers that are no headers."""


@dataclass(frozen=True)
class Scan:
    """One file looked at: its light record and, when it is usable, its headers."""

    record: Record
    raw: RawFile | None


def scan_file(path: str | Path, fixes: Sequence[Fix] = ()) -> Scan:
    """Read the headers of one file.

    Parameters
    ----------
    path : str or Path
        Raw file or master frame; plain or tile-compressed FITS.
    fixes : sequence of Fix
        Corrections of raw headers.

    Returns
    -------
    Scan
        The record of a file that cannot be used has ``ok`` False and the reason in one line.

    Examples
    --------
    >>> scan_file("raw/VMPA00021001.fits").record["exptime"]  # doctest: +SKIP
    0.25
    """
    path = str(Path(path).absolute())
    size = mtime_ns = 0
    raw = None
    try:
        status = regular_file(path)
        size, mtime_ns = status.st_size, status.st_mtime_ns
        raw = read_raw(path, fixes)
        record = _record(raw)
    except OwnProductError as error:
        record = empty_record(path, str(error), "product")
    except UnsupportedFileError as error:
        record = empty_record(path, _one_line(error, path), "unsupported")
    except (VampiresError, OSError) as error:
        record = empty_record(path, _one_line(error, path))
    except BROKEN_HEADER as error:
        record = empty_record(path, f"{path}: its header cannot be read ({_one_line(error)})")
    record["size"], record["mtime_ns"] = size, mtime_ns
    record["fixes"] = fixes_digest(fixes, path)
    return Scan(record, raw if record["ok"] else None)


def _record(raw: RawFile) -> Record:
    header, path = raw.header, raw.path
    if header.master_kind is not None:
        _check_master(header, path)
        return record_from_header(header, path, raw.layout.hdu, "master")
    if is_product(header):  # found by a pattern: its frames are those of files found too
        raise OwnProductError(f"{path}: a product of this software, not a raw file")
    return record_from_header(header, path, raw.layout.hdu, header.format)


def _check_master(header: Header, path: Path) -> None:
    """Refuse what says that it is a master frame and has not the header of one."""
    kind = header.master_kind
    if kind not in MASTER_KINDS or not header.has(Header.generation):
        raise FileError(
            f"{path}: {CALIBRATION_TYPE} is {kind!r}, but this is no master frame of this "
            f"software ({' or '.join(MASTER_KINDS)}, with DETGEN); leave it out"
        )


def record_from_header(
    header: Header, path: str | Path, hdu: int = 0, form: str = "archive"
) -> Record:
    """Light record of a canonical header.

    Parameters
    ----------
    header : Header
        Canonical header of a raw file or of a master frame.
    path : str or Path
        Its file.
    hdu : int
        Which header-data unit holds the image.
    form : str
        ``archive``, ``controller``, ``fixed`` or ``master``.

    Returns
    -------
    Record
    """
    kind = KINDS.get(header.data_type, "science")
    interleaved = form in RAW_FORMATS and is_interleaved(header)
    if form == "fixed" and not interleaved:
        form = "archive"
    if header.master_kind == "BACKGROUND" and kind not in {"background", "sky"}:
        kind = "background"
    elif header.master_kind == "FLAT":
        kind = "flat"
    ny, nx = header.ny, header.nx
    crop = list(header.crop)
    ra, dec = _coordinates(header) if kind == "science" else (None, None)
    return Record(
        path=str(path), name=stem(path), size=0, mtime_ns=0, ok=True, reason=None, kind=kind,
        generation=header.generation, object=header.object, ra=ra, dec=dec,
        camera=header.camera, flc=header.flc, flc_in=header.flc_stage == "IN",
        hwp=header.hwp,
        hwp_sync=header.hwp_sync, exptime=header.exptime,
        detgain=header.em_gain, readmode=header.known(Header.read_mode)
        or header.detector_mode, filter=header.filter,
        filter01=header.filter01, filter02=header.filter02, obsmod=header.mode,
        fieldstop=_word(header.field_stop), mask=_word(header.mask),
        fields=list(field_centers(header, ny, nx)), nframes=header.nframes, ny=ny, nx=nx,
        crop=crop, mjd=header.mjd, mjd_start=header.mjd_start,
        mjd_end=header.mjd_end, pa=header.pa,
        altitude=header.stated_altitude,
        imr_angle=header.stated_rotator, sync=header.synchronised,
        fixes="", unplaced=unplaced(header), hdu=hdu, format=form,
        interleaved=interleaved,
    )  # fmt: skip


def unplaced(header: Header) -> str | None:
    """Tell why the header of an exposure of the sky does not say where it points; None: it does.

    Raises
    ------
    HeaderError
        It does, but not how the sky lies on the detector.
    """
    if header.data_type != "OBJECT" or header.pa is not None:
        return None
    try:
        Target.from_header(header)
    except HeaderError as error:
        return str(error)
    add_geometry(header)  # raises: it is not for want of coordinates that there are no angles
    return None


def is_interleaved(header: Header, *, lamp: bool = False) -> bool:
    """Whether FLC states alternate frame by frame in a controller-format file.

    Parameters
    ----------
    header : Header
        Canonical header.
    lamp : bool
        Whether flats are of a polarised lamp.

    Returns
    -------
    bool
        True for polarimetric science; the controller counts the polarisation states of the
        sequence in ``U_NPOLST``, which is 1 without polarimetry.
    """
    several = header.states is None or header.states > 1
    kinds = ("OBJECT", "FLAT") if lamp else ("OBJECT",)
    return header.data_type in kinds and "POL" in header.mode and several


def _coordinates(header: Header) -> tuple[float, float] | tuple[None, None]:
    """Right ascension and declination where the telescope pointed, deg."""
    try:
        star = Target.from_header(header)
    except HeaderError:
        return None, None  # the configuration may give the target's place
    return round(float(star.ra_deg), 6), round(float(star.dec_deg), 6)


def _word(value: str | None) -> str | None:
    return None if value is None else value.strip() or None


def _one_line(error: Exception, path: str = "") -> str:
    said = os_error_line(error) if isinstance(error, OSError) else str(error)
    text = " ".join(said.split()) or type(error).__name__
    return text if not path or path in text else f"{path}: {text}"
