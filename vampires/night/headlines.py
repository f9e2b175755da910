"""A night in a few lines, from its headers: for the person who begins to reduce it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vampires.instrument.field_stops import UNMASKED
from vampires.night.index import build_index
from vampires.night.missing import Need, needs
from vampires.night.record import Record
from vampires.night.setups import Setup, find_setups

PLANETS = ("VENUS", "MARS", "JUPITER", "SATURN", "URANUS", "NEPTUNE", "TITAN", "IO", "EUROPA")

_OPEN = (*UNMASKED, "", "NONE", "UNKNOWN", "MIRROR")


@dataclass(frozen=True)
class Headlines:
    """What the headers of a night say.

    Parameters
    ----------
    records : tuple of Record
        The header index.
    setups : tuple of Setup
        What the science files fall into.
    """

    records: tuple[Record, ...]
    setups: tuple[Setup, ...]

    @classmethod
    def of(cls, patterns: str | Iterable[str], folder: Path) -> Headlines:
        """Read the headers of files; `folder` is where relative patterns start."""
        records = tuple(build_index(patterns, folder))
        return cls(records, find_setups(records))

    @property
    def calibrations(self) -> list[Record]:
        """Usable files that calibrate others."""
        return [r for r in self.records if r["ok"] and r["kind"] != "science"]

    def method(self) -> str | None:
        """Polarimetric method that the headers call for; None without polarimetry."""
        science = [record for setup in self.setups for record in setup.records]
        if not any("POL" in (record["obsmod"] or "").upper() for record in science):
            return None
        return "triplediff" if any(r["flc"] in ("A", "B") for r in science) else "doublediff"

    def needs(self) -> list[Need]:
        """What is missing, flats included."""
        return needs(self.setups, self.calibrations, method=self.method())

    def template(self) -> str:
        """Name of the template that fits the first setup.

        Examples
        --------
        >>> Headlines((), ()).template()
        'pdi'
        """
        if not self.setups:
            return "pdi"
        view, first = self.setups[0].view, self.setups[0].records[0]
        polarimetric, multiband = self.method() is not None, view.filter.startswith("MBI")
        masked = (first["fieldstop"] or "").upper() not in _OPEN
        if view.target.upper() in PLANETS:
            return "planet"
        if "SDI" in view.mode or view.filter in ("Halpha", "SII"):
            return "sdi-halpha"
        if multiband:
            return "pdi-mbi" if polarimetric else "adi-mbi-coronagraph"
        if not polarimetric:
            return "speckle"
        if masked:
            return "pdi-coronagraph"
        return "pdi" if self.method() == "triplediff" else "pdi-slow"

    def lines(self) -> list[str]:
        """What to tell: numbers of files, setups, what cannot be used, what is missing."""
        kinds = Counter(record["kind"] for record in self.records)
        lines = [f"{len(self.records)} files: " +
                 ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))]  # fmt: skip
        for setup in self.setups:
            lines.append(f"  {setup}")
        lines += [f"  unusable: {r['reason']}" for r in self.records if r["kind"] == "unusable"]
        missing = self.needs() if self.setups else []
        lines += ["still missing:", *(f"  {need}" for need in missing)] if missing else []
        return lines
