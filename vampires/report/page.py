"""A page of HTML that refers to nothing outside itself, from the parts of `parts`."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vampires.report.parts import NONE, Number, Section, Verdict
from vampires.version import __version__

_TEMPLATES = Path(__file__).parent / "templates"


def render(title: str, verdicts: Sequence[Verdict], sections: Sequence[Section]) -> str:
    """Write a page.

    Parameters
    ----------
    title : str
        Heading.
    verdicts : sequence of Verdict
        Shown first, the worst on top.
    sections : sequence of Section
        In order.

    Returns
    -------
    str
        HTML; texts are escaped.
    """
    worst = ("bad", "look", "good")
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            version=__version__,
            verdicts=sorted(verdicts, key=lambda one: worst.index(one.level)),
            sections=sections,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        {"shown": shown, "order": order, "base64": _base64, "anchor": _anchor}
    )
    environment.tests["kind"] = lambda part, name: type(part).__name__ == name
    return environment


def shown(value: object) -> str:
    """Text of a cell.

    Examples
    --------
    >>> shown(0.0123456789), shown(None), shown("a")
    ('0.0123457', '–', 'a')
    """
    if value is None or value is np.ma.masked:
        return NONE
    if isinstance(value, float | np.floating):
        return str(Number(float(value)))
    return str(value)


def order(value: object) -> str:
    """What a cell sorts by where its text would not do: the full value of a number."""
    if isinstance(value, Number):
        value = value.value
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return repr(float(value))
    return ""


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")
