"""Headers of the EMCCD era, before 2023-06."""

from __future__ import annotations

from typing import ClassVar

from vampires.header.base import NO_ANSWER, Facts, HeaderNormalizer
from vampires.header.cards import CardReader
from vampires.instrument.detectors import Detector, Generation
from vampires.instrument.flc import NO_FLC

FULL_FRAME = 512


class EMCCDHeader(HeaderNormalizer):
    """Andor iXon cameras, told by ``U_EMGAIN``.

    Old files state in their own cards what later has standard names: ``U_HWPANG`` for the
    half-wave plate, ``U_FLCSTT`` for the FLC.
    """

    generation: ClassVar[Generation] = "EMCCD"

    @classmethod
    def matches(cls, cards: CardReader) -> bool:
        """Whether the header has an EM gain."""
        return "U_EMGAIN" in cards

    def em_gain(self) -> float:
        """EM gain as set; 0 or 1 is none."""
        gain = self.cards.number("U_EMGAIN", 0.0, 2000.0)
        return self.cards.need(gain, "U_EMGAIN", "electron-multiplying gain")

    def read_mode(self) -> str:
        """EM or NOEM."""
        return "EM" if self.em_gain() > 1.0 else "NOEM"

    def hwp_angle(self) -> float | None:
        """Half-wave plate angle, deg."""
        angle = super().hwp_angle()
        if angle is not None:
            return angle
        angle = self.cards.number("U_HWPANG", -720.0, 720.0)
        return None if angle == NO_ANSWER else angle

    def hwp_synchronised(self) -> bool:
        """Headers do not say; the plate was synchronised in polarimetry."""
        return super().hwp_synchronised() if "RET-MOD1" in self.cards else True

    def flc_state(self) -> str:
        """FLC state; ``U_FLCSTT`` 1 is A and 2 is B."""
        if "U_FLC" in self.cards:
            return super().flc_state()
        number = self.cards.integer("U_FLCSTT", 0, 2)
        return {1: "A", 2: "B"}.get(number or 0, NO_FLC)

    def missing_data_type(self) -> str:
        """Without ``DATA-TYP`` as with ACQUISITION: from the name."""
        return self.guess_data_type()

    def raw_format(self) -> str:
        """Return 'controller' for cubes that do not say the state of the FLC.

        Those that the public pipeline has normalised (``_fix.fits``, with the facts of the
        detector in their headers) are 'fixed': their spoilt frames are gone, but the FLC states
        may still alternate in them.
        """
        stated = self.cards.text("RAWFMT")
        if stated is not None:
            return stated
        if "U_FLCSTT" in self.cards or self.cards.text("U_FLC") in {"A", "B"}:
            return "archive"
        if "EFFGAIN" in self.cards:
            return "fixed"
        return "archive" if "U_FLC" in self.cards else "controller"

    def origin(self, nx: int, ny: int) -> tuple[int, int]:
        """First pixel of the crop, which is centred when the header does not say."""
        for keyword, size in (("NAXIS1", nx), ("NAXIS2", ny)):
            if size > FULL_FRAME:
                self.cards.fail(keyword, str(size), f"at most {FULL_FRAME} for the EMCCD")
        x0 = self.cards.integer("PRD-MIN1", 0, FULL_FRAME)
        y0 = self.cards.integer("PRD-MIN2", 0, FULL_FRAME)
        return (
            (FULL_FRAME - nx) // 2 if x0 is None else x0,
            (FULL_FRAME - ny) // 2 if y0 is None else y0,
        )

    def _detector_facts(self, device: Detector) -> Facts:
        return {**super()._detector_facts(device), "em_gain": self.em_gain()}
