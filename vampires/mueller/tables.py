"""Tabulated parameters of the light path: the package's, or a user's TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vampires.errors import PolarimetryError
from vampires.instrument.tables import load_table


@dataclass(frozen=True)
class Entry:
    """Parameters of one filter by name, and where they come from."""

    values: Mapping[str, float]
    source: str


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
        that another stands in for. Default: the package's table.

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
    content = load_table("mueller").get(generation, {}) if table is None else _read(Path(table))
    known = content.get("filters", {})
    name = filter_name if filter_name in known else content.get("nearest", {}).get(filter_name)
    if name not in known:
        if table is None:
            return None
        raise PolarimetryError(
            f"{table}: no entry for filter {filter_name!r}; it has {sorted(known)}: add "
            f'[filters."{filter_name}"]'
        )
    values = known[name]
    bad = [k for k, v in values.items() if isinstance(v, bool) or not isinstance(v, int | float)]
    if bad:
        raise PolarimetryError(
            f"{table or 'package table'}: {bad[0]} must be a number, not {values[bad[0]]!r}"
        )
    origin = content.get("source", Path(str(table)).name)
    stand_in = "" if name == filter_name else f" for {filter_name}"
    return Entry(values, f"tabulated {name}{stand_in} ({origin})")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolarimetryError(f"{path}: cannot be read as a Mueller table: {error}") from error
    if not isinstance(content.get("filters"), dict):
        raise PolarimetryError(f'{path}: a Mueller table needs [filters."NAME"] tables')
    return content
