"""Pictures of images and measurements, drawn without a display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vampires.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vampires.metrics import FrameMetrics


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
    from matplotlib.figure import Figure

    ny, nx = data.shape
    half_x, half_y = nx * scale / 2, ny * scale / 2
    top = float(np.nanmax(data)) if np.isfinite(data).any() else 1.0
    width = max(_noise(data), abs(top) * 1e-4, 1e-12)
    figure = Figure(figsize=(5.2, 4.4))
    axes = figure.add_axes((0.13, 0.11, 0.76, 0.82))
    image = axes.imshow(
        data, origin="lower", cmap="inferno", interpolation="nearest",
        extent=(-half_x, half_x, -half_y, half_y), norm=AsinhNorm(width, -3 * width, top),
    )  # fmt: skip
    axes.set(title=title, xlabel="arcsec", ylabel="arcsec")
    figure.colorbar(image, ax=axes, label=unit)
    return figure


def draw_metrics(metrics: FrameMetrics, keep: np.ndarray | None, title: str) -> Figure:
    """Draw what was measured frame by frame: flux, Strehl ratio, and the star's position.

    Parameters
    ----------
    metrics : FrameMetrics
        Measurements of one group.
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
    panels = (("photf", "aperture flux [e-/s]"), ("strehl", "Strehl ratio"))
    axes = figure.subplots(3, 1, sharex=True)
    frames = np.arange(metrics.photf.shape[-1])
    kept = np.ones(frames.size, dtype=bool) if keep is None else keep
    for panel, (name, label) in zip(axes, panels, strict=False):
        for values in _mean_of_psfs(getattr(metrics, name)):
            panel.plot(frames[kept], values[kept], ".", ms=4)
            panel.plot(frames[~kept], values[~kept], "o", ms=4, mfc="none", color="0.6")
        panel.set_ylabel(label)
    star = metrics.positions("dft")
    axes[2].plot(frames, star[0, :, 0] - np.nanmedian(star[0, :, 0]), ".", ms=4, label="y")
    axes[2].plot(frames, star[0, :, 1] - np.nanmedian(star[0, :, 1]), ".", ms=4, label="x")
    axes[2].set(xlabel="frame", ylabel="offset [pixel]")
    axes[2].legend(loc="upper right")
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure as PNG, the same bytes for the same figure."""
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def _mean_of_psfs(values: np.ndarray) -> np.ndarray:
    """Mean over the PSFs of each field; NaN where a frame has none."""
    count = np.isfinite(values).sum(axis=1)
    total = np.nansum(values, axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _noise(data: np.ndarray) -> float:
    finite = data[np.isfinite(data)]
    if not finite.size:
        return 0.0
    return float(1.4826 * np.median(np.abs(finite - np.median(finite))))
