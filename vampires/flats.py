"""Master flats: background-subtracted, normalised, dead pixels masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vampires.badpixels import Mask, Plane, local_median, noisy_pixels, unresponsive_pixels
from vampires.calibration import scaled_background
from vampires.errors import CalibrationError
from vampires.exposure import raw_header
from vampires.frames import open_frames
from vampires.log import get_logger
from vampires.masters import (
    DEFAULT_MEMORY,
    Master,
    master_header,
    temporal_statistics,
)

log = get_logger(__name__)

LIT = 0.25
"""Fraction of the typical level above which a pixel counts as lit by the lamp."""

_NOISY_FLAT = 0.2  # relative error a pixel, beyond which a flat adds more noise than it removes


def make_flat(
    path: str | Path,
    background: str | Path | Master | None = None,
    *,
    method: str = "median",
    memory: int = DEFAULT_MEMORY,
) -> Master:
    """Make the master flat of one raw flat file.

    Parameters
    ----------
    path : str or Path
        Raw file.
    background : str, Path or Master, optional
        Matching master background; default: the nominal bias level.
    method : str
        See `vampires.masters.make_background`.
    memory : int
        Bytes that may be used.

    Returns
    -------
    Master
        The median of the lit area is 1. Where the lamp does not reach (outside the field
        stop, between the fields of multiband data) the response is unknown, set to 1
        and not corrected for.

    Raises
    ------
    FileError, HeaderError
        The raw file cannot be used.
    CalibrationError
        It is saturated or shows no light, or the background does not fit.

    Examples
    --------
    >>> make_flat("raw/VMPA00021035.fits", "background.fits")  # doctest: +SKIP
    """
    header = raw_header(path)
    statistics = temporal_statistics(open_frames(path), header, method, memory)
    master = Master.read(background) if isinstance(background, str | Path) else background
    level, level_variance = scaled_background(master, header, statistics.center.shape)
    signal = statistics.center - level
    error = np.sqrt(statistics.error**2 + level_variance)
    lit, smooth = lit_area(signal)
    typical = _typical_level(path, signal, error, lit, statistics.center, header["SATURATE"])
    bad = unresponsive_pixels(signal, error, lit, smooth)
    bad |= noisy_pixels(statistics.variances, statistics.nframes)
    bad |= statistics.center >= header["SATURATE"]
    if master is not None:
        bad |= master.bad
    usable = lit & ~bad
    data = np.where(usable, signal / typical, np.where(lit, smooth / typical, 1.0))
    error = np.where(usable, error / typical, 0.0)
    _warn_if_noisy(path, error[usable])
    header = master_header(header, path, "FLAT", "", method, statistics.nframes, bad)
    header["FLATNORM"] = (round(typical, 3), "[adu] signal that a response of 1 stands for")
    header["FLATLIT"] = (round(float(lit.mean()), 4), "fraction of the frame the lamp reaches")
    header["BACKFILE"] = (
        "none" if master is None else master.header["RAWFILE"], "background subtracted",
    )  # fmt: skip
    return Master(data.astype(np.float32), error.astype(np.float32), bad, header)


def lit_area(signal: Plane) -> tuple[Mask, Plane]:
    """Where the lamp reaches the detector.

    Parameters
    ----------
    signal : ndarray, shape (ny, nx)
        Background-subtracted flat.

    Returns
    -------
    lit : ndarray of bool, shape (ny, nx)
        True where the neighbourhood is brighter than a quarter of the typical bright level.
    smooth : ndarray, shape (ny, nx)
        Local median of the signal.
    """
    smooth = local_median(signal)
    bright = np.percentile(smooth, 95)
    typical = np.median(smooth[smooth >= 0.5 * bright]) if bright > 0 else np.inf
    lit: Mask = smooth > LIT * typical
    return lit, smooth


def _typical_level(
    path: str | Path, signal: Plane, error: Plane, lit: Mask, raw: Plane, saturation: float
) -> float:
    """Median signal of the lit area, once it is sure to be a flat."""
    if not lit.any():
        raise CalibrationError(f"{path}: shows no light above its background; leave it out")
    typical = float(np.median(signal[lit]))
    if typical < 3 * float(np.median(error[lit])):
        raise CalibrationError(
            f"{path}: its signal ({typical:.1f} adu) hardly exceeds its noise "
            f"({np.median(error[lit]):.1f} adu); leave it out or take a brighter flat"
        )
    if float(np.median(raw[lit])) >= saturation:
        raise CalibrationError(f"{path}: is saturated ({saturation:.0f} adu); leave it out")
    return typical


def _warn_if_noisy(path: str | Path, relative: np.ndarray) -> None:
    noise = float(np.median(relative)) if relative.size else 0.0
    if noise > _NOISY_FLAT:
        log.warning(
            "the flat is noisier than what it corrects", file=str(path), error=round(noise, 3)
        )
