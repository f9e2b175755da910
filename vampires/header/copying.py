"""What a canonical header takes over from the raw one, and what it says of what it did not."""

from __future__ import annotations

import re

from vampires.canonical import Header
from vampires.canonical.header import fit_comment
from vampires.header.times import HST_OFFSET, ExposureTimes, clock_text, date_text
from vampires.utils.cards import Cards, Unreadable

# Cards that describe the bytes of the raw file, not the observation.
STRUCTURAL = frozenset(
    (
        *("SIMPLE", "XTENSION", "BITPIX", "EXTEND", "PCOUNT", "GCOUNT", "END"),
        *("BSCALE", "BZERO", "CHECKSUM", "DATASUM"),
    )
)

# Angles that `vampires.sky.geometry` computes: another program's are not taken over.
GEOMETRY = frozenset(
    ("PA", "PA-STR", "PA-END", "DEROTANG", "ALT_MID", "AZ_MID", "LST_MID", "HWPSYNCA", "IMRANG",
     "TARG-RA", "TARG-DEC")
)  # fmt: skip

DROPPED = STRUCTURAL | GEOMETRY

NOTE = "HDRNOTE"
"""Start of the cards that say which raw values were not taken as they stood."""


def add_notes(header: Header, notes: list[str]) -> None:
    """Add notes to a canonical header, each once."""
    known = notes_of(header)
    for text in notes:
        if text not in known:
            known.append(text)
            header[f"{NOTE}{len(known)}"] = printable(text)


def notes_of(header: Cards) -> list[str]:
    """Notes of a canonical header on raw values that were not taken as they stood."""
    return [str(header[key]) for key in header if re.fullmatch(rf"{NOTE}\d", key)]


def copy_cards(raw: Cards) -> Header:
    """Copy the cards that describe the observation: strings stripped, first of duplicates.

    Cards that cannot be read are left out; whoever needs one of them gets an error from
    `CardReader`.
    """
    header = Header()
    for keyword, value, comment in raw.cards:
        if value is None or isinstance(value, Unreadable) or keyword in DROPPED:
            continue
        value = value.strip() if isinstance(value, str) else value
        header[keyword] = (value, fit_comment(keyword, value, comment))
    header.prose = [(keyword, text.strip()) for keyword, text in raw.prose]
    return header


def set_times(header: Header, times: ExposureTimes) -> None:
    """Set the moments of an exposure, as MJD and as clocks of Greenwich and of Hawaii."""
    header.put(date=date_text(times.middle))
    moments = {"": ("mjd", times.middle), "-STR": ("mjd_start", times.start),
               "-END": ("mjd_end", times.end)}  # fmt: skip
    for suffix, (name, mjd) in moments.items():
        header.put(**{name: round(mjd, 9)})
        meaning = header.fact(name).meaning
        header[f"UT{suffix}"] = (clock_text(mjd), meaning)
        header[f"HST{suffix}"] = (clock_text(mjd - HST_OFFSET), meaning.replace("UTC", "HST"))


def printable(text: str) -> str:
    """Replace what a FITS card cannot hold."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
