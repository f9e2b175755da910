"""World coordinates of images: made, removed, turned."""

from __future__ import annotations

import math
import re

import numpy as np

from vampires.canonical import Header

_WCS_CARD = re.compile(
    r"(WCSAXES|WCSNAME|LONPOLE|LATPOLE|RADESYS|EQUINOX"
    r"|(CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CROTA)\d|(CD|PC)\d_\d)[A-Z]?"
)


def celestial_wcs(
    header: Header,
    shape: tuple[int, int],
    field_center: tuple[float, float] | None = None,
    *,
    rotated: bool = False,
) -> Header:
    """Celestial coordinates of a frame with the star at a known pixel.

    Parameters
    ----------
    header : Header
        From `add_geometry`.
    shape : tuple of int
        Size of the frame (ny, nx).
    field_center : tuple of float, optional
        Pixel (y, x) of the target, 0-based. Default: the middle of the frame.
    rotated : bool
        True for a derotated, north-up product; False for a frame as the (flipped) detector
        saw it.

    Returns
    -------
    Header
        Only the WCS cards: a tangent plane, ICRS, with ``CRPIX`` counted from 1.

    Notes
    -----
    Turning the frame counter-clockwise by t = ``DEROTANG`` gives north up and east left, so
    with the scale s in deg/pixel ``CD = s [[-cos t, sin t], [sin t, cos t]]``.

    Examples
    --------
    >>> header = Header({"TARG-RA": 10.0, "TARG-DEC": 20.0, "PXSCALE": 3.6})
    >>> celestial_wcs(header, (101, 201), rotated=True)["CRPIX1"]
    101.0
    """
    why = "there is no celestial WCS without: use a header of add_geometry"
    ny, nx = shape
    y, x = ((ny - 1) / 2, (nx - 1) / 2) if field_center is None else field_center
    turn = 0.0 if rotated else math.radians(header.need(Header.derotation, why))
    scale = header.need(Header.pixel_scale, why) / 3.6e6
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    cards = {
        "WCSAXES": 2,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRPIX1": x + 1.0,
        "CRPIX2": y + 1.0,
        "CRVAL1": header.need(Header.target_ra, why),
        "CRVAL2": header.need(Header.target_dec, why),
        "CD1_1": -cos,
        "CD1_2": sin,
        "CD2_1": sin,
        "CD2_2": cos,
        "RADESYS": "ICRS",
    }
    return Header(cards)


def wcs_cards(header: Header) -> Header:
    """WCS cards of a header, those of alternate descriptions included."""
    return Header([card for card in header.cards if _WCS_CARD.fullmatch(card.keyword)])


def without_wcs(header: Header) -> Header:
    """Copy of a header without any WCS card, the per-field ones of raw files included."""
    out = header.copy()
    for keyword in [keyword for keyword in out if _WCS_CARD.fullmatch(keyword)]:
        del out[keyword]
    return out


def north_up(header: Header, shape: tuple[int, int]) -> Header:
    """Copy a header with the WCS of an image with north up, east left, star at the centre.

    Parameters
    ----------
    header : Header
        With PXSCALE (mas), TARG-RA and TARG-DEC (deg); without them there is no celestial WCS.
    shape : (int, int)
        (ny, nx).
    """
    out = without_wcs(header)
    if header.has(Header.pixel_scale, Header.target_ra, Header.target_dec):
        out.update(celestial_wcs(header, shape, rotated=True))
    return out


def turn_wcs(header: Header, angle: float, magnification: float = 1.0) -> None:
    """Turn and magnify the WCS of a header, in place, with its image about the star.

    Parameters
    ----------
    header : Header
        With a WCS whose reference pixel is the star; one without WCS is left as it is.
    angle : float
        Counter-clockwise, deg.
    magnification : float
        Factor by which distances from the star grow.
    """
    if "CD1_1" not in header:
        return
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    cd = np.array([[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]])
    turned = cd @ np.array([[c, s], [-s, c]]) / magnification
    for i, j in np.ndindex(2, 2):
        header[f"CD{i + 1}_{j + 1}"] = float(turned[i, j])


def is_number(value: object) -> bool:
    """Whether the value of a card is a number (a logical value is not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)
