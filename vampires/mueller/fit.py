"""Fit of the light path's components to sequences on the polarised flat lamp.

The lamp with its polariser shines in front of the half-wave plate, so the light meets the HWP,
the image rotator, the optics, the FLC and the beamsplitter, not the telescope. What is fitted is
the normalised difference of the cameras, ``d = (c1 - c2) / (c1 + c2)``, of every exposure, and
where it is given the total flux over its mean.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from scipy.optimize import least_squares

from vampires.errors import PolarimetryError
from vampires.mueller.components import FloatArray
from vampires.mueller.measurements import (
    NUISANCES,
    LampMeasurements,
    lamp_difference,
    lamp_light,
)
from vampires.mueller.model import PARAMETERS, MuellerModel
from vampires.utils.toml import toml_document, toml_number, toml_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from tomlkit.toml_document import TOMLDocument

Priors = Mapping[str, tuple[float, float]]

# Where a fit begins that has no better guess: retardance of the image rotator (it depends steeply
# on wavelength), of the optics (waves) and their axis (deg).
_STARTS = {
    "imr_retardance": (0.22, 0.32, 0.42, 0.5),
    "optics_retardance": (0.1, -0.25, 0.27),
    "optics_offset": (-20.0, 20.0),
}


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
        Of measurements and priors.
    dof : int
        Measurements and priors minus parameters.
    measurements : LampMeasurements
    predicted : ndarray
        Shape (n,).
    priors : mapping of str to (float, float)
        Centre and standard deviation of what was held near a value.
    nuisances : mapping of str to float
        The lamp and the cameras, fitted or not.
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
    priors: Priors = field(default_factory=dict)
    nuisances: Mapping[str, float] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """Parameter, value, error."""
        return Table({"parameter": list(self.free), "value": self.values, "error": self.errors})

    @property
    def rms(self) -> float:
        """Root mean square of the residual differences."""
        return float(np.sqrt(np.mean((self.predicted - self.measurements.difference) ** 2)))

    @property
    def error_scale(self) -> float:
        """What the stated errors have to be multiplied by for residuals larger than they."""
        return float(np.sqrt(max(self.chi2 / max(self.dof, 1), 1.0)))

    @property
    def correlation(self) -> FloatArray:
        """Correlation of the parameters, shape (k, k)."""
        return np.asarray(self.covariance / np.outer(self.errors, self.errors))

    @property
    def held_by_prior(self) -> tuple[str, ...]:
        """Parameters that the prior determines more than the measurements do."""
        errors = dict(zip(self.free, self.errors, strict=True))
        return tuple(n for n, (_, s) in self.priors.items() if errors.get(n, 0.0) > s / np.sqrt(2))

    @property
    def degenerate(self) -> tuple[tuple[str, str, float], ...]:
        """Pairs of parameters with a correlation beyond 0.9."""
        c = self.correlation
        pairs = itertools.combinations(range(len(self.free)), 2)
        return tuple(
            (self.free[i], self.free[j], float(c[i, j])) for i, j in pairs if abs(c[i, j]) > 0.9
        )

    def to_toml(self, source: str) -> str:
        """Text of a table that `MuellerModel.from_table` reads, with errors and correlations."""
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
    """Text of a table of several filters; see `FitResult.to_toml`.

    Errors are those of the fit times `FitResult.error_scale`.
    """
    import tomlkit  # written seldom

    document = toml_document()
    document.add("source", tomlkit.item(source))
    for result in results:
        _add_filter(document, result)
    return tomlkit.dumps(document)


def _add_filter(document: TOMLDocument, result: FitResult) -> None:
    """Tables of one filter: parameters, and their errors and correlations."""
    import tomlkit

    errors = dict(zip(result.free, result.errors * result.error_scale, strict=True))
    table = toml_table(document, "filters", result.model.name)
    for name, value in result.model.parameters.items():
        note = f"+- {errors[name]:.4g}" if name in errors else ""
        table.add(name, toml_number(f"{value:.6f}", note))
    own = [i for i, name in enumerate(result.free) if name not in NUISANCES]
    correlation = tomlkit.array()
    for row, i in enumerate(own):
        known = (f"{result.correlation[i, j]:.3f}" for j in own[: row + 1])
        correlation.append(tomlkit.value(f"[{', '.join(known)}]"))
    about = toml_table(document, "filters", result.model.name, "uncertainty")
    about.add("reduced_chi2", toml_number(f"{result.chi2 / max(result.dof, 1):.3f}"))
    about.add("residual_rms", toml_number(f"{result.rms:.5f}"))
    about.add("names", tomlkit.item([result.free[i] for i in own]))
    values = (f"{errors[result.free[i]]:.4g}" for i in own)
    about.add("errors", tomlkit.value(f"[{', '.join(values)}]"))
    about.add("correlation", correlation.multiline(True))
    if result.priors:
        stated = [f"{n} {c:g} +- {s:g}" for n, (c, s) in result.priors.items()]
        about.add("priors", tomlkit.item(stated))
    if result.nuisances:
        about.add("lamp", tomlkit.item([f"{n} {v:.4f}" for n, v in result.nuisances.items()]))


def fit_model(
    model: MuellerModel,
    measurements: LampMeasurements,
    free: Sequence[str],
    nuisances: Mapping[str, float] = NUISANCES,
    priors: Priors | None = None,
) -> FitResult:
    """Fit chosen parameters by least squares.

    Parameters
    ----------
    model : MuellerModel
        Where the fit starts, and the value of what is not fitted.
    measurements : LampMeasurements
    free : sequence of str
        Light-path parameters ('hwp_retardance', 'flc_offset', ...) or nuisances ('lamp_degree',
        'lamp_angle', 'throughput', ...). The lamp's angle and the offsets cannot all be free.
    nuisances : mapping
        Start, and value of what is not fitted, of the lamp's degree and angle (deg) of
        polarisation and of the cameras, see `NUISANCES`.
    priors : mapping of str to (float, float), optional
        Centre and standard deviation of free parameters that the measurements hardly tell.

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
    held = {n: p for n, p in (priors or {}).items() if n in names}
    for name in names:
        if name not in PARAMETERS and name not in NUISANCES:
            known = ", ".join((*PARAMETERS, *NUISANCES))
            raise PolarimetryError(f"cannot fit {name!r}; allowed are {known}")
    if len(measurements) <= len(names):
        raise PolarimetryError(f"{len(measurements)} measurements for {len(names)} parameters")
    fixed = NUISANCES | dict(nuisances)
    known_values = model.parameters | fixed
    start = np.array([known_values.get(name, 0.0) for name in names])

    def residuals(values: FloatArray) -> FloatArray:
        changed = fixed | dict(zip(names, values, strict=True))
        return _residuals(model, measurements, changed, held)

    step = np.where([n.endswith(("offset", "angle", "switch")) for n in names], 10.0, 0.1)
    lower, upper = _bounds(names)
    solution = least_squares(
        residuals, np.clip(start, lower, upper), x_scale=step, bounds=(lower, upper), xtol=1e-12
    )
    covariance = _covariance(solution.jac, names)
    values = fixed | dict(zip(names, solution.x, strict=True))
    fitted = model.with_parameters({n: values[n] for n in names if n not in NUISANCES})
    return FitResult(
        model=fitted,
        free=names,
        values=solution.x,
        errors=np.sqrt(np.diagonal(covariance)),
        covariance=covariance,
        chi2=float(2 * solution.cost),
        dof=len(solution.fun) - len(names),
        measurements=measurements,
        predicted=lamp_difference(fitted, measurements, {n: values[n] for n in NUISANCES}),
        priors=held,
        nuisances={n: float(values[n]) for n in NUISANCES},
    )


