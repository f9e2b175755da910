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
from astropy.io import fits

RATE = "e-/s"
ASTROPY_UNITS = {
    RATE: u.electron / u.s,
    "Jy": u.Jy,
    "Jy/arcsec^2": u.Jy / u.arcsec**2,
    "contrast": u.dimensionless_unscaled,
    "deg": u.deg,
}
"""What each BUNIT of a product means."""

_CARDS = (
    ("FLUXCON", "factors", "BUNIT per e-/s of field {}"),
    ("FLUXSTA", "photon_errors", "its relative error by photon noise"),
    ("FLUXSYS", "calibration_errors", "its relative error of calibration"),
)


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
    def of_header(cls, header: fits.Header, nfields: int) -> FluxScale:
        """Read the scale of an image; factors of one if it is in e-/s."""
        unit = str(header.get("BUNIT", RATE))
        defaults = {"FLUXCON": 1.0}
        columns = [
            tuple(float(header.get(f"{key}{i}", defaults.get(key, 0.0))) for i in range(nfields))
            for key, _, _ in _CARDS
        ]
        return cls(unit, *columns)

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
    def clear(cls, header: fits.Header, nfields: int) -> None:
        """Make a header that of an image in e-/s."""
        for key, _, _ in _CARDS:
            for i in range(nfields):
                header.remove(f"{key}{i}", ignore_missing=True)
        header["BUNIT"] = (RATE, "unit of the pixels")

    def stamp(self, header: fits.Header) -> None:
        """Write unit, factors and errors into a header; in e-/s only the unit."""
        header["BUNIT"] = (self.unit, "unit of the pixels")
        if self.unit == RATE:
            return
        for key, name, comment in _CARDS:
            for i, value in enumerate(getattr(self, name)):
                header[f"{key}{i}"] = (float(f"{value:.7g}"), comment.format(i))


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
