"""After the coadd: a second registration, and room for the corners when it is derotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vampires.image import CameraImage
from vampires.kernels.resample import shift
from vampires.metrics import AnalysisSettings, measure_image
from vampires.psf import header_psf


def recenter_image(image: CameraImage, method: str = "dft") -> CameraImage:
    """Measure the star in a coadd and shift it to the centre.

    Frames of few photons scatter about the true centre, and their mean may keep an offset
    that the coadd, with all the photons, shows.

    Parameters
    ----------
    image : CameraImage
        Coadd with the star near its centre.
    method : str
        ``dft``, ``com``, ``peak`` or ``model``.

    Returns
    -------
    CameraImage
        Shifted, with ``RECENTYi`` and ``RECENTXi`` (pixels, added to the data) for field i.
    """
    ny, nx = image.data.shape[-2:]
    header = image.header.copy()
    settings = AnalysisSettings(fit_psf_model=method == "model", photometry=False, strehl=False)
    planes = [image.data.copy(), image.variance.copy(), image.systematic.copy()]
    for index, name in enumerate(image.fields):
        psf = header_psf(header, name, settings.window_size + 10)
        y, x = measure_image(image.data[index], psf, settings, method)
        dy, dx = (ny - 1) / 2 - y, (nx - 1) / 2 - x
        if not np.isfinite(dy + dx):
            dy = dx = 0.0
        planes[0][index], planes[1][index] = shift(
            image.data[index], image.variance[index], dy, dx
        )
        planes[2][index] = shift(image.data[index], image.systematic[index], dy, dx)[1]
        header[f"RECENTY{index}"] = (round(dy, 5), "[pixel] second registration")
        header[f"RECENTX{index}"] = (round(dx, 5), "[pixel] second registration")
    return replace(
        image, data=planes[0], variance=planes[1], systematic=np.maximum(planes[2], 0),
        header=header,
    )  # fmt: skip


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

    return replace(
        image,
        data=pad(image.data, np.nan),
        variance=pad(image.variance, np.nan),
        systematic=pad(image.systematic, np.nan),
        count=pad(image.count, 0),
    )
