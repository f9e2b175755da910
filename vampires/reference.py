"""The slow twin of the fast path: the same reduction, made of ccdproc, scipy and photutils calls.

Frames are calibrated one by one as `~astropy.nddata.CCDData`, shifted by scipy's spline and
combined by `ccdproc.Combiner`, fifty times slower than the compiled loops and with every frame
in memory. It is there to be read, to check the fast path against (the tests do), and to try out
another method with before it is made fast::

    from vampires import CameraCube, reference

    cube = CameraCube.open(["VMPA00021001.fits"]).measure().register()
    slow = reference.coadd(cube)
    fast = cube.coadd("mean", pad=False, recenter=None).ccddata()

What differs is stated at each function. Bad pixels are masked here, not rebuilt from their
neighbours; compare with ``with_masters(..., repair=False)``.
"""

from __future__ import annotations

from collections.abc import Iterator

import ccdproc
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import ArrayLike, NDArray
from photutils.aperture import CircularAperture, aperture_photometry
from scipy import ndimage

from vampires.cube import CameraCube
from vampires.errors import CalibrationError, ConfigError
from vampires.io.frames import FrameSource
from vampires.sky.export import export_wcs
from vampires.sky.wcs import celestial_wcs, without_wcs

SPLINE_ORDER = 5
"""Of the interpolation: the highest that scipy has."""

COMBINATIONS = {"mean": "average_combine", "median": "median_combine"}
"""The Combiner's method for each way of combining."""


def combine_raw(source: FrameSource, method: str = "median") -> CCDData:
    """Combine the raw frames of a calibration file.

    The twin of `vampires.calibration.masters.temporal_statistics`, which goes by bands of rows,
    adds ``varmean`` and ``biweight``, and measures the error from the scatter of halves.

    Parameters
    ----------
    source : FrameSource
        Raw frames.
    method : str
        ``mean`` or ``median``.

    Returns
    -------
    CCDData
        adu; the uncertainty is the Combiner's: standard deviation of the frames (scaled MAD for
        the median) over the root of their number.

    Examples
    --------
    >>> frames = np.array([[[1, 2]], [[3, 2]], [[8, 2]]], np.uint16)
    >>> combine_raw(FrameSource.from_array(frames)).data.tolist()
    [[3.0, 2.0]]
    """
    raw = source.read(0, source.n).native().astype(float)
    return _combine([CCDData(frame, unit="adu") for frame in raw], method)


def calibrated_frames(cube: CameraCube) -> Iterator[CCDData]:
    """Calibrate frame after frame with ccdproc.

    Parameters
    ----------
    cube : CameraCube
        With masters, or without: then the nominal bias and gain are taken.

    Yields
    ------
    CCDData
        Shape (ny, nx), e-/s, calibrated orientation, with the standard deviation of photon and
        read noise (the masters' own errors are kept apart, as on the fast path), mask of bad
        and saturated pixels, header and WCS.

    Raises
    ------
    CalibrationError
        The detector multiplies electrons: ccdproc knows no excess noise.

    Notes
    -----
    ``create_deviation`` of what exceeds the bias, ``subtract_bias`` with the master background,
    which holds the bias, ``gain_correct``, ``flat_correct``, and division by the exposure time.
    """
    header, cal = cube.header, cube.pixel_calibration
    if header.excess_noise != 1:
        raise CalibrationError(
            f"{cube.source.paths[0].name}: excess noise factor {header.excess_noise:g}: "
            "ccdproc's noise model has none; the reference chain is for frames without "
            "electron multiplication"
        )
    gain, noise = header.quantity("effective_gain"), header.quantity("read_noise")
    time = header.quantity("exptime")
    background = CCDData(cal.background.astype(float), unit="adu")
    flat = CCDData((gain / time).value / cal.scale.astype(float), unit="")
    meta = cube.wcs_header()
    for index in range(cube.source.n):
        raw = cube.source.read(index, index + 1).native()[0].astype(float)
        light = CCDData((raw - header.bias).clip(0), unit="adu")
        error = ccdproc.create_deviation(light, gain=gain, readnoise=noise).uncertainty
        mask = cal.unusable | (raw >= header.saturation)
        frame = CCDData(raw, unit="adu", uncertainty=error, mask=mask)
        frame = ccdproc.subtract_bias(frame, background)
        frame = ccdproc.gain_correct(frame, gain)
        frame = ccdproc.flat_correct(frame, flat, norm_value=1.0)
        frame = frame.divide(time)
        frame = frame[::-1] if cube.flip else frame
        frame.header, frame.wcs = meta.copy(), export_wcs(meta)
        yield frame


