"""FrameMetrics: what was measured on every frame of a group, and its file.

One number per field of view, PSF (one star, or four satellite spots) and frame; of whole frames
one per frame. Positions are 0-based pixels of the calibrated orientation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from vampires.errors import FileError, MeasurementError
from vampires.io.atomic import atomic_path
from vampires.io.provenance import task_attribute
from vampires.measure.plausible import impossible_frames

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "FRAME_COLUMNS", "FrameMetrics"]

#: Name: (unit, description) of each measurement, in the order of the file.
COLUMNS: dict[str, tuple[str, str]] = {
    "max": ("e-/s", "largest pixel of the window"),
    "sum": ("e-/s", "sum of the window"),
    "mean": ("e-/s", "mean of the window"),
    "med": ("e-/s", "median of the window"),
    "var": ("(e-/s)^2", "variance of the window"),
    "nvar": ("e-/s", "variance of the window over its mean"),
    "comx": ("pix", "x of the centre of mass"),
    "comy": ("pix", "y of the centre of mass"),
    "peakx": ("pix", "x of the maximum of the smoothed window"),
    "peaky": ("pix", "y of the maximum of the smoothed window"),
    "modelx": ("pix", "x of the fitted Moffat profile"),
    "modely": ("pix", "y of the fitted Moffat profile"),
    "dftx": ("pix", "x of the cross-correlation with the synthetic PSF"),
    "dfty": ("pix", "y of the cross-correlation with the synthetic PSF"),
    "photr": ("pix", "radius of the aperture"),
    "photf": ("e-/s", "flux in the aperture"),
    "phote": ("e-/s", "error of the flux in the aperture"),
    "sharpness": ("", "peak over aperture flux, relative to the synthetic PSF"),
    "strehl": ("", "Strehl ratio: peak over all the light, relative to the synthetic PSF"),
    "strehl_err": ("", "error of the Strehl ratio"),
}

#: The same of the whole frame, one number a frame.
FRAME_COLUMNS: dict[str, tuple[str, str]] = {
    "frame_max": ("e-/s", "largest pixel of the frame, in the rows of non-zero weight"),
    "frame_mean": ("e-/s", "mean of the frame, rows weighted by row_weights"),
    "frame_var": ("(e-/s)^2", "variance of the frame, rows weighted by row_weights"),
    "frame_nvar": ("e-/s", "variance of the frame over its mean"),
    "frame_nsat": ("pix", "saturated pixels of the frame, rows weighted by row_weights"),
}
_DATASETS = {
    **COLUMNS,
    **FRAME_COLUMNS,
    "row_weights": ("", "rows that each row of the frame stands for, 0 where it was not read"),
}

_PLACES = "of each field and file: rough y, x [pix], significance, peak relative to the first files"

#: Config word of each selection metric, and the measurement it looks at.
SELECTION = {
    "strehl": "sharpness", "max": "max", "peak": "max", "normvar": "nvar", "l2norm": "var",
}  # fmt: skip
CENTROIDS = ("dft", "com", "peak", "model")
#: A satellite spot this far from where the other spots put it is lost, pixels.
_LOST = 3.0


@dataclass(frozen=True)
class FrameMetrics:
    """Measurements of every frame; arrays (nfields, npsfs, nframes), NaN where not measured.

    The whole frame is described by the rows about the PSFs, which all count, and by a sample of
    the others, each of which stands for several. What is in rows of weight one is exact; mean,
    variance and number of saturated pixels of the rest are estimates without bias over smooth
    light, and a pixel in a row that was not read is not seen by `frame_max` nor counted in
    `frame_nsat`.

    Attributes
    ----------
    max, sum, mean, med, var, nvar : ndarray
        Statistics of the window about the PSF, e-/s.
    comx, comy, peakx, peaky, modelx, modely, dftx, dfty : ndarray
        Positions by centre of mass, smoothed maximum, model fit and cross-correlation.
    photr, photf, phote : ndarray
        Aperture radius, flux and error.
    sharpness : ndarray
        Peak over aperture flux, relative to the synthetic PSF: ranks frames.
    strehl, strehl_err : ndarray
        Strehl ratio and its error.
    frame_max, frame_mean, frame_var, frame_nvar, frame_nsat : ndarray (nframes,)
        Largest pixel, mean, variance, variance over mean [e-/s] and number of saturated pixels of
        the whole frame. Bad pixels are left out, saturated ones only counted.
    row_weights : ndarray (ny,)
        How many rows each row stands for in these, 0 where it was not read; sum `ny`.
    fields : tuple of str
        Name of the filter of each field.
    files : tuple of str
        Raw files.
    file_index, frame_index : ndarray of int, (nframes,)
        Raw file (index into `files`) and frame within it.
    nx, ny : int
        Size of the raw frames.
    places : ndarray (nfields, nfiles, 4), optional
        Of the star in each file: rough y and x, significance, and peak relative to that in the
        first files of the night; NaN where not known.
    zero_level, full_level : float
        What a raw number of zero, and the largest that is not saturated, would be, e-/s; NaN in
        files of old.
    """

    max: NDArray[np.float64]
    sum: NDArray[np.float64]
    mean: NDArray[np.float64]
    med: NDArray[np.float64]
    var: NDArray[np.float64]
    nvar: NDArray[np.float64]
    comx: NDArray[np.float64]
    comy: NDArray[np.float64]
    peakx: NDArray[np.float64]
    peaky: NDArray[np.float64]
    modelx: NDArray[np.float64]
    modely: NDArray[np.float64]
    dftx: NDArray[np.float64]
    dfty: NDArray[np.float64]
    photr: NDArray[np.float64]
    photf: NDArray[np.float64]
    phote: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    strehl: NDArray[np.float64]
    strehl_err: NDArray[np.float64]
    frame_max: NDArray[np.float64]
    frame_mean: NDArray[np.float64]
    frame_var: NDArray[np.float64]
    frame_nvar: NDArray[np.float64]
    frame_nsat: NDArray[np.float64]
    row_weights: NDArray[np.float64]
    fields: tuple[str, ...]
    files: tuple[str, ...]
    file_index: NDArray[np.int64]
    frame_index: NDArray[np.int64]
    nx: int
    ny: int
    places: NDArray[np.float64] | None = None
    zero_level: float = np.nan
    full_level: float = np.nan

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Join measurements of the same files, in order of their frames.

        Parameters
        ----------
        parts : sequence of FrameMetrics
            Each of other frames.
        """
        if len(parts) == 1:
            return parts[0]
        names = [*COLUMNS, *FRAME_COLUMNS, "file_index", "frame_index"]
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names
        }
        return replace(parts[0], **joined)  # type: ignore[arg-type]

    @cached_property
    def plausible(self) -> NDArray[np.bool_]:
        """Frames whose pixels can be data, see `vampires.measure.plausible`."""
        impossible = impossible_frames(self).values()
        return ~np.any([np.zeros(self.shape[2], bool), *impossible], axis=0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of fields, PSFs and frames."""
        nfields, npsfs, nframes = self.max.shape
        return nfields, npsfs, nframes

    def __repr__(self) -> str:
        nfields, npsfs, nframes = self.shape
        measured = int(np.isfinite(self.dftx).all(axis=(0, 1)).sum())
        return (
            f"<FrameMetrics {'+'.join(self.fields)}: {nframes} frames of {len(self.files)} files, "
            f"{nfields} fields, {npsfs} PSFs, {measured} frames with a centroid>"
        )

    def write(self, path: str | Path) -> None:
        """Write the measurements as HDF5; the same measurements give the same bytes.

        Parameters
        ----------
        path : str or Path
            Target; it appears when it is complete.
        """
        with atomic_path(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
            for name, (unit, description) in _DATASETS.items():
                dataset = file.create_dataset(name, data=getattr(self, name), track_times=False)
                dataset.attrs["units"] = np.bytes_(unit or "1")
                dataset.attrs["description"] = np.bytes_(description)
            for name in ("file_index", "frame_index"):
                file.create_dataset(name, data=getattr(self, name), track_times=False)
            if self.places is not None:
                dataset = file.create_dataset("places", data=self.places, track_times=False)
                dataset.attrs["description"] = np.bytes_(_PLACES)
            file.create_dataset("files", data=_as_bytes(self.files), track_times=False)
            file.attrs["fields"] = _as_bytes(self.fields)
            file.attrs["nx"] = self.nx
            file.attrs["ny"] = self.ny
            file.attrs["zero_level"] = self.zero_level
            file.attrs["full_level"] = self.full_level
            file.attrs.update(task_attribute())

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read what `write` wrote.

        Parameters
        ----------
        path : str or Path
            HDF5 file.

        Returns
        -------
        FrameMetrics

        Raises
        ------
        FileError
            When the file is missing, is not HDF5 or lacks a dataset.
        """
        with _reading(path) as file:
            columns = {name: file[name][...] for name in _DATASETS}
            return cls(
                **columns,
                fields=_as_text(file.attrs["fields"]),
                files=_as_text(file["files"][...]),
                file_index=file["file_index"][...],
                frame_index=file["frame_index"][...],
                nx=int(file.attrs["nx"]),
                ny=int(file.attrs["ny"]),
                places=file["places"][...] if "places" in file else None,
                zero_level=float(file.attrs.get("zero_level", np.nan)),
                full_level=float(file.attrs.get("full_level", np.nan)),
            )

    def spots(self, method: str = "dft") -> NDArray[np.float64]:
        """(y, x) of every PSF.

        Parameters
        ----------
        method : {'dft', 'com', 'peak', 'model'}
            Kind of centroid.

        Returns
        -------
        ndarray (nfields, npsfs, nframes, 2)

        Raises
        ------
        MeasurementError
            When there is no such method.
        """
        if method not in CENTROIDS:
            raise MeasurementError(f"centroid method '{method}': use one of {', '.join(CENTROIDS)}")
        return np.stack([getattr(self, method + "y"), getattr(self, method + "x")], axis=-1)

    def positions(self, method: str = "dft") -> NDArray[np.float64]:
        """(y, x) of the star in every frame.

        Of one PSF, its position; of four satellite spots, the point where the diagonals cross.
        A spot that is lost (no centroid, or more than 3 px from where the other spots put it) is
        replaced by the offsets of the remaining ones from the star, known from the other frames;
        of two or three PSFs it is these offsets alone, that is, their mean position.

        Parameters
        ----------
        method : {'dft', 'com', 'peak', 'model'}
            Kind of centroid.

        Returns
        -------
        ndarray (nfields, nframes, 2)
            NaN where no PSF was found.
        """
        return star_places(self.spots(method))

    def plot(self, keep: NDArray[np.bool_] | None = None, title: str = "") -> Figure:
        """Draw flux, Strehl ratio and the star's position against the frame.

        Parameters
        ----------
        keep : ndarray of bool, shape (nframes,), optional
            Frames that passed the selection; the others are drawn hollow.
        title : str
        """
        from vampires.plotting.images import draw_metrics

        curves = {
            "aperture flux [e-/s]": _mean_of_psfs(self.photf),
            "Strehl ratio": _mean_of_psfs(self.strehl),
        }
        return draw_metrics(curves, self.positions("dft")[0], keep, title)

    def select(self, metric: str, quantile: float) -> NDArray[np.bool_]:
        """Frames to keep when the worst are discarded.

        Large is good for every metric: ``strehl`` (looks at the sharpness, which is known to the
        photon noise of each frame); ``max`` or ``peak`` (largest pixel);
        ``normvar`` (variance over mean of the window) and ``l2norm`` (variance), both larger the
        sharper the image. Each PSF and each field is divided by its own median over the frames,
        so that they weigh the same; a frame's value is the median over them.

        Parameters
        ----------
        metric : {'strehl', 'max', 'peak', 'normvar', 'l2norm'}
            What tells a good frame from a bad one.
        quantile : float
            Part of the frames to discard, 0 to 1. Frames below this quantile of the values go.

        Returns
        -------
        ndarray of bool, (nframes,)
            Frames without a finite value are always discarded.

        Raises
        ------
        MeasurementError
            When the metric is unknown, or was measured on no frame.
        """
        if metric not in SELECTION:
            raise MeasurementError(
                f"frame selection by '{metric}': use one of {', '.join(SELECTION)}"
            )
        values = _frame_values(getattr(self, SELECTION[metric]))
        finite = np.isfinite(values)
        if not finite.any():
            raise MeasurementError(f"frame selection by '{metric}': {self._why_nothing()}")
        keep = np.zeros(len(values), dtype=bool)
        keep[finite] = values[finite] >= np.quantile(values[finite], quantile)
        return keep

    def _why_nothing(self) -> str:
        """Why no frame has a value, and what to do."""
        saturated = int((self.frame_nsat > 0).sum())
        if not saturated:
            return "no frame has a value; was it measured?"
        return (
            f"no frame has a value: {saturated} of {len(self.frame_nsat)} frames hold saturated "
            f"pixels ({np.median(self.frame_nsat):.0f} at the median), which leave no flux or "
            "Strehl ratio of the star; set [frame_select] metric = 'l2norm' or frame_select = "
            "false, and calibrate fluxes with shorter exposures"
        )


def _mean_of_psfs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the PSFs of each field; NaN where a frame has none."""
    count = np.isfinite(values).sum(axis=1)
    total = np.nansum(values, axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _as_bytes(names: tuple[str, ...]) -> NDArray[np.bytes_]:
    # Fixed length: variable-length strings go to a heap whose layout is not ours to fix.
    return np.array([name.encode() for name in names], dtype="S")


def _as_text(names: NDArray[np.bytes_]) -> tuple[str, ...]:
    return tuple(name.decode() for name in names)


def _frame_values(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number per frame: median over PSFs and fields, each relative to its own median."""
    rows = column.reshape(-1, column.shape[-1])
    rows = rows[np.isfinite(rows).any(axis=1)]
    if not len(rows):
        return np.full(column.shape[-1], np.nan)
    if len(rows) == 1:
        return rows[0]
    rows = rows / np.abs(np.nanmedian(rows, axis=1, keepdims=True))
    values = np.full(rows.shape[1], np.nan)
    some = np.isfinite(rows).any(axis=0)
    values[some] = np.nanmedian(rows[:, some], axis=0)
    return values


def read_columns(
    path: str | Path, names: Iterable[str]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.float64]]]:
    """Read some of what `FrameMetrics.write` wrote, in a fraction of the time.

    Parameters
    ----------
    path : str or Path
        HDF5 file.
    names : iterable of str
        Datasets.

    Returns
    -------
    fields : tuple of str
        Filter of each field.
    columns : dict
        The datasets by name, shape (nfields, npsfs, nframes) or (nframes,).

    Raises
    ------
    FileError
        As of `FrameMetrics.read`.
    """
    with _reading(path) as file:
        return _as_text(file.attrs["fields"]), {name: file[name][...] for name in names}


