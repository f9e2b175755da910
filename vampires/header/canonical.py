"""The canonical header: what is known of an exposure, by name, with its unit.

Each fact is declared once, with its keyword, type, unit and meaning; reading it, writing its card
and its comment follow from that line::

    header.exptime, header.camera, header.flip
    header.quantity("exptime")            # 0.25 s, an astropy Quantity
    header.put(exptime=0.25)              # EXPTIME =  0.25 / [s] exposure time of a frame

A canonical header is a set of cards besides: what the raw file says beyond these facts stays
there and is read by keyword.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from vampires.errors import HeaderError
from vampires.utils.cards import Cards

if TYPE_CHECKING:
    from astropy.units import Quantity

T = TypeVar("T")


class Fact(Generic[T]):
    """One fact of an exposure, kept in one card.

    Parameters
    ----------
    keyword : str
        Of the card.
    kind : callable
        Type of the value.
    meaning : str
        The card's comment.
    unit : str
        As in the comment; empty for what has none.
    """

    def __init__(
        self, keyword: str, kind: Callable[[Any], T], meaning: str, unit: str = ""
    ) -> None:
        self.keyword, self.kind, self.meaning, self.unit = keyword, kind, meaning, unit
        self.__doc__ = f"{meaning}{f' [{unit}]' if unit else ''} (``{keyword}``)."

    @property
    def comment(self) -> str:
        """Comment of the card."""
        return f"[{self.unit}] {self.meaning}" if self.unit else self.meaning

    @overload
    def __get__(self, header: None, owner: type) -> Fact[T]: ...
    @overload
    def __get__(self, header: Header, owner: type) -> T: ...
    def __get__(self, header: Header | None, owner: type) -> T | Fact[T]:
        """Value in a header."""
        if header is None:
            return self
        value = header.get(self.keyword)
        if value is None:
            raise HeaderError(
                f"{header.label}: the header has no {self.keyword} ({self.meaning}); "
                "it is not the header of an exposure of this instrument"
            )
        return self.kind(value)


class Known(Generic[T]):
    """A fact that a header may lack: None there."""

    def __init__(
        self, keyword: str, kind: Callable[[Any], T], meaning: str, unit: str = ""
    ) -> None:
        self.fact = Fact(keyword, kind, meaning, unit)
        self.__doc__ = f"{self.fact.__doc__} None where it is not known."

    @overload
    def __get__(self, header: None, owner: type) -> Fact[T]: ...
    @overload
    def __get__(self, header: Header, owner: type) -> T | None: ...
    def __get__(self, header: Header | None, owner: type) -> T | Fact[T] | None:
        """Value in a header."""
        if header is None:
            return self.fact
        value = header.get(self.fact.keyword)
        return None if value is None else self.fact.kind(value)


class Header(Cards):
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

    # what was observed
    generation = Fact("DETGEN", str, "generation of the instrument")
    file = Fact("RAWFILE", str, "raw file")
    format = Fact("RAWFMT", str, "format of the raw file")
    data_type = Fact("DATA-TYP", str, "kind of data")
    object = Fact("OBJECT", str, "target")
    mode = Fact("OBS-MOD", str, "observing mode")
    camera = Fact("U_CAMERA", int, "camera number")
    flc = Fact("U_FLC", str, "FLC state: A, B, D (dubious) or NA")
    flc_stage = Fact("U_FLCST", str, "FLC in or out of the beam")
    hwp = Fact("RET-ANG1", float, "nominal angle of the HWP", "deg")
    hwp_sync = Fact("HWPSYNC", bool, "HWP follows the pupil")
    filter01 = Fact("FILTER01", str, "primary filter")
    filter02 = Fact("FILTER02", str, "differential filter")
    filter = Fact("FILTER", str, "filter of the data")
    field_source = Known("FLDSRC", str, "where the places of the fields are from")
    synchronised = Known("U_SYNC", bool, "the other camera has the same frames")

    # frames
    nx = Fact("NAXIS1", int, "width", "pixel")
    ny = Fact("NAXIS2", int, "height", "pixel")
    exptime = Fact("EXPTIME", float, "exposure time of a frame", "s")
    nframes = Fact("NFRAMES", int, "number of frames")
    nframes_original = Fact("NDIT", int, "number of frames of the original file")
    integration = Fact("TINT", float, "exposure time of all frames", "s")
    unit = Fact("BUNIT", str, "unit of the pixels")
    crop_x = Fact("PRD-MIN1", int, "first column of the crop, from 0", "pixel")
    crop_y = Fact("PRD-MIN2", int, "first row of the crop, from 0", "pixel")
    crop_nx = Fact("PRD-RNG1", int, "width of the crop", "pixel")
    crop_ny = Fact("PRD-RNG2", int, "height of the crop", "pixel")

    # times
    date = Fact("DATE-OBS", str, "UTC date of mid-exposure")
    mjd = Fact("MJD", float, "UTC of mid-exposure", "day")
    mjd_start = Fact("MJD-STR", float, "UTC of start of exposure", "day")
    mjd_end = Fact("MJD-END", float, "UTC of end of exposure", "day")

    # detector
    detector = Fact("DETECTOR", str, "name of the detector")
    read_mode = Fact("READMODE", str, "readout mode")
    em_gain = Known("DETGAIN", float, "electron-multiplying gain as set")
    bias = Fact("BIAS", float, "bias level", "adu")
    gain = Fact("GAIN", float, "gain of the converter", "e-/adu")
    effective_gain = Fact("EFFGAIN", float, "detected electrons per adu", "e-/adu")
    read_noise = Fact("RN", float, "effective read noise", "e-")
    dark_current = Fact("DC", float, "dark current", "e-/s/pixel")
    excess_noise = Fact("ENF", float, "excess noise factor")
    full_well = Fact("FULLWELL", float, "full well", "e-")
    saturation = Fact("SATURATE", float, "raw values from here on are saturated", "adu")
    pixel_scale = Fact("PXSCALE", float, "pixel scale", "mas/pixel")
    pixel_area = Fact("PXAREA", float, "solid angle of a pixel", "arcsec^2")
    pupil_angle = Fact("INST-PA", float, "angle of the pupil on the detector", "deg")
    rotator_pupil_angle = Fact("D_IMRPAP", float, "pupil angle of the image rotator", "deg")
    pa_offset = Fact("PAOFFSET", float, "derotation minus parallactic angle", "deg")
    flip = Fact("FLIPY", bool, "frames are flipped in y to match the sky")

    # where the telescope pointed, and how the sky lies
    ra = Known("RA", str, "right ascension, J2000, as the telescope wrote it")
    dec = Known("DEC", str, "declination, J2000, as the telescope wrote it")
    stated_altitude = Known("ALTITUDE", float, "altitude at some moment", "deg")
    stated_rotator = Known("D_IMRANG", float, "image rotator angle at some moment", "deg")
    rotator_mode = Known("D_IMRMOD", str, "what the image rotator follows")
    rotator_position = Known("D_IMRPAD", float, "position angle of the image rotator", "deg")
    pa = Known("PA", float, "parallactic angle, mean", "deg")
    pa_start = Known("PA-STR", float, "parallactic angle at the start", "deg")
    pa_end = Known("PA-END", float, "parallactic angle at the end", "deg")
    derotation = Known("DEROTANG", float, "CCW turn to north up, mean", "deg")
    altitude = Known("ALT_MID", float, "altitude, mean, no refraction", "deg")
    azimuth = Known("AZ_MID", float, "azimuth, mean, 0 north, 90 east", "deg")
    sidereal_time = Known("LST_MID", float, "apparent sidereal time, mid-exposure", "deg")
    hwp_sync_angle = Known("HWPSYNCA", float, "added to RET-ANG1 when synchronised", "deg")
    target_ra = Known("TARG-RA", float, "target, ICRS, at mid-exposure", "deg")
    target_dec = Known("TARG-DEC", float, "target, ICRS, at mid-exposure", "deg")
    rotator = Known("IMRANG", float, "image rotator angle, mean", "deg")

    @property
    def label(self) -> str:
        """Name of the file or exposure, for messages."""
        names = (self.get(key) for key in ("FRAMEID", "RAWFILE", "FILENAME"))
        return str(next((name for name in names if name), "header"))

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

    @classmethod
    def fact(cls, name: str) -> Fact[Any]:
        """Declaration of a fact: its keyword, type, unit and meaning."""
        found = getattr(cls, name, None)
        if not isinstance(found, Fact):
            raise TypeError(f"a canonical header has no fact {name!r}")
        return found

    def put(self, **facts: Any) -> None:
        """Set facts; None is not written."""
        for name, value in facts.items():
            fact = self.fact(name)
            if value is not None:
                self[fact.keyword] = (value, fit_comment(fact.keyword, value, fact.comment))

    def quantity(self, name: str) -> Quantity:
        """Fact with its unit.

        Raises
        ------
        HeaderError
            The header does not have it.

        Examples
        --------
        >>> Header({"EXPTIME": 0.25}).quantity("exptime")
        <Quantity 0.25 s>
        """
        from astropy import units as u  # seldom needed, and slow to load

        fact = self.fact(name)
        value = getattr(self, name)
        if value is None:
            raise HeaderError(f"{self.label}: the header has no {fact.keyword} ({fact.meaning})")
        first, *others = (u.Unit(name) for name in fact.unit.replace("e-", "electron").split("/"))
        return value * functools.reduce(lambda unit, other: unit / other, others, first)


def fit_comment(keyword: str, value: object, comment: str) -> str:
    """Shorten a comment so that it fits with the value into the 80 characters of a card."""
    text = str(value)
    value_width = max(20, len(text) + text.count("'") + 4)
    room = 80 - max(8, len(keyword)) - len(" = ") - value_width - len(" / ")
    return comment[: max(room, 0)]
