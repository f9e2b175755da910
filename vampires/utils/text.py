"""Text of any origin, file names above all, made fit for a header, a terminal or a database."""

from __future__ import annotations

_SPACE = " "


def is_plain(text: str) -> bool:
    r"""Whether a text has only characters that can be shown and stored.

    Control characters (a newline, ESC) and bytes that are no text are not.

    Examples
    --------
    >>> is_plain("Müller 1.fits"), is_plain("a\nb.fits"), is_plain("caf\udce9.fits")
    (True, False, False)
    """
    return all(c.isprintable() or c == _SPACE for c in text)


def shown(text: str) -> str:
    r"""Text in which what cannot be shown is escaped.

    Examples
    --------
    >>> print(shown("a\nb\x1b[31m caf\udce9"))
    a\nb\x1b[31m caf\xe9
    """
    return "".join(c if c.isprintable() or c == _SPACE else _escaped(c) for c in text)


def ascii_text(text: str) -> str:
    r"""Text for a FITS header, which holds printable ASCII only; the rest as in a URL.

    Examples
    --------
    >>> ascii_text("Müller\n.fits")
    'M%C3%BCller%0A.fits'
    """
    return "".join(
        c
        if " " <= c <= "~"
        else "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogateescape"))
        for c in text
    )


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is no text, as Python keeps it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]
