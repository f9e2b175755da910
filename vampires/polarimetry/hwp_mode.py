"""Did the half-wave plate follow the pupil? What headers, the configuration and the star say."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from astropy.table import Table

from vampires.canonical import Header
from vampires.errors import FileError, PolarimetryError
from vampires.log import get_logger
from vampires.mueller.model import MuellerModel, check_hwp_sync
from vampires.polarimetry.standards import (
    ModeEvidence,
    StarExposure,
    compare_modes,
    star_differences,
)

log = get_logger(__name__)

AUTO = "auto"


@dataclass(frozen=True)
class HwpMode:
    """Mode of the half-wave plate that a night is reduced with, and why.

    Parameters
    ----------
    synchronised : bool
        What is used.
    reason : str
        'header', 'configured', 'evidence' or 'assumed'.
    evidence : ModeEvidence, optional
        Of the star, where it was asked.
    """

    synchronised: bool
    reason: str
    evidence: ModeEvidence | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the star clearly prefers the other mode, or nothing decided."""
        e = self.evidence
        return self.reason == "assumed" or bool(e and e.decisive and e.better != self.synchronised)

    def cards(self) -> dict[str, tuple[object, str]]:
        """Header cards of a product."""
        out = Header.declared(hwp_used=self.synchronised, hwp_reason=self.reason)
        if self.evidence is not None:
            out |= Header.declared(
                hwp_rms_synchronised=float(f"{self.evidence.rms_synchronised:.4g}"),
                hwp_rms_fixed=float(f"{self.evidence.rms_fixed:.4g}"),
                hwp_doubtful=self.doubtful,
            )
        return out

    def to_table(self) -> Table:
        """One row, for a file."""
        row = {"synchronised": self.synchronised, "reason": self.reason}
        nothing = {"rms_synchronised": float("nan"), "rms_fixed": float("nan"), "n": 0}
        return Table(rows=[row | (asdict(self.evidence) if self.evidence else nothing)])

    @classmethod
    def read(cls, path: Path) -> HwpMode:
        """Read `to_table` back from an ECSV file.

        Each matrix of a night asks for it: without astropy that takes a hundredth of the time.

        Raises
        ------
        FileError
            It is no such file.
        """
        try:
            lines = [x for x in path.read_text("utf-8").splitlines() if not x.startswith("#")]
            (row,) = csv.DictReader(lines, delimiter=" ")
            rms = float(row["rms_synchronised"]), float(row["rms_fixed"])
            evidence = ModeEvidence(*rms, int(row["n"])) if int(row["n"]) else None
            synchronised = {"True": True, "False": False}[row["synchronised"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(f"{path}: cannot be read ({error}); delete it") from error
        return cls(synchronised, row["reason"], evidence)


def mode_of_headers(headers: Sequence[Header], configured: bool | str) -> HwpMode | None:
    """Mode that the headers state; None where they do not (EMCCD).

    Raises
    ------
    PolarimetryError
        If they contradict the configuration, or each other.
    """
    stating = [h for h in headers if h.hwp_mode is not None]
    if not stating:
        return None
    if configured == AUTO:
        modes = {h.hwp_sync for h in stating}
        if len(modes) > 1:
            raise PolarimetryError(
                "RET-MOD1 changes in the night: the half-wave plate followed the pupil in some "
                "files and not in others; reduce them apart, leaving the others out by [data] "
                "exclude"
            )
        return HwpMode(modes.pop(), "header")
    check_hwp_sync(stating, bool(configured))
    return HwpMode(bool(configured), "header")


def mode_of_star(
    exposures: Sequence[StarExposure], models: dict[str, MuellerModel], configured: bool | str
) -> HwpMode:
    """Mode by configuration and by the star's double differences.

    Parameters
    ----------
    exposures : sequence of StarExposure
    models : dict of str to MuellerModel
        By filter or field.
    configured : bool or 'auto'

    Returns
    -------
    HwpMode
        A warning with the figures is logged where it is doubtful.
    """
    evidence = _evidence(exposures, models)
    if configured != AUTO:
        mode = HwpMode(bool(configured), "configured", evidence)
    elif evidence is not None and evidence.decisive:
        mode = HwpMode(evidence.better, "evidence", evidence)
    else:
        mode = HwpMode(True, "assumed", evidence)
    figures = str(evidence) if evidence else "too few exposures of the star to tell"
    if mode.reason == "assumed":
        log.warning(
            "nothing tells whether the half-wave plate followed the pupil; taken as it did: set "
            "[polarimetry] hwp_adi_sync to true or false",
            figures=figures,
        )
    elif mode.doubtful:
        log.warning(
            f"the star prefers hwp_adi_sync = {str(not mode.synchronised).lower()}, the other mode "
            "of the half-wave plate: Q and U are probably wrong",
            figures=figures,
        )
    else:
        log.info("mode of the half-wave plate", synchronised=mode.synchronised, figures=figures)
    return mode


def _evidence(
    exposures: Sequence[StarExposure], models: dict[str, MuellerModel]
) -> ModeEvidence | None:
    """Evidence of the star or field that decides most."""
    found = []
    for star in star_differences(exposures):
        try:
            found.append(compare_modes(models[star.filter], star))
        except PolarimetryError as error:
            log.debug("no evidence for the mode of the half-wave plate", why=str(error))
    return max(found, key=lambda e: e.log_likelihood, default=None)
