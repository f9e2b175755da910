"""The header table of raw files: every keyword of every file, in the same terms."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from astropy.io import fits
from astropy.table import MaskedColumn, Table

from vampires.header.exposure import raw_header
from vampires.night.scan import scan_file

_PROSE = {"COMMENT", "HISTORY", ""}


def header_table(paths: Iterable[str | Path]) -> Table:
    """Collect the canonical headers of raw files.

    Parameters
    ----------
    paths : iterable of str or Path
        Raw files of any era.

    Returns
    -------
    Table
        One row a file, in order of time: ``file``, ``kind``, ``reason`` (empty for usable
        files), and a column for each keyword that any file has, masked where a file has none.
        A column whose values differ in type is text.

    Examples
    --------
    >>> header_table(Path("raw").glob("*.fits"))["file", "kind", "EXPTIME"]  # doctest: +SKIP
    """
    records = [scan_file(path) for path in paths]
    records.sort(key=lambda r: (float("inf") if r["mjd"] is None else r["mjd"], r["name"]))
    headers = [raw_header(r["path"]) if r["ok"] else fits.Header() for r in records]
    table = Table()
    table["file"] = [Path(record["path"]).name for record in records]
    table["kind"] = [record["kind"] for record in records]
    table["reason"] = [record["reason"] or "" for record in records]
    for key in dict.fromkeys(key for header in headers for key in header):
        if key not in _PROSE:
            table[key] = _column([header.get(key) for header in headers])
    return table


def _column(values: list[Any]) -> MaskedColumn:
    missing = [value is None or isinstance(value, fits.card.Undefined) for value in values]
    kinds = {type(value) for value, absent in zip(values, missing, strict=True) if not absent}
    if kinds == {int, float}:
        kinds = {float}
    kind = kinds.pop() if len(kinds) == 1 else str
    filled = [kind() if absent else kind(value) for value, absent in zip(values, missing,
              strict=True)]  # fmt: skip
    return MaskedColumn(filled, mask=missing)
