"""What is common to the headers of all generations.

A subclass of `HeaderNormalizer` stands for one generation. It registers itself when it is
defined, says by `matches` which headers are its own, and overrides only what its headers do
differently.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from vampires.header.cards import CardReader, UnsupportedFileError
from vampires.header.exptime import exposure_time
from vampires.header.times import ExposureTimes, clock_text, date_text, exposure_times
from vampires.instrument.detectors import Detector, Generation, detector
from vampires.instrument.fields import FIELD_NAMES, doubt_about_wcs
from vampires.instrument.filters import FILTERS
from vampires.instrument.flc import DUBIOUS, NO_FLC, SWITCHED, flc_state
from vampires.utils.cards import Cards, Unreadable

Row = tuple[str, object, str]  # keyword, value, comment

# Cards that describe the bytes of the raw file, not the observation.
STRUCTURAL = frozenset(
    (
        *("SIMPLE", "XTENSION", "BITPIX", "EXTEND", "PCOUNT", "GCOUNT", "END"),
        *("BSCALE", "BZERO", "CHECKSUM", "DATASUM"),
    )
)

# Angles that `vampires.sky.geometry` computes: another program's are not taken over.
GEOMETRY = frozenset(
    ("PA", "PA-STR", "PA-END", "DEROTANG", "ALT_MID", "AZ_MID", "LST_MID", "HWPSYNCA", "IMRANG",
     "TARG-RA", "TARG-DEC")
)  # fmt: skip

# The status server's default, written where it does not answer.
NO_ANSWER = -1.0

DATA_TYPES = {
    "OBJECT": "OBJECT",
    "STANDARD": "OBJECT",  # a standard star is reduced as any other star
    "DARK": "DARK",
    "FLAT": "FLAT",
    "DOMEFLAT": "FLAT",
    "SKYFLAT": "SKYFLAT",
    "COMPARISON": "COMPARISON",
}
# What the control software can write besides: neither science nor calibration.
LEFT_OUT_TYPES = {
    "TEST": "a test",
    "FOCUSING": "taken while focusing",
    "BIAS": "a bias frame, which no step uses: take darks of the science's exposure time",
}
# Words of original file names, for files from before 2023-02-02, in the order they are tried.
NAME_WORDS = (
    ("dark", "DARK"),
    ("skies", "SKYFLAT"),
    ("sky", "SKYFLAT"),
    ("flat", "FLAT"),
    ("pinhole", "COMPARISON"),
)
NO_FILTER = frozenset(("OPEN", "UNKNOWN", "NA", "NONE"))
UNKNOWN_FILTER = frozenset(("UNKNOWN", "NA", "NONE"))
BLOCKED = "BLOCK"
HST_OFFSET = 10.0 / 24.0  # Hawaii standard time is ten hours behind UTC

# Where the telescope pointed: what cannot be used is left out, and found otherwise or missed by
# whoever needs it.
POINTING_NUMBERS = {
    "ALTITUDE": (-90.0, 90.0),
    "AZIMUTH": (-360.0, 720.0),
    "D_IMRANG": (-720.0, 720.0),
    "D_IMRPAD": (-720.0, 720.0),
}
POINTING_WORDS = ("RA", "DEC", "D_IMRMOD")


DROPPED = STRUCTURAL | GEOMETRY


class HeaderNormalizer:
    """Turns the raw header of one generation into the canonical header.

    Parameters
    ----------
    raw : Cards
        As in the file; never altered.
    path : path-like
        Its file; part of every message, and read for the camera and the type of data when
        the header does not say.
    """

    registry: ClassVar[list[type[HeaderNormalizer]]] = []
    generation: ClassVar[Generation]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        HeaderNormalizer.registry.append(cls)

    def __init__(self, raw: Cards, path: str | Path) -> None:
        self.cards = CardReader(raw, path)
        self.name = Path(path).name

    @classmethod
    def matches(cls, cards: CardReader) -> bool:
        """Whether a header is of this generation."""
        raise NotImplementedError

    # -- what generations do differently -------------------------------------------------

    def read_mode(self) -> str:
        """Readout mode of the detector."""
        raise NotImplementedError

    def em_gain(self) -> float:
        """Electron multiplication as set, 1 without."""
        return 1.0

    def hwp_angle(self) -> float | None:
        """Nominal angle of the half-wave plate, deg; None when nothing tells."""
        angle = self.cards.number("RET-ANG1", -720.0, 720.0)
        if angle == NO_ANSWER:
            self.cards.note("RET-ANG1 was -1, the default of a status server that is away")
            return None
        return angle

    def hwp_synchronised(self) -> bool:
        """Whether the half-wave plate follows the pupil."""
        return "SYNCHRO_ADI" in (self.cards.text("RET-MOD1") or "").upper()

    def flc_state(self) -> str:
        """State of the ferro-electric liquid crystal: A, B, D (dubious) or NA."""
        state = self.cards.choice("U_FLC", (*SWITCHED, DUBIOUS, NO_FLC, "N/A", "NONE"))
        return flc_state(state)

    def origin(self, nx: int, ny: int) -> tuple[int, int]:
        """First pixel (x, y) of the crop on the detector, 0-based."""
        raise NotImplementedError

    def raw_format(self) -> str:
        """'archive', or 'controller' for EMCCD cubes that are not deinterleaved."""
        return "archive"

    # -- the common part -----------------------------------------------------------------

    def normalize(self) -> Cards:
        """Make the canonical header.

        Raises
        ------
        HeaderError
            When a necessary card is missing or cannot be used.
        """
        self.data_type()  # first of all: what is left out may lack anything
        times = exposure_times(self.cards)
        camera = self.camera()
        header = copy_cards(self.cards.header)
        nx, ny, nframes = self.shape()
        device = self.device(camera, times.middle)
        exptime = exposure_time(self.cards, times, nframes)
        _set(header, self._frame_cards(nx, ny, nframes, exptime))
        _set(header, self._time_cards(times))
        _set(header, self._mode_cards(camera))
        _set(header, self._detector_cards(device))
        self._set_pointing(header)
        self._set_fields(header)
        add_notes(header, self.cards.notes)
        return header

    def device(self, camera: int, mjd: float) -> Detector:  # noqa: ARG002
        """Detector in the state it was in."""
        return detector(self.generation, camera, self.read_mode(), self.em_gain())

    def shape(self) -> tuple[int, int, int]:
        """Size of the cube: nx, ny, number of frames."""
        naxis = self.cards.need(self.cards.integer("NAXIS", 0, 999), "NAXIS", "number of axes")
        if naxis not in (2, 3):
            self.cards.fail("NAXIS", str(naxis), "2 (image) or 3 (cube)")
        nx = self.cards.need(self.cards.integer("NAXIS1", 1, 4096), "NAXIS1", "width in pixels")
        ny = self.cards.need(self.cards.integer("NAXIS2", 1, 4096), "NAXIS2", "height in pixels")
        nframes = self.cards.integer("NAXIS3", 1, 10**9) if naxis == 3 else 1
        return nx, ny, self.cards.need(nframes, "NAXIS3", "number of frames")

    def camera(self) -> int:
        """Camera 1 or 2; from the file's name when the header does not say."""
        camera = self.cards.integer("U_CAMERA", 1, 2)
        if camera is None:
            source = self.cards.text("DETECTOR") or self.name
            named = re.search(r"cam([12])(?!\d)", source.lower())
            camera = int(named[1]) if named else None
        return self.cards.need(camera, "U_CAMERA", "camera number, 1 or 2")

    def original_name(self) -> str:
        """Name the file had when it was written, lower case."""
        return (self.cards.text("U_OGFNAM") or self.name).lower()

    def data_type(self) -> str:
        """Kind of data; guessed from the original name when the header says ACQUISITION."""
        stated = self.cards.choice("DATA-TYP", (*DATA_TYPES, *LEFT_OUT_TYPES, "ACQUISITION"))
        if stated is None:
            return self.missing_data_type()
        if stated in LEFT_OUT_TYPES:
            raise UnsupportedFileError(
                f"{self.cards.path}: left out, DATA-TYP is {stated}: {LEFT_OUT_TYPES[stated]}"
            )
        return DATA_TYPES[stated] if stated in DATA_TYPES else self.guess_data_type()

    def missing_data_type(self) -> str:
        """Kind of data of a header without ``DATA-TYP``."""
        return self.cards.need(None, "DATA-TYP", "kind of data, such as OBJECT or DARK")

    def guess_data_type(self) -> str:
        """Kind of data from words of the original file name."""
        name = self.original_name()
        for word, kind in NAME_WORDS:
            if re.search(rf"(?<![a-z]){word}|{word}s?(?![a-z])", name):
                return kind
        return "OBJECT"

    def field_names(self) -> list[str]:
        """Names of the multiband fields announced by the header's WCS cards."""
        names = (self.cards.text(f"WCSNAME{suffix}") for suffix in ("", "B", "C", "D"))
        return [name for name in names if name and re.fullmatch(r"F\d{3}", name)]

    def observing_mode(self) -> str:
        """``OBS-MOD`` in upper case; from other cards when missing."""
        mode = self.cards.text("OBS-MOD")
        if mode is not None:
            return mode.upper()
        fields = {4: "_MBI", 3: "_MBIR"}.get(len(self.field_names()), "")
        polarimetric = self.flc_state() != NO_FLC or self.hwp_angle() is not None
        return ("IPOL" if polarimetric else "IMAG") + fields

    def filters(self) -> tuple[str, str]:
        """``FILTER01`` and ``FILTER02``; 'Open' when there is none."""
        first = self._stated_filter("FILTER01", "U_FILTER")
        second = self._stated_filter("FILTER02", f"U_DIFFL{self.camera()}")
        if first is None or first.upper() in UNKNOWN_FILTER:
            named = (name for name in FILTERS if name.lower() in self.original_name())
            first = next(named, first)
        return _filter_name(first), _filter_name(second)

    def _stated_filter(self, *keywords: str) -> str | None:
        """First of some cards that names a filter; 'Unknown' where one says so, None without."""
        stated = {key: name for key in keywords if (name := self.cards.text(key)) is not None}
        known = {key: name for key, name in stated.items() if name.upper() not in UNKNOWN_FILTER}
        if not known:
            return next(iter(stated.values()), None)
        key, name = next(iter(known.items()))
        for other in stated:
            if other == key:
                break
            self.cards.note(f"{other} was {stated[other]!r}, {key} says {name}")
        return name

    def effective_filter(self) -> str:
        """Filter of the data: 'MBI', 'MBIR', or the narrowest filter in the beam."""
        for part in self.observing_mode().split("_"):
            if part in FIELD_NAMES:
                return part
        first, second = self.filters()
        return first if second.upper() in NO_FILTER else second

    def _seen_filter(self, kind: str) -> str:
        """Filter of the data, which must be one for what sees light."""
        name = self.effective_filter()
        if kind == "DARK":
            return name
        if BLOCKED in (part.upper() for part in (name, *self.filters())):
            raise UnsupportedFileError(
                f"{self.cards.path}: left out, the filter wheel is at {BLOCKED.title()}: "
                "no light reaches the camera"
            )
        if name.upper() in UNKNOWN_FILTER:
            self.cards.fail("FILTER01", repr(name), "a filter, here or in U_FILTER")
        return name

    # -- groups of cards -----------------------------------------------------------------

    def _frame_cards(self, nx: int, ny: int, nframes: int, exptime: float) -> list[Row]:
        x0, y0 = self.origin(nx, ny)
        ndit = self.cards.integer("NDIT", 0, 10**9)
        return [
            ("EXPTIME", exptime, "[s] exposure time of a frame"),
            ("NFRAMES", nframes, "number of frames"),
            ("NDIT", ndit or nframes, "number of frames of the original file"),
            ("TINT", nframes * exptime, "[s] exposure time of all frames"),
            ("BUNIT", self.cards.text("BUNIT") or "ADU", "unit of the pixels"),
            ("PRD-MIN1", x0, "[pixel] first column of the crop, from 0"),
            ("PRD-MIN2", y0, "[pixel] first row of the crop, from 0"),
            ("PRD-RNG1", nx, "[pixel] width of the crop"),
            ("PRD-RNG2", ny, "[pixel] height of the crop"),
        ]

    def _time_cards(self, times: ExposureTimes) -> list[Row]:
        rows: list[Row] = [
            ("DATE-OBS", date_text(times.middle), "UTC date of mid-exposure"),
        ]
        moments = {"": times.middle, "-STR": times.start, "-END": times.end}
        names = {"": "mid-exposure", "-STR": "start of exposure", "-END": "end of exposure"}
        for suffix, mjd in moments.items():
            rows.append((f"MJD{suffix}", round(mjd, 9), f"[day] UTC of {names[suffix]}"))
            rows.append((f"UT{suffix}", clock_text(mjd), f"UTC of {names[suffix]}"))
            rows.append((f"HST{suffix}", clock_text(mjd - HST_OFFSET), f"HST of {names[suffix]}"))
        return rows

    def _mode_cards(self, camera: int) -> list[Row]:
        kind = self.data_type()
        stated = self.flc_state()
        first, second = self.filters()
        flc_stage = self.cards.choice("U_FLCST", ("IN", "OUT")) or (
            "OUT" if stated == NO_FLC else "IN"
        )
        flc = flc_state(stated, flc_stage)
        rows: list[Row] = [
            ("DETGEN", self.generation, "generation of the instrument"),
            ("RAWFILE", _printable(self.name), "raw file"),
            ("RAWFMT", self.raw_format(), "format of the raw file"),
            ("DATA-TYP", kind, "kind of data"),
            ("OBJECT", self.cards.text("OBJECT") or kind, "target"),
            ("OBS-MOD", self.observing_mode(), "observing mode"),
            ("U_CAMERA", camera, "camera number"),
            ("U_FLC", flc, "FLC state: A, B, D (dubious) or NA"),
            ("U_FLCST", flc_stage, "FLC in or out of the beam"),
            ("RET-ANG1", self._required_hwp_angle(kind), "[deg] nominal angle of the HWP"),
            ("HWPSYNC", self.hwp_synchronised(), "HWP follows the pupil"),
            ("FILTER01", first, "primary filter"),
            ("FILTER02", second, "differential filter"),
            ("FILTER", self._seen_filter(kind), "filter of the data"),
        ]
        sync = self.cards.flag("U_SYNC")
        if sync is not None:
            rows.append(("U_SYNC", sync, "the other camera has the same frames"))
        return rows

    def _required_hwp_angle(self, kind: str) -> float:
        """HWP angle; must be known where polarimetry would use it."""
        angle = self.hwp_angle()
        if angle is None and kind == "OBJECT" and "POL" in self.observing_mode():
            self.cards.need(None, "RET-ANG1", "angle of the half-wave plate in degrees")
        return 0.0 if angle is None else angle

    def _detector_cards(self, device: Detector) -> list[Row]:
        pupil = self.cards.number("D_IMRPAP", -360.0, 360.0)
        pupil = device.rotator_pupil_angle if pupil is None else pupil
        name = f"VCAM{device.camera} - {self.generation}"
        return [
            ("DETECTOR", self.cards.text("DETECTOR") or name, "name of the detector"),
            ("READMODE", device.read_mode, "readout mode"),
            ("BIAS", device.bias, "[adu] bias level"),
            ("GAIN", device.gain, "[e-/adu] gain of the converter"),
            ("EFFGAIN", device.effective_gain, "[e-/adu] detected electrons per adu"),
            ("RN", device.read_noise, "[e-] effective read noise"),
            ("DC", device.dark_current, "[e-/s/pixel] dark current"),
            ("ENF", device.excess_noise, "excess noise factor"),
            ("FULLWELL", device.full_well, "[e-] full well"),
            ("SATURATE", device.saturation, "[adu] raw values from here on are saturated"),
            ("PXSCALE", device.pixel_scale, "[mas/pixel] pixel scale"),
            ("PXAREA", device.pixel_area, "[arcsec^2] solid angle of a pixel"),
            ("INST-PA", device.pupil_offset, "[deg] angle of the pupil on the detector"),
            ("D_IMRPAP", pupil, "[deg] pupil angle of the image rotator"),
            ("PAOFFSET", device.pa_offset(pupil), "[deg] derotation minus parallactic angle"),
            ("FLIPY", device.flip, "frames are flipped in y to match the sky"),
        ]

    def _set_pointing(self, header: Cards) -> None:
        """Take over where the telescope pointed, as far as it is usable."""
        found: dict[str, float | str | None] = {
            key: self.cards.usable_number(key, *limits) for key, limits in POINTING_NUMBERS.items()
        }
        found |= {key: self.cards.usable_text(key) for key in POINTING_WORDS}
        if found["D_IMRANG"] == NO_ANSWER:
            self.cards.note("D_IMRANG was -1, the default of a status server that is away")
            found["D_IMRANG"] = None
        for keyword, value in found.items():
            if value is not None:
                header[keyword] = value
            else:
                header.remove(keyword, ignore_missing=True)

    def _set_fields(self, header: Cards) -> None:
        """Say where the places of multiband fields come from."""
        if header["FILTER"] not in FIELD_NAMES:
            return
        doubt = doubt_about_wcs(header, header["NAXIS2"], header["NAXIS1"])
        source = "header" if doubt is None else "reference layout"
        header["FLDSRC"] = (source, "where the places of the fields are from")
        if doubt:
            self.cards.note(f"fields are placed as usual: {doubt}")


