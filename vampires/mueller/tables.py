"""Tabulated parameters of the light path: the package's, or a user's TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vampires.errors import PolarimetryError
from vampires.instrument.filters import FILTERS
from vampires.instrument.tables import load_table
from vampires.mueller.components import FloatArray
from vampires.mueller.mirror import scaled_diattenuation


@dataclass(frozen=True)
class Uncertainty:
    """What is known of the errors of a light path's parameters.

    Parameters
    ----------
    names : tuple of str
        Parameters, shape (k,).
    covariance : ndarray
        Shape (k, k).
    scale : float
        Relative error of every degree of polarisation, common to all.
    angle : float
        Error of every angle of polarisation, deg, common to all.
    """

    names: tuple[str, ...] = ()
    covariance: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    scale: float = 0.0
    angle: float = 0.0


@dataclass(frozen=True)
class Entry:
    """Parameters of one filter by name, where they come from, and how well they are known.

    `doubt` says in words what is wrong with them; empty where nothing is known to be.
    """

    values: Mapping[str, float]
    source: str
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    doubt: str = ""


def find_entry(filter_name: str, generation: str, table: str | Path | None = None) -> Entry | None:
    """Look a filter up.

    Parameters
    ----------
    filter_name : str
        Filter or multiband field.
    generation : str
        'EMCCD', 'QCMOS' or 'QCMOS-NBS'.
    table : path, optional
        TOML file with ``source`` and ``[filters."NAME"]`` tables, and ``[nearest]`` for filters
        that another stands in for. Default: the package's table, with the tertiary mirror.
        ``scale_error`` (relative, of every degree) and ``angle_error`` (deg), of the table or of
        one filter, and ``doubt``, a text, say how far it can be trusted; ``first_mjd`` and
        ``last_mjd`` say when it holds, see `out_of_date`.

    Returns
    -------
    Entry or None
        None where the package has no table for the filter.

    Raises
    ------
    PolarimetryError
        If the user's table cannot be read, holds something else than numbers, or lacks the
        filter.
    """
    content = _package(generation) if table is None else _read(Path(table))
    known = content.get("filters", {})
    name = filter_name if filter_name in known else content.get("nearest", {}).get(filter_name)
    if name not in known:
        if table is None:
            return None
        raise PolarimetryError(
            f"{table}: no entry for filter {filter_name!r}; it has {sorted(known)}: add "
            f'[filters."{filter_name}"]'
        )
    values = dict(known[name])
    origin = str(table or "package table")
    doubt = str(values.pop("doubt", ""))
    common = {n: values.pop(n, content.get(n, 0.0)) for n in ("scale_error", "angle_error")}
    uncertainty = _uncertainty(values.pop("uncertainty", {}), common, origin)
    bad = [k for k, v in values.items() if isinstance(v, bool) or not isinstance(v, int | float)]
    if bad:
        raise PolarimetryError(f"{origin}: {bad[0]} must be a number, not {values[bad[0]]!r}")
    stand_in = "" if name == filter_name else f" for {filter_name}"
    source = f"tabulated {name}{stand_in} ({content.get('source', Path(origin).name)})"
    entry = Entry(values, source, uncertainty, doubt)
    return _with_mirror(entry, filter_name) if table is None else entry


def out_of_date(generation: str, mjd: float, table: str | Path | None = None) -> str:
    """Tell whether data are from outside the time that a table holds for.

    Parameters
    ----------
    generation, table
        As in `find_entry`.
    mjd : float
        Of the data.

    Returns
    -------
    str
        Empty where the table holds, or says nothing.

    Raises
    ------
    PolarimetryError
        If a date in the user's table is no number.

    Examples
    --------
    >>> out_of_date("QCMOS", 60133.5)
    'the table holds from MJD 60201 on, these data are of MJD 60133'
    >>> out_of_date("QCMOS", 60300.5)
    ''
    """
    content = _package(generation) if table is None else _read(Path(table))
    first, last = content.get("first_mjd", -np.inf), content.get("last_mjd", np.inf)
    for name, value in (("first_mjd", first), ("last_mjd", last)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PolarimetryError(f"{table}: {name} must be a number, not {value!r}")
    if mjd < first:
        return f"the table holds from MJD {first:.0f} on, these data are of MJD {int(mjd)}"
    if mjd > last:
        return f"the table holds until MJD {last:.0f}, these data are of MJD {int(mjd)}"
    return ""


def _package(generation: str) -> dict[str, Any]:
    """Own table of a generation; one that has only ``like`` takes the filters of another."""
    tables = load_table("mueller")
    own = tables.get(generation, {})
    return {**tables[own["like"]], **own} if "like" in own else own


def _with_mirror(entry: Entry, filter_name: str) -> Entry:
    """Add the tertiary mirror: measured in one filter, scaled to the others."""
    mirror = load_table("mueller")["m3"]
    value, error = float(mirror["diattenuation"]), float(mirror["error"])
    note = f"M3 {mirror['source']}"
    if filter_name != mirror["filter"] and filter_name in FILTERS:
        value, error = scaled_diattenuation(
            FILTERS[filter_name].mean, FILTERS[mirror["filter"]].mean, value, error
        )
        note = f"M3 scaled from {mirror['filter']}"
    u = entry.uncertainty
    covariance = np.zeros((len(u.names) + 1,) * 2)
    covariance[:-1, :-1] = u.covariance
    covariance[-1, -1] = error**2
    return Entry(
        {**entry.values, "m3_diattenuation": value},
        f"{entry.source[:-1]}; {note})",
        Uncertainty((*u.names, "m3_diattenuation"), covariance, u.scale, u.angle),
        entry.doubt,
    )


def _uncertainty(stated: Mapping[str, Any], common: Mapping[str, Any], origin: str) -> Uncertainty:
    """Covariance from the errors and the lower triangle of the correlations of a table."""
    odd = [n for n, v in common.items() if isinstance(v, bool) or not isinstance(v, int | float)]
    if odd:
        raise PolarimetryError(f"{origin}: {odd[0]} must be a number, not {common[odd[0]]!r}")
    scale, angle = float(common["scale_error"]), float(common["angle_error"])
    if not stated:
        return Uncertainty(scale=scale, angle=angle)
    try:
        names = tuple(str(name) for name in stated["names"])
        errors = np.asarray(stated["errors"], dtype=float)
        correlation = np.eye(len(names))
        for i, row in enumerate(stated.get("correlation", [])):
            correlation[i, : len(row)] = correlation[: len(row), i] = row
        covariance = correlation * np.outer(errors, errors).reshape(correlation.shape)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise PolarimetryError(
            f"{origin}: [uncertainty] needs names, errors (one each) and optionally the lower "
            f"triangle of the correlation: {error}"
        ) from error
    if not np.isfinite(covariance).all():
        raise PolarimetryError(f"{origin}: [uncertainty] must hold finite numbers")
    return Uncertainty(names, covariance, scale, angle)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolarimetryError(f"{path}: cannot be read as a Mueller table: {error}") from error
    if not isinstance(content.get("filters"), dict):
        raise PolarimetryError(f'{path}: a Mueller table needs [filters."NAME"] tables')
    return content
