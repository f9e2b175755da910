"""Measuring every frame: statistics, centroids, photometry, Strehl ratio.

The raw frames are streamed once. Around each rough position a square stamp is cut out and
calibrated, in the calibrated orientation, with static bad pixels rebuilt from neighbours.
Within a stamp the window is first moved onto the star, to the maximum of the smoothed pixels at
most half a window from the rough position, and then measured. The whole frame is described by
the rows of the stamps and a sample of the others; nothing else is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.config import AnalysisSettings
from vampires.errors import MeasurementError
from vampires.io.frames import DEFAULT_MEMORY, FrameSource
from vampires.kernels.aperture import measure_apertures
from vampires.kernels.calibrate import PixelCalibration, calibration_planes
from vampires.kernels.dft import register_windows, tables
from vampires.kernels.frame_statistics import frame_statistics, row_weights
from vampires.kernels.moffat import fit_windows
from vampires.kernels.repair import REACH
from vampires.kernels.strehl import reference_spectrum, strehl_scale
from vampires.kernels.windows import brightest, cut_stamps, measure_windows
from vampires.measure.metrics import CENTROIDS, COLUMNS, FRAME_COLUMNS, FrameMetrics

__all__ = ["FrameMetrics", "Measurement", "measure_frames", "measure_image"]

#: Frames read at a time: their stamps stay in the processor's cache.
_BLOCK = 64

Locator = Callable[[NDArray[np.float32], int], NDArray[np.int64]]
"""From stamps (npsfs, n, s, s) and the largest offset to the window's centre in each, (n, 2)."""


@dataclass(frozen=True)
class _Recipe:
    """How the stamps of one field are measured."""

    half: int
    radius: float
    inner: float
    outer: float
    reference: NDArray[np.complex128]
    deconvolution: NDArray[np.float64]
    table: NDArray[np.float64]
    strehl_scale: float
    settings: AnalysisSettings

    @classmethod
    def prepare(cls, psf: ArrayLike, settings: AnalysisSettings) -> _Recipe:
        half = settings.window_size // 2
        radius = settings.phot_aper_rad
        inner, outer = settings.phot_ann_rad or (0.0, 0.0)
        psf = np.asarray(psf, dtype=float)
        reference, deconvolution = reference_spectrum(psf, 2 * half + 1)
        scale = strehl_scale(psf, half, radius, inner, outer) if settings.strehl else np.nan
        table = tables(2 * half + 1)
        return cls(half, radius, inner, outer, reference, deconvolution, table, scale, settings)

    @property
    def stamp_size(self) -> int:
        """Side of a stamp: room for the window's motion, and for the aperture about the star."""
        reach = self.half
        around = max(self.half, int(np.ceil(max(self.radius, self.outer))) + 3)
        return 2 * (reach + around) + 1


@dataclass(frozen=True)
class Measurement:
    """What is measured on which frames.

    Attributes
    ----------
    source : FrameSource
        Raw frames; read once, only the rows that are needed.
    cal : PixelCalibration
        Calibration of the detector, raw orientation.
    flip : bool
        Whether the camera's rows are reversed to match the sky.
    rough : array_like (nfields, npsfs, 2)
        Rough (y, x) of each PSF, 0-based, calibrated orientation. The star is searched at most
        half a window away; the four spots of one field, which move together, are searched
        together.
    psfs : array_like (nfields, k, k)
        Reference PSF of each field: unit sum, centred.
    fields : tuple of str
        Names of the fields; default their numbers.
    settings : AnalysisSettings
        What to measure.
    locate : callable
        Where in a stamp the window belongs; default: the maximum of the smoothed pixels.

    Raises
    ------
    MeasurementError
        When the shapes of `rough`, `psfs` and `fields` disagree, or a PSF lies off the frame.
    """

    source: FrameSource
    cal: PixelCalibration
    flip: bool
    rough: NDArray[np.float64]
    psfs: NDArray[np.float64]
    fields: tuple[str, ...] = ()
    settings: AnalysisSettings = field(default_factory=AnalysisSettings)
    locate: Locator = brightest

    def __post_init__(self) -> None:
        object.__setattr__(self, "rough", np.asarray(self.rough, dtype=float))
        object.__setattr__(self, "psfs", np.asarray(self.psfs, dtype=float))
        names = tuple(self.fields) or tuple(str(i) for i in range(len(self.rough)))
        object.__setattr__(self, "fields", names)
        _check(self.source, self.rough, self.psfs, names)


