"""Polarisation of stars from camera and FLC differences, and what they tell of the telescope.

A star's exposures are paired into double differences ``d = (s_A - s_B) / 2`` (without FLC
``d = s``), with ``s = (c1 - c2) / (c1 + c2)``. The light path predicts d from the star's q and u,
and the field's rotation separates them from what telescope and instrument add. A constant is
fitted along: it takes what does not depend on the half-wave plate, such as the two cameras' gains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vampires.errors import PolarimetryError
from vampires.instrument.flc import NO_FLC
from vampires.mueller.components import FloatArray, rotator
from vampires.mueller.model import MuellerModel
from vampires.polarimetry.planes import debiased_lp
from vampires.utils.angles import wrap

# Residuals of a star drift with altitude: however many differences it has, they count as so many
# independent ones where stars are weighed against each other.
_INDEPENDENT = 8

_SAME_HWP = 0.5  # deg

# Exposures of a state set follow each other within this time.
_SET_SECONDS = 40.0


@dataclass(frozen=True)
class StarExposure:
    """Flux of a star in one exposure of one camera, and where everything stood.

    Angles in deg: `hwp` nominal, `sync` what a synchronised plate adds to it. `setting` is how the
    detector was read (gain, exposure time): only alike exposures of a camera are subtracted.
    """

    star: str
    filter: str
    generation: str
    camera: int
    flc: str
    hwp: float
    mjd: float
    pa: float
    altitude: float
    sync: float
    imr: float
    flux: float
    error: float
    setting: str = ""


@dataclass(frozen=True)
class StarDifferences:
    """Double differences of one star in one night and filter; arrays of shape (n,)."""

    star: str
    filter: str
    generation: str
    switched: bool
    hwp: FloatArray
    mjd: FloatArray
    pa: FloatArray
    altitude: FloatArray
    sync: FloatArray
    imr: FloatArray
    difference: FloatArray
    error: FloatArray

    def __len__(self) -> int:
        return len(self.difference)

    def subset(self, chosen: FloatArray) -> StarDifferences:
        """Return some of the differences."""
        arrays = ("hwp", "mjd", "pa", "altitude", "sync", "imr", "difference", "error")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})


@dataclass(frozen=True)
class StarFit:
    """Normalised Stokes parameters of a star, with three kinds of error.

    Parameters
    ----------
    q, u : float
        Q/I and U/I on the sky.
    constant : float
        What does not depend on the half-wave plate.
    photon, scatter, model : ndarray
        Covariance (2, 2) of q and u from photon noise; from the scatter of the differences about
        the fit, which holds the photon noise; from the errors of the light path.
    residual : ndarray
        Measured minus predicted differences.
    synchronised : bool
        Mode of the half-wave plate that was assumed.
    """

    q: float
    u: float
    constant: float
    photon: FloatArray
    scatter: FloatArray
    model: FloatArray
    residual: FloatArray
    synchronised: bool

    @property
    def rms(self) -> float:
        """Root mean square of the residuals, corrected for the three parameters."""
        return float(np.sqrt(np.sum(self.residual**2) / max(len(self.residual) - 3, 1)))

    @property
    def degree(self) -> float:
        """Degree of polarisation as measured; `debiased` takes out what noise adds."""
        return float(np.hypot(self.q, self.u))

    @property
    def debiased(self) -> float:
        """Degree of polarisation with the noise bias of the scatter removed."""
        return float(debiased_lp(self.degree, np.trace(self.scatter) / 2))

    @property
    def angle(self) -> float:
        """Angle of polarisation, deg east of north, 0 to 180."""
        return float(np.rad2deg(0.5 * np.arctan2(self.u, self.q)) % 180.0)

    def degree_error(self, kind: str) -> float:
        """Error of the degree of one kind: 'photon', 'scatter' or 'model'."""
        along = np.array([self.q, self.u]) / max(self.degree, 1e-12)
        return float(np.sqrt(along @ getattr(self, kind) @ along))

    def angle_error(self, kind: str) -> float:
        """Error of the angle of one kind, deg."""
        across = np.array([-self.u, self.q]) / max(self.degree, 1e-12)
        return float(
            np.rad2deg(0.5 * np.sqrt(across @ getattr(self, kind) @ across))
            / max(self.degree, 1e-12)
        )


@dataclass(frozen=True)
class ModeEvidence:
    """How well the two modes of the half-wave plate fit.

    Parameters
    ----------
    rms_synchronised, rms_fixed : float
        Residual of the star's differences with the plate following the pupil, and standing.
    n : int
        Differences compared.
    """

    rms_synchronised: float
    rms_fixed: float
    n: int

    @property
    def better(self) -> bool:
        """Whether the synchronised mode fits better."""
        return self.rms_synchronised <= self.rms_fixed

    @property
    def log_likelihood(self) -> float:
        """Logarithm of the likelihood of the better mode over the other, Gaussian residuals."""
        low, high = sorted((self.rms_synchronised, self.rms_fixed))
        return float(max(self.n - 3, 0) * np.log(high / max(low, 1e-12)))

    @property
    def decisive(self) -> bool:
        """Whether one mode is clearly better: exp(6) times as likely, residual a fifth smaller."""
        low, high = sorted((self.rms_synchronised, self.rms_fixed))
        return self.log_likelihood > 6.0 and high > 1.25 * low

    def __str__(self) -> str:
        return (
            f"residual of {self.n} double differences {100 * self.rms_synchronised:.3f} % with the "
            f"half-wave plate synchronised, {100 * self.rms_fixed:.3f} % without"
        )


def star_name(text: str) -> str:
    """Name by which exposures of a star are known to belong together.

    Examples
    --------
    >>> star_name("hd 29333"), star_name("HD_29333")
    ('HD29333', 'HD29333')
    """
    return re.sub(r"[\s_]+", "", text).upper()


def star_differences(exposures: Sequence[StarExposure]) -> list[StarDifferences]:
    """Pair the exposures of stars into double differences.

    Parameters
    ----------
    exposures : sequence of StarExposure
        Of any stars, nights and filters, in any order.

    Returns
    -------
    list of StarDifferences
        One per star, night and filter, in order of time. What has no partners is left out.
    """
    found = ((_sets_of_night(own), own) for own in _nights(exposures))
    return [_differences(sets, _switched(own)) for sets, own in found if sets]


def balance_cameras(exposures: Sequence[StarExposure]) -> list[StarExposure]:
    """Scale the fluxes of each star, night and filter so that both cameras see as much of it.

    The normalised difference of cameras of unequal throughput g is smaller than the polarisation
    by ``4 g / (1 + g)^2``: 1 % at g = 0.8, 4.5 % at 0.65.

    Parameters
    ----------
    exposures : sequence of StarExposure

    Returns
    -------
    list of StarExposure
        What has no partner is as it was.
    """
    out = []
    for own in _nights(exposures):
        pairs = [(m[1, f], m[2, f]) for m in _sets_of_night(own) for c, f in m if c == 1]
        gain = np.mean([np.log(one.flux / two.flux) for one, two in pairs]) if pairs else 0.0
        scale = {1: float(np.exp(-gain / 2)), 2: float(np.exp(gain / 2))}
        out += [
            replace(e, flux=e.flux * scale[e.camera], error=e.error * scale[e.camera]) for e in own
        ]
    return out


def _nights(exposures: Sequence[StarExposure]) -> list[list[StarExposure]]:
    """Exposures of each star, night and filter, in order of time, none twice."""
    groups: dict[tuple[str, int, str, str], dict[object, StarExposure]] = {}
    for e in sorted(exposures, key=lambda e: (e.mjd, e.camera, e.flc, e.hwp)):
        own = groups.setdefault((e.star, int(e.mjd), e.filter, e.generation), {})
        own.setdefault((e.mjd, e.camera, e.flc, e.hwp), e)
    return [list(own.values()) for own in groups.values()]


def _switched(exposures: Sequence[StarExposure]) -> bool:
    return {e.flc for e in exposures} >= {"A", "B"}


def _sets_of_night(
    exposures: Sequence[StarExposure],
) -> list[dict[tuple[int, str], StarExposure]]:
    """Sets of one star; states ``NA`` pair with nothing where the FLC switches."""
    switched = _switched(exposures)
    return _state_sets([e for e in exposures if not switched or e.flc in ("A", "B")], switched)


def fit_star(model: MuellerModel, stars: StarDifferences, *, synchronised: bool) -> StarFit:
    """Fit q, u and a constant to the differences of a star.

    Raises
    ------
    PolarimetryError
        If there are fewer than four differences, or they do not tell q from u.
    """
    from scipy.optimize import least_squares  # slow to load, and seldom needed

    if len(stars) < 4:
        raise PolarimetryError(
            f"{stars.star}: {len(stars)} differences of cameras; four or more are needed"
        )

    def residual(x: FloatArray) -> FloatArray:
        return (
            predict(model, stars, x[0], x[1], synchronised=synchronised) + x[2] - stars.difference
        )

    spread = np.zeros(len(stars))
    for _ in range(2):  # the second time with the scatter that the first has found
        weight = 1 / np.hypot(stars.error, spread) if spread.any() else np.ones(len(stars))
        solution = least_squares(lambda x, w: w * residual(x), np.zeros(3), args=(weight,))
        excess = np.mean(residual(solution.x) ** 2) - np.mean(stars.error**2)
        spread = np.full(len(stars), np.sqrt(max(float(excess), 1e-12)))
    jacobian = solution.jac
    normal = jacobian.T @ jacobian
    if np.linalg.cond(normal) > 1e8:
        raise PolarimetryError(f"{stars.star}: the HWP angles do not tell q from u")
    gain = np.linalg.inv(normal) @ jacobian.T * weight
    rest = residual(solution.x)
    dof = max(len(stars) - 3, 1)
    scatter = np.linalg.inv(normal) * np.sum((weight * rest) ** 2) / dof
    photon = (gain * stars.error**2) @ gain.T
    q, u, constant = (float(v) for v in solution.x)
    return StarFit(
        q, u, constant, photon[:2, :2], np.maximum(scatter, photon)[:2, :2],
        _model_covariance(model, stars, (q, u), gain, synchronised), -rest, synchronised,
    )  # fmt: skip


def predict(
    model: MuellerModel, stars: StarDifferences, q: float, u: float, *, synchronised: bool
) -> FloatArray:
    """Double differences that a light path gives of a star, shape (n,)."""
    hwp = stars.hwp + (stars.sync if synchronised else 0.0)
    sky = rotator(-stars.altitude) @ model.m3.matrix() @ rotator(stars.pa)
    light = (sky @ np.array([1.0, q, u, 0.0])).T
    out = np.zeros(len(stars))
    states = (("A", 0.5), ("B", -0.5)) if stars.switched else ((NO_FLC, 1.0),)
    for flc, sign in states:
        at_splitter = model.pass_light(light, hwp, stars.imr, flc)
        out += sign * at_splitter[1] / at_splitter[0]
    return out


def compare_modes(model: MuellerModel, stars: StarDifferences) -> ModeEvidence:
    """Fit a star with the half-wave plate following the pupil, and standing still."""
    rms = [fit_star(model, stars, synchronised=mode).rms for mode in (True, False)]
    return ModeEvidence(rms[0], rms[1], len(stars))


@dataclass(frozen=True)
class MirrorFit:
    """Tertiary mirror and stars fitted together.

    Parameters
    ----------
    values, errors : dict of str to float
        Of the mirror's parameters.
    scatter : float
        Standard deviation of the diattenuation from star to star.
    correlation : dict of str to float
        Largest correlation of the diattenuation with a star's q or u, by star.
    stars : dict of str to StarFit
        By star and night.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    scatter: float
    correlation: Mapping[str, float]
    stars: Mapping[str, StarFit] = field(default_factory=dict)


