"""Header cards as plain values: an ordered dictionary instead of 80-character strings.

`astropy.io.fits.Header` parses, verifies and formats every card at each touch, which for the
hundred cards of a raw file costs as much as all the arithmetic of a small cube. `Cards` holds
values and comments only, and is used in the same way::

    cards["PA"] = (12.3, "[deg] parallactic angle")
    cards["PA"], cards.comments["PA"]

It becomes a FITS header, by `Cards.to_fits`, where a file is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from astropy.io import fits

PROSE = frozenset(("COMMENT", "HISTORY", ""))
"""Keywords that may come several times and have text instead of a value."""

STANDARD_KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}")
"""Keywords that need no HIERARCH."""


class Card(NamedTuple):
    """One card: keyword, value (None: undefined) and comment."""

    keyword: str
    value: Any
    comment: str


class Unreadable:
    """In the place of a value that breaks the FITS standard."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unreadable)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "unreadable"


class Cards(MutableMapping[str, Any]):
    """Ordered cards of one header.

    Parameters
    ----------
    cards : mapping of str to value or (value, comment), or iterable of (keyword, value, comment)

    Attributes
    ----------
    prose : list of (str, str)
        COMMENT and HISTORY cards, in order; written after the others.
    repeated : dict of str to list
        Further values of keywords that a file has more than once: the first one counts.

    Examples
    --------
    >>> cards = Cards({"EXPTIME": (0.25, "[s] exposure time"), "U_CAMERA": 1})
    >>> cards["EXPTIME"], cards.comments["EXPTIME"], list(cards)
    (0.25, '[s] exposure time', ['EXPTIME', 'U_CAMERA'])
    """

    __slots__ = ("_cards", "prose", "repeated")

    def __init__(self, cards: Mapping[str, Any] | Iterable[tuple[str, Any, str]] = ()) -> None:
        self._cards: dict[str, tuple[Any, str]] = {}
        self.prose: list[tuple[str, str]] = []
        self.repeated: dict[str, list[Any]] = {}
        if isinstance(cards, Mapping):
            self.update(cards)
        else:
            for keyword, value, comment in cards:
                self.append(keyword, value, comment)

    # -- as a dictionary of values -------------------------------------------------------

    def __getitem__(self, keyword: str) -> Any:
        try:
            return self._cards[keyword][0]
        except KeyError:
            pass
        try:
            return self._cards[keyword.upper()][0]
        except KeyError:
            raise KeyError(f"Keyword {keyword!r} not found.") from None

    def __setitem__(self, keyword: str, content: Any) -> None:
        keyword = keyword.upper()
        if isinstance(content, tuple):
            self._cards[keyword] = content if len(content) == 2 else (*content, "")
            return
        old = self._cards.get(keyword)
        self._cards[keyword] = (content, "" if old is None else old[1])

    def __delitem__(self, keyword: str) -> None:
        del self._cards[keyword.upper()]

    def __contains__(self, keyword: object) -> bool:
        return keyword in self._cards or str(keyword).upper() in self._cards

    def __iter__(self) -> Iterator[str]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cards):
            return NotImplemented
        return self._cards == other._cards and self.prose == other.prose

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return "\n".join(
            f"{key:8} = {value!r:>20}{' / ' + comment if comment else ''}"
            for key, value, comment in self.cards
        )

    def get(self, keyword: str, default: Any = None) -> Any:
        """Value of a keyword, or the default."""
        found = self._cards.get(keyword)
        if found is None:
            found = self._cards.get(keyword.upper())
        return default if found is None else found[0]

    def update(self, other: Mapping[str, Any] | fits.Header) -> None:  # type: ignore[override]
        """Set the cards of another header or mapping, with their comments where it has any."""
        if hasattr(other, "cards"):
            for key, value, comment in other.cards:
                self[key] = (value, comment)
        else:
            for key, content in other.items():
                self[key] = content

    # -- as cards ------------------------------------------------------------------------

    @property
    def cards(self) -> list[Card]:
        """Keyword, value and comment of each card, in order, prose aside."""
        return [Card(key, value, comment) for key, (value, comment) in self._cards.items()]

    @property
    def comments(self) -> _Comments:
        """Comments by keyword; they can be set."""
        return _Comments(self._cards)

    def append(self, keyword: str, value: Any, comment: str = "") -> None:
        """Add a card at the end; of a keyword that is there already the first value counts."""
        keyword = keyword.upper()
        if keyword in PROSE:
            self.prose.append((keyword, str(value)))
        elif keyword in self._cards:
            self.repeated.setdefault(keyword, []).append(value)
        else:
            self._cards[keyword] = (value, comment)

    def remove(self, keyword: str, ignore_missing: bool = False) -> None:
        """Remove a card."""
        if ignore_missing:
            self._cards.pop(keyword.upper(), None)
        else:
            del self[keyword]

    def copy(self) -> Self:
        """Copy that can be changed without changing this one."""
        new = type(self)()
        new._cards = dict(self._cards)
        new.prose = list(self.prose)
        new.repeated = {key: list(values) for key, values in self.repeated.items()}
        return new

    # -- as something else ---------------------------------------------------------------

    @classmethod
    def from_fits(cls, header: fits.Header) -> Self:
        """Cards of an astropy header; what cannot be read becomes `Unreadable`."""
        new = cls()
        for card in header.cards:
            new.append(*plain_card(card))
        return new

    def to_fits(self) -> fits.Header:
        """Header as astropy knows it."""
        from astropy.io import fits  # only where a header leaves the package

        out = fits.Header()
        for keyword, (value, comment) in self._cards.items():
            if not isinstance(value, Unreadable):
                out.append(astropy_card(keyword, value, comment), end=True)
        for keyword, text in self.prose:
            out.append(fits.Card(keyword, text), end=True)
        return out

    def to_rows(self) -> list[list[Any]]:
        """Plain lists that JSON can hold: keyword, value, comment; prose last."""
        rows = [
            [key, value, comment]
            for key, (value, comment) in self._cards.items()
            if not isinstance(value, Unreadable)
        ]
        return rows + [[key, text, ""] for key, text in self.prose]

    @classmethod
    def from_rows(cls, rows: Iterable[list[Any]]) -> Self:
        """Cards of what `to_rows` gave."""
        new = cls()
        for keyword, value, comment in rows:
            if keyword in PROSE:
                new.prose.append((keyword, value))
            else:
                new._cards[keyword] = (value, comment)
        return new


