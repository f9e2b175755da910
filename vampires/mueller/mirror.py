"""Diattenuation of the telescope's tertiary mirror (M3) at other wavelengths than measured.

The mirror folds the beam by 90 deg, so the light falls on it at 45 deg. Reflectances follow from
Fresnel's equations and the refractive index of the bare metal. A real coating (oxide, protective
layers, dust) is none of the two metals, so only the *dependence on wavelength* is taken from them
and scaled to the measured point. The two metals bracket the truth: their mean is used and half
their difference is its error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vampires.mueller.components import FloatArray

INCIDENCE = 45.0  # deg

# wavelength [nm], n, k. Aluminium: Palik, Handbook of Optical Constants of Solids (1985);
# silver: Johnson & Christy 1972, Phys. Rev. B 6, 4370, with n at the mean of the band: their error
# of 0.02 in n is larger than its change.
_METALS = {
    "aluminium": (
        (563.6, 620.0, 653.0, 689.0, 729.0, 775.0),
        (1.018, 1.304, 1.488, 1.741, 2.143, 2.745),
        (6.846, 7.479, 7.821, 8.205, 8.573, 8.309),
    ),
    "silver": (
        (582.1, 616.8, 659.5, 704.5, 756.0, 821.1),
        (0.045, 0.045, 0.045, 0.045, 0.045, 0.045),
        (3.858, 4.152, 4.483, 4.838, 5.242, 5.727),
    ),
}


def metal_diattenuation(wavelength: ArrayLike, metal: str) -> FloatArray:
    """Diattenuation ``(Rs - Rp) / (Rs + Rp)`` of a bare metal at 45 deg of incidence.

    Parameters
    ----------
    wavelength : array_like
        nm.
    metal : str
        'aluminium' or 'silver'.

    Returns
    -------
    ndarray
        Shape of ``wavelength``.

    Examples
    --------
    >>> round(float(metal_diattenuation(675.0, "aluminium")), 4)
    0.0338
    """
    nodes, n, k = _METALS[metal]
    at = np.asarray(wavelength, dtype=float)
    index = np.interp(at, nodes, n) + 1j * np.interp(at, nodes, k)
    cosine = np.cos(np.deg2rad(INCIDENCE))
    inside = np.sqrt(1 - (np.sin(np.deg2rad(INCIDENCE)) / index) ** 2)
    s = np.abs((cosine - index * inside) / (cosine + index * inside)) ** 2
    p = np.abs((index * cosine - inside) / (index * cosine + inside)) ** 2
    return np.asarray((s - p) / (s + p))


def scaled_diattenuation(
    wavelength: float, measured_at: float, measured: float, error: float
) -> tuple[float, float]:
    """Diattenuation at another wavelength, scaled from a measured one.

    Parameters
    ----------
    wavelength, measured_at : float
        nm.
    measured, error : float
        The measured diattenuation and its error.

    Returns
    -------
    value, error : float
        The error holds the measured one and half the difference between aluminium and silver.

    Examples
    --------
    >>> scaled_diattenuation(675.0, 675.0, 0.0170, 0.0004)
    (0.017, 0.0004)
    """
    both = [
        measured
        * float(metal_diattenuation(wavelength, metal) / metal_diattenuation(measured_at, metal))
        for metal in _METALS
    ]
    value = (both[0] + both[1]) / 2
    scaled = error * value / measured if measured else error
    return value, float(np.hypot(scaled, (both[0] - both[1]) / 2))
