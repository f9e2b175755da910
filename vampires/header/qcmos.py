"""Headers of the qCMOS era, before and after the new beamsplitter of 2025-10-03."""

from __future__ import annotations

from typing import ClassVar

from vampires.canonical import Header
from vampires.header.base import HeaderNormalizer
from vampires.header.cards import CardReader, UnsupportedFileError
from vampires.header.times import start_anchor
from vampires.instrument.detectors import (
    Detector,
    Generation,
    detector,
    first_mjd,
    saved_half_range,
)
from vampires.instrument.fields import typical_origin

FULL_FRAME = (4096, 2304)  # x, y


class QCMOSHeader(HeaderNormalizer):
    """ORCA-Quest cameras, told by ``U_DETMOD`` and a date before the new beamsplitter."""

    generation: ClassVar[Generation] = "QCMOS"

    @classmethod
    def matches(cls, cards: CardReader) -> bool:
        """Whether the header has a qCMOS readout mode and is old enough."""
        return "U_DETMOD" in cards and start_anchor(cards) < first_mjd("QCMOS-NBS")

    def read_mode(self) -> str:
        """FAST or SLOW."""
        mode = self.cards.choice("U_DETMOD", ("FAST", "SLOW"))
        return self.cards.need(mode, "U_DETMOD", "readout mode, FAST or SLOW")

    def guess_data_type(self) -> str:
        """Nothing to guess: the observers say when they do science."""
        raise UnsupportedFileError(
            f"{self.cards.path}: left out, DATA-TYP is ACQUISITION: "
            "taken while acquiring the target"
        )

    def device(self, camera: int, mjd: float) -> Detector:
        """Detector, with half the range in the weeks when files were saved so."""
        half = saved_half_range(self.generation, mjd)
        return detector(self.generation, camera, self.read_mode(), half_range=half)

    def normalize(self) -> Header:
        """Make the canonical header; the readout mode in its words."""
        header = super().normalize()
        header["U_DETMOD"] = (self.read_mode(), "readout mode")
        return header

    def origin(self, nx: int, ny: int) -> tuple[int, int]:
        """First pixel of the crop; the usual one of the mode when the header does not say."""
        usual = typical_origin(self.effective_filter(), self.camera(), nx, ny)
        x0 = self.cards.integer("PRD-MIN1", 0, FULL_FRAME[0])
        y0 = self.cards.integer("PRD-MIN2", 0, FULL_FRAME[1])
        return usual[0] if x0 is None else x0, usual[1] if y0 is None else y0


class QCMOSAfterNBSHeader(QCMOSHeader):
    """The same cameras from MJD 60949 on: other pixel scales, pupil angle and flipped camera."""

    generation: ClassVar[Generation] = "QCMOS-NBS"

    @classmethod
    def matches(cls, cards: CardReader) -> bool:
        """Whether the header has a qCMOS readout mode and is recent."""
        return "U_DETMOD" in cards and start_anchor(cards) >= first_mjd("QCMOS-NBS")
