"""Start, middle and end of a cube from the several clocks of a header.

``MJD-STR`` and ``MJD-END`` are often cut to whole seconds, while ``UT-STR`` and ``UT-END`` have
milliseconds but no date; ``UT`` and ``MJD`` are the time of writing. So the date comes from the
MJD cards, the time of day from the UT cards, and the middle is computed.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from vampires.errors import HeaderError
from vampires.header.cards import CardReader

# Generous limits for plausible dates (2009 to 2064); the instrument started in 2012.
EARLIEST_MJD = 55000.0
LATEST_MJD = 75000.0

SECONDS_PER_DAY = 86400.0
HST_OFFSET = 10.0 / 24.0  # Hawaii standard time is ten hours behind UTC
# MJD and UT cards of one moment that differ by more contradict each other.
CLOCK_TOLERANCE = 60.0 / SECONDS_PER_DAY
# No cube lasts longer, so an end that is later (or earlier by less than a day) is a midnight.
LONGEST_CUBE = 0.5

_ROUNDING = 1e-9  # day; a float MJD is good to 1e-11
_MJD_OF_YEAR_ONE = 678576  # ordinal (proleptic Gregorian) of MJD 0
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.:](\d*))?")


@dataclass(frozen=True, slots=True)
class ExposureTimes:
    """Moments of a cube, MJD UTC."""

    start: float
    end: float

    @property
    def middle(self) -> float:
        """Middle of the cube, MJD UTC."""
        return 0.5 * (self.start + self.end)


def exposure_times(cards: CardReader) -> ExposureTimes:
    """Find when a cube began and ended.

    Parameters
    ----------
    cards : CardReader
        Raw header.

    Returns
    -------
    ExposureTimes
        With ``start <= end``, also across midnight.

    Raises
    ------
    HeaderError
        When the cards are missing, unreadable, or contradict each other.
    """
    start = _moment(cards, "STR", start_anchor(cards))
    end_anchor = cards.number("MJD-END", EARLIEST_MJD, LATEST_MJD)
    end = _moment(cards, "END", start if end_anchor is None else end_anchor, end_anchor is None)
    if end < start and start - end > 1.0 - LONGEST_CUBE:
        end += 1.0  # dated with the day on which the cube began
    if not start <= end <= start + LONGEST_CUBE:
        cards.fail(
            "MJD-END",
            f"{(end - start) * 24:+.4f} h from MJD-STR",
            f"an end after the start and within {LONGEST_CUBE * 24:g} h of it",
        )
    cards.usable_number("MJD", EARLIEST_MJD, LATEST_MJD)  # replaced: a note where it was nonsense
    try:
        _date(cards)
    except HeaderError:
        cards.note(f"DATE-OBS was {cards.header.get('DATE-OBS')!r}, MJD-STR says "
                   f"{date_text(start)}")  # fmt: skip
    return ExposureTimes(start, end)


def clock_text(mjd: float) -> str:
    """Time of day of an MJD as hh:mm:ss.sss."""
    return _datetime(mjd).time().isoformat("milliseconds")


def date_text(mjd: float) -> str:
    """Date of an MJD as yyyy-mm-dd."""
    return _datetime(mjd).date().isoformat()


def _datetime(mjd: float) -> datetime.datetime:
    day = int(mjd // 1)
    milliseconds = round((mjd - day) * SECONDS_PER_DAY * 1e3)
    midnight = datetime.datetime.fromordinal(day + _MJD_OF_YEAR_ONE)
    return midnight + datetime.timedelta(milliseconds=milliseconds)


def start_anchor(cards: CardReader) -> float:
    """MJD that dates the start of the cube: its own, that of writing, or from the date."""
    for keyword in ("MJD-STR", "MJD"):
        mjd = cards.number(keyword, EARLIEST_MJD, LATEST_MJD)
        if mjd is not None:
            return mjd
    midnight = cards.need(_date(cards), "MJD-STR, MJD or DATE-OBS", "the time of the exposure")
    clock = cards.need(_clock(cards, "UT-STR"), "MJD-STR or UT-STR", "the start of the exposure")
    return midnight + clock


def _moment(cards: CardReader, which: str, anchor: float, anchor_is_start: bool = False) -> float:
    """Combine the date of ``anchor`` with the time of day of ``UT-STR`` or ``UT-END``."""
    clock = _clock(cards, f"UT-{which}")
    dated = f"MJD-{which}" in cards
    if clock is None:
        if not dated:
            cards.need(None, f"MJD-{which} or UT-{which}", "the time of the exposure")
        return anchor
    if anchor_is_start:
        return anchor + max((clock - anchor + _ROUNDING) % 1.0 - _ROUNDING, 0.0)
    mjd = clock + round(anchor - clock)
    if dated and abs(mjd - anchor) > CLOCK_TOLERANCE:
        cards.fail(
            f"UT-{which}", clock_text(clock), f"the time of MJD-{which}, {clock_text(anchor)}"
        )
    return mjd


def _date(cards: CardReader) -> float | None:
    """MJD of midnight of ``DATE-OBS``; None without that card."""
    text = cards.text("DATE-OBS")
    if text is None:
        return None
    try:
        day = datetime.date.fromisoformat(text[:10])
    except ValueError as error:
        cards.fail("DATE-OBS", repr(text), "a date as yyyy-mm-dd", cause=error)
    mjd = float(day.toordinal() - _MJD_OF_YEAR_ONE)
    if not EARLIEST_MJD <= mjd <= LATEST_MJD:
        cards.fail("DATE-OBS", repr(text), "a date in the life of the instrument")
    return mjd


def _clock(cards: CardReader, keyword: str) -> float | None:
    """Time of day as a fraction of a day; milliseconds may come after a point or a colon."""
    text = cards.text(keyword)
    if text is None:
        return None
    match = _CLOCK.fullmatch(text)
    if match is None:
        cards.fail(keyword, repr(text), "a time as hh:mm:ss.sss")
    hours, minutes, seconds = (int(part) for part in match.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 60:
        cards.fail(keyword, repr(text), "a time as hh:mm:ss.sss")
    fraction = float(f"0.{match[4] or 0}")
    return (hours * 3600 + minutes * 60 + seconds + fraction) / SECONDS_PER_DAY
