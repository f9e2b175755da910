"""CalibrationSet: the master frames of a night, matched to science files and applied."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from astropy.io import fits

from vampires.calibration.masters import Master, make_background
from vampires.calibration.pixels import CalibrationMatch, pixel_calibration, product_cards
from vampires.kernels.calibrate import PixelCalibration
from vampires.log import get_logger
from vampires.night.index import build_index
from vampires.night.matching import (
    BACKGROUND_KINDS,
    Match,
    master_path,
    match_background,
    match_flat,
)
from vampires.night.record import Record
from vampires.night.scan import record_from_header

log = get_logger(__name__)


class CalibrationSet:
    """Calibration files of a night and the masters made from them.

    Parameters
    ----------
    records : iterable of Record
        Raw calibration files, and masters made earlier (``format`` ``master``); other
        kinds are passed over.
    folder : str or Path
        The reduction directory, below which ``master_cals`` lies.

    Examples
    --------
    >>> calibrations = CalibrationSet.from_directory("master_cals")  # doctest: +SKIP
    >>> calibrations.match(cube.header).background  # doctest: +SKIP
    """

    def __init__(self, records: Iterable[Record], folder: str | Path = ".") -> None:
        self.folder = Path(folder)
        usable = [item for item in records if item["ok"] and item["format"] != "controller"]
        self.backgrounds = [item for item in usable if item["kind"] in BACKGROUND_KINDS]
        self.flats = [item for item in usable if item["kind"] == "flat"]

    @classmethod
    def from_directory(cls, folder: str | Path) -> CalibrationSet:
        """Build from the master frames in and below a folder.

        Parameters
        ----------
        folder : str or Path
            For example the ``master_cals`` of another reduction.

        Raises
        ------
        FileError
            The folder does not exist.
        """
        records = build_index([Path(folder).absolute()])
        return cls([record for record in records if record["format"] == "master"], folder)

    def __len__(self) -> int:
        return len(self.backgrounds) + len(self.flats)

    def match(self, file: Record | fits.Header) -> CalibrationMatch:
        """Choose background and flat of a file.

        Parameters
        ----------
        file : Record or fits.Header
            A record of the index, or a canonical header.

        Returns
        -------
        CalibrationMatch
        """
        record = _as_record(file)
        return CalibrationMatch(
            match_background(record, self.backgrounds), match_flat(record, self.flats)
        )

    def background(self, match: Match) -> Master | None:
        """Read the master background of a match; made and written if it is not there yet."""
        if match.record is None:
            return None
        path = master_path(match.record, self.folder)
        if not path.exists():
            make_background(match.record["path"]).write(path)
        return Master.read(path)

    def flat(self, match: Match) -> Master | None:
        """Read the master flat of a match; made and written if it is not there yet."""
        from vampires.calibration.flats import make_flat  # flats are calibrated themselves

        if match.record is None:
            return None
        path = master_path(match.record, self.folder)
        if not path.exists():
            background = self.background(match_background(match.record, self.backgrounds))
            make_flat(match.record["path"], background).write(path)
        return Master.read(path)

    def for_header(self, header: fits.Header) -> tuple[PixelCalibration, dict[str, str]]:
        """Everything needed to calibrate the frames of a header.

        Parameters
        ----------
        header : fits.Header
            Canonical header.

        Returns
        -------
        calibration : PixelCalibration
        masters : dict of str to str
            Cards for the product: ``BACKFILE``, ``FLATFILE`` and, where a preference could
            not be met, ``RELAXED``.
        """
        match = self.match(header)
        for name, found in (("background", match.background), ("flat", match.flat)):
            if not found:
                log.warning(f"goes on without {name}", object=header["OBJECT"],
                            reason=found.reason)  # fmt: skip
        calibration = pixel_calibration(
            header, self.background(match.background), self.flat(match.flat)
        )
        return calibration, product_cards(match, self.folder)

    def __repr__(self) -> str:
        lines = [f"<CalibrationSet: {len(self.backgrounds)} backgrounds, {len(self.flats)} flats"]
        for record in [*self.backgrounds, *self.flats]:
            x0, y0, nx, ny = record["crop"] or (0, 0, record["nx"], record["ny"])
            gain = "" if record["detgain"] is None else f" gain {record['detgain']:g}"
            lines.append(
                f"  {record['name']} {record['kind']} cam{record['camera']} "
                f"{record['exptime']:g} s{gain} {record['readmode']} {record['filter']} "
                f"{nx}x{ny} at ({x0}, {y0}), {record['nframes']} frames"
            )
        return "\n".join(lines) + ">"


def _as_record(file: Record | fits.Header) -> Record:
    return record_from_header(file, "") if isinstance(file, fits.Header) else file