def fit_mirror(
    model: MuellerModel,
    stars: Sequence[StarDifferences],
    synchronised: Sequence[bool],
    polarised: Sequence[bool],
    *,
    free: Sequence[str] = ("m3_diattenuation",),
    own_polarisation: float = 5e-4,
) -> MirrorFit:
    """Fit the tertiary mirror together with q, u and a constant of each star.

    Parameters
    ----------
    model : MuellerModel
        The rest of the light path, and where the fit begins.
    stars : sequence of StarDifferences
    synchronised, polarised : sequence of bool
        Of each star: the mode of the half-wave plate, and whether it may have a polarisation of
        its own. The others' is held at zero within ``own_polarisation``.
    free : sequence of str
        Parameters of the mirror.

    Returns
    -------
    MirrorFit
        The error of the diattenuation holds its scatter from star to star.
    """
    from scipy.optimize import least_squares  # slow to load, and seldom needed

    names = tuple(free)
    alone = [
        fit_star(model, s, synchronised=mode) for s, mode in zip(stars, synchronised, strict=True)
    ]
    sigma = [
        np.hypot(s.error, max(f.rms, 1e-5)) * np.sqrt(max(len(s) / _INDEPENDENT, 1.0))
        for s, f in zip(stars, alone, strict=True)
    ]
    start = np.array([model.parameters[n] for n in names] + [0.0] * (3 * len(stars)))

    def residual(x: FloatArray, chosen: Sequence[int]) -> FloatArray:
        changed = model.with_parameters(dict(zip(names, x[: len(names)], strict=True)))
        parts = []
        for k in chosen:
            q, u, c = x[len(names) + 3 * k : len(names) + 3 * k + 3]
            predicted = predict(changed, stars[k], q, u, synchronised=synchronised[k])
            parts.append((predicted + c - stars[k].difference) / sigma[k])
            width = 1.0 if polarised[k] else own_polarisation
            parts.append(np.array([q, u]) / width)
        return np.concatenate(parts)

    everything = range(len(stars))
    solution = least_squares(residual, start, args=(everything,), x_scale=0.01)
    covariance = np.linalg.pinv(solution.jac.T @ solution.jac)
    single = [
        least_squares(residual, start, args=((k,),), x_scale=0.01).x[0]
        for k in everything
        if not polarised[k]
    ]
    spread = float(np.std(single, ddof=1)) if len(single) > 1 else 0.0
    errors = np.sqrt(np.diagonal(covariance))
    values = {n: float(v) for n, v in zip(names, solution.x, strict=False)}
    stated = {n: float(e) for n, e in zip(names, errors, strict=False)}
    stated[names[0]] = float(np.hypot(errors[0], spread / np.sqrt(max(len(single), 1))))
    fitted = model.with_parameters(values)
    fits, correlation = {}, {}
    for k, s in enumerate(stars):
        key = f"{s.star} {int(s.mjd[0])}"
        own = [covariance[0, len(names) + 3 * k + j] for j in (0, 1)]
        size = [errors[0] * errors[len(names) + 3 * k + j] for j in (0, 1)]
        correlation[key] = float(max(np.divide(own, size), key=abs))
        fits[key] = fit_star(fitted, s, synchronised=synchronised[k])
    return MirrorFit(values, stated, spread, correlation, fits)


