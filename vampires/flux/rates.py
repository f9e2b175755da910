"""Count rate of the star in a group of frames, from their measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vampires.errors import MeasurementError
from vampires.measure.metrics import FrameMetrics


@dataclass(frozen=True)
class StarRate:
    """Mean rate of a star, or of one of its satellite spots.

    Parameters
    ----------
    value : float
        e-/s.
    error : float
        Relative error by photon and read noise.
    aperture : str
        What was summed, for the header.
    """

    value: float
    error: float
    aperture: str


@dataclass(frozen=True)
class FluxReference:
    """What the star, or its satellite spots, are measured to give in an image.

    Parameters
    ----------
    rates : tuple of StarRate or None
        One a field; None: not measured.
    spots : bool
        Whether they are those of a satellite spot.
    cards : dict
        More to say of it in the header.
    """

    rates: tuple[StarRate, ...] | None = None
    spots: bool = False
    cards: dict[str, tuple[Any, str]] = field(default_factory=dict)


def star_rates(metrics: FrameMetrics, keep: NDArray[np.bool_], metric: str) -> tuple[StarRate, ...]:
    """Measure the mean rate of each field.

    Parameters
    ----------
    metrics : FrameMetrics
        Measurements of the frames.
    keep : ndarray of bool, shape (nframes,)
        Frames that are coadded.
    metric : {'photometry', 'sum'}
        Aperture flux, or sum of the window.

    Returns
    -------
    tuple of StarRate
        One a field: the mean over the frames and over the PSFs (four satellite spots). The mean,
        as the coadd is one; frames without a value are left out.

    Raises
    ------
    MeasurementError
        A field has no frame with a value, or its mean is not positive.
    """
    columns = {"photometry": metrics.photf, "sum": metrics.sum}
    rates = []
    for index, name in enumerate(metrics.fields):
        values = columns[metric][index][:, keep]
        good = np.isfinite(values)
        mean = float(values[good].mean()) if good.any() else 0.0
        if not mean > 0:
            why = "no frame has one (saturated?)" if not good.any() else f"mean {mean:.3g} e-/s"
            raise MeasurementError(
                f"{metrics.files[0]}: field {name}: the star's flux ({metric}) is needed for "
                f'[specphot], {why}; look at the metrics, or use unit = "e-/s"'
            )
        errors = np.where(good, metrics.phote[index][:, keep], 0.0)
        noise = float(np.sqrt(np.nansum(errors**2))) / good.sum()
        radius = float(np.nanmean(metrics.photr[index][:, keep])) if metric == "photometry" else 0.0
        what = f"aperture of {radius:g} px" if metric == "photometry" else "sum of the window"
        rates.append(StarRate(mean, noise / mean, what))
    return tuple(rates)
