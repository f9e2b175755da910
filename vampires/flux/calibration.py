r"""The factor from e-/s to physical units, and the cards that say where it comes from.

With zero points (the published rates ``z`` of a star of magnitude 0, no splitter, no FLC, above
the atmosphere),

.. math:: F = \frac{f}{T_{bs} T_{flc} T_{nd}}\, \frac{F_{Vega}}{z}\, 10^{0.4 k X};

with a star of known flux ``F*``, which the same image shows with the rate ``f*``,
``F = f F* / f*``: then the atmosphere and the optics cancel. Behind a coronagraph ``f*`` is the
rate of a satellite spot over its contrast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vampires.canonical import Header
from vampires.config import SpecphotSettings
from vampires.errors import HeaderError
from vampires.flux.ladder import Ladder
from vampires.flux.rates import StarRate
from vampires.flux.spots import grid_contrast
from vampires.flux.star import AB_BANDS, Star, star_of_spectrum, star_of_type
from vampires.flux.throughput import Throughput
from vampires.images.units import RATE, FluxScale
from vampires.instrument.filters import FILTERS, ZERO_POINTS
from vampires.instrument.telescope import PUPIL

Cards = dict[str, tuple[Any, str]]

_GRID_RATE = 1000.0  # Hz, at which the polynomial of the spots was measured


@dataclass(frozen=True)
class FluxSource:
    """Where the scale of a reduction comes from.

    Parameters
    ----------
    settings : SpecphotSettings
        The [specphot] table.
    coronagraphic : bool
        The measured rates are those of a satellite spot.
    spectrum : Path, optional
        File of a calibrated spectrum, where `settings.source` names one.
    curves : mapping of str to Path
        A user's own filter curves.
    spot_ratios : mapping of str to (float, float)
        Spot over star, and its relative error, by filter, as the configuration gives it.
    ladder : Ladder
        What the unocculted frames of the night tell of the spots; the polynomial is taken where
        neither tells.
    """

    settings: SpecphotSettings
    coronagraphic: bool = False
    spectrum: Path | None = None
    curves: Mapping[str, Path] = field(default_factory=dict)
    spot_ratios: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ladder: Ladder = field(default_factory=Ladder)

    @property
    def needs_star(self) -> bool:
        """Whether the star must have been measured."""
        return self.settings.unit == "contrast" or self.settings.source != "zeropoints"

    def star(self, filter_name: str) -> Star | None:
        """The star in a filter; None with zero points."""
        s = self.settings
        if s.unit == "contrast" and None in (s.sptype, s.mag, s.mag_band):
            return None
        if self.spectrum is not None:
            return star_of_spectrum(self.spectrum, filter_name, self.curves.get(filter_name))
        if s.source == "zeropoints" or s.sptype is None or s.mag is None or s.mag_band is None:
            return None
        return star_of_type(s.sptype, s.mag, s.mag_band, filter_name)


@dataclass(frozen=True)
class Calibration:
    """Scale of an image, its cards, and what is doubtful about it."""

    scale: FluxScale
    cards: Cards
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Field:
    """Factor of one field with its errors and cards."""

    factor: float
    photon: float
    calibration: float
    origin: str
    cards: Cards
    doubts: tuple[str, ...] = ()


def calibrate_flux(
    header: Header,
    fields: Sequence[str],
    rates: Sequence[StarRate] | None,
    source: FluxSource,
) -> Calibration:
    """Find the factors from e-/s to the unit of the configuration.

    Parameters
    ----------
    header : Header
        Canonical header of the image.
    fields : sequence of str
        Filter of each field.
    rates : sequence of StarRate or None
        Measured rate of the star (or of a satellite spot) in each field; None: not measured.
    source : FluxSource
        Where the scale comes from.

    Returns
    -------
    Calibration

    Raises
    ------
    HeaderError
        A card that is needed (AIRMASS; X_GRDAMP, X_GRDSEP) is missing.
    ConfigError, FileError
        The star's type or spectrum cannot be used.
    """
    settings = source.settings
    if settings.unit == RATE:
        ones = (1.0,) * len(fields)
        return Calibration(FluxScale(RATE, ones, (0.0,) * len(fields), (0.0,) * len(fields)), {})
    throughput = Throughput.from_header(header)
    measured = list(rates) if rates is not None else [None] * len(fields)
    parts = [
        _field_scale(header, name, rate, source, throughput)
        for name, rate in zip(fields, measured, strict=True)
    ]
    scale = FluxScale(
        settings.unit,
        tuple(part.factor for part in parts),
        tuple(part.photon for part in parts),
        tuple(part.calibration for part in parts),
    )
    cards = Header.declared(flux_source=parts[0].origin)
    cards |= _common_cards(header, source, throughput)
    for index, part in enumerate(parts):
        cards |= {f"{key}{index}": value for key, value in part.cards.items()}
    doubts = tuple(dict.fromkeys(doubt for part in parts for doubt in part.doubts))
    if doubts:
        cards |= Header.declared(flux_doubts=("; ".join(doubts), ""))
    return Calibration(scale, cards, doubts)


def _field_scale(
    header: Header,
    name: str,
    rate: StarRate | None,
    source: FluxSource,
    throughput: Throughput,
) -> _Field:
    unit = source.settings.unit
    spots = _contrast(header, name, rate, source)
    ratio, ratio_error, doubts = spots.ratio, spots.error, spots.doubts
    per_star = math.nan if rate is None else rate.value / ratio  # e-/s of the star itself
    star = source.star(name)
    if unit == "contrast" and rate is not None:
        factor, photon, calibration = 1 / per_star, rate.error, ratio_error
    elif star is not None and rate is not None:
        factor, photon = star.flux / per_star, rate.error
        calibration = math.hypot(ratio_error, math.log(10) / 2.5 * source.settings.mag_error)
    else:
        factor = _zero_point(header, name, throughput)
        photon, calibration = 0.0, FILTERS[name].zero_scatter
        doubts = (*doubts, *throughput.doubts, *_zero_point_doubts(header))
    cards = {} if rate is None else _star_cards(rate, per_star)
    if source.coronagraphic and math.isfinite(ratio_error) and rate is not None:
        cards |= Header.declared(
            spot_contrast=_digits(ratio),
            spot_contrast_error=_digits(ratio_error),
            spot_contrast_source=spots.origin,
        )
    if unit != "contrast":
        cards |= _jansky_cards(factor, per_star, star, name)
    if unit == "Jy/arcsec^2":
        factor /= header.pixel_area
    origin = star.origin if star else "star" if unit == "contrast" else source.settings.source
    return _Field(factor, photon, calibration, origin, cards, doubts)


@dataclass(frozen=True)
class _Spots:
    """Rate that was measured over that of the star."""

    ratio: float = 1.0
    error: float = 0.0
    origin: str = ""
    doubts: tuple[str, ...] = ()


def known_ratio(header: Header, name: str, source: FluxSource) -> float:
    """Flux of a satellite spot over that of the star as far as anything tells; else zero."""
    try:
        return _spots(header, name, source).ratio
    except HeaderError:
        return 0.0


def _contrast(header: Header, name: str, rate: StarRate | None, source: FluxSource) -> _Spots:
    if not source.coronagraphic or rate is None:
        return _Spots()
    try:
        return _spots(header, name, source)
    except HeaderError:
        if source.needs_star:
            raise
        return _Spots(math.nan, math.nan)  # zero points do without the star


def _spots(header: Header, name: str, source: FluxSource) -> _Spots:
    """By the configuration, the unocculted frames of the night, or the polynomial."""
    if name in source.spot_ratios:
        return _Spots(*source.spot_ratios[name], "configuration")
    measured = source.ladder.ratio(header, name)
    if measured is not None:
        return _Spots(measured[0], measured[1], "unocculted frames", measured[2])
    ratio, error = grid_contrast(header, name)
    doubts: tuple[str, ...] = ()
    if name == "Open":
        doubts += ("satellite spots are smeared in Open",)
    modulation = header.grid_modulation
    if modulation is not None and modulation not in (0, _GRID_RATE):
        doubts += (f"X_GRDMOD = {modulation:g} Hz, the spots are calibrated at 1 kHz",)
    return _Spots(ratio, error, "polynomial of L24", doubts)


def _zero_point(header: Header, name: str, throughput: Throughput) -> float:
    """Jy per e-/s of one camera, by the published zero points."""
    return FILTERS[name].flux_density(1.0, _airmass(header)) / throughput.total


def _zero_point_doubts(header: Header) -> tuple[str, ...]:
    generation = header.known(Header.generation, "")
    if generation == ZERO_POINTS["generation"]:
        return ()
    valid = ZERO_POINTS["generation"]
    return (f"zero points are those of {valid}, none is published for {generation}",)


def _airmass(header: Header) -> float:
    """AIRMASS, or that of the altitude."""
    value = header.airmass
    if value is not None and value >= 1:
        return value
    altitude = header.stated_altitude if header.altitude is None else header.altitude
    if altitude is not None and altitude > 0:
        return 1 / math.sin(math.radians(altitude))
    found = "missing" if value is None else f"found {value!r}"
    raise HeaderError(
        f'{header.label}: AIRMASS {found}, needed for [specphot] source = "zeropoints"; use a star '
        '(source = "pickles") or exclude the file'
    )


def _common_cards(header: Header, source: FluxSource, throughput: Throughput) -> Cards:
    settings = source.settings
    if source.needs_star:
        cards = Header.declared(flux_metric=settings.flux_metric)
    else:
        version, airmass = ZERO_POINTS["version"], round(_airmass(header), 4)
        cards = Header.declared(zero_point_table=version, flux_airmass=airmass)
    if settings.mag is not None and settings.mag_band is not None:
        system = "AB" if settings.mag_band in AB_BANDS else "Vega"
        magnitude = (settings.mag, f"[mag] reference magnitude ({system})")
        cards |= Header.declared(reference_magnitude=magnitude, reference_band=settings.mag_band)
    return cards | Header.declared(
        beamsplitter_throughput=_digits(throughput.beamsplitter),
        flc_throughput=_digits(throughput.flc),
        nd_throughput=_digits(throughput.neutral_density),
    )


def _star_cards(rate: StarRate, per_star: float) -> Cards:
    magnitude = round(-2.5 * math.log10(per_star), 4) if math.isfinite(per_star) else None
    return Header.declared(
        instrumental_flux=(_digits(rate.value), f"[e-/s] {rate.aperture}"),
        instrumental_magnitude=magnitude,
    )


def _jansky_cards(factor: float, per_star: float, star: Star | None, name: str) -> Cards:
    """Zero point and, where it was measured or is known, the star."""
    vega = FILTERS[name].vega_flux
    if star is not None:
        vega = star.flux * 10 ** (0.4 * star.magnitude)
    zero_point = 2.5 * math.log10(vega / factor)
    cards = Header.declared(zero_point=round(zero_point, 4), vega_flux=_digits(vega))
    if star is not None:
        photons = star.photons * PUPIL.area
        cards |= Header.declared(
            star_flux=_digits(star.flux),
            star_magnitude=round(star.magnitude, 4),
            total_throughput=_digits(per_star / photons),
        )
    elif math.isfinite(per_star):
        magnitude = round(zero_point - 2.5 * math.log10(per_star), 4)
        cards |= Header.declared(
            star_flux=(_digits(per_star * factor), "[Jy] flux of the star, measured"),
            star_magnitude=(magnitude, "[mag] of the star, measured (Vega)"),
        )
    return cards


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
