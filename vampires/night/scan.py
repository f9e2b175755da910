"""Scan one raw file into its light record: headers only, and never an exception."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from vampires.errors import FileError, VampiresError
from vampires.header import UnsupportedFileError, normalize_header
from vampires.header.fields import field_centers
from vampires.io.header import image_header
from vampires.io.paths import stem
from vampires.night.record import Record, empty_record
from vampires.sky.geometry import pointing

KINDS = {
    "OBJECT": "science",
    "DARK": "background",
    "SKYFLAT": "sky",
    "FLAT": "flat",
    "COMPARISON": "pinhole",
}
"""Kind of a record by its canonical ``DATA-TYP``."""

BROKEN_HEADER = (ValueError, KeyError, TypeError, IndexError, ArithmeticError, VerifyError)
"""What astropy and arithmetic raise on headers that are no headers."""

CALIBRATION_TYPE = "CALTYPE"
"""Card that tells a master frame of ours from a raw file; its values: `MASTER_KINDS`."""

MASTER_KINDS = ("BACKGROUND", "FLAT")


def scan_file(path: str | Path) -> Record:
    """Read the headers of one file.

    Parameters
    ----------
    path : str or Path
        Raw file or master frame; plain, tile-compressed or gzipped FITS.

    Returns
    -------
    Record
        A file that cannot be used has ``ok`` False and the reason in one line.

    Examples
    --------
    >>> scan_file("raw/VMPA00021001.fits")["exptime"]  # doctest: +SKIP
    0.25
    """
    path = str(Path(path).absolute())
    size = mtime_ns = 0
    try:
        status = Path(path).stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
        with warnings.catch_warnings():
            # Broken files make astropy warn; what is wrong is said in the record's reason.
            warnings.simplefilter("ignore")
            record = _scan(path)
    except UnsupportedFileError as error:
        record = empty_record(path, _one_line(error, path), "unsupported")
    except (VampiresError, OSError) as error:
        record = empty_record(path, _one_line(error, path))
    except BROKEN_HEADER as error:
        record = empty_record(path, f"{path}: its header cannot be read ({_one_line(error)})")
    record["size"], record["mtime_ns"] = size, mtime_ns
    return record


def _scan(path: str) -> Record:
    hdu, raw = image_header(path)
    if CALIBRATION_TYPE in raw:
        _check_master(raw, path)
        return record_from_header(raw, path, hdu, "master")
    if "U_CAMERA" not in raw:
        _refuse_ancient(path)
    if raw["BITPIX"] < 0:
        raise FileError(f"{path}: not a raw file: its pixels are {-raw['BITPIX']}-bit floats")
    header = normalize_header(raw, path)
    return record_from_header(header, path, hdu, header["RAWFMT"])


def _check_master(header: fits.Header, path: str) -> None:
    """Refuse what says that it is a master frame and has not the header of one."""
    kind = header[CALIBRATION_TYPE]
    if kind not in MASTER_KINDS or "DETGEN" not in header:
        raise FileError(
            f"{path}: {CALIBRATION_TYPE} is {kind!r}, but this is no master frame of this "
            f"software ({' or '.join(MASTER_KINDS)}, with DETGEN); leave it out"
        )


def _refuse_ancient(path: str) -> None:
    """Recognise the first format, which keeps most of its header in a second unit."""
    with fits.open(path, memmap=False) as hdus:
        for hdu in hdus:
            if "ACQNCYCS" in hdu.header:
                normalize_header(hdu.header, path)


def record_from_header(
    header: fits.Header, path: str | Path, hdu: int = 0, form: str = "archive"
) -> Record:
    """Light record of a canonical header.

    Parameters
    ----------
    header : fits.Header
        Canonical header of a raw file or of a master frame.
    path : str or Path
        Its file.
    hdu : int
        Which header-data unit holds the image.
    form : str
        ``archive``, ``controller`` or ``master``.

    Returns
    -------
    Record
    """
    kind = KINDS.get(header["DATA-TYP"], "science")
    if header.get(CALIBRATION_TYPE) == "BACKGROUND" and kind not in {"background", "sky"}:
        kind = "background"
    ny, nx = int(header["NAXIS2"]), int(header["NAXIS1"])
    crop = [int(header[key]) for key in ("PRD-MIN1", "PRD-MIN2", "PRD-RNG1", "PRD-RNG2")]
    return Record(
        path=str(path), name=stem(path), size=0, mtime_ns=0, ok=True, reason=None, kind=kind,
        generation=header["DETGEN"], object=header["OBJECT"], camera=int(header["U_CAMERA"]),
        flc=header["U_FLC"], flc_in=header["U_FLCST"] == "IN", hwp=float(header["RET-ANG1"]),
        hwp_sync=bool(header["HWPSYNC"]), exptime=float(header["EXPTIME"]),
        detgain=_optional(float, header, "DETGAIN"), readmode=_optional(str, header, "READMODE")
        or _optional(str, header, "U_DETMOD"), filter=header["FILTER"],
        filter01=header["FILTER01"], filter02=header["FILTER02"], obsmod=header["OBS-MOD"],
        fields=list(field_centers(header, ny, nx)), nframes=int(header["NFRAMES"]), ny=ny, nx=nx,
        crop=crop, mjd=float(header["MJD"]), mjd_start=float(header["MJD-STR"]),
        mjd_end=float(header["MJD-END"]), pa=_pa(header) if kind == "science" else None,
        altitude=_optional(float, header, "ALTITUDE"),
        imr_angle=_optional(float, header, "D_IMRANG"), sync=_optional(bool, header, "U_SYNC"),
        hdu=hdu, format=form, interleaved=form == "controller" and is_interleaved(header),
    )  # fmt: skip


def is_interleaved(header: fits.Header) -> bool:
    """Whether FLC states alternate frame by frame in a controller-format file.

    Parameters
    ----------
    header : fits.Header
        Canonical header.

    Returns
    -------
    bool
        True for polarimetric science; the controller counts the polarisation states of the
        sequence in ``U_NPOLST``, which is 1 without polarimetry.
    """
    states = header.get("U_NPOLST", 4)
    several = not isinstance(states, int | float) or states > 1
    return header["DATA-TYP"] == "OBJECT" and "POL" in header["OBS-MOD"] and several


def _pa(header: fits.Header) -> float | None:
    if "RA" not in header or "DEC" not in header:
        return None
    return float(pointing(header).pa)


def _optional(kind: type, header: fits.Header, key: str) -> Any:
    value = header.get(key)
    return None if value is None or isinstance(value, fits.card.Undefined) else kind(value)


def _one_line(error: Exception, path: str = "") -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if not path or path in text else f"{path}: {text}"
