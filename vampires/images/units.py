"""Units of images: the factors from e-/s to Jy, Jy/arcsec^2 or contrast, and their cards.

An image holds e-/s times one factor a field. The factors and their relative errors stand in its
header, so that any step which needs e-/s, such as a difference of two cameras of unlike
throughput, can go back and apply a common factor to its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from vampires.canonical import Header

RATE = "e-/s"
ASTROPY_UNITS = {
    RATE: u.electron / u.s,
    "Jy": u.Jy,
    "Jy/arcsec^2": u.Jy / u.arcsec**2,
    "contrast": u.dimensionless_unscaled,
    "deg": u.deg,
}
"""What each BUNIT of a product means."""


@dataclass(frozen=True)
class FluxScale:
    """Factors from e-/s to a unit.

    Parameters
    ----------
    unit : str
        ``e-/s``, ``Jy``, ``Jy/arcsec^2`` or ``contrast``.
    factors : tuple of float
        Unit per e-/s, one a field.
    photon_errors : tuple of float
        Relative error of each by the photon noise of the star that set it; independent from
        image to image.
    calibration_errors : tuple of float
        Relative error that all images share: zero point, magnitude, satellite spots.

    Examples
    --------
    >>> half = FluxScale("Jy", (2e-6,), (0.01,), (0.03,))
    >>> both = FluxScale.mean([half, FluxScale("Jy", (4e-6,), (0.01,), (0.03,))])
    >>> round(both.factors[0] * 1e6, 6)
    2.666667
    """

    unit: str
    factors: tuple[float, ...]
    photon_errors: tuple[float, ...]
    calibration_errors: tuple[float, ...]

    @classmethod
    def of_header(cls, header: Header, nfields: int) -> FluxScale:
        """Read the scale of an image; factors of one if it is in e-/s."""
        ones, zeros = (1.0,) * nfields, (0.0,) * nfields
        return cls(
            header.known(Header.unit, RATE), (header.flux_factors or ones)[:nfields],
            (header.photon_errors or zeros)[:nfields],
            (header.calibration_errors or zeros)[:nfields],
        )  # fmt: skip

    @classmethod
    def mean(cls, scales: Sequence[FluxScale]) -> FluxScale:
        """Scale of the mean of images in e-/s: the harmonic mean of their factors.

        A star that gives rates ``r_i`` with factors ``F / r_i`` has the flux F in the mean image
        times this. Photon errors are independent and average, calibration errors do not.
        """
        inverse = np.mean([np.reciprocal(scale.factors) for scale in scales], axis=0)
        photon = np.sqrt(np.sum([np.square(s.photon_errors) for s in scales], axis=0))
        common = np.mean([s.calibration_errors for s in scales], axis=0)
        return cls(
            scales[0].unit, _floats(1 / inverse), _floats(photon / len(scales)), _floats(common)
        )

    def part(self, index: int) -> FluxScale:
        """Scale of one field alone."""
        own = (values[index : index + 1] for values in (
            self.factors, self.photon_errors, self.calibration_errors
        ))  # fmt: skip
        return FluxScale(self.unit, *own)

    @classmethod
    def clear(cls, header: Header, nfields: int) -> None:
        """Make a header that of an image in e-/s."""
        for fact in (Header.flux_factors, Header.photon_errors, Header.calibration_errors):
            header.drop(*(fact.of(i) for i in range(nfields)))
        header.put(unit=RATE)

    def stamp(self, header: Header) -> None:
        """Write unit, factors and errors into a header; in e-/s only the unit."""
        header.put(unit=self.unit)
        if self.unit != RATE:
            header.put(
                flux_factors=_rounded(self.factors),
                photon_errors=_rounded(self.photon_errors),
                calibration_errors=_rounded(self.calibration_errors),
            )


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [float(f"{value:.7g}") for value in values]


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
