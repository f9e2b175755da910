"""Reading of the instrument's tables of facts (TOML, shipped inside the package).

Every number in them stands beside its source. A fact is ``{value, source}``; when several
values have been published it is a list of such facts, newest first, and the first is used.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load_table(name: str) -> dict[str, Any]:
    """Read ``data/NAME.toml`` of this package, once.

    Parameters
    ----------
    name : str
        'detectors', 'filters', 'telescope', 'optics' or 'fields'.

    Returns
    -------
    dict
        The parsed table; shared between callers, not to be changed.

    Examples
    --------
    >>> value(load_table("detectors")["EMCCD"]["gain"])
    4.5
    """
    return tomllib.loads((files(__package__) / "data" / f"{name}.toml").read_text("utf-8"))


def value(fact: Any) -> Any:
    """Value of a fact in use: its own, or that of the first (newest) of a list of facts."""
    newest = fact[0] if isinstance(fact, list) else fact
    return newest["value"]
