"""Master flats: background-subtracted, normalised, dead pixels masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

from vampires.calibration.badpixels import (
    Mask,
    Plane,
    local_median,
    noisy_pixels,
    unresponsive_pixels,
)
from vampires.calibration.flat_fields import cells, find_fields
from vampires.calibration.masters import (
    TemporalStatistics,
    facts_of,
    master_frame,
    master_header,
    read_master,
    temporal_statistics,
)
from vampires.calibration.pixels import scaled_background
from vampires.canonical import Header
from vampires.errors import CalibrationError
from vampires.instrument.fields import FIELD_NAMES, raw_field_centers
from vampires.io.frames import DEFAULT_MEMORY, open_frames
from vampires.log import get_logger
from vampires.night.raw import NO_INDEX, HeaderIndex

log = get_logger(__name__)

LIT = 0.25
"""Fraction of the typical level above which a pixel counts as lit by the lamp."""

_NOISY_FLAT = 0.2  # relative error a pixel, beyond which a flat adds more noise than it removes


def make_flat(
    path: str | Path,
    background: str | Path | CCDData | None = None,
    *,
    method: str = "median",
    memory: int = DEFAULT_MEMORY,
    index: HeaderIndex = NO_INDEX,
) -> CCDData:
    """Make the master flat of one raw flat file.

    Parameters
    ----------
    path : str or Path
        Raw file.
    background : str, Path or CCDData, optional
        Matching master background; default: the nominal bias level.
    method : str
        See `vampires.calibration.masters.make_background`.
    memory : int
        Bytes that may be used.
    index : HeaderIndex
        Header index that knows the file.

    Returns
    -------
    CCDData
        The median of the lit area is 1; of multiband data, that of each field. Where the lamp
        does not reach (outside the field stop, between fields) the response is unknown, set
        to 1 and not corrected for.

    Raises
    ------
    FileError, HeaderError
        The raw file cannot be used.
    CalibrationError
        It is saturated or shows no light, a field of multiband data cannot be found, or the
        background does not fit.

    Examples
    --------
    >>> make_flat("raw/VMPA00021035.fits", "background.fits")  # doctest: +SKIP
    """
    raw = index.file(path)
    header = raw.header
    statistics = temporal_statistics(open_frames(raw.layout), header, method, memory)
    master = read_master(background) if isinstance(background, str | Path) else background
    level = scaled_background(master, header, statistics.center.shape)
    light = _light(statistics, level)
    signal, error = light.data, light.uncertainty.array
    lamp = _lamp_light(path, signal, header)
    _check_light(path, lamp, error, statistics.center, header.saturation)
    bad = unresponsive_pixels(signal, error, lamp.lit, lamp.smooth) | light.mask
    bad |= noisy_pixels(statistics.variances, statistics.nframes)
    bad |= statistics.center >= header.saturation
    usable = lamp.lit & ~bad
    neighbours = np.where(lamp.lit, lamp.smooth / lamp.level, 1.0)
    data = np.where(usable, signal / lamp.level, neighbours)
    error = np.where(usable, error / lamp.level, 0.0)
    _warn_if_noisy(path, error[usable])
    header = master_header(header, path, "FLAT", "", method, statistics.nframes, bad)
    header.update(lamp.cards)
    name = "none" if master is None else facts_of(master).file
    header.put(
        lit_fraction=round(float(lamp.lit.mean()), 4),
        background_file=(name, "background subtracted"),
    )
    return master_frame(data, error, bad, header)


def _light(statistics: TemporalStatistics, level: CCDData) -> CCDData:
    """Signal of the lamp, adu, with the errors of flat and background and the latter's mask."""
    combined = CCDData(
        statistics.center, unit="adu", uncertainty=StdDevUncertainty(statistics.error)
    )
    return combined.subtract(level)  # as ccdproc.subtract_bias does, whose import is slow


def unusable_flat(path: str | Path, reason: str, index: HeaderIndex = NO_INDEX) -> CCDData:
    """Stand in for a flat that cannot be made, so that the science goes on without.

    Parameters
    ----------
    path : str or Path
        Raw flat file.
    reason : str
        Why it cannot be used.
    index : HeaderIndex
        Header index that knows the file.

    Returns
    -------
    CCDData
        1 everywhere, without error or bad pixel; ``FLATOK`` is F and ``FLATWHY`` the reason.
        Whoever applies it warns (`vampires.calibration.pixels.pixel_calibration`).
    """
    header = index.file(path).header
    shape = header.shape
    bad = np.zeros(shape, dtype=bool)
    header = master_header(header, path, "FLAT", "", "none", 0, bad)
    header.put(flat_made=False, flat_reason=" ".join(reason.split()))
    return master_frame(np.ones(shape), np.zeros(shape), bad, header)


