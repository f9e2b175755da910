"""Header of a product made from several coadds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from vampires.canonical import Header
from vampires.sky.wcs import is_number, without_wcs
from vampires.utils.angles import circular_mean, wrap

_MEAN = (
    "MJD",
    "ALT_MID",
    "ZD_MID",
    "AIRMASS",
    "PXSCALE",
    "PXAREA",
    "TARG-DEC",
    *(f"COREFLX{i}" for i in range(4)),
)
_MEAN_ANGLE = ("PA", "DEROTANG", "IMRANG")
_MEAN_DIRECTION = ("AZ_MID", "TARG-RA")  # from 0 to 360
_FIRST = ("MJD-STR", "UT-STR", "HST-STR", "DATE-OBS", "PA-STR")
_LAST = ("MJD-END", "UT-END", "HST-END", "PA-END")
# What is true of one raw file or one camera only, even where all agree.
_OF_A_FILE = ("NFRAMES", "NDIT", "FRAMEID", "EXP-ID", "FILENAME", "NSOURCE")


_SOURCE = re.compile(r"SRC\d+")


def merge_headers(headers: Sequence[Header]) -> Header:
    """Merge the headers of coadds into that of their Stokes frame.

    Cards that agree are kept, others dropped, except: times span all, angles, pixel scale and
    place on the sky are means, and TINT and NCOADD are the open-shutter time and frames of *one*
    camera (the other saw the same light), the larger where they differ. What belongs to a single
    raw file, and its WCS, is dropped.

    Parameters
    ----------
    headers : sequence of Header
        Canonical headers, any order.

    Returns
    -------
    Header
    """
    ordered = sorted(headers, key=lambda h: (h.get("MJD", 0.0), h.get("U_CAMERA", 0)))
    out = without_wcs(_common(ordered))
    for key in _MEAN:
        if all(is_number(h.get(key)) for h in ordered):
            out[key] = (float(np.mean([h[key] for h in ordered])), ordered[0].comments[key])
    for key in _MEAN_ANGLE:
        if all(is_number(h.get(key)) for h in ordered):
            mean = circular_mean(h[key] for h in ordered)
            out[key] = (wrap(mean), ordered[0].comments[key])
    for key in _MEAN_DIRECTION:
        if all(is_number(h.get(key)) for h in ordered):
            mean = circular_mean(h[key] for h in ordered)
            out[key] = (mean % 360, ordered[0].comments[key])
    first = min(ordered, key=lambda h: h.get("MJD-STR", 0.0))
    last = max(ordered, key=lambda h: h.get("MJD-END", 0.0))
    for keys, source in ((_FIRST, first), (_LAST, last)):
        for key in keys:
            if key in source:
                out[key] = (source[key], source.comments[key])
    for key, comment in (
        ("TINT", "[s] open-shutter time, cameras count once"),
        ("NCOADD", "frames combined, cameras count once"),
    ):
        if all(is_number(h.get(key)) for h in ordered):
            out[key] = (_of_one_camera(ordered, key), comment)
    out.put(nimages=len(ordered))
    return out


def stack_headers(headers: Sequence[Header]) -> Header:
    """Merge the headers of Stokes frames into that of their collapse.

    Like `merge_headers`, but TINT, NCOADD and NIMAGES add up, and NSETS counts the frames.
    """
    out = merge_headers(headers)
    for key in ("TINT", "NCOADD", "NIMAGES"):
        values = [h.get(key) for h in headers]
        if all(is_number(v) for v in values):
            out[key] = (_total(values), headers[0].comments[key])
    out.put(nsets=len(headers))
    return out


def _common(headers: Sequence[Header]) -> Header:
    out = Header()
    others = [dict(h) for h in headers[1:]]
    for key, value, comment in headers[0].cards:
        if key in ("", *_OF_A_FILE) or _SOURCE.fullmatch(key):
            continue
        if all(key in other and other[key] == value for other in others):
            out[key] = (value, comment)
    return out


def _of_one_camera(headers: Sequence[Header], key: str) -> float:
    values: dict[int, list[float]] = {}
    for header in headers:
        values.setdefault(int(header.get("U_CAMERA", 0)), []).append(header[key])
    return max(_total(own) for own in values.values())


def _total(values: Sequence[float]) -> float:
    """Sum that stays an integer for integers and has no digits of rounding otherwise."""
    if all(isinstance(v, int) for v in values):
        return sum(values)
    return round(math.fsum(values), 9)
