r"""The Strehl ratio: the peak over *all* the light, relative to the same of the synthetic PSF.

.. math:: S_k = \frac{p_k - b}{F\,P_0}, \qquad F = f + F_{halo}

with the peak ``p`` of frame k between the pixels, the level ``b`` of the sky, the mean flux ``f``
in the aperture, the light beyond it (`vampires.measure.halo`), and the peak ``P_0`` of the
synthetic PSF of unit flux. ``F`` is that of the mean of the frames: the star does not vary, and its
light beyond the aperture cannot be measured frame by frame. So a frame through a cloud has a low
ratio; the mean over the frames does not suffer.

The *sharpness* of a frame, its peak over its flux in the aperture relative to the synthetic PSF,
ranks frames well but is not the Strehl ratio: the light scattered out of the aperture is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.config import AnalysisSettings
from vampires.instrument.filters import FILTERS
from vampires.instrument.telescope import PUPIL
from vampires.kernels.aperture import annulus_mean, circle_sum
from vampires.kernels.strehl import strehl_scale
from vampires.measure.halo import measure_halo, whole_psf
from vampires.measure.metrics import FrameMetrics
from vampires.measure.psf import PsfKey, header_psf_key, synthetic_psf

Float64 = NDArray[np.float64]

_PSF_SIZE = 257  # pixels: more than 30 lambda/D in every filter
EDGE = 0.94
"""Of the way from the middle of a field to its edge, where its stop begins to shade."""
_RAD_PER_MAS = np.pi / 180 / 3600e3


@dataclass(frozen=True)
class FieldImage:
    """Mean image of one field.

    Parameters
    ----------
    image : ndarray (ny, nx)
        e-/s.
    origin : (int, int)
        Place (y, x) of its first pixel in the frame.
    reach : float
        Distance from the star up to which it may be used, pixels.
    """

    image: Float64
    origin: tuple[int, int]
    reach: float


def with_strehl(
    metrics: FrameMetrics,
    images: list[FieldImage],
    header: Header,
    settings: AnalysisSettings,
) -> FrameMetrics:
    """Add the Strehl ratio of every frame and its error.

    Parameters
    ----------
    metrics : FrameMetrics
        With sharpness and photometry of one star a field.
    images : list of FieldImage
        Mean of some of the frames, unregistered: the halo is much wider than the star moves.
    header : Header
        Canonical header: pixel scale, pupil angle.
    settings : AnalysisSettings
        Aperture, annulus and window of the measurements.

    Returns
    -------
    FrameMetrics
        NaN where the light could not be summed up: saturated stars, too small a field.
    """
    strehl, error = metrics.strehl.copy(), metrics.strehl_err.copy()
    for index, name in enumerate(metrics.fields):
        positions = metrics.positions("dft")[index]
        flux, sharpness = metrics.photf[index, 0], metrics.sharpness[index, 0]
        good = np.isfinite(flux) & np.isfinite(sharpness) & np.isfinite(positions).all(axis=1)
        if not good.any():
            continue
        y, x = np.median(positions[good], axis=0) - images[index].origin
        noise = metrics.phote[index, 0] / np.abs(flux)
        star = _Star(header, name, (float(y), float(x)), settings)
        found = star.strehl(flux, sharpness, images[index])
        if found is not None:
            strehl[index, 0], relative = found
            error[index, 0] = strehl[index, 0] * np.hypot(relative, noise)
    return replace(metrics, strehl=strehl, strehl_err=error)


@dataclass(frozen=True)
class _Star:
    """The star of one field, and how it was measured."""

    header: Header
    filter_name: str
    center: tuple[float, float]
    settings: AnalysisSettings

    def strehl(
        self, flux: Float64, sharpness: Float64, field: FieldImage
    ) -> tuple[Float64, float] | None:
        """Strehl ratio of the frames and the relative error that they share."""
        settings, radius = self.settings, self.settings.phot_aper_rad
        inner, outer = settings.phot_ann_rad or (0.0, 0.0)
        ideal = _ideal_star(
            header_psf_key(self.header, self.filter_name), settings.window_size // 2,
            (float(radius), float(inner), float(outer)),
        )  # fmt: skip
        resolution = FILTERS[self.filter_name].mean * 1e-9 / PUPIL.diameter / _RAD_PER_MAS
        resolution /= self.header.pixel_scale
        image = np.asarray(field.image, dtype=float)
        level = annulus_mean(image, image, *self.center, inner, outer)[0] if outer > inner else 0.0
        halo = measure_halo(image, self.center, ideal.psf, resolution, (radius, field.reach))
        if halo is None:
            return None
        peak = sharpness * ideal.peak_with_annulus * flux + level - halo.background
        inside = np.nanmean(flux) + (level - halo.background) * ideal.area
        total = float(inside + halo.flux)
        # a level too high takes light from the aperture as well as from the halo
        relative = float(np.hypot(halo.error, ideal.area * halo.background_error)) / total
        return peak / total / (ideal.peak * ideal.inside), relative


@dataclass(frozen=True)
class _IdealStar:
    """The synthetic PSF measured as the star is.

    Parameters
    ----------
    psf : ndarray (k, k)
        Its sum over the plane, and not over its array, is 1.
    peak, peak_with_annulus : float
        Over the flux in the aperture, without and with the local annulus subtracted, 1/pixel.
    inside, area : float
        Flux in the aperture, and its area in pixels.
    """

    psf: Float64
    peak: float
    peak_with_annulus: float
    inside: float
    area: float


@lru_cache(maxsize=32)
def _ideal_star(key: PsfKey, half: int, radii: tuple[float, float, float]) -> _IdealStar:
    """Measure the PSF of a filter and camera, once for all cubes of a night."""
    psf = whole_psf(synthetic_psf(*key, _PSF_SIZE).astype(float))
    middle = (len(psf) - 1) / 2
    inside, _, area = circle_sum(psf, psf, middle, middle, radii[0])
    peak, with_annulus = (
        strehl_scale(psf, half, radii[0], *annulus) for annulus in ((0.0, 0.0), radii[1:])
    )
    return _IdealStar(psf, peak, with_annulus, inside, area)
