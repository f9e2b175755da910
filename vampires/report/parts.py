"""What a page is made of: sections of facts, tables, pictures and small traces.

Plain data without any HTML: the templates in ``templates/`` write it, and escape it. A section
of one's own is a function of the report that returns a `Section`, or None where it has nothing
to say; see `vampires.report.night.SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from astropy.time import Time
from PIL import Image

from vampires.errors import FileError

NONE = "–"
"""What stands for a value that there is not."""

DPI = 90
"""Pixels per inch of the pictures."""

Level = Literal["good", "look", "bad"]


@dataclass(frozen=True)
class Verdict:
    """One sentence on the night, and what to do about it.

    Parameters
    ----------
    level : str
        ``good``; ``look`` where a person should look; ``bad`` where products suffer.
    text : str
        What was found, with its figure.
    cure : str
        What it means and what to do; empty where nothing is to be done.
    """

    level: Level
    text: str
    cure: str = ""


@dataclass(frozen=True)
class Number:
    """A number with the digits it is shown with; it sorts by its full value."""

    value: float
    digits: int = 6

    def __str__(self) -> str:
        return f"{self.value:.{self.digits}g}" if np.isfinite(self.value) else NONE


@dataclass(frozen=True)
class Trace:
    """Values of one small panel, drawn as dots that fill it.

    Parameters
    ----------
    panel : int
        Which panel, from the left.
    values : ndarray, shape (n,)
        NaN where not measured.
    style : str
        ``first`` or ``second`` of the page's two colours.
    """

    panel: int
    values: np.ndarray
    style: Literal["first", "second"] = "first"


@dataclass(frozen=True)
class Strip:
    """Small panels side by side.

    Parameters
    ----------
    alt : str
        What is seen, in words.
    traces : tuple of Trace
    panels : int
    """

    alt: str
    traces: tuple[Trace, ...]
    panels: int = 3

    @property
    def paths(self) -> list[tuple[str, str]]:
        """(style, data of an SVG path): a dot is a line of no length, the smallest SVG."""
        return [(trace.style, _dots(trace)) for trace in self.traces]


@dataclass(frozen=True)
class Table:
    """Table whose columns sort; it scrolls within itself.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences
        Cells: text, numbers, `Number`, `Strip`, or None for "there is none".
    title : str
        What it is a table of, for those who hear the page.
    folded : bool
        Closed at first, to be opened by its title.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """Picture that enlarges.

    Parameters
    ----------
    content : bytes
        PNG.
    alt : str
        What is seen, in words.
    caption : str
        Shown beneath.
    wide : bool
        As wide as the page; others stand side by side.
    """

    content: bytes
    alt: str
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, as many as fit."""

    items: tuple[Picture, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line."""

    items: Sequence[tuple[str, object]]


@dataclass(frozen=True)
class Text:
    """A paragraph, or with `code` lines to be kept as they are."""

    text: str
    code: bool = False


Part: TypeAlias = Table | Pictures | Facts | Text


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it.

    Parameters
    ----------
    title : str
        Heading, also in the list of contents.
    parts : tuple
        `Facts`, `Table`, `Pictures` and `Text`.
    """

    title: str
    parts: tuple[Part, ...]


def iso(mjd: float | None) -> str:
    """Write a time (MJD, UTC) as date and time of day, to the second."""
    return "unknown" if mjd is None else str(Time(mjd, format="mjd").iso)[:19]


def size_of(nbytes: int) -> str:
    """Write a size as people do.

    Examples
    --------
    >>> size_of(1_530_000)
    '1.5 MB'
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= factor:
            return f"{nbytes / factor:.1f} {unit}"
    return f"{nbytes} B"


def picture_texts(caption: str, alt: str) -> dict[str, str]:
    """Texts that a PNG file carries for `stored_picture`."""
    return {"Title": caption, "Description": alt}


def stored_picture(path: Path, alt: str = "", *, wide: bool = False) -> Picture:
    """Picture of a PNG file with the texts that it carries; its name is the caption without.

    Parameters
    ----------
    path : Path
    alt : str
        What is seen, of a file that does not say it.
    wide : bool
        See `Picture`.

    Raises
    ------
    FileError
        It is no picture.
    """
    try:
        with Image.open(path) as image:
            texts = image.info
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError(f"{path}: is no picture ({error}); delete it and run doit again") from error
    caption = str(texts.get("Title", path.name))
    return Picture(path.read_bytes(), str(texts.get("Description", alt or caption)), caption, wide)


def median(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Median of what is finite; NaN, without a warning, where nothing is."""
    finite = np.isfinite(values)
    if not finite.any():
        shape = () if axis is None else np.delete(values.shape, axis)
        return np.full(shape, np.nan)
    find = np.median if finite.all() else np.nanmedian  # which takes ten times as long
    return np.asarray(find(values, axis=axis))


_POINTS = 120  # of a small panel


def _dots(trace: Trace) -> str:
    """Of long cubes the medians of consecutive frames are drawn: no more can be told apart."""
    step = max(-(-len(trace.values) // _POINTS), 1)
    drawn = np.asarray(trace.values, dtype=float)
    if step > 1:
        groups = np.append(drawn, np.full(-len(drawn) % step, np.nan)).reshape(-1, step)
        measured = np.isfinite(groups).any(axis=1)
        drawn = np.full(len(groups), np.nan)
        drawn[measured] = median(groups[measured], axis=1)
    across = 128 * (trace.panel + np.linspace(0.04, 0.96, len(drawn)))
    down = 44 - 40 * _to_unit(drawn)
    seen = np.isfinite(down)
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in zip(across[seen], down[seen], strict=True))


def _to_unit(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).any():
        return values
    span = np.nanmax(values) - np.nanmin(values)
    return (values - np.nanmin(values)) / span if span > 0 else np.full(values.shape, 0.5)
