"""Mueller matrices of the optical elements met by the light.

Stokes vectors are (I, Q, U, V). Angles are in degrees, counter-clockwise seen against the
light; retardances are in waves. Every function broadcasts over its arguments and returns
matrices in the last two axes. Conventions: Collett, *Polarized Light* (1993); Goldstein,
*Polarized Light* (2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_PAULI = np.array(
    [
        [[1, 0], [0, 1]],
        [[1, 0], [0, -1]],
        [[0, 1], [1, 0]],
        [[0, -1j], [1j, 0]],
    ]
)
#: Share of each element of a Mueller matrix in the coherency matrix, shape (4, 4, 4, 4).
_COHERENCY = np.einsum("aij,bkl->abikjl", _PAULI, _PAULI.conj()).reshape(4, 4, 4, 4) / 4


def rotator(angle: ArrayLike) -> FloatArray:
    """Mueller matrix of a rotation of the reference axes.

    Parameters
    ----------
    angle : array_like
        Rotation of the axes, deg, any shape.

    Returns
    -------
    ndarray
        Shape ``angle.shape + (4, 4)``: ``[[1,0,0,0],[0,c,s,0],[0,-s,c,0],[0,0,0,1]]``, with
        c and s the cosine and sine of twice the angle.

    Examples
    --------
    >>> rotator(45.0).round(6)[1].tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    twice = 2 * np.deg2rad(np.asarray(angle, dtype=float))
    c, s = np.cos(twice), np.sin(twice)
    matrix = np.zeros((*twice.shape, 4, 4))
    matrix[..., 0, 0] = matrix[..., 3, 3] = 1
    matrix[..., 1, 1] = matrix[..., 2, 2] = c
    matrix[..., 1, 2] = s
    matrix[..., 2, 1] = -s
    return matrix


def diattenuating_retarder(
    retardance: ArrayLike = 0.0, diattenuation: ArrayLike = 0.0, angle: ArrayLike = 0.0
) -> FloatArray:
    """Mueller matrix of an element that delays and dims one axis against the other.

    The mean transmission is one. Without diattenuation it is a plain retarder.

    Parameters
    ----------
    retardance : array_like
        Delay between the axes, waves.
    diattenuation : array_like
        (T1 - T2) / (T1 + T2) of the two axes, from -1 to 1.
    angle : array_like
        Angle of the axis, deg.

    Returns
    -------
    ndarray
        Shape ``broadcast + (4, 4)``.

    Examples
    --------
    A half-wave plate at 22.5 deg turns Q into U:

    >>> (diattenuating_retarder(0.5, angle=22.5) @ [1, 1, 0, 0]).round(6).tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    waves, e, turn = np.broadcast_arrays(
        np.asarray(retardance, dtype=float),
        np.asarray(diattenuation, dtype=float),
        np.asarray(angle, dtype=float),
    )
    delta = 2 * np.pi * waves
    k = np.sqrt(1 - e**2)
    matrix = np.zeros((*turn.shape, 4, 4))
    matrix[..., 0, 0] = matrix[..., 1, 1] = 1
    matrix[..., 0, 1] = matrix[..., 1, 0] = e
    matrix[..., 2, 2] = matrix[..., 3, 3] = k * np.cos(delta)
    matrix[..., 2, 3] = k * np.sin(delta)
    matrix[..., 3, 2] = -k * np.sin(delta)
    return rotator(-turn) @ matrix @ rotator(turn)


def pass_light(
    stokes: FloatArray,
    retardance: ArrayLike = 0.0,
    diattenuation: ArrayLike = 0.0,
    angle: ArrayLike = 0.0,
) -> FloatArray:
    """Stokes vectors behind an element: `diattenuating_retarder` ``@ stokes``, without matrices.

    Parameters
    ----------
    stokes : ndarray
        (I, Q, U, V) in the *first* axis, shape (4, n).
    retardance, diattenuation, angle : array_like
        As in `diattenuating_retarder`; scalars or shape (n,).

    Returns
    -------
    ndarray
        Shape (4, n).

    Examples
    --------
    >>> pass_light(np.array([[1.0], [1.0], [0.0], [0.0]]), 0.5, angle=22.5).round(6)[:, 0].tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    twice, delta = 2 * np.deg2rad(angle), 2 * np.pi * np.asarray(retardance, dtype=float)
    c, s = np.cos(twice), np.sin(twice)
    e = np.asarray(diattenuation, dtype=float)
    k = np.sqrt(1 - e**2)
    i, q, u, v = stokes[0], c * stokes[1] + s * stokes[2], c * stokes[2] - s * stokes[1], stokes[3]
    q2 = e * i + q
    u2 = k * (np.cos(delta) * u + np.sin(delta) * v)
    return np.stack(
        [i + e * q, c * q2 - s * u2, s * q2 + c * u2, k * (np.cos(delta) * v - np.sin(delta) * u)]
    )


