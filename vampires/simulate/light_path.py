"""Polarisation through the instrument, as Mueller matrices of named elements.

Matrices act on Stokes columns (I, Q, U, V); all functions are vectorised over leading axes.
Conventions of Goldstein, *Polarized Light* (3rd ed., ch. 6); the chain of elements follows L24.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.errors import ConfigError
from vampires.simulate import constants as c

Real = NDArray[np.float64]


def rotation(angle: ArrayLike) -> Real:
    """Rotator: Stokes parameters in axes turned by ``angle`` deg, shape ``(..., 4, 4)``."""
    a = 2 * np.deg2rad(np.asarray(angle, float))
    m = np.zeros((*a.shape, 4, 4))
    m[..., 0, 0] = m[..., 3, 3] = 1
    m[..., 1, 1] = m[..., 2, 2] = np.cos(a)
    m[..., 1, 2] = np.sin(a)
    m[..., 2, 1] = -np.sin(a)
    return m


def element(angle: ArrayLike = 0.0, retardance: float = 0.0, diattenuation: float = 0.0) -> Real:
    """Diattenuating retarder at ``angle``.

    Parameters
    ----------
    angle
        Orientation of its axis, deg.
    retardance
        Waves.
    diattenuation
        ``(Tmax - Tmin) / (Tmax + Tmin)``.

    Returns
    -------
    ndarray
        ``(..., 4, 4)``; the mean transmission is 1.
    """
    delta = 2 * np.pi * retardance
    k = np.sqrt(1 - diattenuation**2)
    m = np.array(
        [
            [1, diattenuation, 0, 0],
            [diattenuation, 1, 0, 0],
            [0, 0, k * np.cos(delta), k * np.sin(delta)],
            [0, 0, -k * np.sin(delta), k * np.cos(delta)],
        ]
    )
    angle = np.asarray(angle, float)
    return rotation(-angle) @ m @ rotation(angle)


@dataclass(frozen=True)
class LightPath:
    """Parameters of the elements: retardances in waves, angles in degrees.

    ``hwp`` half-wave plate, ``imr`` image rotator, ``opt`` the optics behind it, ``flc`` the
    ferroelectric liquid crystal, ``m3`` the tertiary mirror; ``phi`` retardance, ``off`` offset of
    the angle, ``diat`` diattenuation, ``theta`` orientation.  The defaults are ideal elements.
    """

    hwp_phi: float = 0.5
    hwp_off: float = 0.0
    imr_phi: float = 0.5
    imr_off: float = 0.0
    imr_diat: float = 0.0
    opt_diat: float = 0.0
    opt_phi: float = 0.0
    opt_theta: float = 0.0
    flc_phi: float = 0.5
    flc_off: float = 0.0
    m3_diat: float = 0.0
    m3_phi: float = 0.5

    @classmethod
    def named(cls, parameters: str | Mapping[str, float]) -> LightPath:
        """Light path ``'ideal'``, ``'750-50'`` (as fitted) or one from explicit parameters.

        Raises
        ------
        ConfigError
            If the name or a parameter is unknown.
        """
        if isinstance(parameters, str):
            known: dict[str, Mapping[str, float]] = {"ideal": {}, "750-50": c.MUELLER_750_50}
            if parameters not in known:
                raise ConfigError(f"mueller: found {parameters!r}, allowed are {sorted(known)}")
            return cls(**known[parameters])
        names = {f.name for f in fields(cls)}
        unknown = sorted(set(parameters) - names)
        if unknown:
            raise ConfigError(f"mueller: unknown parameters {unknown}, allowed are {sorted(names)}")
        return cls(**parameters)

    def rows(
        self,
        *,
        camera: int,
        flc_angle: float | None,
        hwp_angle: ArrayLike,
        imr_angle: ArrayLike,
        altitude: ArrayLike,
        parallactic_angle: ArrayLike,
    ) -> Real:
        """First rows of the Mueller matrices from the sky to a camera, times 2.

        Camera 1 takes the horizontal beam of the polarising beam splitter.

        Parameters
        ----------
        camera
            1 or 2.
        flc_angle
            Angle of the FLC's axis in its state (deg), None when it is out of the beam.
        hwp_angle, imr_angle, altitude, parallactic_angle
            deg, arrays that broadcast; the half-wave plate's includes its synchronisation.

        Returns
        -------
        ndarray
            ``(..., 4)``; an unpolarised star of flux F gives ``F * row[0]``, close to F, in each.
        """
        beam = np.array([1.0, 1.0 if camera == 1 else -1.0, 0.0, 0.0])
        flc = np.eye(4) if flc_angle is None else element(flc_angle + self.flc_off, self.flc_phi)
        optics = element(self.opt_theta, self.opt_phi, self.opt_diat)
        imr = element(np.asarray(imr_angle) + self.imr_off, self.imr_phi, self.imr_diat)
        hwp = element(np.asarray(hwp_angle) + self.hwp_off, self.hwp_phi)
        telescope = element(0.0, self.m3_phi, self.m3_diat) @ rotation(parallactic_angle)
        return beam @ (flc @ optics @ imr @ hwp @ rotation(-np.asarray(altitude)) @ telescope)
