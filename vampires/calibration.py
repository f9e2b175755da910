"""CalibrationSet: the master frames of a night, matched to science files and applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from vampires.badpixels import Plane
from vampires.errors import CalibrationError
from vampires.index import Record, build_index
from vampires.kernels.calibrate import PixelCalibration
from vampires.log import get_logger
from vampires.masters import Master, make_background
from vampires.matching import (
    BACKGROUND_KINDS,
    Match,
    master_path,
    match_background,
    match_flat,
    same_exptime,
)
from vampires.scan import record_from_header

log = get_logger(__name__)

MasterLike = Master | str | Path | None


@dataclass(frozen=True)
class CalibrationMatch:
    """The masters chosen for a file.

    Parameters
    ----------
    background, flat : Match
        Each with the calibration file, what had to be relaxed, or why there is none.
    """

    background: Match
    flat: Match

    @property
    def relaxed(self) -> tuple[str, ...]:
        """Preferences that the masters do not meet, as text."""
        return tuple(f"background: {note}" for note in self.background.relaxed) + tuple(
            f"flat: {note}" for note in self.flat.relaxed
        )


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
        from vampires.flats import make_flat  # flats are calibrated themselves

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


def product_cards(match: CalibrationMatch, folder: str | Path) -> dict[str, str]:
    """Cards that tell in a product which masters were used."""
    cards = {}
    for key, found in (("BACKFILE", match.background), ("FLATFILE", match.flat)):
        if found.record is not None:
            cards[key] = master_path(found.record, folder).name
    if match.relaxed:
        cards["RELAXED"] = "; ".join(match.relaxed)
    return cards


def scaled_background(
    background: Master | None, header: fits.Header, shape: tuple[int, ...]
) -> tuple[Plane, Plane]:
    """Level to subtract from the frames of a header, bias included, and its variance.

    Parameters
    ----------
    background : Master or None
        Master background; None: the nominal bias level, without error.
    header : fits.Header
        Canonical header of the frames.
    shape : tuple of int
        Size (ny, nx) of the frames.

    Returns
    -------
    level, variance : ndarray, shape (ny, nx)
        adu and adu^2.

    Raises
    ------
    CalibrationError
        The background has another size.

    Notes
    -----
    Dark current and sky collect with time: for a background of another exposure time or gain
    the part above the bias is scaled by the ratio of times and of adu per electron,
    ``bias + (t g_b) / (t_b g) (background - bias_b)``.
    """
    bias = np.float32(header["BIAS"])
    if background is None:
        return np.full(shape, bias, np.float32), np.zeros(shape, np.float32)
    if background.data.shape != shape:
        raise CalibrationError(
            f"background {background.header.get('RAWFILE', '?')} has {background.data.shape} "
            f"pixels, the frames have {shape}; leave it out of the calibrations"
        )
    theirs = background.header
    factor = np.float32(theirs["EFFGAIN"] / header["EFFGAIN"])
    if not same_exptime(header["EXPTIME"], theirs["EXPTIME"]):
        factor *= np.float32(header["EXPTIME"] / theirs["EXPTIME"])
    level = bias + factor * (background.data - np.float32(theirs["BIAS"]))
    return level, (factor * background.error) ** 2


def pixel_calibration(
    header: fits.Header, background: MasterLike = None, flat: MasterLike = None
) -> PixelCalibration:
    """Assemble what turns raw counts into e-/s, pixel by pixel.

    Parameters
    ----------
    header : fits.Header
        Canonical header of the frames.
    background : Master, str, Path or None
        Master background; None: the nominal bias level.
    flat : Master, str, Path or None
        Master flat; None: 1 everywhere.

    Returns
    -------
    PixelCalibration
        Raw orientation. A pixel is bad when either master says so.

    Raises
    ------
    FileError, CalibrationError
        A master cannot be read or does not fit the frames.

    Examples
    --------
    >>> pixel_calibration(header, "background.fits", "flat.fits")  # doctest: +SKIP
    """
    shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    back, response = _master(background), usable_flat(flat)
    level, level_variance = scaled_background(back, header, shape)
    bad: NDArray[np.bool_] = np.zeros(shape, dtype=bool)
    if back is not None:
        bad |= back.bad
    gain, exptime = header["EFFGAIN"], header["EXPTIME"]
    scale = np.full(shape, gain / exptime, dtype=np.float32)
    flat_variance = np.zeros(shape, dtype=np.float32)
    if response is not None:
        _check_flat(response, header, shape)
        bad |= response.bad | ~(response.data > 0)
        safe = np.where(response.data > 0, response.data, np.float32(1))
        scale /= safe
        flat_variance = ((response.error / safe) ** 2).astype(np.float32)
    return PixelCalibration(
        background=level, scale=scale, bad=bad, bias=float(header["BIAS"]),
        read_noise=float(header["RN"]), excess_noise=float(header["ENF"]), gain=float(gain),
        saturation=float(header["SATURATE"]), background_variance=level_variance,
        flat_variance=flat_variance,
    )  # fmt: skip


def usable_flat(flat: MasterLike) -> Master | None:
    """Read a master flat, and set one aside, with a warning, that only stands in.

    Parameters
    ----------
    flat : Master, str, Path or None
        Master flat.

    Returns
    -------
    Master or None
        None for none, and for one that could not be made (`vampires.flats.unusable_flat`).
    """
    master = _master(flat)
    if master is None or master.header.get("FLATOK", True):
        return master
    log.warning("goes on without flat", flat=master.header.get("RAWFILE"),
                reason=master.header.get("FLATWHY"))  # fmt: skip
    return None


def _master(master: MasterLike) -> Master | None:
    return Master.read(master) if isinstance(master, str | Path) else master


def _check_flat(flat: Master, header: fits.Header, shape: tuple[int, int]) -> None:
    place = ("U_CAMERA", "PRD-MIN1", "PRD-MIN2", "PRD-RNG1", "PRD-RNG2")
    differ = [key for key in place if flat.header.get(key) != header.get(key)]
    if flat.data.shape != shape or differ:
        raise CalibrationError(
            f"flat {flat.header.get('RAWFILE', '?')} is of another camera or crop "
            f"({', '.join(differ) or 'size'}); leave it out of the calibrations"
        )


def _as_record(file: Record | fits.Header) -> Record:
    return record_from_header(file, "") if isinstance(file, fits.Header) else file
