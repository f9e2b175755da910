"""Pieces of a page that refers to nothing outside itself: sections, tables, pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

import numpy as np
from astropy.time import Time
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vampires.version import __version__

NONE = "–"
"""What stands for a value that there is not."""

_DPI = 80


def page(title: str, body: str) -> str:
    """Page with a title, a body of HTML and the version of the software."""
    return _PAGE.substitute(title=escape(title), version=escape(__version__), body=body)


def section(title: str, body: str) -> str:
    """Section with its heading."""
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Table of cells that are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = ["<tr>" + "".join(f"<td>{content}</td>" for content in row) + "</tr>" for row in rows]
    if columns:
        lines.insert(0, f"<tr>{head}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"


def cell(value: object) -> str:
    """Value as the HTML of a table's cell."""
    if value is None or value is np.ma.masked:
        return NONE
    if isinstance(value, float | np.floating):
        return number(float(value), 6)
    return escape(str(value))


def number(value: float, digits: int) -> str:
    """Write a number with so many significant digits."""
    return f"{value:.{digits}g}" if np.isfinite(value) else NONE


def iso(mjd: float | None) -> str:
    """Write a time (MJD, UTC) as date and time of day, to the second."""
    return "unknown" if mjd is None else str(Time(mjd, format="mjd").iso)[:19]


def img(content: bytes, alt: str) -> str:
    """Picture of the content of a PNG file."""
    data = base64.b64encode(content).decode("ascii")
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def png(figure: Figure) -> bytes:
    """Draw a figure as a PNG file, the same bytes each time."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>$title</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; max-width: 90em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #ddd; padding: 0.15em 0.7em; text-align: left; }
th { background: #f3f3f3; position: sticky; top: 0; }
figure { display: inline-block; margin: 0.3em; }
img { max-width: 100%; vertical-align: middle; }
pre { background: #f3f3f3; padding: 0.7em; overflow: auto; }
</style>
</head>
<body>
<h1>$title</h1>
<p>Reduced by vampires $version.</p>
$body</body>
</html>
""")
