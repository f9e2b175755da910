"""Master frames: one background or flat from the frames of one raw calibration file.

The raw file is read once, in bands of rows that hold all its frames, so that memory stays
bounded whatever its length. All planes are in raw orientation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import NDArray

from vampires.calibration.badpixels import Mask, Plane, hot_pixels, noisy_pixels, sample
from vampires.errors import CalibrationError, ConfigError, FileError
from vampires.header import Header
from vampires.io.frames import DEFAULT_MEMORY, FrameSource, open_frames
from vampires.io.products import read_fits, write_fits
from vampires.kernels import reduce
from vampires.kernels.temporal import pooled_moments, split_halves
from vampires.night.raw import CALIBRATION_TYPE, NO_INDEX, HeaderIndex, raw_header
from vampires.utils.robust import robust_std
from vampires.utils.text import ascii_text

_BYTES_PER_SAMPLE = 24  # raw and native, float copy and a half of it, with a margin
_BAND = 16 << 20  # bytes; larger bands leave the caches and take new memory each time
_ENOUGH = 300_000  # pixels that tell the efficiency of a combination to 0.3 %
_MIN_EMPIRICAL = 5  # frames from which their scatter, not the noise model, gives the error

Stack = NDArray[np.float32]


def master_frame(data: NDArray[Any], error: NDArray[Any], bad: Mask, header: Header) -> CCDData:
    """Make a master frame of its planes.

    Parameters
    ----------
    data, error : ndarray, shape (ny, nx)
        A background (adu, bias included) or a flat (relative response), and its standard
        error; kept as float32, raw orientation.
    bad : ndarray of bool, shape (ny, nx)
        Pixels not to be used.
    header : Cards or Header
        Canonical header of the raw file and how the master was made.

    Returns
    -------
    CCDData
        Without WCS: a master belongs to the detector, not to the sky.
    """
    return CCDData(
        np.asarray(data, np.float32),
        unit="adu" if header.master_kind == "BACKGROUND" else "",
        uncertainty=StdDevUncertainty(np.asarray(error, np.float32)),
        mask=bad,
        meta=header.to_fits(),
    )


def facts_of(master: CCDData) -> Header:
    """Typed header of a master, read once however many cubes it calibrates."""
    known = _FACTS.get(master)
    if known is None:
        known = _FACTS[master] = Header.of(master.header)
    return known


_FACTS: WeakKeyDictionary[CCDData, Header] = WeakKeyDictionary()


def write_master(path: str | Path, master: CCDData) -> None:
    """Write a master frame: the planes data, ``ERR`` and ``MASK`` (1: bad).

    Parameters
    ----------
    path : str or Path
        Target; appears only when complete.
    master : CCDData
        From `make_background` or `vampires.calibration.flats.make_flat`.

    Notes
    -----
    ``CCDData.read(path, hdu_uncertainty="ERR")`` reads the same planes. The file is not
    written by `CCDData.write` because a product must appear whole and with the same bytes
    each time.
    """
    planes: dict[str, NDArray[Any]] = {
        "": master.data,
        "ERR": master.uncertainty.array,
        "MASK": master.mask.astype(np.uint8),
    }
    write_fits(path, planes, master.header)


def read_master(path: str | Path) -> CCDData:
    """Read a master frame written by `write_master`, or by the public pipeline.

    Parameters
    ----------
    path : str or Path
        FITS file.

    Returns
    -------
    CCDData

    Raises
    ------
    FileError
        The file is missing or damaged.
    CalibrationError
        It is not a master frame.

    Notes
    -----
    A night reads each master once per exposure: the last few are kept, their pixels read-only,
    as long as the file is the same.
    """
    try:
        state = Path(path).stat()
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    return _read_master(str(path), (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=4)  # background and flat of two cameras
def _read_master(path: str, _version: tuple[int, int]) -> CCDData:
    """Read a master of a time and size: one that was made again is another to the cache."""
    planes, header, _ = read_fits(path)
    if "ERR" not in planes or header.master_kind is None:
        raise CalibrationError(
            f"{path}: is not a master frame of this software (no ERR plane or no "
            f"{CALIBRATION_TYPE} card); delete it and run doit again to remake it"
        )
    data, error = planes[""], planes["ERR"]
    bad = planes.get("MASK", np.zeros_like(data)) > 0
    if not header.has(Header.generation):  # of the public pipeline, which marks bad pixels by NaN
        bad = ~(np.isfinite(data) & np.isfinite(error))
        data, error = (np.where(bad, np.median(plane[~bad]), plane) for plane in (data, error))
        header = raw_header(path)
    for plane in (data, error, bad):
        plane.flags.writeable = False
    return master_frame(data, error, bad, header)


@dataclass(frozen=True)
class TemporalStatistics:
    """What the frames of a file say about each pixel.

    Parameters
    ----------
    center, mean, error : ndarray, shape (ny, nx)
        The combination asked for, the plain mean, the standard error of `center`; adu.
    halves : ndarray, shape (2, ny, nx)
        The combination of the even and of the odd frames; adu.
    variances : ndarray, shape (2, ny, nx)
        Temporal variance in the even and in the odd frames; adu^2.
    nframes : int
        Number of frames.
    """

    center: Plane
    mean: Plane
    error: Plane
    halves: Stack
    variances: Stack
    nframes: int


def make_background(
    path: str | Path,
    *,
    method: str = "median",
    memory: int = DEFAULT_MEMORY,
    index: HeaderIndex = NO_INDEX,
) -> CCDData:
    """Make the master background of one raw dark or sky file.

    Parameters
    ----------
    path : str or Path
        Raw file.
    method : str
        ``median``, ``mean``, ``varmean`` (frames weighted by their variance) or
        ``biweight``.
    memory : int
        Bytes that may be used.
    index : HeaderIndex
        Header index that knows the file.

    Returns
    -------
    CCDData
        In adu, bias included; with standard error, mask of bad pixels and header.

    Raises
    ------
    FileError, HeaderError
        The raw file cannot be used.

    Notes
    -----
    Median and biweight of skewed values lie below their mean: of an EMCCD sky with few
    photons a frame by most of the sky itself. The skew is common to all pixels, so the
    typical difference between mean and combination is added back to all of them: the
    level is the mean's, the robustness of each pixel the median's.

    Examples
    --------
    >>> background = make_background("raw/VMPA00021033.fits")  # doctest: +SKIP
    >>> ccdproc.subtract_bias(frame, background)  # doctest: +SKIP
    """
    raw = index.file(path)
    header = raw.header
    statistics = temporal_statistics(open_frames(raw.layout), header, method, memory)
    bad = noisy_pixels(statistics.variances, statistics.nframes)
    halves = statistics.halves if statistics.nframes > 1 else None
    bad |= hot_pixels(statistics.center, statistics.error, halves)
    bad |= statistics.center >= header.saturation
    data = statistics.center + _level_offset(statistics, bad)
    header = master_header(header, path, "BACKGROUND", "adu", method, statistics.nframes, bad)
    return master_frame(data, statistics.error, bad, header)


def temporal_statistics(
    source: FrameSource, header: Header, method: str, memory: int = DEFAULT_MEMORY
) -> TemporalStatistics:
    """Combine raw frames pixel by pixel, with the scatter that gives the error.

    Parameters
    ----------
    source : FrameSource
        Raw frames.
    header : Cards
        Canonical header: the noise model used when there are too few frames.
    method : str
        One of `vampires.kernels.reduce.AVERAGES`.
    memory : int
        Bytes that may be used.

    Returns
    -------
    TemporalStatistics

    Raises
    ------
    ConfigError
        The method is unknown.

    Notes
    -----
    The standard error is the pixel's standard deviation over sqrt(n), times the efficiency
    of the combination, which is 1 for the means and is measured for the others: the scatter
    of (even minus odd half) over all pixels against that expected of a mean. For Gaussian
    noise and the median it comes out as sqrt(pi/2) = 1.25; for skewed noise as it is.
    With fewer than five frames the noise model of the detector gives the error.
    """
    if method not in reduce.AVERAGES:
        raise ConfigError(
            f"combination method {method!r}: allowed are {', '.join(reduce.AVERAGES)}"
        )
    combine = _combination(method, source)
    n, shape = source.n, (source.ny, source.nx)
    center, mean, variance = (np.empty(shape, np.float32) for _ in range(3))
    halves, variances = np.empty((2, *shape), np.float32), np.empty((2, *shape), np.float32)
    even, odd = np.arange(0, n, 2), np.arange(1, n, 2)
    for rows in _bands(source, memory):
        samples, *moments = split_halves(source.read(0, n, rows))
        variances[:, rows] = moments[1]
        mean[rows], variance[rows] = pooled_moments(moments[0], moments[1], n)
        center[rows] = combine(samples, np.concatenate([even, odd]))
        halves[0, rows] = combine(samples[: len(even)], even)
        halves[1, rows] = combine(samples[len(even) :], odd) if n > 1 else halves[0, rows]
    if n >= _MIN_EMPIRICAL:
        exact = method in {"mean", "varmean"}
        efficiency = 1.0 if exact else _efficiency(halves, variance, n)
        error = np.float32(efficiency) * np.sqrt(variance / np.float32(n))
    else:
        error = _model_error(center, header, n)
    return TemporalStatistics(center, mean, error, halves, variances, n)


def _bands(source: FrameSource, memory: int) -> list[slice]:
    """Rows that can be in memory with all their frames; no more than the caches like."""
    room = min(int(memory), _BAND)
    height = max(1, room // (source.n * source.nx * _BYTES_PER_SAMPLE))
    return [slice(y, min(y + height, source.ny)) for y in range(0, source.ny, height)]


def _combination(method: str, source: FrameSource) -> Callable[[Stack, NDArray[np.intp]], Plane]:
    """Return a function of frames, and of which of all frames they are."""
    if method == "varmean":
        weights = _frame_weights(source)
        return lambda frames, part: _weighted_mean(frames, weights[part])
    plain = {"median": reduce.median, "mean": reduce.mean, "biweight": reduce.biweight}[method]
    return lambda frames, _: plain(frames)


def _weighted_mean(frames: Stack, weights: NDArray[np.float64]) -> Plane:
    total = np.tensordot(weights, frames.astype(np.float64), axes=1) / weights.sum()
    return total.astype(np.float32)


def _frame_weights(source: FrameSource, nbands: int = 8) -> NDArray[np.float64]:
    """Inverse variance of each frame about the mean frame, in a few bands of rows.

    The weights belong to frames, not to pixels: weights that follow each pixel's own counts
    would favour low values and bias the mean.
    """
    if source.n == 1:
        return np.ones(1)
    starts = np.unique(np.linspace(0, source.ny - 1, nbands).astype(int))
    variances = []
    for start in starts:
        rows = slice(int(start), min(int(start) + 8, source.ny))
        frames = source.read(0, source.n, rows).native().astype(np.float32)
        residual = frames - np.median(frames, axis=0)
        variances.append(np.median(residual**2, axis=(1, 2)) / 0.4549)  # median of chi^2_1
    variance = np.mean(variances, axis=0)
    return 1.0 / np.maximum(variance, 1e-3 * np.median(variance) + 1e-12)


def _efficiency(halves: Stack, variance: Plane, n: int) -> float:
    """Measure the standard error of the combination in units of the mean's."""
    step = max(halves.shape[1] * halves.shape[2] // _ENOUGH, 1)
    difference = (halves[0] - halves[1]).ravel()[::step]
    expected = variance.ravel()[::step] * (1 / ((n + 1) // 2) + 1 / (n // 2))
    # Few pixels with a tail (hot, hit by a cosmic ray) must not set the figure.
    usual = (expected > 0) & (expected <= np.percentile(expected, 99))
    usual &= difference**2 <= 36 * np.maximum(expected, 1e-12)
    if not usual.any():
        return 1.0
    ratio = np.sum(difference[usual] ** 2, dtype=np.float64) / np.sum(
        expected[usual], dtype=np.float64
    )
    return float(np.clip(np.sqrt(ratio), 0.3, 2.0))


def _model_error(center: Plane, header: Header, n: int) -> Plane:
    """Predict the standard error, adu, from photon and read noise."""
    gain = header.effective_gain
    electrons = np.maximum(center - header.bias, 0.0) * gain
    variance = header.excess_noise**2 * electrons + header.read_noise**2
    return np.asarray(np.sqrt(variance / n) / gain, dtype=np.float32)


def _level_offset(statistics: TemporalStatistics, bad: Mask) -> np.float32:
    """Typical mean minus combination over the good pixels, adu."""
    difference = (statistics.mean - statistics.center)[~bad]
    if difference.size == 0:
        return np.float32(0)
    some = sample(difference)
    middle = np.median(some)
    spread = robust_std(some, middle)
    kept = difference[np.abs(difference - middle) <= 5 * spread] if spread > 0 else difference
    return np.float32(kept.mean(dtype=np.float64))


def master_header(
    header: Header, path: str | Path, kind: str, unit: str, method: str, n: int, bad: Mask
) -> Header:
    """Header of a master frame: the raw file's, and how the master was made.

    Many arguments, because each becomes a card.
    """
    out = header.copy()
    name = ascii_text(Path(path).name)
    out.put(
        unit=unit, master_kind=kind, file=(name, "raw file the master was made from"),
        ncombine=n, combination=method, bad_pixels=int(bad.sum()),
    )  # fmt: skip
    return out