def analyser(camera: int) -> FloatArray:
    """Mueller matrix of the polarising beamsplitter towards one camera.

    It is normalised to the light *one* camera gets: twice the usual polariser, so that the mean
    of the two cameras is the intensity I, and an unpolarised source of intensity I gives I in
    each of them.

    Parameters
    ----------
    camera : int
        1 for the ordinary (horizontal) beam, 2 for the other.

    Returns
    -------
    ndarray
        Shape (4, 4); its first row is (1, 1, 0, 0) for camera 1, (1, -1, 0, 0) for camera 2.
    """
    if camera not in (1, 2):
        raise ValueError(f"camera must be 1 or 2, not {camera!r}")
    sign = 1.0 if camera == 1 else -1.0
    matrix = np.zeros((4, 4))
    matrix[:2, :2] = [[1, sign], [sign, 1]]
    return matrix


def coherency_eigenvalues(matrix: ArrayLike) -> FloatArray:
    """Eigenvalues of the coherency matrix of a Mueller matrix, ascending.

    A Mueller matrix can be made of real optics if and only if none is negative (Cloude 1986).
    An element that does not depolarise has a single eigenvalue that is not zero.

    Parameters
    ----------
    matrix : array_like
        Shape (4, 4).

    Returns
    -------
    ndarray
        Shape (4,).
    """
    return np.linalg.eigvalsh(np.tensordot(np.asarray(matrix, dtype=float), _COHERENCY))


def is_realisable(matrix: ArrayLike, *, tolerance: float = 1e-9) -> bool:
    """Tell whether real optics can have this Mueller matrix.

    Parameters
    ----------
    matrix : array_like
        Shape (4, 4).
    tolerance : float
        Negative eigenvalues down to minus this fraction of the transmission are rounding.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_realisable(diattenuating_retarder(0.3, 0.1, 20))
    True
    """
    mueller = np.asarray(matrix, dtype=float)
    return bool(coherency_eigenvalues(mueller)[0] >= -tolerance * max(abs(mueller[0, 0]), 1e-300))


@dataclass(frozen=True)
class Component:
    """One element of the light path.

    Parameters
    ----------
    retardance : float
        Waves.
    diattenuation : float
        From -1 to 1.
    offset : float
        Angle of the axis when the element stands at zero, deg.

    Examples
    --------
    >>> Component(retardance=0.5).matrix(0.0).round(6).diagonal().tolist()
    [1.0, 1.0, -1.0, -1.0]
    """

    retardance: float = 0.0
    diattenuation: float = 0.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        values = (self.retardance, self.diattenuation, self.offset)
        if not all(np.isfinite(values)):
            raise ValueError(f"an optical component needs finite parameters, not {values}")
        if abs(self.diattenuation) > 1:
            raise ValueError(f"diattenuation lies between -1 and 1, not {self.diattenuation}")

    def pass_light(self, stokes: FloatArray, angle: ArrayLike = 0.0) -> FloatArray:
        """Stokes vectors (4, n) behind the element turned to ``angle`` (deg) plus its offset."""
        turned = np.asarray(angle, dtype=float) + self.offset
        return pass_light(stokes, self.retardance, self.diattenuation, turned)

    def matrix(self, angle: ArrayLike = 0.0) -> FloatArray:
        """Mueller matrix with the element turned to ``angle`` (deg) plus its offset."""
        return diattenuating_retarder(
            self.retardance, self.diattenuation, np.asarray(angle, dtype=float) + self.offset
        )