def fit_from_anywhere(
    model: MuellerModel,
    measurements: LampMeasurements,
    free: Sequence[str],
    nuisances: Mapping[str, float] = NUISANCES,
    priors: Priors | None = None,
) -> FitResult:
    """Fit from many starts and keep the best: chi-square has a minimum for every turn of the axes.

    The starts run over the image rotator's retardance and the optics; the rest begins in the
    middle of its prior. Priors choose between paths that fit alike. Parameters as in `fit_model`.
    """
    best: FitResult | None = None
    middle = {n: centre for n, (centre, _) in (priors or {}).items() if n in PARAMETERS}
    for values in itertools.product(*_STARTS.values()):
        start = middle | dict(zip(_STARTS, values, strict=True))
        moved = model.with_parameters({n: v for n, v in start.items() if n in free})
        try:
            result = fit_model(moved, measurements, free, nuisances, priors)
        except PolarimetryError:
            continue  # from there it slid into a degenerate corner; the others are tried
        if best is None or result.chi2 < best.chi2 - 1e-6:
            best = result
    return best or fit_model(model, measurements, free, nuisances, priors)


def _residuals(
    model: MuellerModel, measurements: LampMeasurements, values: dict[str, float], priors: Priors
) -> FloatArray:
    one, two = lamp_light(model, measurements, values)
    parts = [((one - two) / (one + two) - measurements.difference) / measurements.error]
    if measurements.total is not None and measurements.total_error is not None:
        predicted = measurements.relative_total(one + two)
        measured = measurements.relative_total(measurements.total)
        parts.append((predicted - measured) / measurements.total_error)
    if priors:
        parts.append(np.array([(values[n] - c) / s for n, (c, s) in priors.items()]))
    return np.concatenate(parts)


def _bounds(names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    limits = {"diattenuation": 0.999, "degree": 1.0}
    top = np.array([limits.get(name.rpartition("_")[2], np.inf) for name in names])
    positive = np.array([name in NUISANCES and name != "lamp_angle" for name in names])
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
