"""What people read off a Stokes product next: profiles, r^2-scaled pictures, maps of S/N.

Annuli are about the star, in the centre of the image. The noise of an annulus is the rms of U_phi
in it: single scattering by a disk seen nearly face-on leaves U_phi empty, so that its scatter holds
speckle residuals as well as photons. Light in U_phi (multiple scattering, inclined disks; Canovas
et al. 2015) makes the noise too large, never too small.
"""

from __future__ import annotations

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from vampires.errors import PolarimetryError
from vampires.polarimetry.planes import radius


def annuli(shape: tuple[int, int], width: float) -> NDArray[np.int64]:
    """Number of the annulus of each pixel, counted from the star outwards.

    Parameters
    ----------
    shape : (int, int)
        (ny, nx).
    width : float
        Of an annulus, pixels.

    Returns
    -------
    ndarray of int, shape (ny, nx)

    Raises
    ------
    PolarimetryError
        The width is not positive.

    Examples
    --------
    >>> annuli((1, 5), 1.0).tolist()
    [[2, 1, 0, 1, 2]]
    """
    if not width > 0:
        raise PolarimetryError(f"width of annuli = {width:g} px: must be above 0")
    return np.floor(radius(shape) / width).astype(np.int64)


def radial_profile(
    planes: dict[str, NDArray],
    errors: dict[str, NDArray],
    *,
    pixel_scale: float,
    width: float = 2.0,
    variance_gain: float = 1.0,
) -> Table:
    """Mean of Q_phi and U_phi in annuli, with errors.

    Parameters
    ----------
    planes, errors : dict of ndarray, shape (ny, nx)
        ``Q_PHI`` and ``U_PHI``; NaN where unseen.
    pixel_scale : float
        Arcsec per pixel.
    width : float
        Of an annulus, pixels.
    variance_gain : float
        See `vampires.polarimetry.propagation.sum_variance_gain`.

    Returns
    -------
    Table
        One row an annulus that is seen: ``r`` (px) and ``r_arcsec``, means over its pixels of the
        radius; ``n`` pixels; ``q_phi``, ``u_phi`` their means (e-/s per pixel); ``q_phi_err``,
        ``u_phi_err`` propagated errors of these means; ``noise``, the rms of U_phi about zero over
        the square root of the number of independent pixels; ``snr`` = q_phi / noise.
    """
    ring, distance = annuli(planes["Q_PHI"].shape, width), radius(planes["Q_PHI"].shape)
    seen = np.isfinite(planes["Q_PHI"]) & np.isfinite(planes["U_PHI"])
    count = np.bincount(ring[seen])
    rings = np.flatnonzero(count)
    n = count[rings]

    def mean(values: NDArray) -> NDArray[np.float64]:
        return np.bincount(ring[seen], weights=values[seen].astype(float))[rings] / n

    def error(values: NDArray) -> NDArray[np.float64]:
        return np.sqrt(mean(values.astype(float) ** 2) * variance_gain / n)

    r, q_phi = mean(distance), mean(planes["Q_PHI"])
    noise = error(planes["U_PHI"])
    snr = np.divide(q_phi, noise, out=np.full(len(n), np.nan), where=noise > 0)
    columns = {
        "r": r, "r_arcsec": r * pixel_scale, "n": n, "q_phi": q_phi,
        "q_phi_err": error(errors["Q_PHI"]), "u_phi": mean(planes["U_PHI"]),
        "u_phi_err": error(errors["U_PHI"]), "noise": noise, "snr": snr,
    }  # fmt: skip
    return Table(columns, meta={"annulus width [px]": width})


def r2_scaled(plane: NDArray, pixel_scale: float) -> NDArray[np.float64]:
    """Plane times the square of the distance from the star, e-/s arcsec^2 per pixel.

    It makes up for the dilution of the star's light, so that a disk shows how it scatters.

    Parameters
    ----------
    plane : ndarray, shape (..., ny, nx)
    pixel_scale : float
        Arcsec per pixel.
    """
    ny, nx = plane.shape[-2:]
    return plane.astype(float) * (radius((ny, nx)) * pixel_scale) ** 2


def snr_map(q_phi: NDArray, u_phi: NDArray, width: float = 4.0) -> NDArray[np.float64]:
    """Q_phi of each pixel over the rms of U_phi in its annulus.

    Parameters
    ----------
    q_phi, u_phi : ndarray, shape (ny, nx)
    width : float
        Of an annulus, pixels.

    Returns
    -------
    ndarray, shape (ny, nx)
        NaN where unseen, or where the annulus has no noise.
    """
    ring = annuli((q_phi.shape[0], q_phi.shape[1]), width)
    seen = np.isfinite(u_phi)
    count = np.bincount(ring[seen], minlength=ring.max() + 1)
    power = np.bincount(
        ring[seen], weights=u_phi[seen].astype(float) ** 2, minlength=ring.max() + 1
    )
    rms = np.sqrt(np.divide(power, count, out=np.full(len(count), np.nan), where=count > 0))
    return np.where(rms[ring] > 0, q_phi / np.where(rms[ring] > 0, rms[ring], 1.0), np.nan)