def star_places(spots: NDArray[np.float64]) -> NDArray[np.float64]:
    """(y, x) of the star from those of its PSFs, see `FrameMetrics.positions`.

    Parameters
    ----------
    spots : ndarray (nfields, npsfs, nframes, 2)

    Returns
    -------
    ndarray (nfields, nframes, 2)
    """
    if spots.shape[1] == 1:
        return spots[:, 0]
    return np.stack([_star_from_spots(field) for field in spots])


@contextlib.contextmanager
def _reading(path: str | Path) -> Iterator[h5py.File]:
    """Open a file of measurements; what is wrong with it becomes a `FileError`."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FileError(f"{path}: not a file of frame measurements ({error})") from error


def _star_from_spots(spots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Star of each frame from the spots (npsfs, nframes, 2) of one field."""
    complete = np.isfinite(spots).all(axis=(0, 2))
    if not complete.any():
        return np.full(spots.shape[1:], np.nan)
    typical = np.median(spots[:, complete] - spots[:, complete].mean(axis=0), axis=1)
    crossing = np.full(spots.shape[1:], np.nan)
    if len(typical) == 4:
        order = np.argsort(np.arctan2(typical[:, 0], typical[:, 1]))
        centre = _cross_diagonals(typical[order][:, None])[0]
        typical = typical - centre
        crossing = _cross_diagonals(spots[order])
    stars = spots - typical[:, None]  # where each spot puts the star
    expected = np.full(spots.shape[1:], np.nan)
    some = np.isfinite(stars).any(axis=(0, 2))
    expected[some] = np.nanmedian(stars[:, some], axis=0)
    distance = np.hypot(*np.moveaxis(stars - expected, -1, 0))
    stars[~(distance <= _LOST)] = np.nan
    whole = np.isfinite(stars).all(axis=(0, 2)) & np.isfinite(crossing).all(axis=-1)
    some = np.isfinite(stars).any(axis=(0, 2)) & ~whole
    result = np.full(spots.shape[1:], np.nan)
    result[whole] = crossing[whole]
    result[some] = np.nanmean(stars[:, some], axis=0)
    return result


def _cross_diagonals(spots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Point where the diagonals 0-2 and 1-3 of quadrilaterals (4, n, 2) cross."""
    first, second = spots[2] - spots[0], spots[3] - spots[1]
    between = spots[1] - spots[0]
    determinant = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (between[:, 0] * second[:, 1] - between[:, 1] * second[:, 0]) / determinant
    crossing: NDArray[np.float64] = spots[0] + along[:, None] * first
    return crossing
