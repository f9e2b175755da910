"""What product headers say of a filter: the cards that users of the public pipeline script with."""

from __future__ import annotations

import math

from vampires.instrument.fields import field_names
from vampires.instrument.filters import FILTERS
from vampires.instrument.telescope import PUPIL

_MAS_PER_RAD = 180 / math.pi * 3600e3


def bandpass_cards(name: str) -> list[tuple[str, str | float, str]]:
    """Cards of a filter, or of several fields taken together.

    Parameters
    ----------
    name : str
        Canonical ``FILTER`` ('750-50', 'MBI'), a field, or names joined by ``+``.

    Returns
    -------
    list of (keyword, value, comment)
        ``FILTNAME``, ``WAVEMIN``, ``WAVEMAX``, ``WAVEAVE``, ``WAVEFWHM`` (nm), ``DLAMLAM`` (%),
        ``DIAMETER`` (m) and ``RESELEM``, the mean wavelength over that diameter (mas). Several
        fields span all their wavelengths; mean and width are then those of the span. Empty for
        a filter that is not known.

    Examples
    --------
    >>> [value for _, value, _ in bandpass_cards("750-50")]
    ['750-50', 724.0, 776.0, 748.0, 48.0, 6.417, 7.92, 19.481]
    >>> bandpass_cards("MBI")[3]
    ('WAVEAVE', 678.0, '[nm] mean wavelength')
    """
    names = [own for part in name.split("+") for own in field_names(part)]
    if not names or any(own not in FILTERS for own in names):
        return []
    low = min(FILTERS[own].minimum for own in names)
    high = max(FILTERS[own].maximum for own in names)
    mean, width = (low + high) / 2, high - low
    if len(names) == 1:
        mean, width = FILTERS[names[0]].mean, FILTERS[names[0]].fwhm
    element = mean * 1e-9 / PUPIL.diameter * _MAS_PER_RAD
    return [
        ("FILTNAME", name, "filter"),
        ("WAVEMIN", low, "[nm] shortest wavelength of half transmission"),
        ("WAVEMAX", high, "[nm] longest wavelength of half transmission"),
        ("WAVEAVE", mean, "[nm] mean wavelength"),
        ("WAVEFWHM", width, "[nm] width"),
        ("DLAMLAM", round(100 * width / mean, 3), "[%] width over mean wavelength"),
        ("DIAMETER", PUPIL.diameter, "[m] diameter of the pupil"),
        ("RESELEM", round(element, 3), "[mas] mean wavelength over diameter"),
    ]