def as_cards(header: Cards | fits.Header) -> Cards:
    """Cards of a header of either kind."""
    return header if isinstance(header, Cards) else Cards.from_fits(header)


class _Comments:
    """View of the comments of some cards."""

    def __init__(self, cards: dict[str, tuple[Any, str]]) -> None:
        self._cards = cards

    def __getitem__(self, keyword: str) -> str:
        return self._cards[keyword.upper()][1]

    def __setitem__(self, keyword: str, comment: str) -> None:
        self._cards[keyword.upper()] = (self._cards[keyword.upper()][0], comment)


ONE_CARD = 68
"""Characters of the longest text that one card holds."""


def astropy_card(keyword: str, value: Any, comment: str) -> fits.Card:
    """One card as astropy knows it; a comment that finds no room beside a text is left out."""
    from astropy.io import fits

    if isinstance(value, str) and len(value) <= ONE_CARD:
        room = ONE_CARD - len(" / ") - len(value) - value.count("'")
        comment = comment if len(comment) <= room else ""

    if not STANDARD_KEYWORD.fullmatch(keyword):
        keyword = f"HIERARCH {keyword}"
    return fits.Card(keyword, fits.card.Undefined() if value is None else value, comment)


def plain_card(card: fits.Card) -> tuple[str, Any, str]:
    """Keyword, value and comment of an astropy card."""
    from astropy.io import fits

    keyword = str(card.keyword).upper()
    try:
        value, comment = card.value, card.comment
    except (fits.VerifyError, ValueError):
        return keyword, Unreadable(), ""
    if isinstance(value, fits.card.Undefined):
        value = None
    elif hasattr(value, "item"):
        value = value.item()
    return keyword, value, comment or ""
