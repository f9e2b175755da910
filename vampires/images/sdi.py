"""Spectral differential imaging (SDI): remove the star with another wavelength.

The star and its speckles look alike at neighbouring wavelengths, except that they are brighter
by the ratio of the star's flux and larger by the ratio of the wavelengths. Narrowband data
subtract the continuum next to a line, which leaves what emits in the line; multiband data
subtract the other bands after radial rescaling, which leaves what does not move with wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import MeasurementError, PolarimetryError
from vampires.header.merge import merge_headers
from vampires.images.differences import DifferenceImage, line_minus_continuum, single_difference
from vampires.images.image import CameraImage
from vampires.images.reproject import Similarity, reproject, transform
from vampires.images.units import FluxScale
from vampires.instrument.filters import FILTERS
from vampires.night.pairing import CONTINUUM

Float32 = NDArray[np.float32]

_OF_A_STATE = (
    (Header.sdi_scale, Header.sdi_state_scale), (Header.sdi_scale_error, Header.sdi_state_error),
)  # fmt: skip


@dataclass(frozen=True)
class StarRegion:
    """Where the star's flux is compared between filters.

    Parameters
    ----------
    radius : float
        Radius of the aperture, pixels.
    inner : float
        Radius of a hole in it (behind a coronagraph, where only the halo is seen), pixels.
    """

    radius: float = 8.0
    inner: float = 0.0

    def flux(self, data: Float32, variance: Float32) -> tuple[float, float]:
        """Sum and its variance, exact overlap; pixels masked in `data` are left out.

        NaN where the region reaches beyond the image.
        """
        from photutils.aperture import CircularAnnulus, CircularAperture  # slow to load

        if self.radius > min(data.shape) / 2:
            return np.nan, np.nan
        valid = np.isfinite(data)
        clean, noise = np.where(valid, data, 0), np.where(valid, variance, 0)
        center = ((data.shape[1] - 1) / 2, (data.shape[0] - 1) / 2)
        region = (
            CircularAnnulus(center, self.inner, self.radius)
            if self.inner > 0
            else CircularAperture(center, self.radius)
        )
        (total,), (error,) = region.do_photometry(clean, error=np.sqrt(noise))
        return float(total), float(error) ** 2


def flux_ratio(image: CameraImage, other: CameraImage, region: StarRegion) -> tuple[float, float]:
    """Ratio of the star's flux in two images, and its error.

    Parameters
    ----------
    image, other : CameraImage
        Numerator and denominator, of one field each, the star at their centre.
    region : StarRegion
        Where; pixels masked in either image are left out of both.

    Returns
    -------
    ratio, error : float
        Errors of both fluxes, the masters' included, are taken as independent.

    Raises
    ------
    MeasurementError
        One of the fluxes is not positive, or the region reaches beyond the image.
    """
    seen = np.isfinite(image.data[0]) & np.isfinite(other.data[0])
    fluxes = []
    for one in (image, other):
        masked = np.where(seen, one.data[0], np.float32(np.nan))
        flux, variance = region.flux(masked, one.variance[0] + one.systematic[0])
        if not flux > 0:
            raise MeasurementError(
                f"{one!r}: flux {flux:.3g} {image.scale.unit} within {region.radius:g} px of the "
                "star, so the other wavelength cannot be scaled to it; check [analysis] "
                "phot_aper_rad"
            )
        fluxes.append((flux, variance))
    (above, above_var), (below, below_var) = fluxes
    ratio = above / below
    return ratio, ratio * float(np.sqrt(above_var / above**2 + below_var / below**2))


def subtract_continuum(
    line: CameraImage,
    continuum: CameraImage,
    region: StarRegion,
    reference: Header | None = None,
) -> DifferenceImage:
    """Subtract the scaled continuum from an image in a spectral line.

    Parameters
    ----------
    line, continuum : CameraImage
        One-field coadds, simultaneous or close in time.
    region : StarRegion
        Where the star's flux gives the scale.
    reference : Header, optional
        Header of the camera whose pixels the result is on; default: that of the line.

    Returns
    -------
    DifferenceImage
        ``line - s * continuum`` and ``line + s * continuum``, with SDICONT (its filter),
        SDISCALE (s), SDISCERR and SDIMAGN in the header. The continuum has been brought to the
        reference's pixels, its speckles to the line's wavelength, in one interpolation.

    Notes
    -----
    Where the star itself emits in the line, s includes it: the star vanishes, and sources of the
    star's line-to-continuum ratio with it. What is given is the excess over that.
    """
    reference = line.header if reference is None else reference
    magnification = _wavelength(line) / _wavelength(continuum)
    onto = Similarity.between(continuum.header, reference).then(magnification)
    matched = reproject(continuum, reference, onto)
    target = reproject(line, reference)
    scale, error = flux_ratio(target, matched, region)
    out = line_minus_continuum(target, matched, scale, error)
    out.header.put(
        filter=(line.fields[0], "line filter"), sdi_continuum=continuum.fields[0],
        sdi_scale_error=error, sdi_magnification=magnification,
    )  # fmt: skip
    return out


def subtract(one: CameraImage, other: CameraImage, region: StarRegion) -> DifferenceImage:
    """Half the difference of one filter, or line minus continuum; see `CameraImage.difference`."""
    if CONTINUUM.get(one.fields[0]) == other.fields[0]:
        return subtract_continuum(one, other, region)
    return single_difference(one, other)


def swapped_difference(before: DifferenceImage, after: DifferenceImage) -> DifferenceImage:
    """Mean of two line-minus-continuum images, with the filters swapped between the cameras.

    Aberrations and ghosts of one camera are in the line once and in the continuum once, and
    cancel to first order.

    Parameters
    ----------
    before, after : DifferenceImage
        From `subtract_continuum` on the same pixels (``reference``).

    Returns
    -------
    DifferenceImage

    Raises
    ------
    PolarimetryError
        The images differ in size.
    """
    if before.difference.shape != after.difference.shape:
        raise PolarimetryError(
            f"{before!r} and {after!r} differ in size and cannot be combined; "
            "reduce all with the same [align] crop_width"
        )
    half = np.float32(0.5)
    header = merge_headers([before.header, after.header])
    scales = [FluxScale.of_header(part.header, len(part.fields)) for part in (before, after)]
    FluxScale.mean(scales).stamp(header)
    for number, part in enumerate((before, after), start=1):
        for fact, state in _OF_A_STATE:
            comment = f"{fact.keyword} of state {number}"
            header.set(state.of(number), part.header.need(fact), comment)
            header.drop(fact)
    return DifferenceImage(
        (before.difference + after.difference) * half,
        (before.total + after.total) * half,
        np.hypot(before.error, after.error) * half,
        header,
        before.fields,
    )


def multiband_sdi(image: CameraImage, region: StarRegion) -> DifferenceImage:
    """Subtract from each band the others, rescaled to its wavelength (classical SDI).

    Parameters
    ----------
    image : CameraImage
        Multiband coadd, the star at the centre of every field.
    region : StarRegion
        Where the star's flux gives the scales.

    Returns
    -------
    DifferenceImage
        Each field less the mean of the other ones, these magnified about the star by the ratio
        of the wavelengths and scaled to the field's stellar flux. ``total`` is the field plus
        that mean. NaN where any band, so magnified, is not seen.

    Raises
    ------
    PolarimetryError
        There is one field only.

    Notes
    -----
    A companion at separation r is in the subtracted mean too, at the radii r times the ratios
    of wavelengths; it survives whole only where these are farther than a PSF width from r
    (Racine et al. 1999, PASP 111, 587; Sparks & Ford 2002, ApJ 578, 543).
    """
    if len(image.fields) < 2:
        raise PolarimetryError(f"{image!r} has one field: spectral differences need two or more")
    shape = image.data.shape
    difference, total, error = (np.empty(shape, np.float32) for _ in range(3))
    bands = [image.field(name) for name in image.fields]
    for i, band in enumerate(bands):
        others = [_matched(other, band, region) for other in bands if other is not band]
        mean = np.mean([data for data, _ in others], axis=0)
        noise = np.sum([variance for _, variance in others], axis=0) / len(others) ** 2
        difference[i], total[i] = band.data[0] - mean, band.data[0] + mean
        error[i] = np.sqrt(band.variance[0] + band.systematic[0] + noise)
    return DifferenceImage(difference, total, error, image.header.copy(), image.fields)


def _matched(other: CameraImage, band: CameraImage, region: StarRegion) -> tuple[Float32, Float32]:
    """Image and variance of a band as it would look at the wavelength of another."""
    moved = transform(other, Similarity(_wavelength(band) / _wavelength(other)))
    scale, error = flux_ratio(band, moved, region)
    variance = scale**2 * (moved.variance[0] + moved.systematic[0])
    return np.float32(scale) * moved.data[0], variance + (error * moved.data[0]) ** 2


def _wavelength(image: CameraImage) -> float:
    return FILTERS[image.fields[0]].mean
