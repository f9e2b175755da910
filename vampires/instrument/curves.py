"""Transmission curves of the filters: modelled from the table, or a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.errors import FileError
from vampires.instrument.filters import FILTERS, Filter

# Width of an edge from 10 to 90 %: as of the broad filters, less for the narrow ones.
EDGE_WIDTH = 3.7  # nm
EDGE_FRACTION = 0.35  # of the FWHM
GRID_POINTS = 2001
_LOGISTIC_10_TO_90 = 2.0 * np.log(9.0)


@dataclass(frozen=True, eq=False)
class Curve:
    """Transmission against wavelength.

    Attributes
    ----------
    wavelength : ndarray, shape (n,)
        nm, increasing.
    transmission : ndarray, shape (n,)
        Relative; zero outside the wavelengths given.
    """

    wavelength: NDArray[np.float64]
    transmission: NDArray[np.float64]

    def __call__(self, wavelength: ArrayLike) -> NDArray[np.float64]:
        """Transmission at some wavelengths (nm), linearly interpolated."""
        where = np.asarray(wavelength, dtype=float)
        return np.interp(where, self.wavelength, self.transmission, left=0.0, right=0.0)

    @property
    def mean(self) -> float:
        """Mean wavelength, weighted by the transmission, nm."""
        middle = 0.5 * (self.wavelength[1:] + self.wavelength[:-1])
        weight = (self.transmission[1:] + self.transmission[:-1]) * np.diff(self.wavelength)
        return float(np.average(middle, weights=weight))

    @property
    def half_maximum(self) -> tuple[float, float]:
        """First and last wavelength of half the largest transmission, nm."""
        half = 0.5 * self.transmission.max()
        above = np.flatnonzero(self.transmission >= half)
        return self._crossing(above[0] - 1, half), self._crossing(above[-1], half)

    def sample(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Wavelengths and weights that stand for the curve in a broadband sum.

        Parameters
        ----------
        count : int
            Number of wavelengths.

        Returns
        -------
        wavelength, weight : ndarray, shape (count,)
            Middles of equal steps between the half-maximum wavelengths, nm; weights of unit
            sum.
        """
        low, high = self.half_maximum
        wavelength = low + (np.arange(count) + 0.5) * (high - low) / count
        weight = self(wavelength)
        return wavelength, weight / weight.sum()

    def _crossing(self, index: int, level: float) -> float:
        """Wavelength between a sample and the next at which the curve passes a level."""
        if not 0 <= index < len(self.wavelength) - 1:
            return float(self.wavelength[min(max(index, 0), len(self.wavelength) - 1)])
        pair = slice(index, index + 2)
        order = np.argsort(self.transmission[pair])
        return float(np.interp(level, self.transmission[pair][order], self.wavelength[pair][order]))


@cache
def filter_curve(name: str) -> Curve:
    """Model the transmission curve of a filter.

    Parameters
    ----------
    name : str
        Of `vampires.instrument.filters.FILTERS`.

    Returns
    -------
    Curve

    Notes
    -----
    A top that is flat up to a slope, between two logistic edges. The edges are set so that the
    transmission is half its largest at the filter's edge wavelengths, the slope so that the
    mean wavelength is the filter's. Narrow filters have no slope: the middle of their edges is
    their mean within the table's rounding.

    Examples
    --------
    >>> round(filter_curve("Open").mean, 2)
    680.0
    """
    band = FILTERS[name]
    low, high = first, last = band.edges
    slope = 0.0
    for _ in range(60):  # halves what is missing, or better, at each turn
        curve = _model(band, low, high, slope)
        found_first, found_last = curve.half_maximum
        low += 0.5 * (first - found_first)
        high += 0.5 * (last - found_last)
        if not band.narrowband:
            slope += 6.0 * (band.mean - curve.mean) / (last - first)
    return _model(band, low, high, slope)


def read_curve(path: str | Path) -> Curve:
    """Read a user's transmission curve.

    Parameters
    ----------
    path : path-like
        Text with two columns, wavelength in nm and transmission, separated by blanks or a
        comma; lines that start with a letter or '#' are skipped.

    Returns
    -------
    Curve

    Raises
    ------
    FileError
        When the file cannot be read as that.
    """
    wanted = "expected two columns, increasing wavelength in nm and transmission of 0 or more"
    try:
        lines = Path(path).read_text("utf-8").splitlines()
        rows = [line.replace(",", " ").split() for line in lines if _holds_numbers(line)]
        table = np.array([row[:2] for row in rows], dtype=float)
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: not a transmission curve: {wanted}") from error
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != 2:
        raise FileError(f"{path}: {len(table)} usable rows; {wanted}")
    wavelength, transmission = table.T
    if not (np.isfinite(table).all() and (np.diff(wavelength) > 0).all()):
        raise FileError(f"{path}: wavelengths do not increase throughout; {wanted}")
    if (transmission < 0).any() or not transmission.any() or wavelength[0] < 100.0:
        raise FileError(f"{path}: values out of range; {wanted}")
    return Curve(wavelength, transmission)


def _model(band: Filter, low: float, high: float, slope: float) -> Curve:
    """Sloped top between two logistic edges, on a grid that holds their wings."""
    width = min(EDGE_WIDTH, EDGE_FRACTION * band.fwhm)
    scale = width / _LOGISTIC_10_TO_90
    wavelength = np.linspace(low - 4 * width, high + 4 * width, GRID_POINTS)
    edges = 1.0 / (1.0 + np.exp((low - wavelength) / scale))
    edges /= 1.0 + np.exp((wavelength - high) / scale)
    top = 1.0 + slope * np.clip((wavelength - 0.5 * (low + high)) / (high - low), -0.5, 0.5)
    transmission = edges * top
    return Curve(wavelength, transmission / transmission.max())


def _holds_numbers(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith("#") and not text[0].isalpha()
