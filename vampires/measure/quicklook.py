"""Quick look at a raw cube: its mean, and how bright, sharp and steady its light is.

Without calibration and on a sample of the frames, so that a cube of gigabytes is judged in
seconds. Good for telling frames and files apart; `vampires.measure.frames` measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vampires.io.frames import open_frames
from vampires.kernels.despike import remove_spikes
from vampires.utils.robust import robust_std

FRAMES = 48
"""Frames of a cube that are looked at, evenly spaced."""

_BOX = 5  # pixels; light is summed in boxes of this width, somewhat more than a FWHM
_SIGMAS = 5.0
_SKY_STEP = 4  # every so many rows and columns give the level of the sky
_NAMES = ("flux", "peak", "sharpness")


@dataclass(frozen=True)
class QuickLook:
    """What is seen of one file.

    Parameters
    ----------
    path : Path
        Raw file.
    n : int
        Frames in it.
    frames : ndarray of int, shape (k,)
        Those looked at, counted from 0.
    mean : ndarray of float32, shape (ny, nx)
        Their mean, adu, orientation as on disk, single hot pixels removed.
    strip : ndarray of float32, shape (m, size, size)
        Cut-outs of some of them about the light.
    strip_frames : ndarray of int, shape (m,)
        Their numbers.
    flux, peak, sharpness : ndarray, shape (k,)
        Sum of the light in the window, brightest box of 5 x 5 px (both adu above the sky), and
        the second over the first: it follows the Strehl ratio, up to a factor.
    place : ndarray, shape (k, 2)
        (y, x) of the centre of the light in the window, 0-based pixels as on disk.
    """

    path: Path
    n: int
    frames: NDArray[np.int64]
    mean: NDArray[np.float32]
    strip: NDArray[np.float32]
    strip_frames: NDArray[np.int64]
    flux: NDArray[np.float64]
    peak: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    place: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    def typical(self) -> dict[str, float]:
        """Median over the frames of flux, peak, sharpness, y and x; NaN if never measured."""
        values = {name: getattr(self, name) for name in _NAMES}
        values |= {"y": self.place[:, 0], "x": self.place[:, 1]}
        return {
            key: float(np.nanmedian(v)) if np.isfinite(v).any() else float("nan")
            for key, v in values.items()
        }


def look(path: str | Path, frames: int = FRAMES, radius: float = 40.0, strip: int = 6) -> QuickLook:
    """Look at a raw file.

    Parameters
    ----------
    path : str or Path
        FITS file of any format that is read.
    frames : int
        Frames to look at.
    radius : float
        Half the width of the window about the light, pixels; wide enough for the satellite
        spots behind a coronagraph (120), or a planet.
    strip : int
        Frames of which a cut-out is kept.

    Returns
    -------
    QuickLook

    Raises
    ------
    FileError
        The file cannot be read.
    """
    source = open_frames(path)
    chosen = np.unique(np.linspace(0, source.n - 1, min(max(frames, 1), source.n)).astype(int))
    flags = np.zeros(source.n, dtype=bool)
    flags[chosen] = True
    sample = source.select(flags)
    # As they are on disk, two bytes a pixel: they are gone through twice.
    raw = [np.array(sample.read(k, k + 1).native()[0]) for k in range(sample.n)]
    mean = np.zeros((source.ny, source.nx))
    for frame in raw:
        mean += frame
    mean /= len(raw)
    clean = remove_spikes(mean)
    hot = clean != mean
    window = _window(clean, radius)
    measured = np.array([_measure(frame, hot, window) for frame in raw])
    kept = np.unique(np.linspace(0, len(raw) - 1, min(strip, len(raw))).astype(int))
    return QuickLook(
        Path(path), source.n, chosen, clean.astype(np.float32),
        np.stack([_without(raw[k], hot)[window] for k in kept]).astype(np.float32),
        chosen[kept], measured[:, 0], measured[:, 1], measured[:, 2], measured[:, 3:],
    )  # fmt: skip


def _window(mean: NDArray[np.float64], radius: float) -> tuple[slice, slice]:
    """Square about the light of the mean image, cut at its edges."""
    light = _light(mean)
    y, x = np.unravel_index(int(np.argmax(light)), light.shape)
    centre = (float(y), float(x))
    for _ in range(3):  # from the brightest box to the middle of the light about it
        box = _square(centre, radius, mean.shape)
        centre = _centre(light[box], box)
    return _square(centre, radius, mean.shape)


def _square(centre: Sequence[float], radius: float, shape: Sequence[int]) -> tuple[slice, slice]:
    edges = [
        (max(round(c - radius), 0), min(round(c + radius) + 1, size))
        for c, size in zip(centre, shape, strict=True)
    ]
    return slice(*edges[0]), slice(*edges[1])


def _centre(light: NDArray[np.float64], box: tuple[slice, slice]) -> tuple[float, float]:
    total = light.sum()
    if not total > 0:
        middle = [(part.start + part.stop - 1) / 2 for part in box]
        return middle[0], middle[1]
    y = (light.sum(axis=1) @ np.arange(light.shape[0])) / total + box[0].start
    x = (light.sum(axis=0) @ np.arange(light.shape[1])) / total + box[1].start
    return float(y), float(x)


def _light(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box means above five sigma of the sky, less that limit."""
    smooth = ndimage.uniform_filter(image - _sky(image), _BOX, mode="nearest")
    noise = robust_std(smooth[::_SKY_STEP, ::_SKY_STEP], 0.0)
    return np.maximum(smooth - _SIGMAS * noise, 0)


def _sky(image: NDArray[np.float64]) -> float:
    """Mean of the pixels about the median, which alone would be a whole number of adu."""
    sample = image[::_SKY_STEP, ::_SKY_STEP]
    middle = np.median(sample)
    return float(sample[np.abs(sample - middle) <= 3 * robust_std(sample, middle)].mean())


def _without(frame: np.ndarray, hot: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Frame in which hot pixels have the level of the sky."""
    values = frame.astype(float)
    values[hot] = _sky(values)
    return values


def _measure(
    frame: np.ndarray, hot: NDArray[np.bool_], window: tuple[slice, slice]
) -> tuple[float, float, float, float, float]:
    """Flux, peak, sharpness, y and x of one frame; NaN where there is no light."""
    values = _without(frame, hot)
    values -= _sky(values)
    inside = values[window]
    smooth = ndimage.uniform_filter(inside, _BOX, mode="nearest")
    flux, peak = float(inside.sum()), float(smooth.max()) * _BOX**2
    light = _light(values[window])
    if flux <= 0 or not light.any():
        return flux, peak, np.nan, np.nan, np.nan
    return flux, peak, peak / flux, *_centre(light, window)