def flat_or_stand_in(
    path: str | Path,
    background: str | Path | CCDData | None = None,
    *,
    method: str = "median",
    memory: int = DEFAULT_MEMORY,
    index: HeaderIndex = NO_INDEX,
) -> CCDData:
    """Make a master flat, or what stands in for one that cannot be made; says so in the log.

    Parameters and returned value are those of `make_flat` and `unusable_flat`.
    """
    name = Path(path).name
    if background is None:
        log.warning("flat without background: the nominal bias is subtracted", file=name)
    try:
        return make_flat(path, background, method=method, memory=memory, index=index)
    except CalibrationError as error:
        log.warning("goes on without this flat", file=name, reason=str(error))
        return unusable_flat(path, str(error), index)


@dataclass(frozen=True)
class LampLight:
    """Where the lamp reaches the detector, and how bright it is there.

    Parameters
    ----------
    lit : ndarray of bool, shape (ny, nx)
        Lit pixels.
    smooth : ndarray, shape (ny, nx)
        Local median of the signal, adu.
    level : ndarray, shape (ny, nx)
        Signal that a response of 1 stands for, adu: of the frame, or of each field.
    cards : dict
        What to record in the header: keyword to (value, comment).
    """

    lit: Mask
    smooth: Plane
    level: Plane
    cards: dict[str, tuple[float, str]]


def lit_area(signal: Plane) -> LampLight:
    """Find where the lamp reaches a detector with one field.

    Parameters
    ----------
    signal : ndarray, shape (ny, nx)
        Background-subtracted flat, adu.

    Returns
    -------
    LampLight
        Lit is where the neighbourhood is brighter than a quarter of the typical bright level;
        the level is the median of the lit pixels.
    """
    smooth = local_median(signal)
    bright = np.percentile(smooth, 95)
    typical = np.median(smooth[smooth >= 0.5 * bright]) if bright > 0 else np.inf
    lit: Mask = smooth > LIT * typical
    level = float(np.median(signal[lit])) if lit.any() else 0.0
    cards = {"FLATNORM": (round(level, 3), "[adu] signal that a response of 1 stands for")}
    return LampLight(lit, smooth, np.full_like(signal, level), cards)


def lit_fields(signal: Plane, centers: Mapping[str, tuple[float, float]]) -> LampLight:
    """Find the fields of multiband data, each with a level of its own.

    Parameters
    ----------
    signal : ndarray, shape (ny, nx)
        Background-subtracted flat, adu.
    centers : mapping of str to (float, float)
        Rough (y, x) of each field, raw orientation.

    Returns
    -------
    LampLight
        The cards give each field's centre, size, rotation and level: ``F760X``, ``F760Y``,
        ``F760W``, ``F760H``, ``F760ANG``, ``F760NORM``.

    Raises
    ------
    CalibrationError
        A field cannot be found.
    """
    smooth = local_median(signal)
    boxes = find_fields(smooth, centers)
    nearest = cells(centers, (signal.shape[0], signal.shape[1]))
    levels = np.array([box.level for box in boxes.values()], dtype=np.float32)
    level = levels[nearest]
    cards: dict[str, tuple[float, str]] = {}
    for name, box in boxes.items():
        cards[f"{name}X"] = (round(box.x, 2), "[pixel] centre of the field, from 0")
        cards[f"{name}Y"] = (round(box.y, 2), "[pixel] centre of the field, from 0")
        cards[f"{name}W"] = (round(box.width, 2), "[pixel] width of the field")
        cards[f"{name}H"] = (round(box.height, 2), "[pixel] height of the field")
        cards[f"{name}ANG"] = (round(box.angle, 3), "[deg] rotation of the field")
        cards[f"{name}NORM"] = (round(box.level, 3), "[adu] signal of a response of 1")
    return LampLight(smooth > LIT * level, smooth, level, cards)


def _lamp_light(path: str | Path, signal: Plane, header: Header) -> LampLight:
    if header.filter not in FIELD_NAMES:
        return lit_area(signal)
    try:
        return lit_fields(signal, raw_field_centers(header, signal.shape[0], signal.shape[1]))
    except CalibrationError as error:
        raise CalibrationError(
            f"{path}: {error}; leave this flat out with [data] exclude"
        ) from error


def _check_light(
    path: str | Path, lamp: LampLight, error: Plane, raw: Plane, saturation: float
) -> None:
    """Make sure that this is a flat at all."""
    lit = lamp.lit
    if not lit.any():
        raise CalibrationError(f"{path}: shows no light above its background; leave it out")
    signal, noise = float(np.median(lamp.smooth[lit])), float(np.median(error[lit]))
    if signal < 3 * noise:
        raise CalibrationError(
            f"{path}: its signal ({signal:.1f} adu) hardly exceeds its noise ({noise:.1f} adu); "
            "leave it out or take a brighter flat"
        )
    if float(np.median(raw[lit])) >= saturation:
        raise CalibrationError(f"{path}: is saturated ({saturation:.0f} adu); leave it out")


def _warn_if_noisy(path: str | Path, relative: np.ndarray) -> None:
    noise = float(np.median(relative)) if relative.size else 0.0
    if noise > _NOISY_FLAT:
        log.warning(
            "the flat is noisier than what it corrects", file=str(path), error=round(noise, 3)
        )
