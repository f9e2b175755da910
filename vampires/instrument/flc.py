"""States of the ferroelectric liquid crystal (FLC), the one place that says what counts as none.

Only the standard library is imported: the task graph asks for them.
"""

from __future__ import annotations

SWITCHED = ("A", "B")
"""States between which the FLC switches."""

DUBIOUS = "D"
"""The frame could not be told to be of A or of B."""

NO_FLC = "NA"
"""There is no FLC in the beam, or nothing says which state it was in."""


def flc_state(state: str | None, stage: str | None = None) -> str:
    """State of the FLC that the light saw.

    Parameters
    ----------
    state : str or None
        As a header has it (``U_FLC``); None where it has none.
    stage : str, optional
        ``IN`` or ``OUT`` (``U_FLCST``). With the FLC out of the beam its state means nothing.

    Returns
    -------
    str
        ``A``, ``B``, ``D`` or ``NA``.

    Examples
    --------
    >>> flc_state("B"), flc_state("N/A"), flc_state("B", stage="OUT")
    ('B', 'NA', 'NA')
    """
    known = (*SWITCHED, DUBIOUS)
    return state if state in known and stage != "OUT" else NO_FLC
