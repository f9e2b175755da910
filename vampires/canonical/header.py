"""The canonical header: what is known of an exposure or a product, by name, with its unit.

Each fact is declared once, with its keyword, type, unit and meaning; reading it, writing its card
and its comment follow from that line::

    header.exptime, header.camera, header.flip
    header.quantity("exptime")            # 0.25 s, an astropy Quantity
    header.put(exptime=0.25)              # EXPTIME =  0.25 / [s] exposure time of a frame
    header.known(Header.airmass, 1.0)     # a default where the header does not say
    header.need(Header.derotation)        # an error that names file and card where it does not

A canonical header is a set of cards besides: what a file says beyond these facts stays there.
"""

from __future__ import annotations

from vampires.canonical.exposure import ExposureFacts
from vampires.canonical.product import ProductFacts


class Header(ExposureFacts, ProductFacts):
    """Canonical header of a raw file, or of a product made of some.

    Raises
    ------
    HeaderError
        When a fact is asked for that the header does not have; those of `Known` are None instead.

    Examples
    --------
    >>> header = Header({"EXPTIME": 0.25})
    >>> header.exptime, header.pa is None
    (0.25, True)
    """

    __slots__ = ()

    @property
    def flc_in(self) -> bool:
        """Whether the FLC is in the beam."""
        return self.flc_stage == "IN"

    @property
    def crop(self) -> tuple[int, int, int, int]:
        """First column and row, width and height of the crop on the detector, pixels."""
        return self.crop_x, self.crop_y, self.crop_nx, self.crop_ny

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return self.ny, self.nx


def fit_comment(keyword: str, value: object, comment: str) -> str:
    """Shorten a comment so that it fits with the value into the 80 characters of a card."""
    text = str(value)
    value_width = max(20, len(text) + text.count("'") + 4)
    room = 80 - max(8, len(keyword)) - len(" = ") - value_width - len(" / ")
    return comment[: max(room, 0)]
