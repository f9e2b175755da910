"""Pictures of images and measurements, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vampires.plotting.figures import colour_bar, new_figure, put_title
from vampires.utils.robust import robust_std

if TYPE_CHECKING:
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure


def draw_image(data: np.ndarray, scale: float, title: str, unit: str = "e-/s") -> Figure:
    """Draw an image with an asinh stretch, axes in arcsec from the image centre.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        NaN is left blank.
    scale : float
        Arcsec per pixel.
    title, unit : str
        Title of the panel and label of the colour bar.

    Returns
    -------
    Figure
        Not bound to any display; save it or show it in a notebook.
    """
    from matplotlib.colors import AsinhNorm

    top = float(np.nanmax(data)) if np.isfinite(data).any() else 1.0
    width = max(_noise(thinned(data, 640)), abs(top) * 1e-4, 1e-12)
    return _draw(data, AsinhNorm(width, -3 * width, top), scale, title, unit)


def draw_master(data: np.ndarray, scale: float, title: str, unit: str = "") -> Figure:
    """Draw a master frame: linear between the values that one pixel in a hundred exceeds.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        NaN is left blank.
    scale : float
        Arcsec per pixel.
    title, unit : str
        Title of the panel and label of the colour bar.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import Normalize

    known = thinned(data, 640)
    known = known[np.isfinite(known)]
    low, high = np.quantile(known, (0.01, 0.99)) if known.size else (0.0, 1.0)
    return _draw(data, Normalize(low, high), scale, title, unit)


def _draw(data: np.ndarray, norm: Normalize, scale: float, title: str, unit: str) -> Figure:
    ny, nx = data.shape
    half_x, half_y = nx * scale / 2, ny * scale / 2
    data = thinned(data, 640)
    figure = new_figure(5.2, 4.4)
    axes = figure.add_axes((0.13, 0.11, 0.76, 0.82))
    image = axes.imshow(
        data, origin="lower", cmap="inferno", interpolation="nearest",
        extent=(-half_x, half_x, -half_y, half_y), norm=norm,
    )  # fmt: skip
    put_title(axes, title)
    axes.set(xlabel="arcsec", ylabel="arcsec")
    colour_bar(figure, image, axes, unit)
    return figure


def thinned(data: np.ndarray, most: int) -> np.ndarray:
    """Every n-th pixel of an image, so that no side has more than some: as many as are shown.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
    most : int
        Pixels of the picture.

    Examples
    --------
    >>> thinned(np.zeros((1100, 2240)), 640).shape
    (275, 560)
    """
    step = -(-max(data.shape) // most)
    return data[step // 2 :: step, step // 2 :: step]


def draw_metrics(
    curves: Mapping[str, np.ndarray], star: np.ndarray, keep: np.ndarray | None, title: str
) -> Figure:
    """Draw what was measured frame by frame, and the star's position.

    Parameters
    ----------
    curves : mapping of str to ndarray, shape (nfields, nframes)
        One panel each, under its label.
    star : ndarray, shape (nframes, 2)
        (y, x) of the star in the first field.
    keep : ndarray of bool, shape (nframes,), optional
        Frames that passed the selection; the others are drawn hollow.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    figure.suptitle(title)
    *panels, place = figure.subplots(len(curves) + 1, 1, sharex=True)
    frames = np.arange(len(star))
    kept = np.ones(frames.size, dtype=bool) if keep is None else keep
    for panel, (label, fields) in zip(panels, curves.items(), strict=True):
        for values in fields:
            panel.plot(frames[kept], values[kept], ".", ms=4)
            panel.plot(frames[~kept], values[~kept], "o", ms=4, mfc="none", color="0.6")
        panel.set_ylabel(label)
    for axis, name in enumerate("yx"):
        offset = star[:, axis] - np.nanmedian(star[:, axis])
        place.plot(frames, offset, ".", ms=4, label=name)
    place.set(xlabel="frame", ylabel="offset [pixel]")
    place.legend(loc="upper right")
    return figure


def _noise(data: np.ndarray) -> float:
    finite = data[np.isfinite(data)]
    return robust_std(finite) if finite.size else 0.0
