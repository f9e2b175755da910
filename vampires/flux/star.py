"""Flux of a star in a filter: from its spectral type and magnitude, or from its spectrum."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from astropy.table import Table

from vampires.errors import ConfigError
from vampires.instrument.curves import Curve, filter_curve

AB_BANDS = ("r", "i")
"""Bands whose magnitudes are AB; all others are Vega magnitudes."""

_TYPE = re.compile(r"[wr]?([OBAFGKM])(10|\d)?(\d|\.\d)?(I{1,3}|IV|V)?", re.IGNORECASE)
_FARTHEST = 3.0  # subtypes between the type asked for and the one taken


@dataclass(frozen=True)
class Star:
    """A star in one filter.

    Parameters
    ----------
    flux : float
        Flux density, Jy, photon-weighted mean over the filter.
    magnitude : float
        Vega magnitude in the filter.
    photons : float
        Photons/s/m^2 above the atmosphere through the filter's curve (peak 1).
    origin : str
        Where it comes from, for the header.
    """

    flux: float
    magnitude: float
    photons: float
    origin: str


@dataclass(frozen=True)
class Vega:
    """Vega in one band: flux density [Jy] and photons/s/m^2 through a curve of peak 1."""

    flux: float
    photons: float


@cache
def vega_table() -> Mapping[str, Vega]:
    """Vega in the bands of the magnitudes and in the filters."""
    table = _table("vega")
    return {
        str(row["band"]): Vega(float(row["flux"]), float(row["photons"])) for row in table
    }  # fmt: skip


def star_of_type(sptype: str, magnitude: float, band: str, filter_name: str) -> Star:
    """Star of a spectral type, known by its magnitude in another band.

    Parameters
    ----------
    sptype : str
        Of Pickles' library, 'A0V', 'K5III', 'rK0III' (metal-rich); a subtype that is not there
        gives the nearest of its luminosity class, at most three subtypes away, and `origin` says
        which.
    magnitude : float
        In `band`: AB for r and i, else Vega.
    band : str
        One of U B V R I r i J H K.
    filter_name : str
        Filter of the image.

    Returns
    -------
    Star

    Raises
    ------
    ConfigError
        There is no such type.

    Notes
    -----
    With the colours of the library through the modelled curves,
    ``m_filter = m_band + (V - band) - (V - filter)`` and ``F = F_Vega 10^(-0.4 m_filter)``. Lines
    are those of the photosphere: a star that emits in H alpha is brighter there.

    Examples
    --------
    >>> star = star_of_type("G2V", 7.0, "V", "750-50")
    >>> f"{star.flux:.2f} Jy, {star.magnitude:.2f} mag"
    '7.64 Jy, 6.33 mag'
    """
    table = _table("pickles")
    row = table[_row_of(sptype)]
    colour = 0.0 if band == "V" else float(row[f"V-{band}"])
    in_filter = magnitude + colour - float(row[f"V-{filter_name}"])
    vega = vega_table()[filter_name]
    factor = 10 ** (-0.4 * in_filter)
    origin = f"Pickles {row['sptype']}"
    return Star(vega.flux * factor, in_filter, vega.photons * factor, origin)


def star_of_spectrum(path: Path, filter_name: str, curve: Path | None = None) -> Star:
    """Star whose calibrated spectrum is in a file; see `vampires.flux.spectrum.read_spectrum`.

    Parameters
    ----------
    path : Path
        Its spectrum.
    filter_name : str
        Filter of the image.
    curve : Path, optional
        The filter's curve; default: the modelled one.

    Returns
    -------
    Star
    """
    from vampires.flux.spectrum import read_spectrum, through
    from vampires.instrument.curves import read_curve

    own: Curve = filter_curve(filter_name) if curve is None else read_curve(curve)
    flux, photons = through(read_spectrum(path), own, path)
    magnitude = -2.5 * float(np.log10(flux / vega_table()[filter_name].flux))
    return Star(flux, magnitude, photons, path.name)


@cache
def _table(name: str) -> Table:
    path = files("vampires.instrument") / "data" / f"{name}.ecsv"
    return Table.read(path.read_text("utf-8"), format="ascii.ecsv")


@cache
def _row_of(sptype: str) -> int:
    """Row of the table of a spectral type, exact or the nearest of its class."""
    types = [str(name) for name in _table("pickles")["sptype"]]
    spelt = sptype.replace("-", "").replace(" ", "")
    for index, name in enumerate(types):
        if name.upper() == spelt.upper():
            return index
    match = _TYPE.fullmatch(spelt)
    same = [
        (abs(_number(other) - _number(match)), index)
        for index, other in enumerate(map(_TYPE.fullmatch, types))
        if match and other and _class(other) == _class(match)
    ]
    nearest, index = min(same, default=(np.inf, 0))
    if nearest > _FARTHEST:
        raise ConfigError(
            f'[specphot] sptype = "{sptype}": found no such type in the library; there are '
            f"{', '.join(types)}"
        )
    return index


def _number(match: re.Match[str] | None) -> float:
    """Place in the sequence of types: O0 is 0, B0 is 10 ..."""
    if match is None:
        return np.inf
    place = 10.0 * "OBAFGKM".index(match[1].upper()) + float(match[2] or 0)
    rest = match[3] or ""
    if rest.startswith("."):
        return place + float(rest)
    return (place + 10.0 * "OBAFGKM".index(match[1].upper()) + float(rest)) / 2 if rest else place


def _class(match: re.Match[str]) -> str:
    """Luminosity class; none means a dwarf."""
    return (match[4] or "V").upper()
