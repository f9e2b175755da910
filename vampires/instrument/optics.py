"""Beamsplitters, the FLC, coronagraph masks and the satellite spots."""

from __future__ import annotations

from dataclasses import dataclass

from vampires.instrument.detectors import Generation
from vampires.instrument.tables import load_table, value

FLC_THROUGHPUT: float = value(load_table("optics")["flc"]["throughput"]) / 100


def beamsplitter_throughput(name: str, camera: int) -> float:
    """Fraction of the light that a beamsplitter sends to a camera.

    Parameters
    ----------
    name : str
        ``U_BS``: 'PBS', 'NPBS', or anything else for none.
    camera : {1, 2}

    Returns
    -------
    float
        1 without a beamsplitter.
    """
    fact = load_table("optics")["beamsplitters"].get(name.strip().upper())
    return 1.0 if fact is None else value(fact)[camera - 1] / 100


def flc_switch(generation: Generation | str) -> float:
    """Angle between the axes of the FLC's states A and B, deg."""
    return float(value(load_table("optics")["flc"]["switch_angle"][generation]))


def flc_angle(generation: Generation | str, state: str) -> float | None:
    """Angle of the FLC's axis in a state, deg: 0 in A; None without FLC (``NA``).

    Examples
    --------
    >>> flc_angle("QCMOS", "B")
    43.0
    """
    return {"A": 0.0, "B": flc_switch(generation)}.get(state)


@dataclass(frozen=True, slots=True)
class SpotFlux:
    """Flux of a satellite spot as the astrogrid's amplitude grows (L24).

    Attributes
    ----------
    separation : float
        Distance from the star, lambda/D.
    c0, c0_error, c1, c1_error : float
        Coefficients of A/lambda and of its square.
    """

    separation: float
    c0: float
    c0_error: float
    c1: float
    c1_error: float

    def ratio(self, amplitude: float, wavelength: float) -> float:
        """Flux of one spot over that of the star.

        Parameters
        ----------
        amplitude : float
            Mechanical amplitude of the mirror (``X_GRDAMP``), um.
        wavelength : float
            um.

        Returns
        -------
        float
            ``c0 (A/lambda) + c1 (A/lambda)^2``.
        """
        relative = amplitude / wavelength
        return self.c0 * relative + self.c1 * relative**2


def spot_flux(separation: float) -> SpotFlux:
    """Calibration of the satellite spots nearest to a separation in lambda/D (``X_GRDSEP``).

    Examples
    --------
    >>> round(spot_flux(15.5).ratio(0.05, 0.75), 4)
    0.0311
    """
    rows = load_table("optics")["satellite_spots"]
    row = min(rows, key=lambda row: abs(row["separation"] - separation))
    c0, c1 = row["c0"], row["c1"]
    return SpotFlux(row["separation"], c0["value"], c0["error"], c1["value"], c1["error"])
