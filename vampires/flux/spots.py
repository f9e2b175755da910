"""How bright the satellite spots are, from the settings of the astrogrid."""

from __future__ import annotations

import math

from vampires.canonical import Fact, Header
from vampires.errors import HeaderError
from vampires.instrument.filters import FILTERS
from vampires.instrument.optics import spot_flux

SAME_SEPARATION = 0.6
"""Lambda/D between the header's separation and a calibrated one."""
_CURE = (
    "give the measured ratio in [specphot] spot_contrast, or add unocculted frames with this grid"
)


def grid_contrast(header: Header, filter_name: str) -> tuple[float, float]:
    """Flux of a satellite spot over that of the star, from the polynomial of L24.

    Parameters
    ----------
    header : Header
        X_GRDAMP [um], X_GRDSEP [lambda/D] and, if there, X_GRDST.
    filter_name : str
        Filter or field.

    Returns
    -------
    ratio, relative error : float
        Error from those of the coefficients, which L24 gives without their covariance: an upper
        bound, 30 to 60 % for spots of 1 %.

    Raises
    ------
    HeaderError
        The grid is off, a card is missing, or the separation has no calibration.

    Examples
    --------
    >>> header = Header({"X_GRDAMP": 0.028, "X_GRDSEP": 15.5, "X_GRDST": "ON"})
    >>> ratio, error = grid_contrast(header, "750-50")
    >>> f"{ratio:.4f} {error:.2f}"
    '0.0091 0.39'
    """
    amplitude, separation = grid_settings(header)
    name = header.label
    spots = spot_flux(separation)
    if abs(spots.separation - separation) > SAME_SEPARATION:
        raise HeaderError(
            f"{name}: X_GRDSEP = {separation:g} lambda/D has no calibration, 10.3, 15.5 and 31.0 "
            f"have; {_CURE}"
        )
    wavelength = FILTERS[filter_name].mean / 1000
    ratio = spots.ratio(amplitude, wavelength)
    if not ratio > 0:
        raise HeaderError(
            f"{name}: X_GRDAMP = {amplitude:g} um is too faint for the calibration of the spots at "
            f"{separation:g} lambda/D (ratio {ratio:.2g}); {_CURE}"
        )
    x = amplitude / wavelength
    return ratio, math.hypot(x * spots.c0_error, x**2 * spots.c1_error) / ratio


def grid_settings(header: Header) -> tuple[float, float]:
    """Amplitude [um] and separation [lambda/D] of the astrogrid.

    Raises
    ------
    HeaderError
        The grid is off, or a card is missing.
    """
    if (header.grid_state or "ON").strip().upper() == "OFF":
        raise HeaderError(
            f"{header.label}: X_GRDST = OFF, so its spots have no known brightness; {_CURE}"
        )
    return _positive(header, Header.grid_amplitude), _positive(header, Header.grid_separation)


def _positive(header: Header, fact: Fact[float]) -> float:
    value = header.known(fact)
    if value is None or not (math.isfinite(value) and value > 0):
        found = "missing" if value is None else f"found {value!r}"
        raise HeaderError(
            f"{header.label}: {fact.keyword} {found}, needed for the satellite spots; {_CURE}"
        )
    return value
