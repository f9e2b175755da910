"""From master frames to what calibrates every pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import NDArray

from vampires.calibration.masters import read_master
from vampires.errors import CalibrationError
from vampires.kernels.calibrate import PixelCalibration
from vampires.log import get_logger
from vampires.night.matching import same_exptime

log = get_logger(__name__)

MasterLike: TypeAlias = CCDData | str | Path | None


def scaled_background(
    background: CCDData | None, header: fits.Header, shape: tuple[int, ...]
) -> CCDData:
    """Level to subtract from the frames of a header, bias included.

    Parameters
    ----------
    background : CCDData or None
        Master background; None: the nominal bias level, without error.
    header : fits.Header
        Canonical header of the frames.
    shape : tuple of int
        Size (ny, nx) of the frames.

    Returns
    -------
    CCDData
        adu, with standard error and the mask of bad pixels.

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
        return _level(np.full(shape, bias), np.zeros(shape), np.zeros(shape, bool))
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
    return _level(level, factor * background.uncertainty.array, background.mask)


def _level(data: NDArray[Any], error: NDArray[Any], bad: NDArray[np.bool_]) -> CCDData:
    uncertainty = StdDevUncertainty(np.asarray(error, np.float32))
    return CCDData(np.asarray(data, np.float32), unit="adu", uncertainty=uncertainty, mask=bad)


def pixel_calibration(
    header: fits.Header, background: MasterLike = None, flat: MasterLike = None
) -> PixelCalibration:
    """Assemble what turns raw counts into e-/s, pixel by pixel.

    Parameters
    ----------
    header : fits.Header
        Canonical header of the frames.
    background : CCDData, str, Path or None
        Master background; None: the nominal bias level.
    flat : CCDData, str, Path or None
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
    level = scaled_background(back, header, shape)
    bad: NDArray[np.bool_] = level.mask.copy()
    gain, exptime = header["EFFGAIN"], header["EXPTIME"]
    scale = np.full(shape, gain / exptime, dtype=np.float32)
    flat_variance = np.zeros(shape, dtype=np.float32)
    if response is not None:
        _check_flat(response, header, shape)
        bad |= response.mask | ~(response.data > 0)
        safe = np.where(response.data > 0, response.data, np.float32(1))
        scale /= safe
        flat_variance = ((response.uncertainty.array / safe) ** 2).astype(np.float32)
    return PixelCalibration(
        background=level.data, scale=scale, bad=bad, bias=float(header["BIAS"]),
        read_noise=float(header["RN"]), excess_noise=float(header["ENF"]), gain=float(gain),
        saturation=float(header["SATURATE"]), background_variance=level.uncertainty.array**2,
        flat_variance=flat_variance,
    )  # fmt: skip


def usable_flat(flat: MasterLike) -> CCDData | None:
    """Read a master flat, and set one aside, with a warning, that only stands in.

    Parameters
    ----------
    flat : CCDData, str, Path or None
        Master flat.

    Returns
    -------
    CCDData or None
        None for none, and for one that could not be made
        (`vampires.calibration.flats.unusable_flat`).
    """
    master = _master(flat)
    if master is None or master.header.get("FLATOK", True):
        return master
    log.warning("goes on without flat", flat=master.header.get("RAWFILE"),
                reason=master.header.get("FLATWHY"))  # fmt: skip
    return None


def _master(master: MasterLike) -> CCDData | None:
    return read_master(master) if isinstance(master, str | Path) else master


def _check_flat(flat: CCDData, header: fits.Header, shape: tuple[int, int]) -> None:
    place = ("U_CAMERA", "PRD-MIN1", "PRD-MIN2", "PRD-RNG1", "PRD-RNG2")
    differ = [key for key in place if flat.header.get(key) != header.get(key)]
    if flat.data.shape != shape or differ:
        raise CalibrationError(
            f"flat {flat.header.get('RAWFILE', '?')} is of another camera or crop "
            f"({', '.join(differ) or 'size'}); leave it out of the calibrations"
        )
