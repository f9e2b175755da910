"""A raw file as its headers describe it, read once and kept with the header index."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vampires.errors import FileError, HeaderError
from vampires.header import normalize_header
from vampires.io.layout import ImageLayout, headers_of, image_and_header
from vampires.night.store import load_raw
from vampires.sky.geometry import add_geometry
from vampires.utils.cards import Cards

CALIBRATION_TYPE = "CALTYPE"
"""Card that tells a master frame of ours from a raw file."""


@dataclass(frozen=True)
class RawFile:
    """What is known of a raw file without its pixels.

    Parameters
    ----------
    layout : ImageLayout
        Where and how the pixels lie.
    header : Cards
        Canonical header (`vampires.header.normalize_header`); of an exposure of the sky with the
        angles that follow from its own coordinates (`vampires.sky.geometry.add_geometry`). The
        header of a master frame as it stands.
    """

    layout: ImageLayout
    header: Cards

    @property
    def path(self) -> Path:
        """The file."""
        return self.layout.path

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"layout": self.layout.to_dict(), "header": self.header.to_rows()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """File of what `to_dict` gave."""
        return cls(ImageLayout.from_dict(values["layout"]), Cards.from_rows(values["header"]))


def raw_file(path: str | Path, index: str | Path | None = None) -> RawFile:
    """Headers of a raw file: from the index where it knows the file, else read now.

    Parameters
    ----------
    path : str or Path
        Raw file; the first image in it counts.
    index : str or Path, optional
        Header index (see `vampires.night.index.build_index`).

    Returns
    -------
    RawFile

    Raises
    ------
    FileError, HeaderError
        The file is not FITS, is truncated, or a keyword is missing or unusable.

    Examples
    --------
    >>> raw_file("raw/VMPA00021001.fits").header["EXPTIME"]  # doctest: +SKIP
    0.25
    """
    known = None if index is None else load_raw(index, path)
    return read_raw(path) if known is None else RawFile.from_dict(known)


def raw_header(path: str | Path, index: str | Path | None = None) -> Cards:
    """Canonical header of a raw file; see `raw_file`."""
    return raw_file(path, index).header


def read_raw(path: str | Path) -> RawFile:
    """Read and normalise the headers of a raw file.

    Raises
    ------
    FileError, HeaderError
        As `raw_file`.
    """
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong with a broken file is said by the error
        layout, cards = image_and_header(path)
        if CALIBRATION_TYPE in cards:
            return RawFile(layout, cards)
        if "U_CAMERA" not in cards:
            _refuse_ancient(path)
        if cards["BITPIX"] < 0:
            bits = -cards["BITPIX"]
            raise FileError(f"{path}: not a raw file: its pixels are {bits}-bit floats")
        return RawFile(layout, _located(normalize_header(cards, path)))


def _located(header: Cards) -> Cards:
    """Header with the angles of its own coordinates; without them where it has none."""
    if header["DATA-TYP"] != "OBJECT":
        return header
    try:
        return add_geometry(header)
    except HeaderError:
        return header  # the configuration may give the target's place


def _refuse_ancient(path: Path) -> None:
    """Recognise the first format, which keeps most of its header in a second unit."""
    for _, cards, _ in headers_of(path):
        if "ACQNCYCS" in cards:
            normalize_header(cards, path)
