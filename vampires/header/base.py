"""What is common to the headers of all generations.

A subclass of `HeaderNormalizer` stands for one generation. It registers itself when it is
defined, says by `matches` which headers are its own, and overrides only what its headers do
differently.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from vampires.canonical import Header
from vampires.canonical.header import fit_comment
from vampires.header.cards import CardReader, UnsupportedFileError
from vampires.header.copying import add_notes, copy_cards, printable, set_times
from vampires.header.exptime import exposure_time
from vampires.header.times import exposure_times
from vampires.instrument.detectors import Detector, Generation, detector
from vampires.instrument.fields import FIELD_NAMES, doubt_about_wcs
from vampires.instrument.filters import FILTERS
from vampires.instrument.flc import DUBIOUS, NO_FLC, SWITCHED, flc_state
from vampires.utils.cards import Cards

Facts = dict[str, object]
"""Facts of `vampires.canonical.Header` by name."""

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

# Where the telescope pointed: what cannot be used is left out, and found otherwise or missed by
# whoever needs it.
POINTING_NUMBERS = {
    "ALTITUDE": (-90.0, 90.0),
    "AZIMUTH": (-360.0, 720.0),
    "D_IMRANG": (-720.0, 720.0),
    "D_IMRPAD": (-720.0, 720.0),
}
POINTING_WORDS = ("RA", "DEC", "D_IMRMOD")


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

    def normalize(self) -> Header:
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
        header.put(**self._frame_facts(nx, ny, nframes, exptime))
        set_times(header, times)
        header.put(**self._mode_facts(camera))
        header.put(**self._detector_facts(device))
        self._set_pointing(header)
        self._set_fields(header)
        add_notes(header, self.cards.notes)
        for key, value, comment in header.cards:
            header[key] = (value, fit_comment(key, value, comment))
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

    def _frame_facts(self, nx: int, ny: int, nframes: int, exptime: float) -> Facts:
        x0, y0 = self.origin(nx, ny)
        original = self.cards.integer("NDIT", 0, 10**9) or nframes
        return {
            "exptime": exptime, "nframes": nframes, "nframes_original": original,
            "integration": nframes * exptime, "unit": self.cards.text("BUNIT") or "ADU",
            "crop_x": x0, "crop_y": y0, "crop_nx": nx, "crop_ny": ny, "nx": nx, "ny": ny,
        }  # fmt: skip

    def _mode_facts(self, camera: int) -> Facts:
        kind = self.data_type()
        stated = self.flc_state()
        first, second = self.filters()
        usual = "OUT" if stated == NO_FLC else "IN"
        flc_stage = self.cards.choice("U_FLCST", ("IN", "OUT")) or usual
        return {
            "generation": self.generation, "file": printable(self.name),
            "format": self.raw_format(), "data_type": kind,
            "object": self.cards.text("OBJECT") or kind, "mode": self.observing_mode(),
            "camera": camera, "flc": flc_state(stated, flc_stage), "flc_stage": flc_stage,
            "hwp": self._required_hwp_angle(kind), "hwp_sync": self.hwp_synchronised(),
            "filter01": first, "filter02": second, "filter": self._seen_filter(kind),
            "synchronised": self.cards.flag("U_SYNC"),
        }  # fmt: skip

    def _required_hwp_angle(self, kind: str) -> float:
        """HWP angle; must be known where polarimetry would use it."""
        angle = self.hwp_angle()
        if angle is None and kind == "OBJECT" and "POL" in self.observing_mode():
            self.cards.need(None, "RET-ANG1", "angle of the half-wave plate in degrees")
        return 0.0 if angle is None else angle

    def _detector_facts(self, device: Detector) -> Facts:
        pupil = self.cards.number("D_IMRPAP", -360.0, 360.0)
        pupil = device.rotator_pupil_angle if pupil is None else pupil
        name = f"VCAM{device.camera} - {self.generation}"
        return {
            "detector": self.cards.text("DETECTOR") or name, "read_mode": device.read_mode,
            "bias": device.bias, "gain": device.gain, "effective_gain": device.effective_gain,
            "read_noise": device.read_noise, "dark_current": device.dark_current,
            "excess_noise": device.excess_noise, "full_well": device.full_well,
            "saturation": device.saturation, "pixel_scale": device.pixel_scale,
            "pixel_area": device.pixel_area, "pupil_angle": device.pupil_offset,
            "rotator_pupil_angle": pupil, "pa_offset": device.pa_offset(pupil),
            "flip": device.flip,
        }  # fmt: skip

    def _set_pointing(self, header: Header) -> None:
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

    def _set_fields(self, header: Header) -> None:
        """Say where the places of multiband fields come from."""
        if header.filter not in FIELD_NAMES:
            return
        doubt = doubt_about_wcs(header, header.ny, header.nx)
        header.put(field_source="header" if doubt is None else "reference layout")
        if doubt:
            self.cards.note(f"fields are placed as usual: {doubt}")


def _filter_name(found: str | None) -> str:
    """Name of a filter as in the table, whatever its case; 'Open' when absent."""
    if found is None:
        return "Open"
    known = {name.lower(): name for name in FILTERS}
    return known.get(found.lower(), found)
