"""Polarisation of the star or its halo, summed over an aperture or annulus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.errors import MeasurementError
from vampires.kernels.aperture import circle_weights
from vampires.kernels.covariance import unpack
from vampires.polarimetry.planes import angle_error, debiased_lp


@dataclass(frozen=True)
class Polarisation:
    """Normalised Stokes parameters of a region.

    Parameters
    ----------
    q, u : float
        Q/I and U/I, without unit.
    q_err, u_err : float
        Their errors.
    cov_qu : float
        Covariance of q and u.
    flux : float
        Mean of the I_Q and I_U sums, e-/s.

    Examples
    --------
    >>> p = Polarisation(q=0.01, u=0.0, q_err=1e-4, u_err=1e-4)
    >>> round(p.degree, 4), p.angle
    (0.01, 0.0)
    """

    q: float
    u: float
    q_err: float = 0.0
    u_err: float = 0.0
    cov_qu: float = 0.0
    flux: float = float("nan")

    @property
    def degree(self) -> float:
        """Degree of linear polarisation, with its noise bias removed."""
        return float(debiased_lp(np.hypot(self.q, self.u), self.degree_err**2))

    @property
    def degree_err(self) -> float:
        """Error of `degree`."""
        p = np.hypot(self.q, self.u)
        if p == 0:
            return float(np.hypot(self.q_err, self.u_err) / np.sqrt(2))
        along = (self.q * self.q_err) ** 2 + (self.u * self.u_err) ** 2
        return float(np.sqrt(max(along + 2 * self.q * self.u * self.cov_qu, 0.0)) / p)

    @property
    def angle(self) -> float:
        """Angle of polarisation, deg east of north, from 0 to 180."""
        return float(np.rad2deg(0.5 * np.arctan2(self.u, self.q)) % 180.0)

    @property
    def angle_err(self) -> float:
        """Error of `angle`, deg."""
        return float(angle_error(self.q, self.u, self.q_err**2, self.u_err**2, self.cov_qu))

    def __repr__(self) -> str:
        return (
            f"<Polarisation {100 * self.degree:.3f} +- {100 * self.degree_err:.3f} % at "
            f"{self.angle:.1f} +- {self.angle_err:.1f} deg>"
        )


def region_weights(
    shape: tuple[int, int], radius: float, radius2: float | None = None
) -> NDArray[np.float64]:
    """Exact overlap of each pixel with an aperture or annulus about the image centre.

    Parameters
    ----------
    shape : (int, int)
        (ny, nx).
    radius : float
        Radius of the aperture, or inner radius of the annulus, pixels.
    radius2 : float, optional
        Outer radius of the annulus; None for an aperture.

    Returns
    -------
    ndarray
        Shape (ny, nx), from 0 to 1.
    """
    ny, nx = shape
    circle = (ny, nx, (ny - 1) / 2, (nx - 1) / 2)
    if radius2 is None:
        return circle_weights(*circle, float(radius))
    weights: NDArray[np.float64] = circle_weights(*circle, float(radius2))
    weights -= circle_weights(*circle, float(radius))
    return weights


def measure_polarisation(
    planes: NDArray,
    covariance: NDArray,
    radius: float,
    radius2: float | None = None,
) -> Polarisation:
    """Sum the Stokes planes over an aperture or annulus and divide.

    Pixels that are NaN in any plane are left out. Noise of different pixels is taken as
    independent; for interpolated images multiply the covariance by
    `vampires.polarimetry.propagation.sum_variance_gain`.

    Parameters
    ----------
    planes : ndarray
        (I_Q, I_U, Q, U), shape (4, ny, nx).
    covariance : ndarray
        Shape (10, ny, nx), each pair once (`vampires.kernels.covariance`).
    radius, radius2 : float
        As in `region_weights`.

    Returns
    -------
    Polarisation

    Raises
    ------
    MeasurementError
        If no valid pixel or no light lies in the region.
    """
    valid = np.isfinite(planes).all(axis=0)
    weights = np.where(valid, region_weights(planes.shape[1:], radius, radius2), 0.0)
    inside = weights > 0
    if not inside.any():
        raise MeasurementError(f"no valid pixel within {radius2 or radius:g} px of the star")
    w = weights[inside]
    sums = planes[:, inside].astype(float) @ w
    cov = unpack(covariance[:, inside].astype(float) @ w**2)
    i_q, i_u, q_sum, u_sum = sums
    if i_q <= 0 or i_u <= 0:
        raise MeasurementError(f"no light within {radius2 or radius:g} px of the star")
    q, u = q_sum / i_q, u_sum / i_u
    jacobian = np.array([[-q / i_q, 0, 1 / i_q, 0], [0, -u / i_u, 0, 1 / i_u]])
    qu = jacobian @ cov @ jacobian.T
    q_err, u_err = np.sqrt(np.maximum(np.diagonal(qu), 0))
    return Polarisation(
        float(q), float(u), float(q_err), float(u_err), float(qu[0, 1]), float((i_q + i_u) / 2)
    )
