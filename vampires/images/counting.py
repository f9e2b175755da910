r"""Photon counting: few electrons a frame behind the EM register, without its excess noise.

The register turns n electrons into a charge with the gamma law of shape n [1]_; in units of the
mean gain, with read noise r, the charge is above a threshold T with the probability

.. math:: P(m) = \sum_n \frac{m^n e^{-m}}{n!}\; P\left(\Gamma(n) + r\,N(0, 1) > T\right)

for a mean of m electrons a frame, coincidences and false counts by read noise (n = 0) included.
The part p of the frames in which a pixel is above the threshold gives m by inversion. To second
order the inversion is biased by ``m''(p) p (1 - p) / 2N``, which is taken out; the variance is
``m'(p)^2 p (1 - p) / N``. That of the mean is ``(2 m + r^2) / N``.

The law is not linear in m: a pixel's rate must be the same in all frames. So frames are not
shifted, and it is for steady faint light only, not for the moving speckles near a star; above one
electron a frame, where the threshold is worse than the mean anyway, the mean is taken.

References
----------
.. [1] Basden, A. G., Haniff, C. A. & Mackay, C. D. 2003, MNRAS 345, 985, "Photon counting
   strategies with low-light-level CCDs".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, special

from vampires.errors import MeasurementError
from vampires.images.alignment import Alignment
from vampires.io.frames import CHUNK_BYTES
from vampires.kernels.calibrate import PixelCalibration
from vampires.kernels.resample import shift
from vampires.log import get_logger

log = get_logger(__name__)

Float64 = NDArray[np.float64]
Planes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]

COUNTING = "photon_counting"
"""Name of the coadd method."""

THRESHOLD = 1.2
"""In units of the mean gain: high above the read noise (4 sigma at EM gain 300), so that an error
of the read noise matters little, and low enough to see 30 % of single electrons."""

LIMIT = 1.0
"""Electrons a frame above which the mean is taken."""

LEAST_FRAMES = 20
_COMPARED = (0.02, 0.7)  # e- a frame, where counted light and mean are compared
_AROUND = 9
_FALSE = 0.002  # e- a frame: what false counts change for a threshold an electron lower
_TOLERATED = 0.01
_MOST_ELECTRONS = 40
_GRID = np.concatenate([np.linspace(0, 0.1, 201), np.linspace(0.105, 4.0, 780)])
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@dataclass(frozen=True)
class CountingLaw:
    """From the part of frames above the threshold to electrons a frame.

    Parameters
    ----------
    read_noise : float
        In input electrons, that is in units of the mean gain.
    threshold : float
        In the same.

    Examples
    --------
    >>> law = CountingLaw(0.297)
    >>> m, variance = law.electrons(law.above([0.1]), frames=1000)
    >>> m.round(3).tolist(), law.gain([0.01, 0.1]).round(2).tolist()
    ([0.1], [1.84, 0.97])
    """

    read_noise: float
    threshold: float = THRESHOLD

    @cached_property
    def efficiency(self) -> Float64:
        """Probability that n = 0, 1, 2 ... electrons are above the threshold."""
        needed = self.threshold - self.read_noise * _NODES
        weights = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()
        n = np.arange(1, _MOST_ELECTRONS)[:, None]
        above = (special.gammaincc(n, np.maximum(needed, 0)) * weights).sum(axis=1)
        return np.concatenate([[special.ndtr(-self.threshold / self.read_noise)], above])

    @cached_property
    def _table(self) -> tuple[Float64, Float64, Float64]:
        """P, dP/dm and d2P/dm2 on the grid of m."""
        n = np.arange(_MOST_ELECTRONS)
        m = _GRID[:, None]
        chance = np.exp(special.xlogy(n, m) - m - special.gammaln(n + 1))
        steps = self.efficiency
        first, second = np.diff(steps, append=1.0), np.diff(steps, 2, append=[1.0, 1.0])
        return chance @ steps, chance @ first, chance @ second

    def above(self, electrons: ArrayLike) -> Float64:
        """Probability to be above the threshold, for a mean of electrons a frame."""
        value: Float64 = np.interp(np.asarray(electrons, float), _GRID, self._table[0])
        return value

    def electrons(self, part: ArrayLike, frames: ArrayLike) -> tuple[Float64, Float64]:
        """Electrons a frame, and their variance, from the part of frames above the threshold.

        Parameters
        ----------
        part : array_like
            0 to 1.
        frames : array_like
            Number of frames, two at least.

        Returns
        -------
        electrons, variance : ndarray
            A part below that of false counts alone gives a negative number, so that the mean over
            dark pixels is zero. Infinite variance beyond four electrons a frame.
        """
        p, n = np.asarray(part, dtype=float), np.asarray(frames, dtype=float)
        level, slope, bend = self._table
        m = np.interp(p, level, _GRID, right=np.inf)
        below = p < level[0]
        m = np.where(below, (p - level[0]) / slope[0], m)
        steep, curved = np.interp(m, _GRID, slope), np.interp(m, _GRID, bend)
        spread = p * (1 - p) / (n - 1)
        # d2m/dp2 = -P'' / P'^3
        with np.errstate(invalid="ignore"):
            value = m + np.where(below, 0.0, 0.5 * curved / steep**3 * spread)
        # where no frame counted, the variance is that of the rate found, not zero
        expected = np.clip(self.above(np.maximum(value, 0)), level[0], 1 - 0.5 / n)
        variance = np.where(np.isfinite(value), expected * (1 - expected) / n / steep**2, np.inf)
        return value, variance

    def gain(self, electrons: ArrayLike) -> Float64:
        """Signal-to-noise ratio over that of the mean of the same frames."""
        m = np.asarray(electrons, dtype=float)
        p, slope = self.above(m), np.interp(m, _GRID, self._table[1])
        ratio: Float64 = np.sqrt((2 * m + self.read_noise**2) / (p * (1 - p) / slope**2))
        return ratio


@lru_cache(maxsize=8)
def counting_law(read_noise: float) -> CountingLaw:
    """Law of a detector, made once."""
    return CountingLaw(read_noise)


@dataclass(frozen=True)
class Bias:
    """Counted light over the mean of the same frames, less one: zero where the light is steady.

    Parameters
    ----------
    value, error : float
        Of all pixels between 0.02 and 0.7 e- a frame; NaN: there are none.
    """

    value: float
    error: float

    @property
    def significant(self) -> bool:
        """Beyond 1 %, and three times its error."""
        return abs(self.value) > max(_TOLERATED, 3 * self.error)


class Counted(NamedTuple):
    """Result of `count_photons`."""

    data: NDArray[np.float32]
    variance: NDArray[np.float32]
    frames: NDArray[np.int32]
    bias: Bias


def count_photons(job: Alignment) -> Counted:
    """Count the photons of unshifted frames.

    Parameters
    ----------
    job : Alignment
        Frames of an EMCCD with gain, and where their stars are.

    Returns
    -------
    data, variance : ndarray of float32, shape (nfields, ny, nx)
        e-/s; the mean position of the star comes to the centre, by one shift of the result.
    frames : ndarray of int32
        Frames that see each pixel.
    bias : Bias
        How far the counted light is from the mean: the log warns where it is significant.

    Raises
    ------
    MeasurementError
        The detector has no EM gain, or there are too few frames.
    """
    cal, n = job.cal, job.source.n
    name = job.source.paths[0]
    if not cal.excess_noise > 1:
        raise MeasurementError(
            f'{name}: [coadd] method = "photon_counting" is for EMCCD frames with EM gain; '
            'use "mean"'
        )
    if n < LEAST_FRAMES:
        raise MeasurementError(
            f'{name}: [coadd] method = "photon_counting" needs {LEAST_FRAMES} frames, found {n}; '
            'group more by [combine] method = "pdi", or use "mean"'
        )
    (rate, variance, seen), bias = _detector_rate(job)
    if bias.significant:
        log.warning(
            "counted photons are not the mean of the frames: the light is not steady, or bias or "
            "read noise are wrong; use mean",
            file=name.name, percent=round(100 * bias.value, 2),
        )  # fmt: skip
    fields = [_centred(rate, variance, seen, job, places) for places in job.centers]
    data, errors, count = (np.stack(planes) for planes in zip(*fields, strict=True))
    return Counted(data, errors, count, bias)


def background_weight(counted: NDArray[np.float32], cal: PixelCalibration) -> Float64:
    """How much of the variance of the background is in that of counted light.

    An error of the background moves the threshold: of the light, and of the few false counts, only
    a fraction like it is gained or lost. Where the mean is taken, all of it is in.

    Parameters
    ----------
    counted : ndarray
        e-/s.
    cal : PixelCalibration
        For the exposure time.
    """
    per_frame = counted / np.nanmedian(cal.scale / cal.gain)
    moved = np.clip(np.nan_to_num(per_frame), 0, None) + _FALSE
    return np.where(per_frame > LIMIT, 1.0, np.minimum(moved, 1.0) ** 2)


def _detector_rate(job: Alignment) -> tuple[tuple[Float64, Float64, NDArray[np.int32]], Bias]:
    """e-/s, variance and frames of every detector pixel, calibrated orientation; the bias."""
    cal = job.cal
    above, total = np.zeros(cal.shape), np.zeros(cal.shape)
    seen = np.zeros(cal.shape, np.int32)
    # Raw numbers are whole: what is k or more was above k - 1/2, which is not quite the threshold.
    level = np.rint(THRESHOLD / cal.gain + cal.background + 0.5)
    beyond = (level - 0.5 - cal.background) * cal.gain - THRESHOLD
    for start, stop in job.source.chunks(CHUNK_BYTES):
        raw = np.asarray(job.source.read(start, stop).native())
        good = raw < cal.saturation
        charge = (raw - cal.background) * np.float32(cal.gain)
        above += ((raw >= level) & good).sum(axis=0)
        total += np.where(good, charge, 0).sum(axis=0, dtype=float)
        seen += good.sum(axis=0, dtype=np.int32)
    frames = np.maximum(seen, 2)
    # The charge of an electron falls as exp(-x) beyond the threshold.
    part = np.minimum(above / frames * np.exp(beyond), 1.0)
    law = counting_law(round(float(cal.read_noise), 4))
    counted, spread = law.electrons(part, frames)
    mean = total / frames
    bright = ~(mean <= LIMIT) | ~np.isfinite(counted)
    noise = (cal.excess_noise**2 * np.maximum(mean, 0) + cal.read_noise**2) / frames
    per_second = cal.scale / cal.gain
    usable = ~cal.bad & (seen >= LEAST_FRAMES)
    rate = np.where(usable, np.where(bright, mean, counted) * per_second, np.nan)
    variance = np.where(bright, noise, spread) * per_second**2
    # by the level about a pixel: its own would choose the fluctuations of the mean
    level = ndimage.uniform_filter(np.where(usable, mean, 0.0), _AROUND)
    compared = usable & np.isfinite(counted) & (level > _COMPARED[0]) & (level < _COMPARED[1])
    bias = _bias(counted[compared], mean[compared], (spread + noise)[compared])
    return (_oriented(rate, job), _oriented(variance, job), _oriented(seen, job)), bias


def _bias(counted: Float64, mean: Float64, variance: Float64) -> Bias:
    """Of pixels; the two are positively correlated, so that the error is an upper limit."""
    total = float(mean.sum())
    if not total > 0:
        return Bias(np.nan, np.nan)
    return Bias(float(counted.sum()) / total - 1, float(np.sqrt(variance.sum())) / total)


def _oriented(plane: NDArray, job: Alignment) -> NDArray:
    return plane[::-1] if job.flip else plane


def _centred(
    rate: Float64, variance: Float64, seen: NDArray[np.int32], job: Alignment, places: Float64
) -> Planes:
    """Cut a field out, its star's mean place at the centre, by one shift of part of a pixel."""
    corner = places.mean(axis=0) - (np.array(job.size) - 1) / 2
    whole = np.floor(corner + 0.5).astype(int)
    margin = 8
    low = whole - margin
    cut = [_window(plane, low, np.array(job.size) + 2 * margin) for plane in (rate, variance, seen)]
    dy, dx = whole - corner
    data, errors = shift(cut[0], np.nan_to_num(cut[1]), float(dy), float(dx))
    inner = (slice(margin, margin + job.size[0]), slice(margin, margin + job.size[1]))
    count = np.where(np.isfinite(data), np.nan_to_num(cut[2]), 0)[inner].astype(np.int32)
    return data[inner], errors[inner], count


def _window(plane: NDArray, low: NDArray[np.int_], size: NDArray[np.int_]) -> Float64:
    """Part of a plane, NaN beyond its border."""
    out = np.full(size, np.nan)
    start, stop = np.maximum(low, 0), np.minimum(low + size, plane.shape)
    inside = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    target = tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, low, strict=True))
    out[target] = plane[inside]
    return out
