r"""Resolved objects: planets and moons, whose limb takes the place of the star's PSF.

Each frame's window is put on the limb and its limb is then fitted: the gradient of the frame is
correlated with that of a disc,

.. math:: C(d) = \sum_x \nabla I(x) \cdot \nabla T(x - d) = -\sum_x I(x)\, \nabla^2 T(x - d),

``T`` being the uniform disc of the limb's radius, convolved twice with the synthetic PSF (once
because the image is, once to suppress what the telescope does not pass). The sum is the slope of
the smoothed image along the circle (Daugman 1993): its maximum is the circle on which the
brightness falls most steeply. Clouds, limb darkening and the light that speckles scatter over the
disc have little part in it, other than in a correlation with the disc itself, which balances the
brightness of opposite limbs and thus is drawn to the centre of light.

References
----------
Daugman, J. 1993, IEEE Trans. Pattern Anal. Mach. Intell. 15, 1148 (the integro-differential
operator).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vampires.errors import MeasurementError
from vampires.kernels.limb import find_limbs
from vampires.kernels.windows import measure_windows
from vampires.measure.psf import disc_psf
from vampires.measure.star import RoughCentroid

MARGIN = 10
"""Pixels by which the disc's image is wider than the window it is compared with."""


SKY = 4
"""Pixels of sky that a window must show around the limb."""


PSF_SIZE = 41
"""Side of the PSF that blurs the disc, pixels: its core and first rings."""


def limb_template(radius: float, psf: NDArray, size: int) -> NDArray[np.float64]:
    """What a frame is correlated with so that the gradients at the limb count.

    Parameters
    ----------
    radius : float
        Of the limb, pixels.
    psf : ndarray (k, k)
        Synthetic PSF, k odd.
    size : int
        Pixels per side.

    Returns
    -------
    ndarray (size, size)
        Minus the Laplacian of a disc of unit flux that was convolved twice with the PSF.

    Examples
    --------
    >>> template = limb_template(10.0, np.ones((1, 1)), 41)
    >>> bool(template[20, 29] > 0 > template[20, 31])
    True
    """
    margin = len(psf) - 1
    shape = (size + 2 * margin,) * 2
    blur = np.fft.rfft2(np.asarray(psf, dtype=float), shape)
    spectrum = np.fft.rfft2(disc_psf(radius, size).astype(float), shape) * blur**2
    disc = np.fft.irfft2(spectrum, shape)[margin : margin + size, margin : margin + size]
    template: NDArray[np.float64] = -ndimage.laplace(disc)
    return template


def centre_of_limb(stamps: NDArray[np.float32], reach: int, radius: float) -> NDArray[np.int64]:
    """Pixel about which the limb of every frame lies, near the stamps' centre.

    Parameters
    ----------
    stamps : ndarray (1, n, s, s)
        Of one object; ``s`` at least ``4 reach + 1``.
    reach : int
        Largest offset from the centre along either axis, and half the width of the window in
        which the centre of light is taken to begin with, pixels.
    radius : float
        Of the limb, pixels.

    Returns
    -------
    ndarray (n, 2), int64
        (y, x) within the stamp; its centre when no pixel is good.
    """
    return find_limbs(stamps[0], centre_of_light(stamps, reach), radius, reach)


def centre_of_light(stamps: NDArray[np.float32], reach: int) -> NDArray[np.int64]:
    """Pixel of the centre of light of every frame, near the stamps' centre.

    Parameters
    ----------
    stamps : ndarray (1, n, s, s)
        Of one object; ``s`` at least ``4 reach + 1``.
    reach : int
        Largest offset from the centre along either axis, and half the width of the window
        whose light counts, pixels.

    Returns
    -------
    ndarray (n, 2), int64
        (y, x) within the stamp; its centre when no pixel is good.
    """
    middle = stamps.shape[-1] // 2
    centres = np.full((stamps.shape[1], 2), middle, dtype=np.int64)
    for _ in range(2):  # the second time with the whole disc in the window
        light = measure_windows(stamps[0], centres, reach)[:, 5:7]
        moved = np.clip(np.rint(np.nan_to_num(light - middle)), -reach, reach)
        centres = middle + moved.astype(np.int64)
    return centres


def checked_radius(disc: RoughCentroid, field: str, half: int) -> float:
    """Radius of a disc's limb, if the window holds it with some sky.

    Raises
    ------
    MeasurementError
        There is none, or the disc does not fit.
    """
    if disc.radius is None or not 0 < disc.radius <= half - SKY:
        y, x = disc.star
        raise MeasurementError(
            f"field {field}: a disc of radius {disc.radius} px at x={x + 1:.1f}, y={y + 1:.1f} "
            f"(1-based) is not within a window of {2 * half + 1} px with {SKY} px of sky around; "
            "correct the centroid file or widen [analysis] window_size"
        )
    return disc.radius
