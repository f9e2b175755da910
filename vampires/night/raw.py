"""A raw file as its headers describe it, read once and kept with the header index."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vampires.errors import FileError, HeaderError
from vampires.header import Header, normalize_header
from vampires.io.counts import check_counts
from vampires.io.layout import ImageLayout, headers_of, image_and_header
from vampires.night.fixes import Fix, fixed, fixes_digest
from vampires.night.store import load_raw
from vampires.sky.geometry import add_geometry
from vampires.utils.cards import Cards

CALIBRATION_TYPE = "CALTYPE"
"""Card that tells a master frame of ours from a raw file."""


MASTER_KINDS = ("BACKGROUND", "FLAT")
"""Values of `CALIBRATION_TYPE` in master frames, ours and those of the public pipeline."""


RAW_BITS = 16  # of raw pixels; all other images we write are floats


class OwnProductError(FileError):
    """A product of this software among the raw files: ignored."""


@dataclass(frozen=True)
class RawFile:
    """What is known of a raw file without its pixels.

    Parameters
    ----------
    layout : ImageLayout
        Where and how the pixels lie.
    header : Header
        Canonical header (`vampires.header.normalize_header`); of an exposure of the sky with the
        angles that follow from its own coordinates (`vampires.sky.geometry.add_geometry`). The
        header of a master frame as it stands.
    """

    layout: ImageLayout
    header: Header

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
        return cls(ImageLayout.from_dict(values["layout"]), Header.from_rows(values["header"]))


@dataclass(frozen=True)
class HeaderIndex:
    """Where headers of raw files come from: the index, corrected as the configuration says.

    Parameters
    ----------
    path : Path or None
        SQLite file of `vampires.night.index.build_index`; None: files are read anew.
    fixes : tuple of Fix
        Corrections, which the index must have been made with to be believed.
    """

    path: Path | None = None
    fixes: tuple[Fix, ...] = ()

    def file(self, path: str | Path) -> RawFile:
        """Headers of a raw file: as they were kept, else read now.

        Raises
        ------
        FileError, HeaderError
            The file is not FITS, is truncated, or a keyword is missing or unusable.
        """
        digest = fixes_digest(self.fixes, path)
        known = None if self.path is None else load_raw(self.path, path, digest)
        return read_raw(path, self.fixes) if known is None else RawFile.from_dict(known)


NO_INDEX = HeaderIndex()
"""Every file is read anew, and taken as it is."""


def raw_header(path: str | Path) -> Header:
    """Canonical header of a raw file, read now.

    Raises
    ------
    FileError, HeaderError
        As `HeaderIndex.file`.

    Examples
    --------
    >>> raw_header("raw/VMPA00021001.fits").exptime  # doctest: +SKIP
    0.25
    """
    return read_raw(path).header


def read_raw(path: str | Path, fixes: Sequence[Fix] = ()) -> RawFile:
    """Read, correct and normalise the headers of a raw file.

    Raises
    ------
    FileError, HeaderError
        As `HeaderIndex.file`.
    """
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong with a broken file is said by the error
        layout, cards = image_and_header(path)
        if CALIBRATION_TYPE in cards:
            return RawFile(layout, _master_header(cards, path))
        if is_product(cards) and cards.get("ZBITPIX", cards.get("BITPIX")) != RAW_BITS:
            raise OwnProductError(f"{path}: a product of this software, not a raw file")
        if "U_CAMERA" not in cards:
            _refuse_ancient(path)
        check_counts(layout, cards)
        return RawFile(layout, _located(normalize_header(fixed(cards, path, fixes), path)))


def is_product(header: Cards | Header) -> bool:
    """Whether this software wrote the file; combined raw cubes are such products too."""
    return (Header.of(header).pipeline or "").startswith("vampires ")


def _master_header(cards: Cards, path: Path) -> Header:
    """Header of a master frame; one of the public pipeline is made canonical first."""
    if "DETGEN" in cards or cards[CALIBRATION_TYPE] not in MASTER_KINDS:
        return Header.of(cards)
    header = normalize_header(cards, path)
    header.put(master_kind=(cards[CALIBRATION_TYPE], "master frame of the public pipeline"))
    return header


def _located(header: Header) -> Header:
    """Header with the angles of its own coordinates; without them where it has none."""
    if header.data_type != "OBJECT":
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
