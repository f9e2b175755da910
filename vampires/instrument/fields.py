"""Fields of view on the detector: one, or the three or four of multiband imaging."""

from __future__ import annotations

import math

from vampires.canonical import Header
from vampires.instrument.tables import load_table

QCMOS_FULL_FRAME = (4096, 2304)  # x, y
FIELD_NAMES: dict[str, tuple[str, ...]] = {
    "MBI": ("F610", "F670", "F720", "F760"),
    "MBIR": ("F670", "F720", "F760"),
}


def field_names(filter_name: str) -> tuple[str, ...]:
    """Names of the fields of data of a filter, by increasing wavelength.

    Parameters
    ----------
    filter_name : str
        Canonical ``FILTER``: 'MBI', 'MBIR', or the filter of data with one field.

    Examples
    --------
    >>> field_names("MBIR")
    ('F670', 'F720', 'F760')
    >>> field_names("750-50")
    ('750-50',)
    """
    return FIELD_NAMES.get(filter_name, (filter_name,))


def raw_field_centers(header: Header, ny: int, nx: int) -> dict[str, tuple[float, float]]:
    """Where the fields are in a raw frame.

    Parameters
    ----------
    header : Header
        Canonical header.
    ny, nx : int
        Size of the raw frame, pixels.

    Returns
    -------
    dict
        For each field (y, x), 0-based, in the raw orientation, by increasing wavelength.

    Notes
    -----
    One field is in the middle of the frame. Multiband fields are where the header's own WCS
    puts their hotspots (``CRPIX1``, ``CRPIX2`` with the suffix of the field, 1-based, in the
    raw crop). When these cannot be true (`doubt_about_wcs`), a rule stands in: fixed fractions
    of the frame, in the calibrated orientation.

    Examples
    --------
    >>> raw_field_centers(Header({"FILTER": "750-50"}), 256, 256)
    {'750-50': (127.5, 127.5)}
    """
    names = field_names(header.filter)
    if len(names) == 1:
        return {names[0]: ((ny - 1) / 2, (nx - 1) / 2)}
    if doubt_about_wcs(header, ny, nx) is None:
        return _from_wcs(header, names)
    return _from_rule(header, names, ny, nx)


def typical_origin(filter_name: str, camera: int, nx: int, ny: int) -> tuple[int, int]:
    """First pixel (x, y) of the usual qCMOS crop of a mode and size, 0-based.

    The multiband crop of the camera when the size is the usual one; else centred.
    """
    table = load_table("fields").get(filter_name if filter_name in FIELD_NAMES else "")
    if table is not None:
        crop = table["camera"][str(camera)]
        (x0, x1), (y0, y1) = crop["x"], crop["y"]
        if (x1 - x0 + 1, y1 - y0 + 1) == (nx, ny):
            return x0, y0
    full_nx, full_ny = QCMOS_FULL_FRAME
    return (full_nx - nx) // 2, (full_ny - ny) // 2


def doubt_about_wcs(header: Header, ny: int, nx: int) -> str | None:
    """Tell why the places of multiband fields in a header cannot be true.

    Parameters
    ----------
    header : Header
        Canonical header of multiband data.
    ny, nx : int
        Size of the raw frame, pixels.

    Returns
    -------
    str or None
        None where they may be. The empty text where the header has none. The optics have moved
        by some tens of pixels over the years: farther from the usual place than a quarter of a
        field, or for want of a place of its own, a field is not believed.
    """
    names = field_names(header.filter)
    try:
        found = _from_wcs(header, names)
    except LookupError as error:
        return str(error.args[0])
    usual = _from_rule(header, names, ny, nx)
    for name, (y, x) in found.items():
        if not (0 <= y < ny and 0 <= x < nx):
            return f"the header puts {name} outside the frame"
        away = math.dist((y, x), usual[name])
        if away > _BELIEVED:
            return f"the header puts {name} {away:.0f} pixels from where it should be"
    return None


_BELIEVED = 134.0  # pixels from its usual place; fields are 536 wide


def _from_wcs(header: Header, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Hotspots of the header's per-field WCS; LookupError says what is missing."""
    suffixes = load_table("fields")["wcs_suffix"]
    stated = [str(header.get(f"WCSNAME{suffixes[name]}", "")).strip() for name in names]
    if not any(label in names for label in stated):
        raise LookupError("")
    centers = {}
    for name, label in zip(names, stated, strict=True):
        suffix = suffixes[name]
        position = header.get(f"CRPIX2{suffix}"), header.get(f"CRPIX1{suffix}")
        if label != name:
            raise LookupError(f"the header has no WCS of {name}")
        if not all(isinstance(pixel, int | float) for pixel in position):
            raise LookupError(f"the header has no place of {name}")
        y, x = (float(pixel) - 1.0 for pixel in position)
        centers[name] = (y, x)
    return centers


def _from_rule(
    header: Header, names: tuple[str, ...], ny: int, nx: int
) -> dict[str, tuple[float, float]]:
    """Place the fields at fixed fractions of the frame, in the raw orientation."""
    rule = load_table("fields")["fallback"]
    half_y, half_x = (ny - 1) / 2, (nx - 1) / 2
    stretch = 1.0 if "F610" in names else 2.0
    centers = {}
    for name in names:
        fraction_y, fraction_x = rule[name]
        y = stretch * fraction_y * half_y
        centers[name] = ((ny - 1 - y) if header.known(Header.flip) else y, fraction_x * half_x)
    return centers
