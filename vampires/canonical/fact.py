"""How a fact is declared: its card, type, unit and meaning, in one line.

Reading the card, writing it and its comment follow from that line. A fact that a header must have
is a `Fact`, one that it may lack is `Known` and None then, a row of cards ``KEY0``, ``KEY1``, ...
is `Numbered`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from vampires.errors import HeaderError
from vampires.utils.cards import Cards

if TYPE_CHECKING:
    from astropy.units import Quantity

T = TypeVar("T")
D = TypeVar("D")


class Fact(Generic[T]):
    """One fact, kept in one card.

    Parameters
    ----------
    keyword : str
        Of the card.
    kind : callable
        Type of the value.
    meaning : str
        The card's comment.
    unit : str
        As in the comment; empty for what has none.
    """

    def __init__(
        self, keyword: str, kind: Callable[[Any], T], meaning: str, unit: str = ""
    ) -> None:
        self.keyword, self.kind, self.meaning, self.unit = keyword, kind, meaning, unit
        self.__doc__ = f"{meaning}{f' [{unit}]' if unit else ''} (``{keyword}``)."

    @property
    def comment(self) -> str:
        """Comment of the card."""
        return f"[{self.unit}] {self.meaning}" if self.unit else self.meaning

    def of(self, suffix: object) -> Fact[T]:
        """The same of one field, camera or state: its card has that at its end."""
        return Fact(f"{self.keyword}{suffix}", self.kind, self.meaning, self.unit)

    @overload
    def __get__(self, header: None, owner: type) -> Fact[T]: ...
    @overload
    def __get__(self, header: FactCards, owner: type) -> T: ...
    def __get__(self, header: FactCards | None, owner: type) -> T | Fact[T]:
        """Value in a header."""
        return self if header is None else header.need(self)


class Known(Generic[T]):
    """A fact that a header may lack: None there."""

    def __init__(
        self, keyword: str, kind: Callable[[Any], T], meaning: str, unit: str = ""
    ) -> None:
        self.fact = Fact(keyword, kind, meaning, unit)
        self.__doc__ = f"{self.fact.__doc__} None where it is not known."

    @overload
    def __get__(self, header: None, owner: type) -> Fact[T]: ...
    @overload
    def __get__(self, header: FactCards, owner: type) -> T | None: ...
    def __get__(self, header: FactCards | None, owner: type) -> T | Fact[T] | None:
        """Value in a header."""
        return self.fact if header is None else header.known(self.fact, None)


class Numbered(Generic[T]):
    """Facts of one kind, in cards counted from 0: a tuple, as long as the row of cards.

    The card's number stands for ``{}`` in the meaning.
    """

    def __init__(
        self, keyword: str, kind: Callable[[Any], T], meaning: str, unit: str = ""
    ) -> None:
        self.fact = Fact(keyword, kind, meaning, unit)
        self.__doc__ = self.fact.__doc__

    @overload
    def __get__(self, header: None, owner: type) -> Fact[T]: ...
    @overload
    def __get__(self, header: FactCards, owner: type) -> tuple[T, ...]: ...
    def __get__(self, header: FactCards | None, owner: type) -> tuple[T, ...] | Fact[T]:
        """Values in a header."""
        if header is None:
            return self.fact
        found: list[T] = []
        while (key := f"{self.fact.keyword}{len(found)}") in header:
            found.append(self.fact.kind(header[key]))
        return tuple(found)


class FactCards(Cards):
    """Cards of which some are declared as facts."""

    __slots__ = ()

    @property
    def label(self) -> str:
        """Name of the file or exposure, for messages."""
        names = (self.get(key) for key in ("RAWFILE", "FRAMEID", "FILENAME"))
        return str(next((name for name in names if name), "header"))

    @classmethod
    def fact(cls, name: str) -> Fact[Any]:
        """Declaration of a fact: its keyword, type, unit and meaning."""
        found = getattr(cls, name, None)
        if not isinstance(found, Fact):
            raise TypeError(f"a canonical header has no fact {name!r}")
        return found

    @classmethod
    def declared(cls, **facts: Any) -> dict[str, tuple[Any, str]]:
        """Cards of facts; None gives none, a tuple is a value with a comment of its own.

        Examples
        --------
        >>> from vampires.canonical import Header
        >>> Header.declared(exptime=0.25, pa=None)
        {'EXPTIME': (0.25, '[s] exposure time of a frame')}
        """
        cards: dict[str, tuple[Any, str]] = {}
        for name, value in facts.items():
            fact = cls.fact(name)
            if isinstance(vars_of(cls, name), Numbered):
                for i, item in enumerate(value or ()):
                    cards[f"{fact.keyword}{i}"] = (item, fact.comment.format(i))
            elif value is not None:
                cards[fact.keyword] = value if isinstance(value, tuple) else (value, fact.comment)
        return cards

    def put(self, **facts: Any) -> None:
        """Set facts, as `declared` makes their cards; a row of cards replaces a longer one.

        Examples
        --------
        >>> from vampires.canonical import Header
        >>> header = Header({"FIELD0": "F610", "FIELD1": "F670"})
        >>> header.put(field_names=["F610+F670"])
        >>> header.field_names
        ('F610+F670',)
        """
        self.update(self.declared(**facts))
        for name, value in facts.items():
            if isinstance(vars_of(type(self), name), Numbered):
                keyword, number = self.fact(name).keyword, len(value or ())
                while f"{keyword}{number}" in self:
                    del self[f"{keyword}{number}"]
                    number += 1

    def set(self, fact: Fact[T], value: T | None, comment: str | None = None) -> None:
        """Set one fact, for instance of one field (`Fact.of`); None is not written."""
        if value is not None:
            self[fact.keyword] = (value, fact.comment if comment is None else comment)

    def has(self, *facts: Fact[Any]) -> bool:
        """Whether all of some facts are in the header."""
        return all(fact.keyword in self for fact in facts)

    def need(self, fact: Fact[T], why: str = "") -> T:
        """Value of a fact that must be there.

        Parameters
        ----------
        fact : Fact
            Such as ``Header.derotation``.
        why : str
            What it is needed for, for the message.

        Raises
        ------
        HeaderError
            The header does not have it, or something else than it should.
        """
        value = self.get(fact.keyword)
        if value is None:
            reason = f"; {why}" if why else ""
            raise HeaderError(
                f"{self.label}: the header has no {fact.keyword} ({fact.meaning}){reason}"
            )
        try:
            return fact.kind(value)
        except (TypeError, ValueError):
            raise HeaderError(
                f"{self.label}: {fact.keyword} is {value!r}, expected {fact.meaning}"
                f"{f' in {fact.unit}' if fact.unit else ''}{f'; {why}' if why else ''}"
            ) from None

    @overload
    def known(self, fact: Fact[T], default: None = None) -> T | None: ...
    @overload
    def known(self, fact: Fact[T], default: D) -> T | D: ...
    def known(self, fact: Fact[T], default: Any = None) -> Any:
        """Value of a fact, or a default where the header does not have it."""
        return self.need(fact) if self.get(fact.keyword) is not None else default

    def drop(self, *facts: Fact[Any]) -> None:
        """Remove facts, those that are there."""
        for fact in facts:
            self.remove(fact.keyword, ignore_missing=True)

    def quantity(self, name: str) -> Quantity:
        """Fact with its unit.

        Raises
        ------
        HeaderError
            The header does not have it.

        Examples
        --------
        >>> from vampires.canonical import Header
        >>> Header({"EXPTIME": 0.25}).quantity("exptime")
        <Quantity 0.25 s>
        """
        from astropy import units as u  # seldom needed, and slow to load

        fact = self.fact(name)
        first, *others = (u.Unit(name) for name in fact.unit.replace("e-", "electron").split("/"))
        unit = functools.reduce(lambda unit, other: unit / other, others, first)
        return self.need(fact) * unit

    @classmethod
    def of(cls, header: Any) -> Self:
        """Header of any kind as this one, without a copy where it is one already.

        Parameters
        ----------
        header : Cards, fits.Header or mapping
            COMMENT and HISTORY go with the cards.
        """
        if isinstance(header, cls):
            return header
        if isinstance(header, Cards):
            new = cls(header.cards)
            new.prose, new.repeated = header.prose, header.repeated
            return new
        return cls.from_fits(header) if hasattr(header, "cards") else cls(header)


def vars_of(cls: type, name: str) -> object:
    """Return what a class declares under a name, not what it would give."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
