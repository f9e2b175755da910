"""The filters of VAMPIRES and what light does in them (L24, table 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vampires.instrument.tables import load_table, value

EDGE_TOLERANCE = 2.0  # nm, by which edges and width of a filter may disagree in the table


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter.

    Attributes
    ----------
    name : str
        As in the headers: 'Open', '750-50', 'F610', 'Halpha' ...
    mean, minimum, maximum, fwhm : float
        Mean wavelength, wavelengths of half transmission, width; nm.
    extinction : float
        Atmospheric extinction, mag/airmass.
    throughput, quantum_efficiency : float
        Of telescope and instrument, and of the detector; fractions.
    zero_mag : float
        Vega magnitude that gives 1 e-/s.
    zero_rate : float
        e-/s of a star of magnitude 0.
    zero_flux : float
        Flux density of a star of magnitude 0 as published with it (at 1.155 airmasses), Jy.
    vega_flux : float
        Flux density of Vega through the published curve, Jy.
    zero_scatter : float
        Relative scatter of `zero_rate` among the standard stars.
    flux_conversions : tuple of float
        Published values of C_FD, Jy/(e-/s), newest first; not in use, see the data file.

    Examples
    --------
    >>> FILTERS["750-50"].mean
    748.0
    >>> round(FILTERS["Halpha"].flux_density(1e4, airmass=1.2), 3)
    0.306
    """

    name: str
    mean: float
    minimum: float
    maximum: float
    fwhm: float
    extinction: float
    throughput: float
    quantum_efficiency: float
    zero_mag: float
    zero_rate: float
    zero_flux: float
    vega_flux: float
    zero_scatter: float
    flux_conversions: tuple[float, ...]

    @property
    def flux_conversion(self) -> float:
        """Jy above the atmosphere per e-/s, nothing but the filter in the beam."""
        return self.vega_flux / self.zero_rate

    @property
    def edges(self) -> tuple[float, float]:
        """Wavelengths of half transmission that agree with the mean and the width, nm.

        Those of the table, except for 750-50: L24 prints 776 nm for its upper edge, but a mean
        of 748 nm, a width of 48 nm and the manufacturer's curve all say 772 nm.
        """
        if abs(self.maximum - self.minimum - self.fwhm) <= EDGE_TOLERANCE:
            return self.minimum, self.maximum
        return self.mean - self.fwhm / 2, self.mean + self.fwhm / 2

    @property
    def narrowband(self) -> bool:
        """Whether it isolates a line or its continuum."""
        return self.fwhm < 10.0

    def flux_density(self, rate: float, airmass: float) -> float:
        """Flux density, Jy, of a count rate without losses in beamsplitter, FLC or ND filter.

        ``rate * flux_conversion * 10^(0.4 k airmass)``.
        """
        return rate * self.flux_conversion * 10 ** (0.4 * self.extinction * airmass)


def _load_filters() -> Mapping[str, Filter]:
    rows = load_table("filters")["filters"]
    return MappingProxyType(
        {
            name: Filter(
                name=name,
                mean=row["mean"],
                minimum=row["band"][0],
                maximum=row["band"][1],
                fwhm=row["fwhm"],
                extinction=row["extinction"],
                throughput=row["throughput"] / 100,
                quantum_efficiency=row["quantum_efficiency"] / 100,
                zero_mag=row["zero_mag"],
                zero_rate=row["zero_rate"],
                zero_flux=row["zero_flux"],
                vega_flux=row["vega_flux"],
                zero_scatter=row["zero_scatter"],
                flux_conversions=tuple(row["flux_conversion"]),
            )
            for name, row in rows.items()
        }
    )


FILTERS: Mapping[str, Filter] = _load_filters()
ZERO_POINTS: Mapping[str, str] = MappingProxyType(dict(load_table("filters")["zero_points"]))
"""Version, source and detector generation of the zero points."""
NEUTRAL_DENSITIES: Mapping[str, float] = MappingProxyType(
    {name: value(fact) for name, fact in load_table("filters")["neutral_density"].items()}
)


def neutral_density_transmission(mask: str) -> float:
    """Transmission of what ``U_MASK`` names: 10^-density for ND10 and ND25, 1 for all else."""
    return float(10.0 ** -NEUTRAL_DENSITIES.get(mask.strip(), 0.0))
