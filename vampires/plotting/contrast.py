"""Pictures of noise and contrast curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure


def draw_curves(table: QTable, title: str) -> Figure:
    """Draw the limit of detection against separation, as contrast where that is known.

    Parameters
    ----------
    table : QTable
        Columns ``image``, ``field``, ``separation``, ``limit``, ``contrast``.
    title : str
        Of the figure.

    Returns
    -------
    Figure
        One line for each image and field.
    """
    from matplotlib.figure import Figure

    contrast = np.asarray(table["contrast"])
    known = bool(np.isfinite(contrast).any())
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    panel = figure.subplots()
    for image, field in dict.fromkeys(zip(table["image"], table["field"], strict=True)):
        own = table[(table["image"] == image) & (table["field"] == field)]
        values = np.asarray(own["contrast"]) if known else own["limit"].value
        shown = np.isfinite(values) & (values > 0)
        at = own["separation"].to_value("arcsec")
        panel.plot(at[shown], values[shown], label=f"{image} {field}")
    unit = table["limit"].unit
    panel.set(
        yscale="log", xlabel="separation [arcsec]", title=title,
        ylabel="contrast" if known else f"flux in an aperture of 1 FWHM [{unit}]",
    )  # fmt: skip
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")
    return figure
