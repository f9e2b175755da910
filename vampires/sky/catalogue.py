"""What catalogues know of a star: from a row of SIMBAD to settings of a configuration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vampires.config.write import Setting
from vampires.errors import CatalogueError
from vampires.utils.angles import as_sexagesimal
from vampires.utils.patience import within

BANDS = ("r", "R", "i", "I", "V")
"""Bands of magnitudes, best first: the nearest to the filters; capitals are another system."""

COLUMNS = ("sp_type", "pmra", "pmdec", "plx_value", *BANDS)
"""What is asked beyond SIMBAD's own ``main_id``, ``ra`` and ``dec``, as astroquery >= 0.4.8
names it; the columns of the answer have the same names."""

EPOCH = "J2000"
"""Epoch of SIMBAD's positions."""

PATIENCE = 60.0  # s for the answer; a firewall that swallows questions gives none

_SPECTRUM = re.compile(r"[dg]?([OBAFGKM]\d(?:\.\d)?)")
_CLASS = re.compile(r"IV|VI|V|I{1,3}")


@dataclass(frozen=True)
class StarFacts:
    """A star as a catalogue, or a person, has it; None where it is not known.

    Parameters
    ----------
    name : str
        As the catalogue has it.
    ra, dec : str, optional
        Hours and degrees with minutes and seconds, ICRS.
    epoch : str
        Of the position.
    pm_ra, pm_dec : float, optional
        Proper motion, mas/yr, the first with cos(dec).
    parallax : float, optional
        mas.
    sptype : str, optional
        Spectral type as the library of spectra spells it.
    magnitudes : dict of str to float
        By band, best first: AB for r and i, else Vega.
    """

    name: str = ""
    ra: str | None = None
    dec: str | None = None
    epoch: str = EPOCH
    pm_ra: float | None = None
    pm_dec: float | None = None
    parallax: float | None = None
    sptype: str | None = None
    magnitudes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_simbad(cls, row: Mapping[str, Any]) -> StarFacts:
        """Take the facts from a row of SIMBAD.

        Parameters
        ----------
        row : mapping
            ``main_id``, ``ra`` and ``dec`` (deg, ICRS at J2000) and `COLUMNS`; what is masked,
            NaN or blank is not known. A parallax that is not positive is noise, and not known.
        """
        ra, dec = _number(row, "ra"), _number(row, "dec")
        parallax, pm_ra, pm_dec = (_rounded(row, key) for key in ("plx_value", "pmra", "pmdec"))
        magnitudes = {band: _rounded(row, band) for band in BANDS}
        return cls(
            name=" ".join(_text(row, "main_id").split()),
            ra=None if ra is None else as_sexagesimal(ra / 15, 4),
            dec=None if dec is None else as_sexagesimal(dec, 3, plus="+"),
            pm_ra=pm_ra, pm_dec=pm_dec,
            parallax=parallax if parallax is not None and parallax > 0 else None,
            sptype=library_type(_text(row, "sp_type")),
            magnitudes={band: m for band, m in magnitudes.items() if m is not None},
        )  # fmt: skip

    def settings(self, name: str = "") -> list[Setting]:
        """Settings of ``[target]`` and ``[specphot]``.

        Parameters
        ----------
        name : str
            Of a star that takes the place of any other: what is not known of it is taken out.
            Empty: only what is known is set.
        """
        band, magnitude = next(iter(self.magnitudes.items()), (None, None))
        placed = self.ra is not None and self.dec is not None
        found = [
            Setting("target", "name", name or None),
            Setting("target", "ra", self.ra),
            Setting("target", "dec", self.dec),
            Setting("target", "obstime", self.epoch if placed else None),
            Setting("target", "frame", "icrs" if placed else None),
            Setting("target", "pm_ra", self.pm_ra),
            Setting("target", "pm_dec", self.pm_dec),
            Setting("target", "parallax", self.parallax),
            Setting("specphot", "sptype", self.sptype),
            Setting("specphot", "mag", magnitude),
            Setting("specphot", "mag_band", band),
        ]
        return [setting for setting in found if name or setting.value is not None]


def look_up(name: str) -> StarFacts:
    """Ask SIMBAD for a star.

    Parameters
    ----------
    name : str
        In one of SIMBAD's spellings.

    Raises
    ------
    CatalogueError
        There is no astroquery, no answer, or no such star.
    """
    try:
        import astroquery  # noqa: F401
    except ImportError:
        raise CatalogueError(
            "astroquery is not installed; pip install 'vampires[target]', or give the values: "
            f"{_by_hand(name)}"
        ) from None
    try:
        rows = within(PATIENCE, _ask, name)
    except Exception as error:  # the network fails in the ways of three libraries
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(" :")
        raise CatalogueError(
            f"SIMBAD does not answer ({reason}); without network give the values: {_by_hand(name)}"
        ) from error
    if not rows:
        raise CatalogueError(
            f"SIMBAD knows no {name!r}; spell it as SIMBAD does, or give the values: "
            f"{_by_hand(name)} (planets move: they have no place in a configuration)"
        )
    return StarFacts.from_simbad(rows[0])


def library_type(text: str) -> str | None:
    """Spectral type as the library of spectra spells it.

    Parameters
    ----------
    text : str
        As SIMBAD has it, with peculiarities, ranges and companions.

    Returns
    -------
    str or None
        Letter, subtype and luminosity class if there is one, which of a range is the first; None
        for what is none of O to M, such as white dwarfs, subdwarfs and metallic-line classes.

    Examples
    --------
    >>> [library_type(text) for text in ("A0Ve", "G5/6", "M1-M2Ia-ab", "F5IV-V", "dM5e", "DA2")]
    ['A0V', 'G5', 'M1I', 'F5IV', 'M5V', None]
    """
    match = _SPECTRUM.match(text.strip())
    if match is None:
        return None
    luminosity = _CLASS.search(text, match.end())
    of_prefix = {"d": "V", "g": "III"}.get(text.strip()[0], "")
    found = luminosity[0] if luminosity else of_prefix
    return None if found == "VI" else match[1] + found


def _by_hand(name: str) -> str:
    return (
        f"doit target {name!r} --ra H:M:S --dec D:M:S --pm-ra MAS/YR --pm-dec MAS/YR "
        "--parallax MAS --mag V=MAG --sptype TYPE"
    )


def _ask(name: str) -> list[dict[str, Any]]:
    """Rows of SIMBAD's answer."""
    import warnings

    from astroquery.exceptions import NoResultsWarning
    from astroquery.simbad import SimbadClass

    service = SimbadClass(ROW_LIMIT=1)
    service.add_votable_fields(*COLUMNS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoResultsWarning)
        table = service.query_object(name)
    return [dict(zip(table.colnames, row, strict=True)) for row in table]


def _number(row: Mapping[str, Any], key: str) -> float | None:
    """Finite number in a column that may be masked."""
    value = row.get(key)
    if value is None or getattr(value, "mask", False):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _rounded(row: Mapping[str, Any], key: str) -> float | None:
    """Number without the tail that single precision gives it."""
    number = _number(row, key)
    return None if number is None else round(number, 4)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None or getattr(value, "mask", False) else str(value).strip()
