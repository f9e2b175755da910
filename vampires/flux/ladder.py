"""Ladder sequences: what the satellite spots are worth, from frames without the coronagraph.

With the mask out and the grid on, one frame shows the spots and the star itself. Their ratio
holds for the occulted frames of the night with the same grid, and is better than the published
polynomial.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from vampires.canonical import Header
from vampires.errors import FileError, HeaderError
from vampires.flux.rates import StarRate
from vampires.flux.spots import SAME_SEPARATION, grid_settings
from vampires.instrument.field_stops import is_unocculted
from vampires.instrument.filters import FILTERS
from vampires.instrument.optics import spot_flux

Cards = dict[str, tuple[float, str]]

_SAME = 0.01  # relative, of amplitudes
_CLOSE = 0.05

COLUMNS = {
    "file": str, "filter": str, "separation": float, "amplitude": float, "ratio": float,
    "error": float,
}  # fmt: skip
UNITS = {"amplitude": "um"}


@dataclass(frozen=True)
class Rung:
    """One measured ratio.

    Parameters
    ----------
    file : str
        Coadd.
    filter : str
    separation, amplitude : float
        Of the grid, lambda/D and um.
    ratio : float
        Flux of a spot over that of the star.
    error : float
        Relative.
    """

    file: str
    filter: str
    separation: float
    amplitude: float
    ratio: float
    error: float


@dataclass(frozen=True)
class Ladder:
    """All measured ratios of a night."""

    rungs: tuple[Rung, ...] = ()

    @classmethod
    def of_coadds(cls, coadds: Iterable[tuple[str, Header, Sequence[str]]]) -> Ladder:
        """Collect what coadds say; see `ladder_cards`.

        Parameters
        ----------
        coadds : iterable of (str, Header, sequence of str)
            Name, header and fields of each.
        """
        return cls(tuple(rung for coadd in coadds for rung in _rungs(*coadd)))

    @classmethod
    def read(cls, path: str | Path) -> Ladder:
        """Read the table that `table` makes.

        Raises
        ------
        FileError
            It is no such table.
        """
        try:
            rows = Table.read(path, format="ascii.ecsv")
            return cls(
                tuple(Rung(*(kind(row[key]) for key, kind in COLUMNS.items())) for row in rows)
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(
                f"{path}: not a table of satellite spots ({error}); delete it and run doit again"
            ) from error

    def table(self) -> Table:
        """One row a rung."""
        rows = [[getattr(rung, key) for key in COLUMNS] for rung in self.rungs]
        return Table(
            rows=rows or None, names=list(COLUMNS), dtype=list(COLUMNS.values()), units=UNITS
        )

    def ratio(
        self, header: Header, filter_name: str
    ) -> tuple[float, float, tuple[str, ...]] | None:
        """Ratio for the grid of an occulted image.

        Parameters
        ----------
        header : Header
            X_GRDAMP, X_GRDSEP.
        filter_name : str
            Filter or field.

        Returns
        -------
        ratio, relative error, doubts, or None
            From the rungs of the nearest amplitude; that of another amplitude is scaled. None: no
            rung of this filter and separation, or the header does not tell the grid.
        """
        try:
            amplitude, separation = grid_settings(header)
        except HeaderError:
            return None
        own = [
            rung
            for rung in self.rungs
            if rung.filter == filter_name and abs(rung.separation - separation) < SAME_SEPARATION
        ]
        if not own:
            return None
        away = {rung: abs(math.log(rung.amplitude / amplitude)) for rung in own}
        nearest = min(away.values())
        taken = [rung for rung in own if away[rung] <= nearest + _SAME]
        value, error = _weighted(taken)
        factor, spread = _growth(taken[0], amplitude)
        doubts: tuple[str, ...] = ()
        if nearest > _CLOSE:
            found = f"{taken[0].amplitude:g} um, scaled to {amplitude:g}"
            doubts = (f"satellite spots measured at X_GRDAMP = {found}",)
        return value * factor, math.hypot(error, spread), doubts


def ladder_cards(star: StarRate, spot: StarRate, index: int) -> Cards:
    """Cards of an unocculted image that shows the spots of one field too."""
    cards = Header.declared(
        spot_flux=(_digits(spot.value), f"[e-/s] of a satellite spot, {spot.aperture}"),
        spot_flux_error=_digits(math.hypot(spot.error, star.error)),
        unocculted_flux=_digits(star.value),
    )
    return {f"{key}{index}": card for key, card in cards.items()}


def _rungs(name: str, header: Header, fields: Sequence[str]) -> list[Rung]:
    if not is_unocculted(header.field_stop):
        return []
    try:
        amplitude, separation = grid_settings(header)
    except HeaderError:
        return []  # the grid is off
    rungs = []
    for index, field in enumerate(fields):
        spot = header.known(Header.spot_flux.of(index))
        if spot is not None:
            ratio = spot / header.need(Header.unocculted_flux.of(index))
            error = header.need(Header.spot_flux_error.of(index))
            rungs.append(Rung(name, field, separation, amplitude, ratio, error))
    return rungs


def _weighted(rungs: Sequence[Rung]) -> tuple[float, float]:
    """Weighted mean of some ratios and its relative error, by their scatter if that is larger."""
    values = np.array([rung.ratio for rung in rungs])
    weights = np.array([max(rung.ratio * rung.error, 1e-12) for rung in rungs]) ** -2.0
    mean = float(np.average(values, weights=weights))
    expected = float(weights.sum()) ** -0.5
    scatter = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 2 else 0.0
    return mean, max(expected, scatter) / mean


def _growth(rung: Rung, amplitude: float) -> tuple[float, float]:
    """Factor from the amplitude of a rung to another one, and how unsure it is.

    By the published polynomial where it holds; the square of the amplitude is what small waves on
    a mirror do. Their difference is the error.
    """
    square = (amplitude / rung.amplitude) ** 2
    spots, wavelength = spot_flux(rung.separation), FILTERS[rung.filter].mean / 1000
    if abs(spots.separation - rung.separation) > SAME_SEPARATION:
        return square, abs(math.log(square)) / 2
    before, after = (spots.ratio(a, wavelength) for a in (rung.amplitude, amplitude))
    if not (before > 0 and after > 0):
        return square, abs(math.log(square)) / 2
    return after / before, abs(math.log(after / before / square))


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
