"""Typed access to the cards of a raw header: a value of the right kind, or a clear error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from vampires.errors import HeaderError
from vampires.utils.cards import Cards, Unreadable

T = TypeVar("T")


class UnsupportedFileError(HeaderError):
    """A VAMPIRES file that is no science and calibrates none: left out, with a warning."""


class CardReader:
    """Reads cards of one header as numbers, words or flags.

    An absent, undefined or blank card gives None; a card that holds something else than it
    should raises `HeaderError` with the file, the keyword, what was found and what is allowed.

    Parameters
    ----------
    header : Cards
        Never altered.
    path : path-like
        File of the header, for the messages.

    Examples
    --------
    >>> cards = CardReader(Cards({"U_CAMERA": 1.0}), "VMPA00021059.fits")
    >>> cards.integer("U_CAMERA", 1, 2)
    1
    """

    def __init__(self, header: Cards, path: str | Path) -> None:
        self.header = header
        self.path = Path(path)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Remember, for the canonical header, a value that was not taken as it stood."""
        if text not in self.notes:
            self.notes.append(text)

    def has_blank(self, keyword: str) -> bool:
        """Whether the header has a card of that name without a value."""
        return keyword in self.header and self.value(keyword) is None

    def __contains__(self, keyword: str) -> bool:
        return self.value(keyword) is not None

    def value(self, keyword: str) -> object | None:
        """Value as the card has it, strings stripped; None when there is none."""
        found = self.header.get(keyword)
        if isinstance(found, Unreadable):
            self.fail(keyword, "a card that breaks the FITS standard", "a readable one")
        others = [value for value in self.header.repeated.get(keyword, ()) if value != found]
        if others:
            given = " and ".join(map(repr, (found, *others)))
            self.fail(keyword, f"given more than once, as {given}", "one value")
        if found is None or (isinstance(found, str) and not found.strip()):
            return None
        return found.strip() if isinstance(found, str) else found

    def text(self, keyword: str) -> str | None:
        """Value as a word, blanks stripped; a number becomes its digits."""
        found = self.value(keyword)
        return None if found is None else str(found)

    def number(self, keyword: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Value as a finite number within [low, high]."""
        found = self.value(keyword)
        if found is None:
            return None
        number = _as_float(found)
        if number is None or not low <= number <= high:
            self.fail(keyword, repr(found), _range_text("a number", low, high))
        return number

    def usable_number(self, keyword: str, low: float, high: float) -> float | None:
        """Value as `number` gives it; one that cannot be used is left out with a note."""
        try:
            return self.number(keyword, low, high)
        except HeaderError:
            self.note(f"{keyword} {self._shown(keyword)} left out")
            return None

    def usable_text(self, keyword: str) -> str | None:
        """Value as `text` gives it; one that cannot be read is left out with a note."""
        try:
            return self.text(keyword)
        except HeaderError:
            self.note(f"{keyword} {self._shown(keyword)} left out")
            return None

    def _shown(self, keyword: str) -> str:
        found = self.header.get(keyword)
        return "is unreadable and" if isinstance(found, Unreadable) else f"was {found!r},"

    def integer(self, keyword: str, low: int, high: int) -> int | None:
        """Value as an integer within [low, high]; 1.0 is accepted for 1."""
        number = self.number(keyword)
        if number is None:
            return None
        if not (low <= number <= high and number == int(number)):
            self.fail(keyword, repr(self.value(keyword)), _range_text("an integer", low, high))
        return int(number)

    def flag(self, keyword: str) -> bool | None:
        """Value as a logical; 'T', 'TRUE', 'F', 'FALSE', 1 and 0 are accepted."""
        found = self.value(keyword)
        if found is None:
            return None
        known = {"T": True, "TRUE": True, "1": True, "F": False, "FALSE": False, "0": False}
        answer = known.get(str(found).upper().removesuffix(".0"))
        if answer is None:
            self.fail(keyword, repr(found), "T or F")
        return answer

    def choice(self, keyword: str, allowed: Sequence[str]) -> str | None:
        """Value as one of some upper-case words."""
        found = self.text(keyword)
        if found is None:
            return None
        if found.upper() not in allowed:
            self.fail(keyword, repr(found), " or ".join(allowed))
        return found.upper()

    def need(self, value: T | None, keyword: str, meaning: str) -> T:
        """Return ``value``; raise when the header did not hold it."""
        if value is None:
            raise HeaderError(
                f"{self.path}: the header has no {keyword} ({meaning}); "
                "set it with [[data.fix]] or exclude the file"
            )
        return value

    def fail(
        self, keyword: str, found: str, allowed: str, *, cause: Exception | None = None
    ) -> NoReturn:
        """Raise the error for a card whose value cannot be used."""
        raise HeaderError(
            f"{self.path}: {keyword} is {found}, expected {allowed}; "
            "correct it with [[data.fix]] or exclude the file"
        ) from cause


def _as_float(found: object) -> float | None:
    """Finite float from a card's value; None when it is not a number (booleans are not)."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _range_text(kind: str, low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return kind
    if math.isinf(high):
        return f"{kind} of at least {low:g}"
    return f"{kind} from {low:g} to {high:g}"
