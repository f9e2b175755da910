"""Calibrated spectra in files, and their synthetic photometry by synphot (extra ``flux``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from vampires.errors import ConfigError, FileError
from vampires.instrument.curves import Curve

if TYPE_CHECKING:
    from synphot import SourceSpectrum

_FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
_POINTS = 2001
_WANTED = (
    "expected a table of wavelength and flux density with units: FITS (TUNITn), ECSV, or CSV "
    'with heads such as "wavelength [nm], flux [Jy]"'
)


def read_spectrum(path: Path) -> SourceSpectrum:
    """Read the spectrum of a star, calibrated in absolute flux above the atmosphere.

    Parameters
    ----------
    path : Path
        FITS, ECSV or CSV. The first two columns, or those whose names begin with "wave" and
        "flux", are taken; their units tell what they are, flux per wavelength or per frequency.

    Returns
    -------
    synphot.SourceSpectrum

    Raises
    ------
    FileError
        The file cannot be read as that.
    ConfigError
        synphot is not installed.
    """
    try:
        from synphot import SourceSpectrum
        from synphot.models import Empirical1D
    except ImportError as error:
        raise ConfigError(
            f"[specphot] source = \"{path.name}\": needs synphot; pip install 'vampires[flux]'"
        ) from error
    wavelength, flux = _columns(path)
    order = np.argsort(wavelength)
    wavelength, flux = wavelength[order], flux[order]
    bad = not np.isfinite(wavelength.value).all() or not np.isfinite(flux.value).all()
    if bad or len(wavelength) < 2 or not (np.diff(wavelength.value) > 0).all():
        raise FileError(f"{path}: wavelengths repeat, or values are not finite; {_WANTED}")
    return SourceSpectrum(Empirical1D, points=wavelength, lookup_table=flux)


def through(spectrum: SourceSpectrum, curve: Curve, path: Path) -> tuple[float, float]:
    """Flux density [Jy] of a spectrum in a filter, and photons/s/m^2 through its curve.

    Parameters
    ----------
    spectrum : synphot.SourceSpectrum
        The star.
    curve : Curve
        Transmission of the filter; zero outside its wavelengths.
    path : Path
        The spectrum's file, for errors.

    Raises
    ------
    FileError
        The spectrum does not cover the filter.
    """
    from synphot import Observation, SourceSpectrum, SpectralElement
    from synphot.models import ConstFlux1D, Empirical1D

    low, high = curve.half_maximum
    covered = spectrum.waveset.to_value(u.nm)
    if covered.min() > low or covered.max() < high:
        raise FileError(
            f"{path}: covers {covered.min():.0f} to {covered.max():.0f} nm, the filter passes "
            f"{low:.0f} to {high:.0f} nm"
        )
    # Beyond its table synphot extends a curve with its last value: end it with zeros. It sums at
    # the points of the tables: give it enough of them.
    first, last = curve.wavelength[0], curve.wavelength[-1]
    inner = np.union1d(curve.wavelength, np.linspace(first, last, _POINTS))
    wavelength = np.concatenate([[first - 1e-3], inner, [last + 1e-3]])
    passed = np.concatenate([[0.0], curve(inner) / curve.transmission.max(), [0.0]])
    band = SpectralElement(Empirical1D, points=wavelength * u.nm, lookup_table=passed)
    # Photon-weighted: what a source of constant 1 Jy would give is the measure. (The effective
    # stimulus of synphot weights frequencies, not photons.)
    flat = SourceSpectrum(ConstFlux1D, amplitude=1 * u.Jy)
    photons, unit = (
        float(Observation(one, band, force="taper").countrate(1 * u.m**2, binned=False).value)
        for one in (spectrum, flat)
    )
    return photons / unit, photons


def _columns(path: Path) -> tuple[u.Quantity, u.Quantity]:
    """Wavelength [angstrom] and flux density [photons/s/cm^2/angstrom] as the file has them."""
    from synphot.units import convert_flux

    try:
        form = _FORMATS.get(path.suffix.lower())
        table = Table.read(path, format=form) if form else Table.read(path)
        names = [_named(table.colnames, "wave", 0), _named(table.colnames, "flux", 1)]
        wavelength, flux = (_quantity(table, name) for name in names)
        wavelength = wavelength.to(u.AA, u.spectral())
        return wavelength, convert_flux(wavelength, flux, "photlam")
    except (OSError, ValueError, KeyError, IndexError, TypeError, u.UnitsError) as error:
        raise FileError(f"{path}: not a spectrum ({error}); {_WANTED}") from error


def _named(names: list[str], start: str, place: int) -> str:
    found = [name for name in names if name.lower().startswith(start)]
    return found[0] if found else names[place]


def _quantity(table: Table, name: str) -> u.Quantity:
    """Column with its unit: the table's, or that in brackets in its name."""
    unit = table[name].unit
    if unit is None and "[" in name:
        unit = name.partition("[")[2].rpartition("]")[0]
    if unit is None:
        raise ValueError(f"column {name!r} has no unit")
    return np.asarray(table[name], dtype=float) * u.Unit(unit)
