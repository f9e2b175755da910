"""After the coadd: a second registration, and room for the corners when it is derotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vampires.canonical import Header
from vampires.config import AnalysisSettings
from vampires.images.image import CameraImage
from vampires.kernels.resample import shift
from vampires.measure.frames import measure_image
from vampires.measure.psf import header_psf


def recenter_image(
    image: CameraImage, method: str = "dft", offsets: np.ndarray | None = None
) -> CameraImage:
    """Measure the star in a coadd and shift it to the centre.

    Frames of few photons scatter about the true centre, and their mean may keep an offset
    that the coadd, with all the photons, shows.

    Parameters
    ----------
    image : CameraImage
        Coadd with the star near its centre.
    method : str
        ``dft``, ``com``, ``peak`` or ``model``.
    offsets : ndarray, shape (nfields, npsfs, 2), optional
        (y, x) of what is measured, from the star: the satellite spots of a masked star.
        Default: the star itself.

    Returns
    -------
    CameraImage
        Shifted, with ``RECENTYi`` and ``RECENTXi`` (pixels, added to the data) for field i.
    """
    header = image.header.copy()
    settings = AnalysisSettings(fit_psf_model=method == "model", photometry=False, strehl=False)
    offsets = np.zeros((len(image.fields), 1, 2)) if offsets is None else offsets
    planes = [image.data.copy(), image.variance.copy(), image.systematic.copy()]
    for index, name in enumerate(image.fields):
        psf = header_psf(header, name, settings.psf_size)
        moves = [
            _displacement(image.data[index], offset, psf, settings, method)
            for offset in offsets[index]
        ]
        found = [move for move in moves if np.isfinite(move).all()]
        # The median, so that one spot with a companion beside it does not move the star.
        dy, dx = -np.median(found, axis=0) if found else (0.0, 0.0)
        planes[0][index], planes[1][index] = shift(image.data[index], image.variance[index], dy, dx)
        planes[2][index] = shift(image.systematic[index], image.systematic[index], dy, dx)[0]
        header.set(Header.moved_y.of(index), round(float(dy), 5))
        header.set(Header.moved_x.of(index), round(float(dx), 5))
    return replace(
        image, data=planes[0], variance=planes[1], systematic=np.maximum(planes[2], 0),
        header=header,
    )  # fmt: skip


def _displacement(
    data: np.ndarray, offset: np.ndarray, psf: np.ndarray, settings: AnalysisSettings, method: str
) -> np.ndarray:
    """How far (y, x) a PSF is from where it should be; NaN when it is not to be found."""
    expected = (np.array(data.shape) - 1) / 2 + offset
    half = settings.window_size
    corner = np.rint(expected).astype(int) - half
    if (corner < 0).any() or (corner + 2 * half + 1 > data.shape).any():
        corner, window = np.zeros(2, dtype=int), data
        if offset.any():
            return np.full(2, np.nan)
    else:
        window = data[corner[0] : corner[0] + 2 * half + 1, corner[1] : corner[1] + 2 * half + 1]
    return np.array(measure_image(window, psf, settings, method)) + corner - expected


def pad_to_diagonal(image: CameraImage) -> CameraImage:
    """Surround an image with NaN so that it keeps its corners whatever the rotation.

    Parameters
    ----------
    image : CameraImage
        Any coadd.

    Returns
    -------
    CameraImage
        Each side grown to the diagonal by an even number of pixels, so that the star stays
        at the centre.
    """
    ny, nx = image.data.shape[-2:]
    diagonal = float(np.hypot(ny, nx))
    margins = [int(np.ceil((diagonal - side) / 2)) for side in (ny, nx)]
    width = ((0, 0), (margins[0], margins[0]), (margins[1], margins[1]))

    def pad(plane: np.ndarray, fill: float) -> np.ndarray:
        return np.pad(plane, width, constant_values=fill)

    header = image.header.copy()
    for key, margin in (("CRPIX1", margins[1]), ("CRPIX2", margins[0])):
        if key in header:
            header[key] += margin
    return replace(
        image,
        header=header,
        data=pad(image.data, np.nan),
        variance=pad(image.variance, np.nan),
        systematic=pad(image.systematic, np.nan),
        count=pad(image.count, 0),
    )
