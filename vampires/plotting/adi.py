"""Pictures of ADI images: the residuals and their signal-to-noise ratio, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.stats import mad_std

from vampires.plotting.figures import colour_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SNR = 6.0


def draw_residuals(
    image: np.ndarray, snr: np.ndarray, fields: Sequence[str], scale: float, title: str, unit: str
) -> Figure:
    """Draw a row for each field.

    Parameters
    ----------
    image, snr : ndarray, shape (nfields, ny, nx)
        Residuals and signal-to-noise ratio, north up.
    fields : sequence of str
        Name of each field.
    scale : float
        Arcsec per pixel.
    title, unit : str
        Of the figure, and of `image`.

    Returns
    -------
    Figure
    """
    from matplotlib.figure import Figure

    rows = len(fields)
    figure = Figure(figsize=(9.6, 0.6 + 4.2 * rows), layout="constrained")
    figure.suptitle(title)
    half_y, half_x = image.shape[-2] * scale / 2, image.shape[-1] * scale / 2
    extent = (half_x, -half_x, -half_y, half_y)
    for row, name, plane, ratio in zip(
        figure.subplots(rows, 2, squeeze=False), fields, image, snr, strict=True
    ):
        level = _level(plane)
        for panel, data, top, label in (
            (row[0], plane, level, f"{name} [{unit}]"), (row[1], ratio, _SNR, f"{name} S/N"),
        ):  # fmt: skip
            shown = panel.imshow(
                data, origin="lower", extent=extent, vmin=-top, vmax=top, cmap="RdBu_r"
            )
            panel.set(xlabel="east [arcsec]", ylabel="north [arcsec]")
            colour_bar(figure, shown, panel, label)
    return figure


def _level(plane: np.ndarray) -> float:
    """Six times the scatter of what is beyond the inner quarter."""
    ny, nx = plane.shape
    y, x = np.indices(plane.shape)
    far = np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2) > min(ny, nx) / 8
    seen = plane[far & np.isfinite(plane)]
    if not seen.size:
        return 1.0
    return float(max(6 * mad_std(seen), 1e-30))
