"""Fit of the light path's components to sequences on the polarised flat lamp.

The lamp with its polariser shines in front of the half-wave plate, so the light meets the HWP,
the image rotator, the optics, the FLC and the beamsplitter, not the telescope. What is fitted is
the normalised difference of the cameras, ``d = (c1 - c2) / (c1 + c2)``, of every exposure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy.optimize import least_squares

from vampires.errors import PolarimetryError
from vampires.mueller.components import FloatArray, analyser
from vampires.mueller.model import PARAMETERS, MuellerModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Not parts of the light path, but of the measurement: the lamp's degree and angle (deg) of
# linear polarisation, and the throughput of camera 1 over that of camera 2.
NUISANCES = {"lamp_degree": 1.0, "lamp_angle": 0.0, "throughput": 1.0}


@dataclass(frozen=True)
class LampMeasurements:
    """Normalised camera differences of a lamp sequence.

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
    """

    hwp: FloatArray
    imr: FloatArray
    flc: tuple[str, ...]
    difference: FloatArray
    error: FloatArray

    def __post_init__(self) -> None:
        lengths = {len(x) for x in (self.hwp, self.imr, self.flc, self.difference, self.error)}
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


@dataclass(frozen=True)
class FitResult:
    """Outcome of a fit.

    Parameters
    ----------
    model : MuellerModel
        With the fitted parameters.
    free : tuple of str
        Names of what was fitted.
    values, errors : ndarray
        Shape (k,).
    covariance : ndarray
        Shape (k, k).
    chi2 : float
    dof : int
        Measurements minus parameters.
    measurements : LampMeasurements
    predicted : ndarray
        Shape (n,).
    """

    model: MuellerModel
    free: tuple[str, ...]
    values: FloatArray
    errors: FloatArray
    covariance: FloatArray
    chi2: float
    dof: int
    measurements: LampMeasurements
    predicted: FloatArray

    @property
    def table(self) -> Table:
        """Parameter, value, error."""
        return Table({"parameter": list(self.free), "value": self.values, "error": self.errors})

    def to_toml(self, source: str) -> str:
        """Text of a table that `MuellerModel.from_table` reads, errors as comments."""
        return table_text([self], source)

    def plot(self) -> Figure:
        """Draw data, model and residuals against the HWP angle."""
        from vampires.plotting.stokes import LampCurve, plot_fit

        m = self.measurements
        curves = []
        for flc, imr in sorted({(f, float(i)) for f, i in zip(m.flc, m.imr, strict=True)}):
            own = np.flatnonzero(np.array([f == flc for f in m.flc]) & (m.imr == imr))
            own = own[np.argsort(m.hwp[own])]
            curves.append(
                LampCurve(f"FLC {flc}, IMR {imr:.1f}", m.hwp[own], m.difference[own],
                          m.error[own], self.predicted[own])
            )  # fmt: skip
        return plot_fit(curves, f"{self.model.name}: chi2 {self.chi2:.1f} for {self.dof}")

    def __repr__(self) -> str:
        parts = [
            f"{n} = {v:.4f} +- {e:.4f}"
            for n, v, e in zip(self.free, self.values, self.errors, strict=True)
        ]
        return f"<FitResult {', '.join(parts)}; chi2 {self.chi2:.1f} for {self.dof}>"


def table_text(results: Sequence[FitResult], source: str) -> str:
    """Text of a table of several filters; see `FitResult.to_toml`."""
    lines = [f'source = "{source}"']
    for result in results:
        errors = dict(zip(result.free, result.errors, strict=True))
        lines += ["", f'[filters."{result.model.name}"]']
        for name, value in result.model.parameters.items():
            note = f"  # +- {errors[name]:.4g}" if name in errors else ""
            lines.append(f"{name} = {value:.6f}{note}")
    return "\n".join(lines) + "\n"


def fit_model(
    model: MuellerModel,
    measurements: LampMeasurements,
    free: Sequence[str],
    nuisances: Mapping[str, float] = NUISANCES,
) -> FitResult:
    """Fit chosen parameters by least squares.

    Parameters
    ----------
    model : MuellerModel
        Where the fit starts, and the value of what is not fitted.
    measurements : LampMeasurements
    free : sequence of str
        Light-path parameters ('hwp_retardance', 'flc_offset', ...) or nuisances ('lamp_degree',
        'lamp_angle', 'throughput'). The lamp's angle and the offsets cannot all be free.
    nuisances : mapping
        Start, and value of what is not fitted, of the lamp's degree and angle (deg) of
        polarisation and of the throughput of camera 1 over that of camera 2.

    Returns
    -------
    FitResult
        Errors from the curvature of chi-square, as the measurement errors are, not rescaled.
        Optics and FLC do nearly the same to the light: with both free, differences must be good
        to a few 1e-4, or the valley between them is too curved for errors from its bottom. The
        path with every retardance negated fits as well: the start decides between the two.

    Raises
    ------
    PolarimetryError
        If a name is unknown, there are too few measurements, or some parameters cannot be told
        apart by them.
    """
    names = tuple(free)
    for name in names:
        if name not in PARAMETERS and name not in NUISANCES:
            known = ", ".join((*PARAMETERS, *NUISANCES))
            raise PolarimetryError(f"cannot fit {name!r}; allowed are {known}")
    if len(measurements) <= len(names):
        raise PolarimetryError(f"{len(measurements)} measurements for {len(names)} parameters")
    known_values = model.parameters | dict(nuisances)
    start = np.array([known_values.get(name, 0.0) for name in names])

    def residuals(values: FloatArray) -> FloatArray:
        changed = dict(nuisances) | dict(zip(names, values, strict=True))
        predicted = lamp_difference(model, measurements, changed)
        return (predicted - measurements.difference) / measurements.error

    step = np.where([n.endswith(("offset", "angle", "switch")) for n in names], 10.0, 0.1)
    lower, upper = _bounds(names)
    solution = least_squares(
        residuals, np.clip(start, lower, upper), x_scale=step, bounds=(lower, upper), xtol=1e-12
    )
    covariance = _covariance(solution.jac, names)
    values = dict(zip(names, solution.x, strict=True))
    fitted = model.with_parameters({n: v for n, v in values.items() if n not in NUISANCES})
    return FitResult(
        model=fitted,
        free=names,
        values=solution.x,
        errors=np.sqrt(np.diagonal(covariance)),
        covariance=covariance,
        chi2=float(2 * solution.cost),
        dof=len(measurements) - len(names),
        measurements=measurements,
        predicted=lamp_difference(model, measurements, dict(nuisances) | values),
    )


def lamp_difference(
    model: MuellerModel, measurements: LampMeasurements, values: dict[str, float]
) -> FloatArray:
    """Normalised camera difference that a light path gives of the lamp.

    Parameters
    ----------
    model : MuellerModel
    measurements : LampMeasurements
        Gives the angles.
    values : dict
        Parameters that differ from the model's, and nuisances.

    Returns
    -------
    ndarray
        Shape (n,).
    """
    path = {n: v for n, v in values.items() if n not in NUISANCES}
    nuisance = NUISANCES | {n: v for n, v in values.items() if n in NUISANCES}
    changed = model.with_parameters(path)
    twice = 2 * np.deg2rad(nuisance["lamp_angle"])
    p = nuisance["lamp_degree"]
    lamp = np.array([1.0, p * np.cos(twice), p * np.sin(twice), 0.0])
    light = changed.train(measurements.hwp, measurements.imr, measurements.flc) @ lamp
    one = nuisance["throughput"] * (analyser(1)[0] @ light.T)
    two = analyser(2)[0] @ light.T
    return (one - two) / (one + two)


def _bounds(names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    limits = {"diattenuation": 0.999, "degree": 1.0}
    top = np.array([limits.get(name.rpartition("_")[2], np.inf) for name in names])
    positive = np.array([name in ("lamp_degree", "throughput") for name in names])
    return np.where(positive, 0.0, -top), top


def _covariance(jacobian: FloatArray, names: Sequence[str]) -> FloatArray:
    scale = np.linalg.norm(jacobian, axis=0)
    if not (scale > 0).all():
        dead = [n for n, s in zip(names, scale, strict=True) if not s > 0]
        raise PolarimetryError(f"the measurements do not depend on {', '.join(dead)}: fix it")
    scaled = jacobian / scale
    _, singular, directions = np.linalg.svd(scaled, full_matrices=False)
    if singular[-1] < 1e-7 * singular[0]:
        mixed = [n for n, d in zip(names, directions[-1], strict=True) if abs(d) > 0.1]
        raise PolarimetryError(
            f"the measurements cannot tell {', '.join(mixed)} apart: fix one of them, or add "
            "HWP or image-rotator angles"
        )
    inverse = (directions.T / singular**2) @ directions
    return np.asarray(inverse / np.outer(scale, scale))