def coadd(cube: CameraCube, method: str = "mean", crop_width: int = 536) -> CCDData:
    """Shift the selected frames onto each other and combine them.

    The twin of `CameraCube.coadd` (``pad=False, recenter=None``) for data with one field.

    Parameters
    ----------
    cube : CameraCube
        Registered; otherwise it is measured and registered now.
    method : str
        ``mean`` or ``median``.
    crop_width : int
        Side of the image, at most that of the frame.

    Returns
    -------
    CCDData
        e-/s, the star at the centre, with the Combiner's uncertainty, mask, header and WCS.

    Notes
    -----
    A frame is shifted by the fraction of a pixel with a spline, its mask with linear
    interpolation (a pixel that a masked one touches is masked), and then cut out at whole
    pixels: masks grow, which they do not on the fast path.
    """
    cube = cube if cube.centers is not None else cube.register()
    assert cube.centers is not None
    size = cube.crop(crop_width)
    chosen = zip(calibrated_frames(cube), cube.centers[0], cube.selected, strict=True)
    shifted = [shift_and_cut(frame, center, size) for frame, center, keep in chosen if keep]
    image = _combine(shifted, method)
    header = without_wcs(cube.product_header(method))
    header.update(celestial_wcs(header, size))
    image.header, image.wcs = header.to_fits(), export_wcs(header)
    return image


def shift_and_cut(frame: CCDData, center: ArrayLike, size: tuple[int, int]) -> CCDData:
    """Cut a rectangle out of a frame so that a place in it comes to the rectangle's centre.

    Parameters
    ----------
    frame : CCDData
        With uncertainty and mask.
    center : (float, float)
        (y, x), 0-based.
    size : (int, int)
        (ny, nx) of the rectangle; masked where it reaches beyond the frame.

    Returns
    -------
    CCDData
        Shifted by whole pixels nothing is interpolated. The uncertainty is that of the pixels
        before the interpolation, moved likewise.
    """
    middle = (np.array(size) - 1) / 2
    corner = np.rint(np.asarray(center) - middle).astype(int)
    rest = corner + middle - np.asarray(center)
    mask = np.zeros(frame.shape, bool) if frame.mask is None else frame.mask
    data, error = frame.data, frame.uncertainty.array
    if np.abs(rest).max() > 1e-9:
        known = np.where(mask, np.median(data[~mask]), data)
        data = ndimage.shift(known, rest, order=SPLINE_ORDER, mode="nearest")
        error = ndimage.shift(error, rest, order=1, mode="nearest")
        mask = ndimage.shift(mask.astype(float), rest, order=1, mode="nearest") > 1e-9
    planes = [_cut(plane, corner, size) for plane in (data, error, mask.astype(float))]
    outside = np.isnan(planes[2])
    return CCDData(
        np.where(outside, 0.0, planes[0]),
        unit=frame.unit,
        uncertainty=StdDevUncertainty(np.where(outside, 0.0, planes[1])),
        mask=outside | (planes[2] > 0),
    )


def photometry(frame: CCDData, center: ArrayLike, radius: float = 8.0) -> tuple[float, float]:
    """Flux within an aperture and its error, by photutils.

    The twin of ``photf`` and ``phote`` of `CameraCube.measure`.

    Parameters
    ----------
    frame : CCDData
        With uncertainty.
    center : (float, float)
        (y, x), 0-based.
    radius : float
        Pixels.

    Returns
    -------
    flux, error : float
        Exact overlap of circle and pixels; masked pixels are left out, which on the fast path
        makes the flux NaN.
    """
    y, x = np.asarray(center)
    table = aperture_photometry(
        frame.data, CircularAperture((x, y), radius), error=frame.uncertainty.array, mask=frame.mask
    )
    return float(table["aperture_sum"][0]), float(table["aperture_sum_err"][0])


def _combine(frames: list[CCDData], method: str) -> CCDData:
    if method not in COMBINATIONS:
        raise ConfigError(
            f"combination method {method!r}: allowed are {', '.join(COMBINATIONS)} (the reference "
            "chain has no other)"
        )
    combined = getattr(ccdproc.Combiner(frames), COMBINATIONS[method])()
    combined.meta = fits.Header()
    return combined


def _cut(
    plane: NDArray[np.float64], corner: NDArray[np.int64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Rectangle of a plane, NaN where it reaches beyond it."""
    out = np.full(size, np.nan)
    low = np.maximum(corner, 0)
    high = np.minimum(corner + size, plane.shape)
    if (high > low).all():
        (y0, x0), (y1, x1) = low - corner, high - corner
        out[y0:y1, x0:x1] = plane[low[0] : high[0], low[1] : high[1]]
    return out
