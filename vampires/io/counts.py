"""Whether the numbers in a raw file can be what the converter of a camera gives."""

from __future__ import annotations

from vampires.errors import FileError
from vampires.io.formats import open_layout
from vampires.io.layout import OTHER, ImageLayout
from vampires.utils.cards import Cards

LARGEST = 65535  # of a 16-bit converter


def check_counts(layout: ImageLayout, cards: Cards) -> None:
    """Refuse a file whose pixels are not the counts of a 16-bit converter.

    Counts are whole and not negative. Files store them less 32768, as ``BZERO`` says; where that
    card was lost, all pixels are wrong by as much, which only their values tell: the first frame
    is looked at, unless the cards are those of every good file.

    Parameters
    ----------
    layout : ImageLayout
        The image.
    cards : Cards
        Its header.

    Raises
    ------
    FileError
        Naming what cannot be.
    """
    path = layout.path
    if cards["BITPIX"] < 0:
        raise FileError(f"{path}: not a raw file: its pixels are {-cards['BITPIX']}-bit floats")
    for key, allowed in (("BZERO", (0, 32768)), ("BSCALE", (1,))):
        value = cards.get(key, allowed[0])
        if isinstance(value, bool) or value not in allowed:
            raise FileError(
                f"{path}: {key} is {value!r}, expected {' or '.join(map(str, allowed))}: the "
                "pixels would not be counts; mend the header or leave the file out"
            )
    if layout.encoding != OTHER:
        return
    frame = open_layout(layout, 1).read(0, 1, slice(None)).native()
    low, high = float(frame.min()), float(frame.max())
    if low < 0 or high > LARGEST:
        raise FileError(
            f"{path}: has pixels from {low:g} to {high:g}, which a 16-bit converter cannot give; "
            "most likely BZERO = 32768 was lost from the header: mend it or leave the file out"
        )
