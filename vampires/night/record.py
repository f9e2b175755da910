"""The light record of a raw file: what grouping and matching need of its header."""

from __future__ import annotations

from typing import TypedDict

from vampires.io.paths import stem

CALIBRATION_KINDS = ("background", "sky", "flat", "pinhole")
"""Kinds of files that calibrate others."""


RAW_FORMATS = ("controller", "fixed")
"""Formats of files that are normalised before anything else; ``fixed`` ones have lost their
corrupted frames already, in the public pipeline."""


class Record(TypedDict):
    """What the task graph needs to know of one raw file; JSON-able.

    ``kind`` is one of ``science``, ``background`` (darks), ``sky``, ``flat``, ``pinhole``,
    ``unsupported`` (ancient format), ``excluded`` (by the configuration), ``product`` (of this
    software; not kept in an index) and ``unusable``; for the last four ``ok`` is False and
    ``reason`` says why in one line. ``format`` is ``archive``, ``controller`` or ``fixed`` (EMCCD
    cubes, to be normalised first) or ``master``; ``interleaved`` tells whether FLC states
    alternate frame by frame in such a cube. Times are MJD (UTC), angles degrees, ``crop`` is
    (x0, y0, nx, ny) on the detector. ``fixes`` is the digest of the corrections of its header
    (``[[data.fix]]``); ``unplaced`` says why its header does not tell where the target is, which
    the configuration then must.
    """

    path: str
    name: str
    size: int
    mtime_ns: int
    ok: bool
    reason: str | None
    kind: str
    generation: str | None
    object: str | None
    ra: float | None
    dec: float | None
    camera: int | None
    flc: str | None
    flc_in: bool | None
    hwp: float | None
    hwp_sync: bool | None
    exptime: float | None
    detgain: float | None
    readmode: str | None
    filter: str | None
    filter01: str | None
    filter02: str | None
    obsmod: str | None
    fieldstop: str | None
    mask: str | None
    fields: list[str]
    nframes: int
    ny: int
    nx: int
    crop: list[int] | None
    mjd: float | None
    mjd_start: float | None
    mjd_end: float | None
    pa: float | None
    altitude: float | None
    imr_angle: float | None
    sync: bool | None
    fixes: str
    unplaced: str | None
    hdu: int
    format: str
    interleaved: bool


def empty_record(path: str, reason: str, kind: str = "unusable") -> Record:
    """Record of a file that cannot be used.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        One line for the user.
    kind : str
        ``unusable``, ``unsupported`` or ``excluded``.

    Returns
    -------
    Record
    """
    return Record(
        path=path, name=stem(path), size=0, mtime_ns=0, ok=False, reason=reason, kind=kind,
        generation=None, object=None, ra=None, dec=None, camera=None, flc=None, flc_in=None,
        hwp=None, hwp_sync=None, exptime=None, detgain=None, readmode=None, filter=None,
        filter01=None, filter02=None, obsmod=None, fieldstop=None, mask=None, fields=[],
        nframes=0, ny=0, nx=0, crop=None, mjd=None, mjd_start=None, mjd_end=None, pa=None,
        altitude=None, imr_angle=None, sync=None, fixes="", unplaced=None, hdu=0,
        format="archive", interleaved=False,
    )  # fmt: skip
