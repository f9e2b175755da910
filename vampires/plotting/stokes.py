"""Pictures of the polarimetry: azimuthal Stokes, overview, instrumental polarisation, fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from vampires.plotting.figures import (
    Q_PHI,
    U_PHI,
    colour_bar,
    new_figure,
    per_pixel,
    put_title,
)
from vampires.plotting.images import thinned


@dataclass(frozen=True)
class StokesPlanes:
    """What is drawn of one field of a Stokes frame.

    Parameters
    ----------
    planes, errors : mapping of str to ndarray, shape (ny, nx)
        By name: I_Q, I_U, Q, U, Q_PHI, U_PHI, LP_I and AOLP.
    title : str
    pixel_scale : float
        Arcsec per pixel.
    north_up : bool
        Whether the frame is derotated.
    unit : str
        Of the planes, AOLP aside.
    """

    planes: Mapping[str, NDArray]
    errors: Mapping[str, NDArray]
    title: str
    pixel_scale: float
    north_up: bool
    unit: str


@dataclass(frozen=True)
class LampCurve:
    """Lamp measurements at one FLC state and rotator angle, in order of the HWP angle (deg)."""

    label: str
    hwp: NDArray
    measured: NDArray
    error: NDArray
    predicted: NDArray


def plot_azimuthal(stokes: StokesPlanes) -> Figure:
    """Draw Q_phi and U_phi side by side on one asinh scale.

    Returns
    -------
    Figure
        North up, east left, axes in arcsec from the star.
    """
    noise = _typical(stokes.errors["Q_PHI"])
    top = _upper(stokes.planes["Q_PHI"])
    norm = AsinhNorm(linear_width=max(noise, 1e-3 * top), vmin=-top, vmax=top)
    figure = new_figure(9.0, 4.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True, gridspec_kw={
        "left": 0.07, "right": 0.91, "bottom": 0.11, "top": 0.88, "wspace": 0.08,
    })  # fmt: skip
    for axes, name, label in zip(panels, ("Q_PHI", "U_PHI"), (Q_PHI, U_PHI), strict=True):
        image = _show(axes, stokes.planes[name], stokes, norm, "RdBu_r")
        put_title(axes, label)
        _keep_outer_axes(axes)
    colour_bar(figure, image, list(panels), per_pixel(stokes.unit), fraction=0.03, pad=0.02)
    figure.suptitle(stokes.title)
    return figure


def plot_overview(stokes: StokesPlanes) -> Figure:
    """Draw all eight product planes."""
    figure = new_figure(13.0, 6.4)
    panels = figure.subplots(2, 4, sharex=True, sharey=True, gridspec_kw={
        "left": 0.055, "right": 0.95, "bottom": 0.08, "top": 0.91, "wspace": 0.3, "hspace": 0.16,
    })  # fmt: skip
    for axes, (name, plane) in zip(panels.ravel(), stokes.planes.items(), strict=True):
        norm, colours = _stretch(name, plane, _typical(stokes.errors[name]))
        image = _show(axes, plane, stokes, norm, colours, most=320)
        put_title(axes, name)
        _keep_outer_axes(axes)
        unit = "deg" if name == "AOLP" else ""
        colour_bar(figure, image, axes, unit, fraction=0.046, pad=0.04)
    figure.suptitle(stokes.title)
    return figure


def plot_ip(table: Table) -> Figure:
    """Draw the star's Q/I and U/I of every set against parallactic angle and altitude.

    Points are on the sky, after the correction; lines are what the model took out, in the
    instrument's frame. An unpolarised star should lie at zero whatever the lines do.

    Parameters
    ----------
    table : Table
        From `vampires.polarimetry.collapse.stokes_table`.
    """
    figure = new_figure(9.0, 4.4)
    panels = figure.subplots(1, 2, sharey=True, gridspec_kw={
        "left": 0.08, "right": 0.98, "bottom": 0.12, "top": 0.96, "wspace": 0.06,
    })  # fmt: skip
    for axes, (column, label) in zip(
        panels, (("pa", "parallactic angle [deg]"), ("altitude", "altitude [deg]")), strict=True
    ):
        for field in dict.fromkeys(table["field"]):
            rows = table[table["field"] == field]
            rows = rows[np.argsort(rows[column])]
            for name, marker in (("q", "o"), ("u", "s")):
                points = axes.errorbar(
                    rows[column], 100 * np.asarray(rows[name]),
                    100 * np.asarray(rows[f"{name}_err"]),
                    fmt=marker, ms=4, capsize=2, label=f"{name.upper()}/I {field}",
                )  # fmt: skip
                if f"model_ip_{name}" in rows.colnames:
                    axes.plot(
                        rows[column], 100 * np.asarray(rows[f"model_ip_{name}"]), lw=1,
                        color=points[0].get_color(),
                    )  # fmt: skip
        axes.axhline(0, color="0.6", lw=0.8, zorder=0)
        axes.set(xlabel=label)
    panels[0].set_ylabel("polarisation [%]")
    panels[0].legend(fontsize="small")
    return figure


def plot_readouts(
    profile: Table, r2: NDArray, snr: NDArray, pixel_scale: float, title: str, unit: str
) -> Figure:
    """Draw a radial profile, Q_phi times r^2, and the map of S/N.

    Parameters
    ----------
    profile : Table
        From `vampires.polarimetry.readouts.radial_profile`.
    r2, snr : ndarray, shape (ny, nx)
    pixel_scale : float
        Arcsec per pixel.
    title : str
    unit : str
        Of the product.
    """
    figure = new_figure(14.0, 4.4)
    curve, left, right = (figure.add_axes((x, 0.14, 0.24, 0.74)) for x in (0.05, 0.36, 0.72))
    for name, label in (("q_phi", Q_PHI), ("u_phi", U_PHI)):
        curve.errorbar(
            profile["r_arcsec"], profile[name], profile["noise"], fmt=".-", lw=0.8, label=label
        )
    curve.axhline(0, color="0.6", lw=0.8, zorder=0)
    curve.set(
        xlabel="distance from the star [arcsec]", ylabel=per_pixel(unit), title=title,
        ylim=_range(profile),
    )  # fmt: skip
    curve.legend(fontsize="small")
    ny, nx = r2.shape
    half_x, half_y = nx * pixel_scale / 2, ny * pixel_scale / 2
    panels = (
        (left, r2, _upper(r2), f"{Q_PHI} r²", f"{per_pixel(unit)} · arcsec²"),
        (right, snr, 5.0, "S/N", f"{Q_PHI} over the rms of {U_PHI}"),
    )
    for axes, values, top, label, what in panels:
        image = axes.imshow(
            values, origin="lower", norm=Normalize(-top, top), cmap="RdBu_r",
            interpolation="nearest", extent=(half_x, -half_x, -half_y, half_y),
        )  # fmt: skip
        put_title(axes, label)
        axes.set(xlabel="east offset [arcsec]")
        colour_bar(figure, image, axes, what, fraction=0.046, pad=0.04)
    left.set_ylabel("north offset [arcsec]")
    return figure


def _range(profile: Table) -> tuple[float, float] | None:
    """Range of what is known well: a noisy annulus by star or edge does not set the scale."""
    values = np.array([profile[name] for name in ("q_phi", "u_phi", "noise")], dtype=float)
    values = values[:, np.isfinite(values).all(axis=0)]
    if values.size == 0:
        return None
    *means, noise = values[:, values[2] <= 5 * np.median(values[2])]
    low, high = np.min(means - noise), np.max(means + noise)
    return float(low - 0.05 * (high - low)), float(high + 0.05 * (high - low))


def plot_fit(curves: Sequence[LampCurve], title: str, most_labels: int = 12) -> Figure:
    """Draw lamp measurements, fitted model and residuals against the HWP angle.

    Parameters
    ----------
    curves : sequence of LampCurve
        One for each FLC state and rotator angle.
    title : str
    most_labels : int
        More curves than these are not named one by one.
    """
    figure = new_figure(9.0, 6.0)
    figure.set_layout_engine("constrained")  # for the legend beside the panels
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    named = len(curves) <= most_labels
    for number, curve in enumerate(curves):
        colour = f"C{number % 10}"
        label = curve.label if named else None
        upper.errorbar(curve.hwp, curve.measured, curve.error, fmt=".", color=colour)
        upper.plot(curve.hwp, curve.predicted, color=colour, lw=1, label=label)
        residual = curve.measured - curve.predicted
        lower.errorbar(curve.hwp, residual, curve.error, fmt=".", color=colour)
    lower.axhline(0, color="0.6", lw=0.8, zorder=0)
    upper.set_ylabel("(cam1 - cam2) / (cam1 + cam2)")
    upper.set_title(title)
    lower.set(xlabel="HWP angle [deg]", ylabel="residual")
    if named:
        figure.legend(fontsize="x-small", loc="outside right upper")
    return figure


def _show(
    axes: Axes, data: NDArray, stokes: StokesPlanes, norm: Normalize, colours: str, most: int = 640
) -> AxesImage:
    ny, nx = data.shape
    half_x, half_y = nx * stokes.pixel_scale / 2, ny * stokes.pixel_scale / 2
    axes.set(xlabel="east offset [arcsec]", ylabel="north offset [arcsec]")
    if not stokes.north_up:
        axes.set(xlabel="offset to the left [arcsec]", ylabel="offset upwards [arcsec]")
    return axes.imshow(
        thinned(data, most), origin="lower", norm=norm, cmap=colours, interpolation="nearest",
        extent=(half_x, -half_x, -half_y, half_y),
    )  # fmt: skip


def _keep_outer_axes(axes: Axes) -> None:
    """Hide the axes between panels that share them: drawing them takes longer than the image."""
    place = axes.get_subplotspec()
    if place is not None:
        axes.xaxis.set_visible(place.is_last_row())
        axes.yaxis.set_visible(place.is_first_col())


def _stretch(name: str, data: NDArray, noise: float) -> tuple[Normalize, str]:
    if name == "AOLP":
        return Normalize(-90, 90), "twilight"
    top = _upper(data)
    width = max(noise, 1e-3 * top)
    if name in ("I_Q", "I_U", "LP_I"):
        return AsinhNorm(linear_width=width, vmin=0, vmax=top), "inferno"
    return AsinhNorm(linear_width=width, vmin=-top, vmax=top), "RdBu_r"


def _upper(data: NDArray) -> float:
    """Level that few pixels exceed, so that neither star nor a stray pixel sets the scale."""
    finite = np.abs(data[np.isfinite(data)])
    top = float(np.quantile(finite, 0.998)) if finite.size else 1.0
    return top if top > 0 else 1.0


def _typical(errors: NDArray) -> float:
    finite = errors[np.isfinite(errors)]
    return float(np.median(finite)) if finite.size else 0.0
