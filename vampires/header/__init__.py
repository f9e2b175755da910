"""Raw headers of every era in, one canonical header out.

A raw header is never altered. Which era it belongs to is told by the header alone::

    header = normalize_header(fits.getheader(path), path)
    header.generation, header.mjd, header.effective_gain
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vampires.canonical import Header
from vampires.errors import HeaderError
from vampires.header.base import HeaderNormalizer
from vampires.header.cards import CardReader, UnsupportedFileError
from vampires.header.copying import notes_of
from vampires.header.emccd import EMCCDHeader
from vampires.header.qcmos import QCMOSAfterNBSHeader, QCMOSHeader
from vampires.utils.cards import Cards, as_cards

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = [
    "EMCCDHeader",
    "Header",
    "HeaderNormalizer",
    "QCMOSAfterNBSHeader",
    "QCMOSHeader",
    "UnsupportedFileError",
    "as_cards",
    "normalize_header",
    "normalizer_for",
    "notes_of",
]


def normalizer_for(raw: Cards | fits.Header, path: str | Path) -> type[HeaderNormalizer]:
    """Find the class of the generation a raw header belongs to.

    Parameters
    ----------
    raw : Cards or `~astropy.io.fits.Header`
    path : path-like
        File of the header, for the messages.

    Returns
    -------
    type
        Subclass of `HeaderNormalizer`.

    Raises
    ------
    UnsupportedFileError
        For files from before the open-use era (keyword ``ACQNCYCS``).
    HeaderError
        When no generation, or more than one, recognises the header.
    """
    raw = as_cards(raw)
    cards = CardReader(raw, path)
    if "ACQNCYCS" in raw:
        raise UnsupportedFileError(
            f"{path}: keyword ACQNCYCS marks a file from before the archive's formats, "
            "which is not supported; exclude the file"
        )
    instrument = cards.text("INSTRUME")
    if instrument is not None and "VAMPIRES" not in instrument.upper():
        cards.fail("INSTRUME", repr(instrument), "VAMPIRES")
    found = [cls for cls in HeaderNormalizer.registry if cls.matches(cards)]
    if not found:
        raise HeaderError(
            f"{path}: not a VAMPIRES image: the header has neither U_EMGAIN (EMCCD) nor "
            "U_DETMOD (qCMOS); exclude the file"
        )
    if len(found) > 1:
        names = " and ".join(cls.generation for cls in found)
        raise HeaderError(
            f"{path}: the header fits {names}: it has both U_EMGAIN (EMCCD) and U_DETMOD (qCMOS); "
            "remove the keyword that is wrong or exclude the file"
        )
    return found[0]


def normalize_header(raw: Cards | fits.Header, path: str | Path) -> Header:
    """Make the canonical header of a raw file.

    Parameters
    ----------
    raw : Cards or `~astropy.io.fits.Header`
        Header of the HDU with the pixels, of any era; not altered. A canonical header gives
        itself.
    path : path-like
        File of the header. Its name is read for what old headers do not say (the type of
        data, the camera).

    Returns
    -------
    Header
        New header with every card of the raw one that describes the observation, with the
        defects of its era repaired and the detector's facts added: ``DETGEN``, ``MJD`` of
        mid-exposure, ``BIAS``, ``GAIN``, ``EFFGAIN``, ``RN``, ``PXSCALE``, ``PAOFFSET``,
        ``FLIPY`` and so on (all listed in the documentation of headers).

    Raises
    ------
    HeaderError
        Naming file and keyword, when a necessary value is missing or cannot be used.

    Notes
    -----
    ``UT``, ``HST`` and ``MJD`` of raw files tell when the file was written; they are computed
    anew as the middle between start and end.

    Examples
    --------
    >>> header = normalize_header(raw, "VMPA00021059.fits")  # doctest: +SKIP
    >>> header.filter, header.flc  # doctest: +SKIP
    ('750-50', 'A')
    """
    raw = as_cards(raw)
    return normalizer_for(raw, path)(raw, path).normalize()
