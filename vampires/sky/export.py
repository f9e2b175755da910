"""World coordinates for objects of astropy."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from astropy.wcs import WCS

from vampires.canonical import Header
from vampires.sky.wcs import wcs_cards


class FramesWCS(WCS):
    """WCS of a cube of frames, of which one frame can be taken.

    `astropy.nddata.CCDData` accepts nothing but a `~astropy.wcs.WCS`, and that of a slice by one
    number is none: without this class ``ccd[3]`` would raise.
    """

    def slice(self, view: Any, numpy_order: bool = True) -> Any:
        """Coordinates of a part; of a single frame those of the image."""
        first, *rest = view if isinstance(view, tuple) else (view,)
        if not (self.naxis == 3 and numpy_order and isinstance(first, Integral)):
            return super().slice(view, numpy_order)
        image = self.celestial
        return image.slice(tuple(rest)) if rest else image


def export_wcs(header: Header, ndim: int = 2) -> WCS | None:
    """Celestial coordinates of a header.

    Parameters
    ----------
    header : Header or fits.Header
        With or without a celestial WCS.
    ndim : int
        2 for an image, 3 for a cube of frames: the third coordinate is then the number of
        the frame, from 0.

    Returns
    -------
    `~astropy.wcs.WCS` or None
        None when the header has none.

    Examples
    --------
    >>> from vampires.sky.wcs import celestial_wcs
    >>> header = Header({"TARG-RA": 10.0, "TARG-DEC": 20.0, "PXSCALE": 3.6})
    >>> wcs = export_wcs(celestial_wcs(header, (101, 201), rotated=True), ndim=3)
    >>> [round(float(value), 6) for value in wcs.wcs_pix2world(100, 50, 7, 0)]
    [10.0, 20.0, 7.0]
    >>> wcs[7].naxis
    2
    """
    if "CTYPE1" not in header:
        return None
    cards = wcs_cards(Header.of(header)).to_fits()
    if ndim == 2:
        return WCS(cards, naxis=2, fix=False)
    cards.update({"WCSAXES": 3, "CTYPE3": "", "CRPIX3": 1.0, "CRVAL3": 0.0, "CD3_3": 1.0})
    return FramesWCS(cards, naxis=3, fix=False)
