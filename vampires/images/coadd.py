"""From raw frames to one registered image with its error, in bounded memory.

No cube of floats exists at any time. A mean streams the raw frames once; a median or
biweight goes by bands of output rows, and reads of each raw frame only the rows that the
band needs. Every output pixel sees the same operations in the same order whatever the
memory, the chunks and the threads, so the results are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.images.alignment import Alignment
from vampires.images.counting import COUNTING, Bias, background_weight, count_photons
from vampires.images.master_errors import systematic_variance
from vampires.io.frames import DEFAULT_MEMORY
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import (
    PixelCalibration,
    frame_variances,
)
from vampires.kernels.reduce import (
    AVERAGES,
    BIWEIGHT_VARIANCE,
    MEDIAN_VARIANCE,
    biweight_columns,
    median_columns,
)
from vampires.kernels.register import register_rows, register_sum
from vampires.utils.threads import available_threads

_WEIGHT_STEPS = 2.0**30
_BAND_ROWS = 128  # rows whose running sums fit in a core's cache
_STACK_ROWS = (16, 64)  # of a band: thinner ones spend their time on the rows they share
_READ_BYTES = 8 << 20  # raw rows read at a time for a band stay in cache
_STACK_BYTES = 256 << 20  # of its aligned frames, in all threads


@dataclass(frozen=True)
class Coadd:
    """Registered average of frames, per field; the star is at the centre.

    Attributes
    ----------
    data : ndarray of float32, shape (nfields, ny, nx)
        e-/s; NaN where no frame saw the pixel.
    variance : ndarray of float32, shape (nfields, ny, nx)
        Photon, excess and read noise of the average [(e-/s)^2].
    systematic : ndarray of float32, shape (nfields, ny, nx)
        Variance from the masters, common to all coadds that use the same ones [(e-/s)^2].
    count : ndarray of int32, shape (nfields, ny, nx)
        Frames that contribute to each pixel.
    master_pixels : float
        Detector pixels that each pixel averages, as the masters' errors see it.
    bias : Bias or None
        Of photon counting.
    """

    data: NDArray[np.float32]
    variance: NDArray[np.float32]
    systematic: NDArray[np.float32]
    count: NDArray[np.int32]
    master_pixels: float
    bias: Bias | None = None


def coadd_frames(
    job: Alignment,
    method: str = "mean",
    memory: int = DEFAULT_MEMORY,
    threads: int | None = None,
) -> Coadd:
    """Calibrate, register and average frames.

    Parameters
    ----------
    job : Alignment
        The frames and where they go.
    method : {'mean', 'median', 'varmean', 'biweight', 'photon_counting'}
        The average. `varmean` weights each frame by the inverse of its mean variance over
        the detector: weights by the pixel's own variance would favour low fluctuations and
        bias the result. For photon counting see `vampires.images.counting`.
    memory : int
        Bytes to stay within, apart from the output.
    threads : int, optional
        Threads to use; default `available_threads`.

    Returns
    -------
    Coadd
        With variance = sum(w^2 v) / sum(w)^2; for the median and the biweight that of the
        mean times 1.571 and 1.094, the loss of efficiency for Gaussian noise.

    Raises
    ------
    FileError
        When a file turns out to be damaged.

    Notes
    -----
    Interpolation makes the noise of neighbouring pixels correlated and their variance a
    little smaller; the variance plane is that of single pixels. Medians of frames with few
    photons, whose noise is skewed, are biased low: use the mean for these.

    Examples
    --------
    >>> coadd = coadd_frames(cube.alignment((536, 536)), "median")  # doctest: +SKIP
    """
    if method == COUNTING:
        counted, errors, frames, bias = count_photons(job)
        systematic = systematic_variance(job, counted, background_weight(counted, job.cal))[0]
        return Coadd(counted, errors, systematic, frames, 1.0, bias)
    if method not in AVERAGES:
        known = ", ".join((*AVERAGES, COUNTING))
        raise ValueError(f"coadd method {method!r}: choose one of {known}")
    threads = threads or available_threads()
    with ThreadPoolExecutor(threads) as pool:
        if method in ("median", "biweight"):
            data, variance, count = _coadd_bands(job, method, memory, threads, pool)
        else:
            weights = np.ones(job.source.n)
            if method == "varmean":
                weights = _inverse_variances(job, memory)
            data, variance, count = _coadd_stream(job, weights, memory, threads, pool)
    systematic, pixels = systematic_variance(job, data)
    return Coadd(data, _positive(variance, count, job.cal), systematic, count, pixels)


def _positive(
    variance: NDArray[np.float64], count: NDArray[np.int32], cal: PixelCalibration
) -> NDArray[np.float32]:
    """Replace variances that unclipped photon noise made negative by the read noise's."""
    wrong = variance <= 0
    if not wrong.any():
        return variance.astype(np.float32)
    good = cal.scale[~cal.bad & np.isfinite(cal.scale)]
    scale = float(np.median(good)) / cal.gain if good.size else 1.0
    floor = (cal.read_noise**2 + cal.gain**2 / 12) * scale**2 / np.maximum(count, 1)
    return np.where(wrong, floor, variance).astype(np.float32)