def measure_frames(job: Measurement, memory: int = DEFAULT_MEMORY) -> FrameMetrics:
    """Measure every frame of a group.

    Parameters
    ----------
    job : Measurement
        The frames, and what is measured on them.
    memory : int
        Bytes that may be used.

    Returns
    -------
    FrameMetrics

    Notes
    -----
    NaN pixels (saturated, or bad with bad neighbours) are left out of the statistics, replaced
    by neighbours for the centroids, and make fluxes and Strehl ratios that contain them NaN. The
    aperture is centred on the cross-correlation centroid. The statistics of whole frames come
    from some of their rows, see `vampires.kernels.frame_statistics.row_weights`. Results depend
    neither on `memory` nor on the format of the files.
    """
    source, rough, flip = job.source, job.rough, job.flip
    recipes = [_Recipe.prepare(psf, job.settings) for psf in job.psfs]
    planes = calibration_planes(job.cal)
    columns = {name: np.full((*rough.shape[:2], source.n), np.nan) for name in COLUMNS}
    whole = {name: np.full(source.n, np.nan) for name in FRAME_COLUMNS}
    size = recipes[0].stamp_size
    corners = np.rint(rough).astype(int) - size // 2
    weights = row_weights(_needed_rows(corners[..., 0], size, source.ny))
    raw_weights = weights[::-1] if flip else weights
    zero_level, full_level = _levels(job.cal)
    rows = np.flatnonzero(raw_weights)
    firsts = _first_rows(corners[..., 0], size, rows, source.ny, flip)
    for start, stop, raw, big_endian in _blocks(source, rows, memory):
        described = frame_statistics(raw, big_endian, rows, raw_weights[rows], planes)
        for name, values in _frame_columns(described).items():
            whole[name][start:stop] = values
        for index, recipe in enumerate(recipes):
            stamps = [
                cut_stamps(raw, big_endian, first, planes, (int(y), int(x)), size, flip)
                for first, (y, x) in zip(firsts[index], corners[index], strict=True)
            ]
            cubes = np.stack([data for data, _ in stamps]), np.stack([v for _, v in stamps])
            for name, values in _measure_stamps(*cubes, corners[index], recipe, job.locate).items():
                columns[name][index, :, start:stop] = values
    return FrameMetrics(
        **columns,
        **whole,
        row_weights=weights,
        fields=job.fields,
        files=tuple(path.name for path in source.paths),
        file_index=source.file_index,
        frame_index=source.frame_index,
        nx=source.nx,
        ny=source.ny,
        zero_level=zero_level,
        full_level=full_level,
    )


