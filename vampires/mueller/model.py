"""The polarisation response of telescope and instrument as a chain of named components.

``M = PBS . [dichroic] . FLC . optics . IMR . HWP . rot(-altitude) . M3 . rot(PA)``

takes the Stokes vector on the sky, referred to north, to the one at the camera. The first row
is what a camera measures: ``intensity = M[0] . (I, Q, U, V)``, normalised to the light of one
camera (see `vampires.mueller.components.analyser`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.instrument.flc import NO_FLC, flc_state
from vampires.instrument.optics import flc_switch
from vampires.log import get_logger
from vampires.mueller.components import Component, FloatArray, analyser, is_realisable, rotator
from vampires.mueller.tables import Uncertainty, find_entry, out_of_date

log = get_logger(__name__)

COMPONENTS = ("hwp", "imr", "optics", "flc", "m3", "dichroic")
_PARTS = ("retardance", "diattenuation", "offset")
PARAMETERS = (*(f"{name}_{part}" for name in COMPONENTS for part in _PARTS), "flc_switch")

_HALF_WAVE = Component(retardance=0.5)
_NOTHING = Component()


@dataclass(frozen=True)
class LightPathAngles:
    """Where everything that turns stood during an exposure.

    Parameters
    ----------
    camera : int
        1 or 2.
    hwp : float
        Half-wave plate, deg, with the synchronisation correction when it followed the pupil.
    imr : float
        Image rotator, deg.
    altitude, pa : float
        Altitude and parallactic angle at mid-exposure, deg.
    flc : str
        'A', 'B' or 'NA'.
    flc_in : bool
        False when the FLC is out of the beam.

    Examples
    --------
    >>> LightPathAngles(camera=1, hwp=22.5, imr=90.0, altitude=60.0, pa=10.0).flc
    'NA'
    """

    camera: int
    hwp: float
    imr: float
    altitude: float
    pa: float
    flc: str = NO_FLC
    flc_in: bool = True

    @classmethod
    def from_header(cls, header: Header, *, hwp_sync: bool | None = None) -> LightPathAngles:
        """Read the angles of a canonical header.

        Parameters
        ----------
        header : Header
            With PA, ALT_MID, IMRANG, RET-ANG1, HWPSYNC, HWPSYNCA, U_CAMERA, U_FLC, U_FLCST.
        hwp_sync : bool, optional
            Overrides HWPSYNC: whether the HWP followed the pupil.

        Raises
        ------
        HeaderError
            If a card is missing or is not a number.
        """
        header = Header.of(header)
        need = functools.partial(header.need, why="it is needed for the polarisation response")
        synchronised = header.known(Header.hwp_sync, True) if hwp_sync is None else hwp_sync
        return cls(
            camera=need(Header.camera),
            hwp=need(Header.hwp) + (need(Header.hwp_sync_angle) if synchronised else 0.0),
            imr=need(Header.rotator),
            altitude=need(Header.altitude),
            pa=need(Header.pa),
            flc=flc_state(header.known(Header.flc)),
            flc_in=header.known(Header.flc_stage, "IN").strip().upper() != "OUT",
        )


@dataclass(frozen=True)
class MuellerModel:
    """The light path: components, and the rule to chain them.

    Parameters
    ----------
    hwp, imr, optics, flc, m3 : Component
        Half-wave plate, image rotator, fixed optics, ferroelectric liquid crystal, tertiary
        mirror; by default ideal.
    dichroic : Component, optional
        Dichroic of multiband imaging; none by default.
    flc_switch : float
        Angle between the states A and B of the FLC, deg (45; 43 for the achromatic one).
    name, source : str
        Filter, and where the parameters come from.
    uncertainty : Uncertainty
        Errors of the parameters.
    doubt : str
        What is known to be wrong with the parameters.

    Examples
    --------
    >>> model = MuellerModel.from_table("750-50", "EMCCD")
    >>> model.hwp.retardance, model.source
    (0.476, 'tabulated 750-50 (public calibration May 2023; M3 scaled from 675-50)')
    """

    hwp: Component = _HALF_WAVE
    imr: Component = _HALF_WAVE
    optics: Component = _NOTHING
    flc: Component = _HALF_WAVE
    m3: Component = _HALF_WAVE
    dichroic: Component | None = None
    flc_switch: float = flc_switch("EMCCD")
    name: str = ""
    source: str = field(default="ideal", compare=False)
    uncertainty: Uncertainty = field(default_factory=Uncertainty, compare=False)
    doubt: str = field(default="", compare=False)

    @classmethod
    def from_table(
        cls,
        filter_name: str,
        generation: str,
        *,
        ideal: bool = False,
        table: str | Path | None = None,
    ) -> MuellerModel:
        """Make the model of a filter from the package's or a user's table.

        Parameters
        ----------
        filter_name : str
            Filter or multiband field, such as '750-50' or 'F720'.
        generation : str
            'EMCCD', 'QCMOS' or 'QCMOS-NBS'.
        ideal : bool
            Ideal components, whatever is tabulated.
        table : path, optional
            TOML file with ``source`` and ``[filters."NAME"]`` tables.

        Returns
        -------
        MuellerModel
            With ideal components where nothing is tabulated; `source` says so.

        Raises
        ------
        PolarimetryError
            If the user's table cannot be read, holds unknown names, or lacks the filter.
        """
        base = cls(flc_switch=flc_switch(generation), name=filter_name)
        if ideal:
            return replace(base, source="ideal: asked for")
        entry = find_entry(filter_name, generation, table)
        if entry is None:
            return replace(
                base, source=f"ideal: no public table for {filter_name} with {generation} detectors"
            )
        try:
            return replace(
                base.with_parameters(entry.values),
                source=entry.source,
                uncertainty=entry.uncertainty,
                doubt=entry.doubt,
            )
        except (PolarimetryError, ValueError) as error:
            raise PolarimetryError(f"{table or 'package table'}: {error}") from error

    def with_parameters(self, values: Mapping[str, float]) -> MuellerModel:
        """Return a copy with some parameters changed, named as in `parameters`.

        Examples
        --------
        >>> MuellerModel().with_parameters({"hwp_retardance": 0.48}).hwp.retardance
        0.48
        """
        model = self
        for key, value in values.items():
            if key == "flc_switch":
                model = replace(model, flc_switch=float(value))
                continue
            name, _, part = key.partition("_")
            if key not in PARAMETERS:
                raise PolarimetryError(
                    f"unknown light-path parameter {key!r}; known are {', '.join(PARAMETERS)}"
                )
            component = replace(getattr(model, name) or _NOTHING, **{part: float(value)})
            changed: dict[str, Any] = {name: component}
            model = replace(model, **changed)
        return model

    @property
    def parameters(self) -> dict[str, float]:
        """All parameters by name, such as ``hwp_retardance`` (waves, deg, or without unit)."""
        values = {
            f"{name}_{part.name}": float(getattr(component, part.name))
            for name in COMPONENTS
            if (component := getattr(self, name)) is not None
            for part in fields(component)
        }
        return values | {"flc_switch": self.flc_switch}

    def idealised(self) -> MuellerModel:
        """Make the model with ideal components and the same geometry."""
        return MuellerModel(flc_switch=self.flc_switch, name=self.name)

    @property
    def is_ideal(self) -> bool:
        """Whether every component is ideal."""
        return self == self.idealised()

    def instrument(self, angles: LightPathAngles) -> FloatArray:
        """Matrix (4, 4) from in front of the half-wave plate to the camera."""
        flc = flc_state(angles.flc, "IN" if angles.flc_in else "OUT")
        return analyser(angles.camera) @ self.train(angles.hwp, angles.imr, flc)

    def train(self, hwp: ArrayLike, imr: ArrayLike, flc: ArrayLike) -> FloatArray:
        """Matrices from in front of the half-wave plate to the beamsplitter.

        Parameters
        ----------
        hwp, imr : array_like
            Angles, deg.
        flc : array_like of str
            'A', 'B', or 'NA' for no FLC in the beam.

        Returns
        -------
        ndarray
            Shape ``broadcast + (4, 4)``.
        """
        state = np.asarray(flc)
        switched = self.flc.matrix(np.where(state == "B", self.flc_switch, 0.0))
        crystal = np.where((state == NO_FLC)[..., None, None], np.eye(4), switched)
        matrix = crystal @ self.optics.matrix() @ self.imr.matrix(imr) @ self.hwp.matrix(hwp)
        return matrix if self.dichroic is None else self.dichroic.matrix() @ matrix

    def pass_light(
        self, stokes: FloatArray, hwp: ArrayLike, imr: ArrayLike, flc: ArrayLike
    ) -> FloatArray:
        """Stokes vectors at the beamsplitter: `train` ``@ stokes``, without matrices.

        Parameters
        ----------
        stokes : ndarray
            In front of the half-wave plate, (I, Q, U, V) in the first axis, shape (4, n).
        hwp, imr, flc : array_like
            As in `train`, shape (n,).

        Returns
        -------
        ndarray
            Shape (4, n).
        """
        state = np.asarray(flc)
        light = self.imr.pass_light(self.hwp.pass_light(stokes, hwp), imr)
        light = self.optics.pass_light(light)
        switched = self.flc.pass_light(light, np.where(state == "B", self.flc_switch, 0.0))
        light = np.where(state == NO_FLC, light, switched)
        return light if self.dichroic is None else self.dichroic.pass_light(light)

    def matrix(
        self, angles: LightPathAngles | Header, *, hwp_sync: bool | None = None
    ) -> FloatArray:
        """Mueller matrix from the sky (Q towards north) to the camera.

        Parameters
        ----------
        angles : LightPathAngles or Header
            Angles, or a canonical header that holds them.
        hwp_sync : bool, optional
            With a header: overrides its HWPSYNC.

        Returns
        -------
        ndarray
            Shape (4, 4).
        """
        if not isinstance(angles, LightPathAngles):
            angles = LightPathAngles.from_header(angles, hwp_sync=hwp_sync)
        telescope = rotator(-angles.altitude) @ self.m3.matrix() @ rotator(angles.pa)
        return self.instrument(angles) @ telescope

    def row(self, angles: LightPathAngles | Header, *, hwp_sync: bool | None = None) -> FloatArray:
        """First row of `matrix`: the camera's intensity for (I, Q, U, V) on the sky.

        Examples
        --------
        >>> angles = LightPathAngles(camera=2, hwp=0.0, imr=0.0, altitude=0.0, pa=0.0)
        >>> MuellerModel().row(angles).round(6).tolist()
        [1.0, -1.0, 0.0, 0.0]
        """
        return self.matrix(angles, hwp_sync=hwp_sync)[0]

    def efficiency(self, angles: LightPathAngles | Header) -> float:
        """Degree of linear polarisation kept in one exposure: 1 is perfect, 0 is blind."""
        row = self.row(angles)
        return float(np.hypot(row[1], row[2]) / row[0])

    def check(self) -> None:
        """Raise PolarimetryError if any component could not exist as real optics."""
        for name in COMPONENTS:
            component = getattr(self, name)
            if component is not None and not is_realisable(component.matrix()):
                raise PolarimetryError(
                    f"{name} of the {self.name} light path cannot be real optics"
                )

    def __repr__(self) -> str:
        parts = [
            f"{name}({c.retardance:.3f} waves, {c.diattenuation:.3f}, {c.offset:.2f} deg)"
            for name in COMPONENTS
            if (c := getattr(self, name)) is not None
        ]
        return f"<MuellerModel {self.name or 'unnamed'}: {', '.join(parts)}; {self.source}>"


def models_for(
    filters: tuple[str, ...] | list[str],
    generation: str,
    *,
    ideal: bool = False,
    table: str | Path | None = None,
    mjd: float | None = None,
) -> tuple[MuellerModel, ...]:
    """Make one model per field and log where their parameters come from.

    Parameters
    ----------
    filters : sequence of str
        Filter of each field.
    generation, ideal, table
        As in `MuellerModel.from_table`.
    mjd : float, optional
        Of the data. Outside the dates of the table, `doubt` and `source` say so.
    """
    models = tuple(
        MuellerModel.from_table(name, generation, ideal=ideal, table=table) for name in filters
    )
    odd = "" if ideal or mjd is None else out_of_date(generation, mjd, table)
    models = tuple(_doubted(model, odd) for model in models)
    for model in models:
        model.check()
        log.info("polarisation response", filter=model.name, source=model.source)
    return models


def _doubted(model: MuellerModel, odd: str) -> MuellerModel:
    """Say in `doubt` and `source` what speaks against a model."""
    doubts = [text for text in (model.doubt, odd) if text]
    return replace(model, doubt="; ".join(doubts), source="; ".join([model.source, *doubts]))


def check_hwp_sync(headers: list[Header], hwp_adi_sync: bool) -> None:
    """Compare the configured half-wave-plate mode with the headers'.

    Headers without RET-MOD1 (EMCCD) do not say; there the configuration decides.

    Raises
    ------
    PolarimetryError
        If a header contradicts the configuration; the message says what to set.
    """
    for header in headers:
        mode = header.hwp_mode
        if mode is None:
            continue
        found = header.known(Header.hwp_sync, "SYNCHRO_ADI" in mode.upper())
        if found != hwp_adi_sync:
            raise PolarimetryError(
                f"{header.label}: RET-MOD1 = {mode!r} but [polarimetry] hwp_adi_sync = "
                f"{str(hwp_adi_sync).lower()}: set hwp_adi_sync = {str(found).lower()}"
            )
