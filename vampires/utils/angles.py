"""Angles in degrees that come round: the turn they are in, their mean; and how they are written.

Only the standard library is imported: the task graph is made with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from vampires.errors import MeasurementError

# Directions whose vectors add up to less than this part of their length have no mean.
_OPPOSITE = 1e-9
_COLONS = r"([+-]?)\s*(\d{1,3})[:.\s]\s*(\d{1,2})[:.\s]\s*(\d{1,2}(?:\.\d*)?)"
_UNITS = r"([+-]?)\s*(\d{1,3})[hd°]\s*(\d{1,2})[m′']\s*(\d{1,2}(?:\.\d*)?)[s″\"]?"


def wrap(angle: float, period: float = 360.0) -> float:
    """Turn of an angle that is within half a period of zero, in [-period / 2, period / 2).

    Examples
    --------
    >>> wrap(180.0), wrap(100.0, period=180.0)
    (-180.0, -80.0)
    """
    return (angle + period / 2) % period - period / 2


def circular_mean(
    angles: Iterable[float], period: float = 360.0, weights: Iterable[float] | None = None
) -> float:
    """Weighted mean of angles that are the same every period.

    Parameters
    ----------
    angles : iterable of float
        Degrees, in any turn; NaN makes the mean NaN.
    period : float
        Degrees: 360 for a direction, 180 for a wave plate or the position angle of a plane.
    weights : iterable of float, optional
        One an angle, positive; default: all the same.

    Returns
    -------
    float
        Degrees, within half a period of the first angle.

    Raises
    ------
    MeasurementError
        There is no angle, or the angles are opposite to each other and have no mean.

    Notes
    -----
    Each angle is taken in the turn nearest to the direction ``atan2(sum w sin, sum w cos)`` of
    the summed unit vectors (Mardia & Jupp 2000, Directional Statistics, sect. 2.2), and these are
    averaged as numbers. Where all lie within half a period, this is the plain mean of the
    unwrapped angles, such as a mean over time; the vectors alone would favour the crowd.

    Examples
    --------
    >>> circular_mean([179.0, -179.0]), circular_mean([0.0, 0.0, 30.0])
    (180.0, 10.0)
    >>> circular_mean([1.0, 179.0], period=180.0)
    0.0
    """
    given = [float(angle) for angle in angles]
    if not given:
        raise MeasurementError("the mean of no angles was asked for")
    weight = [1.0] * len(given) if weights is None else [float(w) for w in weights]
    # Offsets from the first keep equal angles exact.
    offsets = [math.remainder(angle - given[0], period) for angle in given]
    middle = _direction(offsets, weight, period)
    if middle is None:
        raise MeasurementError(f"the angles {given} are opposite to each other and have no mean")
    turns = [middle + math.remainder(offset - middle, period) for offset in offsets]
    mean = math.fsum(w * t for w, t in zip(weight, turns, strict=True)) / math.fsum(weight)
    return given[0] + math.remainder(mean, period)


def _direction(angles: list[float], weights: list[float], period: float) -> float | None:
    """Direction of the sum of unit vectors, or None where they cancel."""
    scale = math.tau / period
    x = math.fsum(w * math.cos(a * scale) for a, w in zip(angles, weights, strict=True))
    y = math.fsum(w * math.sin(a * scale) for a, w in zip(angles, weights, strict=True))
    if math.hypot(x, y) <= _OPPOSITE * math.fsum(weights):
        return None
    return math.atan2(y, x) / scale


def sexagesimal(text: str) -> float:
    """Read hours or degrees with their minutes and seconds.

    Parameters
    ----------
    text : str
        Such as "04:55:45.8", "-12 30 01", "04.55.45.8" or "4h55m45.8s"; seconds may be 60, as
        rounding up leaves them.

    Returns
    -------
    float
        Hours or degrees, whichever the first number is.

    Raises
    ------
    ValueError
        If it is something else, or minutes or seconds are too large.

    Examples
    --------
    >>> sexagesimal("-00:30:00"), sexagesimal("4h30m0s")
    (-0.5, 4.5)
    """
    # texts, not compiled patterns: every start would pay for them
    match = re.fullmatch(_COLONS, text.strip()) or re.fullmatch(_UNITS, text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not hours or degrees, minutes and seconds")
    sign, first, minutes, seconds = match.groups()
    if int(minutes) >= 60 or float(seconds) > 60:
        raise ValueError(f"minutes or seconds of {text!r} reach 60")
    size = int(first) + int(minutes) / 60 + float(seconds) / 3600
    return -size if sign == "-" else size


def as_sexagesimal(value: float, decimals: int, plus: str = "") -> str:
    """Write hours or degrees with their minutes and seconds.

    Parameters
    ----------
    value : float
        Hours or degrees.
    decimals : int
        Of the seconds.
    plus : str
        Sign of what is not negative.

    Returns
    -------
    str
        What `sexagesimal` reads; rounding up never leaves 60 seconds.

    Examples
    --------
    >>> as_sexagesimal(4.9294016, 3), as_sexagesimal(-0.5, 2, "+"), as_sexagesimal(1.9999999999, 2)
    ('04:55:45.846', '-00:30:00.00', '02:00:00.00')
    """
    unit = 10**decimals
    seconds, part = divmod(round(abs(value) * 3600 * unit), unit)
    minutes, seconds = divmod(seconds, 60)
    sign = "-" if value < 0 else plus
    fraction = f".{part:0{decimals}d}" if decimals else ""
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{fraction}"