def _state_sets(
    exposures: Sequence[StarExposure], switched: bool
) -> list[dict[tuple[int, str], StarExposure]]:
    """Exposures of both cameras, and both FLC states, at one HWP angle."""
    need = 4 if switched else 2
    left = list(exposures)
    sets = []
    while left:
        first = left[0]
        found: dict[tuple[int, str], StarExposure] = {}
        for e in left:
            if (e.mjd - first.mjd) * 86400 > _SET_SECONDS:
                break
            alike = all(o.setting == e.setting for o in found.values() if o.camera == e.camera)
            if alike and abs(wrap(e.hwp - first.hwp, 180.0)) < _SAME_HWP:
                found.setdefault((e.camera, e.flc), e)
        used = {id(e) for e in found.values()} if len(found) == need else {id(first)}
        if len(found) == need:
            sets.append(found)
        left = [e for e in left if id(e) not in used]
    return sets


def _differences(
    sets: Sequence[Mapping[tuple[int, str], StarExposure]], switched: bool
) -> StarDifferences:
    rows, values, errors = [], [], []
    for members in sets:
        total, variance = 0.0, 0.0
        states = sorted({flc for _, flc in members})
        for flc, sign in zip(states, (0.5, -0.5) if switched else (1.0,), strict=True):
            one, two = members[1, flc], members[2, flc]
            both = one.flux + two.flux
            total += sign * (one.flux - two.flux) / both
            variance += (
                sign * 2 * np.hypot(two.flux * one.error, one.flux * two.error) / both**2
            ) ** 2
        rows.append(list(members.values()))
        values.append(total)
        errors.append(np.sqrt(variance))
    first = rows[0][0]

    def mean(name: str, period: float | None = None) -> FloatArray:
        table = np.array([[getattr(e, name) for e in row] for row in rows], dtype=float)
        return np.asarray(
            (np.unwrap(table, period=period, axis=1) if period else table).mean(axis=1)
        )

    return StarDifferences(
        first.star, first.filter, first.generation, switched, mean("hwp", 180.0), mean("mjd"),
        mean("pa", 360.0), mean("altitude"), mean("sync", 180.0), mean("imr", 180.0),
        np.array(values), np.array(errors),
    )  # fmt: skip


def _model_covariance(
    model: MuellerModel,
    stars: StarDifferences,
    polarisation: tuple[float, float],
    gain: FloatArray,
    synchronised: bool,
) -> FloatArray:
    """Covariance of q and u from the errors of the light path's parameters."""
    q, u = polarisation
    known = model.uncertainty
    errors = np.sqrt(np.diagonal(known.covariance)) if known.names else np.zeros(0)
    base = predict(model, stars, q, u, synchronised=synchronised)
    slopes = np.zeros((2, len(known.names)))
    for i, (name, error) in enumerate(zip(known.names, errors, strict=True)):
        step = max(float(error), 1e-9)
        moved = model.with_parameters({name: model.parameters.get(name, 0.0) + step})
        shift = predict(moved, stars, q, u, synchronised=synchronised) - base
        slopes[:, i] = -(gain @ shift)[:2] / step
    direction, across = np.array([q, u]), 2 * np.deg2rad(known.angle) * np.array([-u, q])
    return np.asarray(
        slopes @ known.covariance @ slopes.T
        + known.scale**2 * np.outer(direction, direction)
        + np.outer(across, across)
    )