def _coadd_stream(
    job: Alignment,
    weights: NDArray[np.float64],
    memory: int,
    threads: int,
    pool: ThreadPoolExecutor,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.int32]]:
    """Weighted mean in one pass over the raw frames."""
    shape = (len(job.centers), *job.size)
    sums, variances, norms = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    count = np.zeros(shape, np.int32)
    parts = -(-shape[1] // (_BAND_ROWS * threads)) * threads  # an equal share for each thread
    height = -(-shape[1] // parts)
    bands = [(f, y) for f in range(shape[0]) for y in range(0, shape[1], height)]
    for start, stop in job.source.chunks(memory):
        block = job.source.read(start, stop)

        def add(band: tuple[int, int], block: RawBlock = block, start: int = start) -> None:
            field, y0 = band
            part = (field, slice(y0, y0 + height))
            centers = job.centers[field, start : start + len(block.data)]
            register_sum(
                job.band(block, y0=y0), centers, weights[start:],
                sums[part], variances[part], norms[part], count[part],
            )  # fmt: skip

        _run(pool, add, bands)
    with np.errstate(invalid="ignore"):
        return (sums / norms).astype(np.float32), variances / norms**2, count


def _run(pool: ThreadPoolExecutor, work: Callable[[Any], None], parts: list[Any]) -> None:
    """Do the parts in any order and let the first error through."""
    for _ in pool.map(work, parts):
        pass


def _coadd_bands(
    job: Alignment, method: str, memory: int, threads: int, pool: ThreadPoolExecutor
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.int32]]:
    """Median or biweight, one band of output rows after another."""
    shape = (len(job.centers), *job.size)
    data = np.empty(shape, np.float32)
    variance, count = np.zeros(shape), np.zeros(shape, np.int32)
    reduce_columns = median_columns if method == "median" else biweight_columns
    height = _band_height(job, memory // 2 // threads, threads)
    # one stack for each thread, used again and again: fresh memory costs page faults
    stacks: SimpleQueue[NDArray[np.float32]] = SimpleQueue()
    for _ in range(threads):
        stacks.put(np.empty(job.source.n * height * job.size[1], np.float32))
    bands = [(f, y) for f in range(shape[0]) for y in range(0, shape[1], height)]

    def reduce_band(band: tuple[int, int]) -> None:
        field, y0 = band
        part = (field, slice(y0, min(y0 + height, shape[1])))
        room = stacks.get()
        stack = room[: job.source.n * data[part].size].reshape(job.source.n, *data[part].shape)
        _align_band(job, field, y0, memory // 4 // threads, stack, variance[part], count[part])
        reduce_columns(stack.reshape(len(stack), -1), data[part].reshape(-1))
        stacks.put(room)

    _run(pool, reduce_band, bands)
    factor = MEDIAN_VARIANCE if method == "median" else BIWEIGHT_VARIANCE
    # the average of one or two samples is their mean, whatever it is called
    factors = np.where(count > 2, factor, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return data, factors * variance / count.astype(float) ** 2, count


def _band_height(job: Alignment, memory: int, threads: int) -> int:
    """Rows of a band whose aligned frames fit in memory."""
    row_bytes = job.source.n * job.size[1] * 4
    least, most = _STACK_ROWS
    wanted = max(min(most, _STACK_BYTES // threads // row_bytes), least)
    return max(1, min(wanted, memory // row_bytes, -(-job.size[0] // threads)))


def _align_band(
    job: Alignment,
    field: int,
    y0: int,
    memory: int,
    stack: NDArray[np.float32],
    variance: NDArray[np.float64],
    count: NDArray[np.int32],
) -> None:
    """Register a band of rows of all frames; variances and counts are added up on the way."""
    n = job.source.n
    rows = job.rows(field, y0, y0 + len(variance))
    step = max(1, min(memory, _READ_BYTES) // ((rows.stop - rows.start) * job.source.nx * 2))
    for start in range(0, n, step):
        stop = min(start + step, n)
        band = job.band(job.source.read(start, stop, rows), rows.start, y0)
        register_rows(band, job.centers[field, start:stop], stack[start:stop], variance, count)


def _inverse_variances(job: Alignment, memory: int) -> NDArray[np.float64]:
    """Weight of each frame: the inverse of its mean variance over all good pixels."""
    weights = np.empty(job.source.n)
    for start, stop in job.source.chunks(memory):
        block = job.source.read(start, stop)
        frame_variances(block.data, block.big_endian, job.planes, weights[start:stop])
    positive = weights > 0
    weights[~positive] = weights[positive].min() if positive.any() else 1.0
    # short binary fractions: their sums are exact, in whatever order they are added
    return np.rint(weights.min() / weights * _WEIGHT_STEPS) / _WEIGHT_STEPS
