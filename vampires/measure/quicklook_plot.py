"""Pictures of a quick look: mean image, strip of frames, curves against the frame."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vampires.utils.robust import robust_std

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from vampires.measure.quicklook import QuickLook

_REJECTED = "#c11f2b"
_ROW = 2.1  # inches of a row of a sheet


def draw_curves(axes: Sequence[Axes], look: QuickLook, rejected: Collection[int]) -> None:
    """Draw peak and flux over their medians, and the place, against the frame.

    Parameters
    ----------
    axes : sequence of two Axes
        For the brightness, and for the place.
    look : QuickLook
    rejected : collection of int
        Frames left out; they are shaded.
    """
    typical = look.typical()
    panels = (
        ("peak, flux (dashed)", look.peak / typical["peak"], look.flux / typical["flux"]),
        ("x, y (dashed) [px]", look.place[:, 1] - typical["x"], look.place[:, 0] - typical["y"]),
    )
    for panel, (label, line, dashed) in zip(axes, panels, strict=True):
        panel.clear()
        panel.plot(look.frames, line, ".-", look.frames, dashed, ".--", ms=3, lw=0.6)
        for first, last in _runs(sorted(rejected)):
            panel.axvspan(first - 0.5, last + 0.5, color=_REJECTED, alpha=0.25, lw=0)
        panel.set_ylabel(label, fontsize="xx-small")
        panel.tick_params(labelsize="x-small")
    axes[0].tick_params(labelbottom=False)
    axes[-1].set_xlabel("frame", fontsize="x-small")


def draw_mean(axes: Axes, look: QuickLook) -> None:
    """Draw the mean image as on disk, axes 1-based as DS9 counts."""
    ny, nx = look.mean.shape
    axes.clear()
    axes.imshow(_stretched(look.mean), origin="lower", cmap="inferno",
                extent=(0.5, nx + 0.5, 0.5, ny + 0.5))  # fmt: skip
    axes.tick_params(labelsize="x-small")


def draw_strip(axes: Axes, look: QuickLook, *, with_mean: bool = False) -> None:
    """Draw cut-outs of some frames side by side, each stretched by itself.

    Parameters
    ----------
    axes : Axes
    look : QuickLook
    with_mean : bool
        Begin with the mean image, reduced to the same height.
    """
    axes.clear()
    pictures = [_stretched(cut) for cut in look.strip]
    labels = [str(frame) for frame in look.strip_frames]
    if with_mean:
        pictures.insert(0, _reduced(_stretched(look.mean), look.strip.shape[1]))
        labels.insert(0, "mean")
    axes.imshow(np.concatenate(pictures, axis=1), origin="lower", cmap="inferno")
    edges = np.cumsum([0, *(picture.shape[1] for picture in pictures)])
    axes.set_xticks((edges[1:] + edges[:-1]) / 2, labels, fontsize="x-small")
    axes.set_yticks([])


def _reduced(image: NDArray[np.float64], height: int) -> NDArray[np.float64]:
    """Image with so many rows, by nearest pixels."""
    ny, nx = image.shape
    width = max(round(nx * height / ny), 1)
    rows = np.arange(height) * ny // height
    return image[rows][:, np.arange(width) * nx // width]


def contact_sheet(
    looks: Sequence[QuickLook], remarks: Sequence[str], rejected: Sequence[Collection[int]]
) -> Figure:
    """Draw a page of files, a row each.

    Parameters
    ----------
    looks : sequence of QuickLook
    remarks : sequence of str
        Said of each file after its name; empty if nothing.
    rejected : sequence of collections of int
        Frames of each that are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, _ROW * len(looks)))
    rows = figure.subfigures(len(looks), 1, squeeze=False)
    for row, look, remark, frames in zip(rows[:, 0], looks, remarks, rejected, strict=True):
        _row(row, look, remark, frames)
    return figure


def _row(row: SubFigure, look: QuickLook, remark: str, rejected: Collection[int]) -> None:
    pictures = row.add_axes((0.01, 0.12, 0.66, 0.74))
    curves = [row.add_axes((0.73, 0.16 + 0.36 * k, 0.26, 0.34)) for k in (1, 0)]
    draw_strip(pictures, look, with_mean=True)
    draw_curves(curves, look, rejected)
    colour = _REJECTED if remark else "black"
    text = f"{look.name}, {len(look.frames)} of {look.n} frames"
    row.text(0.03, 0.91, f"{text}: {remark}" if remark else text, color=colour, fontsize="small")


def _stretched(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """From 0 to 1 by asinh, linear within five sigma of the sky."""
    sky = float(np.median(image))
    noise = max(robust_std(image, sky), 1e-6)
    scaled = np.arcsinh((image - sky) / (5 * noise))
    top = max(float(scaled.max()), 1e-6)
    return np.clip((scaled + 0.3) / (top + 0.3), 0, 1)


def _runs(frames: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], frame)
        else:
            runs.append((frame, frame))
    return runs
