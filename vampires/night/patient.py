"""Scan raw files, none of which is waited for beyond reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from vampires.night.record import empty_record
from vampires.night.scan import Scan, scan_file
from vampires.utils.patience import within

PATIENCE = 60.0  # s for the header of one file; tapes and far disks take some
SHORT_PATIENCE = 2.0  # s for the others of a folder once one has not answered


def scan_files(
    paths: Iterable[str],
    scan: Callable[[str], Scan] = scan_file,
    patience: float = PATIENCE,
) -> list[Scan]:
    """Scan files; one that does not answer is a file that cannot be used.

    Parameters
    ----------
    paths : iterable of str
        Raw files.
    scan : callable
        What scans one file.
    patience : float
        Seconds for each; the others of a folder where one has not answered get less.

    Returns
    -------
    list of Scan
        In the order of the paths.
    """
    scans, silent = [], set[str]()
    for path in paths:
        folder = os.path.dirname(path)  # noqa: PTH120
        seconds = min(patience, SHORT_PATIENCE) if folder in silent else patience
        try:
            scans.append(within(seconds, scan, path))
        except TimeoutError:
            silent.add(folder)
            reason = (
                f"{path}: does not answer for {seconds:g} s; is its disk or network mount there?"
            )
            scans.append(Scan(empty_record(path, reason), None))
    return scans
