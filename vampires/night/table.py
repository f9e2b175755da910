"""The header table of raw files: every keyword of every file, in the same terms."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from astropy.table import MaskedColumn, Table

from vampires.night.scan import Scan, scan_file
from vampires.utils.cards import Cards
from vampires.utils.text import shown


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
    scans = [scan_file(path) for path in paths]
    scans.sort(key=_time_and_name)
    records = [scan.record for scan in scans]
    headers = [Cards() if scan.raw is None else scan.raw.header for scan in scans]
    table = Table()
    table["file"] = [shown(Path(record["path"]).name) for record in records]
    table["kind"] = [record["kind"] for record in records]
    table["reason"] = [record["reason"] or "" for record in records]
    for key in dict.fromkeys(key for header in headers for key in header):
        table[key] = _column([header.get(key) for header in headers])
    return table


def _time_and_name(scan: Scan) -> tuple[float, str]:
    mjd = scan.record["mjd"]
    return float("inf") if mjd is None else mjd, scan.record["name"]


def _column(values: list[Any]) -> MaskedColumn:
    missing = [value is None for value in values]
    kinds = {type(value) for value, absent in zip(values, missing, strict=True) if not absent}
    if kinds == {int, float}:
        kinds = {float}
    kind = kinds.pop() if len(kinds) == 1 else str
    filled = [kind() if absent else kind(value) for value, absent in zip(values, missing,
              strict=True)]  # fmt: skip
    return MaskedColumn(filled, mask=missing)
