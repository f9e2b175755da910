"""What stands in the beam between the filter and the detector, as the header tells."""

from __future__ import annotations

from dataclasses import dataclass

from vampires.canonical import Header
from vampires.instrument.filters import neutral_density_transmission
from vampires.instrument.optics import FLC_THROUGHPUT, beamsplitter_throughput


@dataclass(frozen=True)
class Throughput:
    """Transmission of the optics that the zero points were measured without.

    Parameters
    ----------
    beamsplitter, flc, neutral_density : float
        0 to 1.
    doubts : tuple of str
        What the header does not tell, one phrase each.
    """

    beamsplitter: float
    flc: float
    neutral_density: float
    doubts: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """Product of all."""
        return self.beamsplitter * self.flc * self.neutral_density

    @classmethod
    def from_header(cls, header: Header) -> Throughput:
        """Read U_BS, U_CAMERA, U_FLCST, U_MASK and U_MBI.

        Parameters
        ----------
        header : Header
            Canonical header.

        Returns
        -------
        Throughput
            For unpolarised light. A dichroic has no published throughput of its own: the zero
            points of the multiband fields (F610 ... F760) hold it, for any other filter behind
            dichroics that is a doubt.

        Examples
        --------
        >>> header = Header({"U_BS": "PBS", "U_CAMERA": 1, "U_FLCST": "IN"})
        >>> round(Throughput.from_header(header).total, 4)
        0.3558
        """
        doubts = []
        splitter, camera = _word(header.beamsplitter), header.camera
        if splitter not in {"PBS", "NPBS", "OPEN"}:
            doubts.append("U_BS does not name a beamsplitter, none is assumed")
        mask = _word(header.mask)
        density = neutral_density_transmission(mask)
        if density < 1 and _word(header.known(Header.mode)).startswith("IPOL"):
            doubts.append(f"{mask} polarises the light")
        name = _word(header.known(Header.filter))
        if _word(header.dichroics) == "DICHROICS" and name not in {"MBI", "MBIR"}:
            doubts.append("loss in the dichroics is unknown")
        return cls(
            beamsplitter_throughput(splitter, camera),
            FLC_THROUGHPUT if _word(header.known(Header.flc_stage)) == "IN" else 1.0,
            density,
            tuple(doubts),
        )


def _word(value: str | None) -> str:
    return (value or "").strip().upper()
