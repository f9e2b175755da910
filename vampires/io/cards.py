"""Read and write header cards fast: plain ones here, odd ones by astropy.

Nearly all cards are of the fixed kind ``KEYWORD = value / comment``, which one pattern takes
apart and one line writes. Whatever else the standard allows (HIERARCH, CONTINUE, complex
numbers) and what breaks it is left to `astropy.io.fits`, card by card.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

from vampires.utils.cards import STANDARD_KEYWORD, Cards, astropy_card, plain_card

BLOCK = 2880
_CARD = 80
_LONGEST_HEADER = 16 << 20  # bytes; a file without an end of its header is not read through

_PLAIN = re.compile(
    r"([A-Z0-9_-]{1,8}) *= +"
    r"(?:'(?P<text>(?:[^']|'')*)'|(?P<flag>[TF])|(?P<integer>[+-]?\d{1,18})"
    r"|(?P<real>[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[ED]))(?:[ED][+-]?\d+)?))"
    r" *(?:/ *(?P<comment>.*))?"
)
_PROSE = re.compile(r"(COMMENT |HISTORY |        )(.*)")


def read_cards(file: BinaryIO) -> Cards:
    """Read one header from where a file stands, and leave the file where its data begin.

    Raises
    ------
    EOFError
        The header has no end.
    """
    blocks: list[bytes] = []
    while True:
        block = file.read(BLOCK)
        if len(block) < BLOCK or len(blocks) * BLOCK > _LONGEST_HEADER:
            raise EOFError("the header has no end")
        blocks.append(block)
        if any(block[at : at + 8] == b"END     " for at in range(0, BLOCK, _CARD)):
            return parse_cards(b"".join(blocks).decode("ascii", "replace").replace("�", "?"))


def parse_cards(text: str) -> Cards:
    """Take a header apart.

    Parameters
    ----------
    text : str
        Cards of 80 characters without separator, to the card END.

    Returns
    -------
    Cards
        A value that cannot be read is `vampires.utils.cards.Unreadable`.

    Examples
    --------
    >>> parse_cards("EXPTIME =                 0.25 / [s] exposure time".ljust(80))["EXPTIME"]
    0.25
    """
    cards = Cards()
    for card in _joined(text):
        match = _PLAIN.fullmatch(card.rstrip()) if card[8:9] == "=" else None
        if match is not None:
            cards.append(match[1], _value(match), (match["comment"] or "").rstrip())
            continue
        prose = _PROSE.match(card)
        if prose is not None:
            cards.append(prose[1].strip(), prose[2].rstrip(), "")
        else:
            cards.append(*_odd_card(card))
    return cards


def format_cards(cards: Cards) -> bytes:
    """Write cards as the bytes of a header, with END, filled up to whole blocks.

    The same bytes as astropy makes of the same values.
    """
    images = [_image(key, value, comment) for key, value, comment in cards.cards]
    images += [_prose(key, text) for key, text in cards.prose]
    text = "".join(images) + "END".ljust(_CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")


def _joined(text: str) -> Iterator[str]:
    """Cards up to END, each with the cards that continue it."""
    found = ""
    for at in range(0, len(text), _CARD):
        card = text[at : at + _CARD]
        if card.startswith("CONTINUE"):
            found += card
            continue
        if found:
            yield found
        found = card
        if card.rstrip() == "END":
            return
    if found:
        yield found


def _prose(keyword: str, text: str) -> str:
    """Card, or cards, of a text without a value."""
    from astropy.io import fits  # slow to load, and seldom needed

    return str(fits.Card(keyword, text))


def _odd_card(text: str) -> tuple[str, Any, str]:
    """Keyword, value and comment of a card that is not of the fixed kind."""
    from astropy.io import fits  # slow to load, and seldom needed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is unreadable is said by whoever needs it
        try:
            return plain_card(fits.Card.fromstring(text))
        except fits.VerifyError as error:
            raise ValueError(f"card {text[:8].strip()!r} breaks the FITS standard") from error


def _value(match: re.Match[str]) -> Any:
    text = match["text"]
    if text is not None:
        return text.replace("''", "'").rstrip() if text.strip() else ""
    if match["flag"]:
        return match["flag"] == "T"
    if match["integer"]:
        return int(match["integer"])
    return float(match["real"].replace("D", "E"))


def _image(keyword: str, value: Any, comment: str) -> str:
    """Card of 80 characters."""
    text = _value_text(value)
    plain = text is not None and STANDARD_KEYWORD.fullmatch(keyword)
    image = f"{keyword:8}= {text}{f' / {comment}' if comment else ''}" if plain else ""
    if plain and len(image) <= _CARD and image.isascii():
        return image.ljust(_CARD)
    return str(astropy_card(keyword, value, comment))


def _value_text(value: Any) -> str | None:
    """Value in the columns of a fixed-format card; None: by astropy."""
    kind = type(value)
    if kind is str:
        text = "'" + value.replace("'", "''").ljust(8 if value else 0) + "'"
        return text.ljust(20)
    if kind is bool:
        return f"{'T' if value else 'F':>20}"
    if kind is int:
        return f"{value:>20d}"
    if kind is float and math.isfinite(value):
        text = str(value).replace("e", "E")
        return f"{text:>20}" if len(text) <= 20 and "E" not in text else None
    return None
