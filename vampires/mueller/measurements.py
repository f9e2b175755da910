"""What a sequence on the polarised flat lamp measures, and what a light path predicts for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vampires.errors import PolarimetryError
from vampires.mueller.components import FloatArray
from vampires.mueller.model import MuellerModel

# Not parts of the light path, but of the measurement: the lamp's degree and angle (deg) of
# linear polarisation, the throughput of camera 1 over that of camera 2, how much more it is in
# FLC state B, and how deep camera 2 sees a modulation that is one in camera 1.
NUISANCES = {
    "lamp_degree": 1.0, "lamp_angle": 0.0, "throughput": 1.0, "throughput_b": 1.0,
    "camera2_contrast": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class LampMeasurements:
    """Normalised camera differences of a lamp sequence, and its total flux.

    Parameters
    ----------
    hwp, imr : ndarray
        Angles of half-wave plate and image rotator, deg, shape (n,).
    flc : sequence of str
        'A', 'B' or 'NA'.
    difference : ndarray
        ``(c1 - c2) / (c1 + c2)``, shape (n,).
    error : ndarray
        One sigma.
    total : ndarray, optional
        ``c1 + c2``, any unit, for a lamp that was steady; tells diattenuation from retardance.
    total_error : ndarray, optional
        One sigma, as a fraction of the mean total.
    """

    hwp: FloatArray
    imr: FloatArray
    flc: tuple[str, ...]
    difference: FloatArray
    error: FloatArray
    total: FloatArray | None = None
    total_error: FloatArray | None = None

    def __post_init__(self) -> None:
        lengths = {len(x) for x in (self.hwp, self.imr, self.flc, self.difference, self.error)}
        if self.total is not None and self.total_error is not None:
            lengths |= {len(self.total), len(self.total_error)}
        if len(lengths) != 1:
            raise PolarimetryError(f"lamp measurements of different lengths: {sorted(lengths)}")
        values = np.concatenate([self.hwp, self.imr, self.difference, self.error])
        if not np.isfinite(values).all() or not (np.asarray(self.error) > 0).all():
            raise PolarimetryError("lamp measurements must be finite, with errors above zero")

    def __len__(self) -> int:
        return len(self.flc)

    def with_floor(self, floor: float) -> LampMeasurements:
        """Copy with an error added to all in quadrature."""
        return replace(self, error=np.hypot(self.error, floor))

    def relative_total(self, total: FloatArray) -> FloatArray:
        """Total flux over its mean in the same FLC state: the lamp's own brightness cancels."""
        states = np.array(self.flc)
        out = np.empty(len(total))
        for state in set(self.flc):
            own = states == state
            out[own] = total[own] / total[own].mean()
        return out

    @classmethod
    def from_fluxes(
        cls,
        hwp: Sequence[float],
        imr: Sequence[float],
        flc: Sequence[str],
        cam1: NDArray,
        cam2: NDArray,
        cam1_err: NDArray,
        cam2_err: NDArray,
    ) -> LampMeasurements:
        """Make the normalised differences from the fluxes of the two cameras.

        Many arguments, because each is a column of the lamp's measurements.

        Examples
        --------
        >>> import numpy as np
        >>> m = LampMeasurements.from_fluxes(
        ...     [0.0], [90.0], ["A"], np.array([3.0]), np.array([1.0]), np.array([0.1]),
        ...     np.array([0.1]))
        >>> float(m.difference[0])
        0.5
        """
        one, two = np.asarray(cam1, dtype=float), np.asarray(cam2, dtype=float)
        total = one + two
        error = 2 * np.hypot(two * cam1_err, one * cam2_err) / total**2
        return cls(
            np.asarray(hwp, dtype=float),
            np.asarray(imr, dtype=float),
            tuple(flc),
            (one - two) / total,
            error,
        )


def lamp_light(
    model: MuellerModel, measurements: LampMeasurements, values: Mapping[str, float]
) -> tuple[FloatArray, FloatArray]:
    """Light of the lamp in the two cameras, as a light path lets it through.

    Parameters
    ----------
    model : MuellerModel
    measurements : LampMeasurements
        Gives the angles.
    values : mapping
        Parameters that differ from the model's, and nuisances.

    Returns
    -------
    one, two : ndarray
        Shape (n,), in units of the lamp's light in camera 2.
    """
    path = {n: v for n, v in values.items() if n not in NUISANCES}
    nuisance = NUISANCES | {n: v for n, v in values.items() if n in NUISANCES}
    changed = model.with_parameters(path)
    twice = 2 * np.deg2rad(nuisance["lamp_angle"])
    p = nuisance["lamp_degree"]
    lamp = np.array([1.0, p * np.cos(twice), p * np.sin(twice), 0.0])
    light = changed.pass_light(
        np.tile(lamp[:, None], len(measurements)), measurements.hwp, measurements.imr,
        measurements.flc,
    )  # fmt: skip
    second = np.array([f == "B" for f in measurements.flc])
    gain = nuisance["throughput"] * np.where(second, nuisance["throughput_b"], 1.0)
    one = gain * (light[0] + light[1])
    two = light[0] - nuisance["camera2_contrast"] * light[1]
    return one, two


def lamp_difference(
    model: MuellerModel, measurements: LampMeasurements, values: Mapping[str, float]
) -> FloatArray:
    """Normalised camera difference that a light path gives of the lamp, shape (n,).

    Parameters as in `lamp_light`.
    """
    one, two = lamp_light(model, measurements, values)
    return (one - two) / (one + two)
