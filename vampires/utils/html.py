"""Small tables for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def facts_table(title: str, facts: Mapping[str, object]) -> str:
    """HTML table with one row a fact; what is None is left out.

    Examples
    --------
    >>> facts_table("Star", {"name": "AB Aur", "magnitude": None})
    '<b>Star</b><table><tr><th>name</th><td>AB Aur</td></tr></table>'
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
        if value is not None
    )
    return f"<b>{escape(title)}</b><table>{rows}</table>"