def measure_image(
    image: ArrayLike,
    psf: ArrayLike,
    settings: AnalysisSettings | None = None,
    method: str = "dft",
) -> tuple[float, float]:
    """Position of the star in one calibrated image, near its centre.

    Parameters
    ----------
    image : array_like (ny, nx)
        Any unit; NaN pixels are left out.
    psf : array_like (k, k)
        Reference PSF.
    settings : AnalysisSettings
        Window; the star is searched at most half a window from the image's centre.
    method : {'dft', 'com', 'peak', 'model'}
        Kind of centroid; 'model' needs ``fit_psf_model``.

    Returns
    -------
    y, x : float
        0-based; NaN when there is no star to be found.

    Examples
    --------
    >>> from vampires.measure.psf import synthetic_psf
    >>> psf = synthetic_psf("750-50", 6.24, 140.4, 31)
    >>> y, x = measure_image(np.roll(np.pad(psf, 10), 2, axis=0), psf)
    >>> f"{y:.2f} {x:.2f}"
    '27.00 25.00'
    """
    if method not in CENTROIDS:
        raise MeasurementError(f"centroid method '{method}': use one of {', '.join(CENTROIDS)}")
    image = np.asarray(image, dtype=np.float32)
    recipe = _Recipe.prepare(psf, settings or AnalysisSettings())
    size = recipe.stamp_size
    stamp = np.pad(image, size, constant_values=np.nan)
    y0, x0 = ((n - 1) // 2 - size // 2 for n in image.shape)
    stamp = stamp[y0 + size : y0 + 2 * size, x0 + size : x0 + 2 * size][None, None]
    corner = np.array([[y0, x0]])
    values = _measure_stamps(stamp, np.zeros_like(stamp), corner, recipe)
    return float(values[method + "y"][0, 0]), float(values[method + "x"][0, 0])


def _check(source: FrameSource, rough: NDArray, psfs: NDArray, names: tuple[str, ...]) -> None:
    consistent = rough.ndim == 3 and rough.shape[2] == 2 and psfs.ndim == 3
    if not consistent or not len(rough) == len(psfs) == len(names):
        raise MeasurementError(
            f"rough positions {rough.shape}, PSFs {psfs.shape} and {len(names)} fields do not "
            "belong together: give (nfields, npsfs, 2), (nfields, k, k) and nfields names"
        )
    inside = (rough >= 0) & (rough <= np.array([source.ny - 1, source.nx - 1]))
    if not inside.all():
        y, x = rough[~inside.all(axis=-1)][0]
        raise MeasurementError(
            f"rough position x={x + 1:.1f}, y={y + 1:.1f} (1-based) is not in the frame of "
            f"{source.nx} x {source.ny} pixels: correct the centroid file"
        )


def _levels(cal: PixelCalibration) -> tuple[float, float]:
    """Mean of what raw numbers of zero and at saturation are after calibration, e-/s."""
    good = ~cal.unusable
    if not good.any():
        return np.nan, np.nan
    zero = -float(np.mean(cal.background * cal.scale, where=good, dtype=float))
    return zero, zero + cal.saturation * float(np.mean(cal.scale, where=good, dtype=float))


def _needed_rows(lows: NDArray[np.int_], size: int, ny: int) -> NDArray[np.bool_]:
    """Which rows (calibrated orientation) the stamps and the repair of bad pixels there need.

    `lows` (nfields, npsfs) are the first rows of the stamps.
    """
    needed = np.zeros(ny, dtype=bool)
    for low in lows.ravel():
        needed[max(0, low - REACH) : low + size + REACH] = True
    return needed


def _first_rows(
    lows: NDArray[np.int_], size: int, rows: NDArray[np.int64], ny: int, flip: bool
) -> NDArray[np.int64]:
    """Detector row that the first of `rows` would be, were all before each stamp's read too."""
    bottom = np.clip((ny - lows - size if flip else lows) - REACH, 0, ny - 1)
    first: NDArray[np.int64] = bottom - np.searchsorted(rows, bottom)
    return first


def _frame_columns(described: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    maximum, mean, variance, saturated = described.T
    with np.errstate(divide="ignore", invalid="ignore"):
        normalised = variance / mean
    return dict(zip(FRAME_COLUMNS, (maximum, mean, variance, normalised, saturated), strict=True))


def _blocks(
    source: FrameSource, rows: NDArray[np.int64], memory: int
) -> Iterator[tuple[int, int, NDArray, bool]]:
    for start, stop in source.chunks(memory):
        for low in range(start, stop, _BLOCK):
            high = min(low + _BLOCK, stop)
            block = source.read(low, high, rows)
            yield low, high, block.data, block.big_endian


def _measure_stamps(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    corners: NDArray[np.int_],
    recipe: _Recipe,
    locate: Locator = brightest,
) -> dict[str, NDArray[np.float64]]:
    """Columns (npsfs, n) measured on the stamps (npsfs, n, size, size) of one field."""
    centres = locate(data, recipe.half)
    parts = []
    for cube, errors, corner in zip(data, variance, corners, strict=True):
        parts.append(_measure_psf(cube, errors, centres, corner, recipe))
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def _measure_psf(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    centres: NDArray[np.int64],
    corner: NDArray[np.int_],
    recipe: _Recipe,
) -> dict[str, NDArray[np.float64]]:
    half, settings = recipe.half, recipe.settings
    window = measure_windows(data, centres, half)
    columns = dict(zip(("max", "sum", "mean", "med", "var"), window[:, :5].T, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns["nvar"] = columns["var"] / columns["mean"]
    dft = register_windows(
        data, centres, half, recipe.reference, recipe.deconvolution, recipe.table
    )
    positions = {"com": window[:, 5:7], "peak": window[:, 7:9], "dft": dft[:, :2]}
    if settings.fit_psf_model:
        positions["model"] = fit_windows(data, centres, half, dft[:, :2])[:, 1:3]
    for name, place in positions.items():
        columns[name + "y"], columns[name + "x"] = (place + corner).T
    if settings.photometry or settings.strehl:
        flux, error, background = measure_apertures(
            data, variance, dft[:, :2], recipe.radius, recipe.inner, recipe.outer
        ).T
        if settings.photometry:
            columns["photr"] = np.full(len(data), recipe.radius)
            columns["photf"], columns["phote"] = flux, error
        if settings.strehl:
            with np.errstate(divide="ignore", invalid="ignore"):
                columns["sharpness"] = (dft[:, 2] - background) / flux / recipe.strehl_scale
    return columns
