"""What the errors of the light path's parameters do to Q and U.

They are common to all pixels and nearly so to all sets, so they are neither noise nor average
down. To first order they add a polarisation in proportion to I (instrumental polarisation that is
not known well enough) and change degree and angle of what is polarised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.mueller.components import FloatArray
from vampires.mueller.model import LightPathAngles, MuellerModel

_FACTS = (
    Header.model_error_q, Header.model_error_u, Header.model_error_degree,
    Header.model_error_angle,
)  # fmt: skip


@dataclass(frozen=True)
class ModelError:
    """Errors of one field from the light path's parameters.

    Parameters
    ----------
    q, u : float
        Of Q/I and U/I of unpolarised light.
    scale : float
        Relative, of degrees of polarisation.
    angle : float
        Of angles of polarisation, deg.
    """

    q: float = 0.0
    u: float = 0.0
    scale: float = 0.0
    angle: float = 0.0

    @classmethod
    def of_operator(
        cls, model: MuellerModel, operator: FloatArray, angles: Sequence[LightPathAngles]
    ) -> ModelError:
        """Propagate the errors of a model through what turns images into Stokes planes.

        Parameters
        ----------
        model : MuellerModel
            With its `uncertainty`.
        operator : ndarray
            Shares of the images in (I_Q, I_U, Q, U) on the sky, shape (4, n).
        angles : sequence of LightPathAngles
            Of each image.
        """
        known = model.uncertainty
        rows = _rows(model, angles)
        errors = np.sqrt(np.diagonal(known.covariance)) if known.names else np.zeros(0)
        # Change of (Q, U) for light that is unpolarised, Q, and U: shape (3, 2, k).
        slopes = np.zeros((3, 2, len(known.names)))
        for i, (name, error) in enumerate(zip(known.names, errors, strict=True)):
            step = max(float(error) / 10, 1e-9)
            moved = model.with_parameters({name: model.parameters.get(name, 0.0) + step})
            slopes[:, :, i] = (operator[2:] @ (_rows(moved, angles) - rows) / step).T
        stretch = (slopes[1, 0] + slopes[2, 1]) / 2  # mean change of the degree
        turn = (slopes[1, 1] - slopes[2, 0]) / 4  # half the rotation in the plane of Q and U
        q, u, scale, angle = (
            float(np.sqrt(max(slope @ known.covariance @ slope, 0.0)))
            for slope in (*slopes[0], stretch, turn)
        )
        return cls(
            q, u, float(np.hypot(scale, known.scale)),
            float(np.hypot(np.rad2deg(angle), known.angle)),
        )  # fmt: skip

    def cards(self, suffix: str = "") -> dict[str, tuple[float, str]]:
        """Header cards."""
        values = (self.q, self.u, self.scale, self.angle)
        return {
            fact.of(suffix).keyword: (float(f"{value:.4g}"), fact.comment)
            for fact, value in zip(_FACTS, values, strict=True)
        }

    @classmethod
    def from_header(cls, header: Header, suffix: str = "") -> ModelError:
        """Read `cards` back; zero where they are absent."""
        return cls(*(header.known(fact.of(suffix), 0.0) for fact in _FACTS))

    def variance(self, planes: NDArray) -> NDArray[np.float32]:
        """Variance of Q and U, shape (2, ny, nx), of the planes (I_Q, I_U, Q, U)."""
        i_q, i_u, q, u = planes.astype(float)
        turn = 2 * np.deg2rad(self.angle)
        return np.stack(
            [
                (self.q * i_q) ** 2 + (self.scale * q) ** 2 + (turn * u) ** 2,
                (self.u * i_u) ** 2 + (self.scale * u) ** 2 + (turn * q) ** 2,
            ]
        ).astype(np.float32)


def mean_error_cards(headers: Sequence[Header]) -> dict[str, tuple[float, str]]:
    """Cards of the mean of several frames: the errors are common, so they do not average down."""
    out = {}
    for fact in _FACTS:
        for key in {k for h in headers for k in h if k.startswith(fact.keyword)}:
            values = [float(h[key]) for h in headers if key in h]
            out[key] = (float(f"{np.mean(values):.4g}"), fact.comment)
    return dict(sorted(out.items()))


def mean_of_fields(header: Header, n: int) -> dict[str, tuple[float, str]]:
    """Cards of the mean over n fields; the optics are the same, so nothing averages down."""
    if n < 2:
        return {}
    out = {}
    for fact in _FACTS:
        values = [header.need(fact.of(i)) for i in range(n) if header.has(fact.of(i))]
        if values:
            out[fact.keyword] = (float(f"{np.mean(values):.4g}"), fact.comment)
    return out


def _rows(model: MuellerModel, angles: Sequence[LightPathAngles]) -> FloatArray:
    return np.array([model.row(a)[:3] for a in angles])
