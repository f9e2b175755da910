"""From master frames to what calibrates every pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import NDArray

from vampires.calibration.masters import facts_of, read_master
from vampires.canonical import Header
from vampires.errors import CalibrationError
from vampires.kernels.calibrate import PixelCalibration
from vampires.log import get_logger
from vampires.night.matching import same_exptime

log = get_logger(__name__)

MasterLike: TypeAlias = CCDData | str | Path | None


def scaled_background(
    background: CCDData | None, header: Header, shape: tuple[int, ...]
) -> CCDData:
    """Level to subtract from the frames of a header, bias included.

    Parameters
    ----------
    background : CCDData or None
        Master background; None: the nominal bias level, without error.
    header : Header
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
    bias = np.float32(header.bias)
    if background is None:
        return _level(np.full(shape, bias), np.zeros(shape), np.zeros(shape, bool))
    if background.data.shape != shape:
        raise CalibrationError(
            f"background {_name(background)} has {background.data.shape} "
            f"pixels, the frames have {shape}; leave it out of the calibrations"
        )
    theirs = facts_of(background)
    factor = np.float32(theirs.effective_gain / header.effective_gain)
    if not same_exptime(header.exptime, theirs.exptime):
        factor *= np.float32(header.exptime / theirs.exptime)
    level = bias + factor * (background.data - np.float32(theirs.bias))
    return _level(level, factor * background.uncertainty.array, background.mask)


def _level(data: NDArray[Any], error: NDArray[Any], bad: NDArray[np.bool_]) -> CCDData:
    uncertainty = StdDevUncertainty(np.asarray(error, np.float32))
    return CCDData(np.asarray(data, np.float32), unit="adu", uncertainty=uncertainty, mask=bad)


def pixel_calibration(
    header: Header, background: MasterLike = None, flat: MasterLike = None
) -> PixelCalibration:
    """Assemble what turns raw counts into e-/s, pixel by pixel.

    Parameters
    ----------
    header : Header
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
    shape = header.shape
    back, response = _master(background), usable_flat(flat)
    level = scaled_background(back, header, shape)
    bad: NDArray[np.bool_] = level.mask.copy()
    scale = np.full(shape, header.effective_gain / header.exptime, dtype=np.float32)
    flat_variance = np.zeros(shape, dtype=np.float32)
    if response is not None:
        _check_flat(response, header, shape)
        bad |= response.mask | ~(response.data > 0)
        safe = np.where(response.data > 0, response.data, np.float32(1))
        scale /= safe
        flat_variance = ((response.uncertainty.array / safe) ** 2).astype(np.float32)
    return PixelCalibration(
        background=level.data, scale=scale, bad=bad, bias=header.bias,
        read_noise=header.read_noise, excess_noise=header.excess_noise,
        gain=header.effective_gain, saturation=header.saturation,
        background_variance=level.uncertainty.array**2, flat_variance=flat_variance,
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
    if master is None:
        return None
    header = facts_of(master)
    if header.known(Header.flat_made, True):
        return master
    log.warning("goes on without flat", flat=_name(master), reason=header.flat_reason)
    return None


def _master(master: MasterLike) -> CCDData | None:
    return read_master(master) if isinstance(master, str | Path) else master


def _name(master: CCDData) -> str:
    return facts_of(master).known(Header.file, "?")


def _check_flat(flat: CCDData, header: Header, shape: tuple[int, int]) -> None:
    theirs = facts_of(flat)
    place = (Header.camera, Header.crop_x, Header.crop_y, Header.crop_nx, Header.crop_ny)
    differ = [fact.keyword for fact in place if theirs.known(fact) != header.known(fact)]
    if flat.data.shape != shape or differ:
        raise CalibrationError(
            f"flat {_name(flat)} is of another camera or crop "
            f"({', '.join(differ) or 'size'}); leave it out of the calibrations"
        )