NOTE = "HDRNOTE"
"""Start of the cards that say which raw values were not taken as they stood."""


def add_notes(header: Cards, notes: list[str]) -> None:
    """Add notes to a canonical header, each once."""
    known = notes_of(header)
    for text in notes:
        if text not in known:
            known.append(text)
            header[f"{NOTE}{len(known)}"] = _printable(text)


def notes_of(header: Cards) -> list[str]:
    """Notes of a canonical header on raw values that were not taken as they stood."""
    return [str(header[key]) for key in header if re.fullmatch(rf"{NOTE}\d", key)]


def copy_cards(raw: Cards) -> Cards:
    """Copy the cards that describe the observation: strings stripped, first of duplicates.

    Cards that cannot be read are left out; whoever needs one of them gets an error from
    `CardReader`.
    """
    header = Cards()
    for keyword, value, comment in raw.cards:
        if value is None or isinstance(value, Unreadable) or keyword in DROPPED:
            continue
        value = value.strip() if isinstance(value, str) else value
        header[keyword] = (value, _fit_comment(keyword, value, comment))
    header.prose = [(keyword, text.strip()) for keyword, text in raw.prose]
    return header


def _set(header: Cards, rows: list[Row]) -> None:
    for keyword, content, comment in rows:
        header[keyword] = (content, _fit_comment(keyword, content, comment))


def _fit_comment(keyword: str, content: object, comment: str) -> str:
    """Shorten a comment so that it fits with the value into the 80 characters of a card."""
    text = str(content)
    value_width = max(20, len(text) + text.count("'") + 4)
    room = 80 - max(8, len(keyword)) - len(" = ") - value_width - len(" / ")
    return comment[: max(room, 0)]


def _filter_name(found: str | None) -> str:
    """Name of a filter as in the table, whatever its case; 'Open' when absent."""
    if found is None:
        return "Open"
    known = {name.lower(): name for name in FILTERS}
    return known.get(found.lower(), found)


def _printable(text: str) -> str:
    """Replace what a FITS card cannot hold."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
