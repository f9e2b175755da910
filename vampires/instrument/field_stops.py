"""What the wheel in the focal plane (``U_FLDSTP``) holds; only the standard library."""

from __future__ import annotations

UNMASKED = ("FIELDSTOP", "OPEN")
"""Positions, in capitals, that let the light of the star pass."""


def is_unocculted(name: str | None) -> bool:
    """Whether a position is known to leave the star uncovered.

    Parameters
    ----------
    name : str or None
        ``U_FLDSTP``; EMCCD headers have none, and are not known to.

    Examples
    --------
    >>> is_unocculted("Fieldstop"), is_unocculted("CLC-3"), is_unocculted(None)
    (True, False, False)
    """
    return (name or "").strip().upper() in UNMASKED
