"""Controller-format files, as light records: what normalising them will make.

The tasks must know the outputs before any pixel is read; only the standard library is
imported. The work itself is in `vampires.night.normalize`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vampires.io.paths import stem
from vampires.night.record import RAW_FORMATS, Record

CORRUPTED = 2
"""Frames at the start of a controller's cube that hold a corrupted readout."""

FLC_SUFFIXES = {"A": "_FLC1", "B": "_FLC2"}
"""End of the file name by FLC state; the state A is ``U_FLCSTT`` 1."""


def normalized_path(folder: str | Path, name: str, suffix: str) -> Path:
    """Path of a normalised file, below ``normalized`` in the reduction directory."""
    return Path(folder) / "normalized" / f"{name}{suffix}.fits"


def normalized_outputs(
    record: Record, folder: str | Path, deinterleave: bool | None = None
) -> list[Record]:
    """Predict the files that normalising a controller-format file makes.

    Parameters
    ----------
    record : Record
        Of format ``controller``.
    folder : str or Path
        The reduction directory.
    deinterleave : bool, optional
        Whether FLC states alternate frame by frame in science files (calibrations are never
        separated); default: what the header says.

    Returns
    -------
    list of Record
        ``NAME_FLC1.fits`` and ``NAME_FLC2.fits``, or ``NAME_fix.fits``; their number of
        frames is an upper limit, since all-zero frames are dropped as well.

    Examples
    --------
    >>> [r["path"] for r in normalized_outputs(record, ".")]  # doctest: +SKIP
    ['normalized/HD141569A_00_cam1_FLC1.fits', 'normalized/HD141569A_00_cam1_FLC2.fits']
    """
    split = record["interleaved"]
    if deinterleave is not None:
        split = deinterleave and record["kind"] == "science"
    left = max(record["nframes"] - spoilt_frames(record["format"]), 0)
    if not split:
        return [_output(record, normalized_path(folder, record["name"], "_fix"), left, None)]
    counts = {"A": (left + 1) // 2, "B": left // 2}
    return [
        _output(record, normalized_path(folder, record["name"], suffix), counts[flc], flc)
        for flc, suffix in FLC_SUFFIXES.items()
    ]


def with_normalized(
    records: Iterable[Record], folder: str | Path, deinterleave: bool | None = None
) -> list[Record]:
    """Replace controller-format files by what normalising them will make.

    Parameters
    ----------
    records : iterable of Record
        The header index.
    folder : str or Path
        The reduction directory.
    deinterleave : bool, optional
        Whether FLC states alternate frame by frame in science files; default: what the
        headers say.

    Returns
    -------
    list of Record
        Records of other files as they are.
    """
    replaced: list[Record] = []
    for record in records:
        if is_controller(record):
            replaced += normalized_outputs(record, folder, deinterleave)
        else:
            replaced.append(record)
    return replaced


def is_controller(record: Record) -> bool:
    """Whether a file is usable, once it is normalised."""
    return record["ok"] and record["format"] in RAW_FORMATS


def spoilt_frames(form: str) -> int:
    """How many frames at the start of a cube of some format hold a corrupted readout."""
    return CORRUPTED if form == "controller" else 0


def _output(record: Record, path: Path, nframes: int, flc: str | None) -> Record:
    output = record.copy()
    output["path"], output["name"] = str(path), stem(path)
    output["size"], output["mtime_ns"], output["hdu"] = 0, 0, 0
    output["nframes"] = nframes
    output["format"], output["interleaved"] = "archive", False
    if flc is not None:
        output["flc"], output["flc_in"] = flc, True
    return output
