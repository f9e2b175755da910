r"""Strehl ratio by Fourier interpolation of the peak.

.. math:: S = \frac{(p - b) / F}{p_0 / F_0}

with peak ``p`` and aperture flux ``F`` of the image, background ``b``, and the same of the
synthetic PSF. The peak is the maximum of the band-limited image whose spectrum was divided by the
transfer function of the pixel, so that neither the pixel's width nor the position of the star
between pixels matters (method 7 of the reference).

References
----------
Roberts, L. C. et al. 2004, Proc. SPIE 5490, 504, "Is that really your Strehl ratio?".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels.aperture import measure_apertures
from vampires.kernels.dft import passed, pixel_transfer, register_windows, spectrum, tables


def reference_spectrum(psf: NDArray, length: int) -> tuple[NDArray, NDArray[np.float64]]:
    """Prepare a reference PSF for `register_windows`.

    Parameters
    ----------
    psf : ndarray (k, k)
        Unit sum, centred.
    length : int
        Odd length of the windows, pixels.

    Returns
    -------
    reference : ndarray (2 kmax + 1, kmax + 1), complex
        Its spectrum at the frequencies that the optics pass.
    deconvolution : ndarray (2 kmax + 1, kmax + 1)
        Inverse of the pixel's transfer function there, zero elsewhere.
    """
    reference = passed(spectrum(np.asarray(psf, dtype=float), length))
    transfer = pixel_transfer(length, reference.shape[1] - 1)
    return reference, np.where(reference != 0, 1 / transfer, 0.0)


def strehl_scale(psf: NDArray, half: int, radius: float, inner: float, outer: float) -> float:
    """Peak over aperture flux of the reference PSF, measured as on the frames.

    Parameters
    ----------
    psf : ndarray (k, k)
        Unit sum, centred. Beyond its borders it counts as dark.
    half : int
        The window is ``2 half + 1`` wide.
    radius, inner, outer : float
        Aperture and annulus as in `measure_apertures`.

    Returns
    -------
    float
        1/pixel.
    """
    reach = int(np.ceil(max(half, radius, outer))) + 2
    pad = max(0, reach - len(psf) // 2 + 1)
    stamp = np.pad(np.asarray(psf, dtype=float), pad)[None]
    middle = len(stamp[0]) // 2
    length = 2 * half + 1
    reference, deconvolution = reference_spectrum(psf, length)
    centre = np.full((1, 2), middle)
    y, x, peak = register_windows(stamp, centre, half, reference, deconvolution, tables(length))[0]
    star = np.array([[y, x]])
    flux, _, background = measure_apertures(stamp, stamp, star, radius, inner, outer)[0]
    return float((peak - background) / flux)
