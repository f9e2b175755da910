"""From a measured cube to its coadd in the unit of the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vampires.canonical import Header
from vampires.config import Config
from vampires.cube import CameraCube
from vampires.errors import MeasurementError
from vampires.flux.calibration import Calibration, Cards, FluxSource, calibrate_flux, known_ratio
from vampires.flux.curves import fwhm_of
from vampires.flux.ladder import Ladder, ladder_cards
from vampires.flux.rates import FluxReference, StarRate, star_rates
from vampires.flux.spot_photometry import Aperture, kept_in_core, spot_rates, star_rate
from vampires.images.bias import ROBUST, coadd_is_biased, halo_level
from vampires.images.image import CameraImage
from vampires.images.recenter import pad_to_diagonal
from vampires.images.reproject import camera_1, reproject
from vampires.images.units import RATE, FluxScale
from vampires.instrument.field_stops import is_unocculted
from vampires.instrument.filters import FILTERS
from vampires.log import get_logger
from vampires.measure.psf import header_psf

log = get_logger(__name__)


def registered(cube: CameraCube, config: Config) -> CameraCube:
    """Measured cube with its frames selected and registered."""
    if config.frame_select.frame_select:
        cube = cube.select(config.frame_select.metric, config.frame_select.cutoff)
    return cube.register(config.align.method if config.align.align else None)


NO_LADDER = Ladder()
_PSF_SIZE = 61


def coadd(cube: CameraCube, config: Config, ladder: Ladder = NO_LADDER) -> CameraImage:
    """Combine the selected frames of a registered cube.

    Parameters
    ----------
    cube : CameraCube
        Registered.
    config : Config
        Settings.
    ladder : Ladder
        What the unocculted frames of the night tell of the satellite spots.
    """
    settings = config.coadd
    # A planet's disc has no PSF to centre on.
    recenter = settings.recenter and config.align.align and not config.planetary
    image = cube.coadd(
        settings.method,
        config.align.crop_width,
        pad=False,
        recenter=settings.recenter_method if recenter else None,
    )
    level = halo_level(image.data) if settings.method in ROBUST else 0.0
    if coadd_is_biased(image.header, settings.method, level):
        log.warning(
            "this coadd method is biased for so few photons a frame: use mean",
            file=Path(cube.source.paths[0]).name, method=settings.method,
            electrons_per_frame=round(level * image.header.exptime, 3),
        )  # fmt: skip
    reference = flux_reference(cube, config, ladder, image)
    if config.align.reproject and image.header.camera == 2:
        image = reproject(image, camera_1(image.header))
    if config.align.pad:
        image = pad_to_diagonal(image)
    return calibrated_flux(image, reference, config, ladder)


def calibrated_flux(
    image: CameraImage, reference: FluxReference, config: Config, ladder: Ladder = NO_LADDER
) -> CameraImage:
    """Image in the unit of the configuration."""
    calibration = flux_calibration(image.header, image.fields, reference, config, ladder)
    header = image.header.copy()
    header.update(reference.cards)
    header.update(calibration.cards)
    return replace(image, header=header).in_unit(calibration.scale)


def flux_calibration(
    header: Header,
    fields: Sequence[str],
    reference: FluxReference,
    config: Config,
    ladder: Ladder = NO_LADDER,
) -> Calibration:
    """Factors from e-/s to the unit of the configuration."""
    source = replace(flux_source(config), coronagraphic=reference.spots, ladder=ladder)
    calibration = calibrate_flux(header, fields, reference.rates, source)
    if calibration.doubts:
        log.warning("flux scale in doubt", file=header.label, why="; ".join(calibration.doubts))
    return calibration


def flux_scale(cube: CameraCube, config: Config, ladder: Ladder = NO_LADDER) -> FluxScale:
    """Factors for the frames of a registered cube, of which no coadd is kept."""
    reference = FluxReference()
    if config.specphot.unit != RATE:
        reference = flux_reference(cube, config, ladder)
    return flux_calibration(cube.header, cube.fields, reference, config, ladder).scale


def flux_reference(
    cube: CameraCube, config: Config, ladder: Ladder = NO_LADDER, image: CameraImage | None = None
) -> FluxReference:
    """Measure what the flux scale is hung on: the star, or its satellite spots.

    Parameters
    ----------
    cube : CameraCube
        Registered.
    config : Config
        Settings.
    ladder : Ladder
        What the unocculted frames of the night tell of the spots.
    image : CameraImage, optional
        Its coadd in e-/s, as the camera saw it; made where it is needed.

    Returns
    -------
    FluxReference
        Behind a coronagraph also in e-/s: unocculted images tell of the spots.

    Raises
    ------
    MeasurementError
        The star or its spots are needed and cannot be measured.
    """
    try:
        if config.coronagraphic:
            image = image or cube.coadd("mean", config.align.crop_width, pad=False)
            return _with_spots(image, cube, config, ladder)
        if config.specphot.unit != RATE and not config.planetary:
            rates = star_rates(cube.measured, cube.selected, config.specphot.flux_metric)
            return FluxReference(rates)
    except MeasurementError as error:
        if config.specphot.unit != RATE and flux_source(config).needs_star:
            raise MeasurementError(f"{cube.source.paths[0].name}: {error}") from error
        # zero points do without; then the cards of the star are missing
    return FluxReference()


def _with_spots(
    image: CameraImage, cube: CameraCube, config: Config, ladder: Ladder
) -> FluxReference:
    """The star where it is not occulted, else its spots."""
    metric = config.specphot.flux_metric
    size = config.analysis.phot_aper_rad if metric == "photometry" else config.analysis.window_size
    aperture, offsets = Aperture(metric, size), cube.spot_offsets()
    stars: list[StarRate | None] = [None] * len(image.fields)
    if is_unocculted(image.header.field_stop):
        stars = [star_rate(image, index, aperture) for index in range(len(image.fields))]
    direct = tuple(star for star in stars if star is not None)
    unocculted = len(direct) == len(stars)
    if not unocculted and config.specphot.unit == RATE:
        return FluxReference()
    source = replace(flux_source(config), ladder=ladder)
    ratios = [known_ratio(image.header, name, source) for name in image.fields]
    try:
        spots = spot_rates(image, offsets, aperture, [None if unocculted else r for r in ratios])
    except MeasurementError:
        if not unocculted:
            raise
        return FluxReference(direct)  # the grid is off: the star is there all the same
    if not unocculted:
        return FluxReference(spots, spots=True, cards=_core_cards(image, offsets, ratios))
    cards: Cards = {}
    for index, (star, spot) in enumerate(zip(direct, spots, strict=True)):
        cards |= ladder_cards(star, spot, index)
    return FluxReference(direct, cards=cards)


def _core_cards(image: CameraImage, offsets: np.ndarray, ratios: Sequence[float]) -> Cards:
    """Flux that the star behind the mask would have within one FWHM, by its spots."""
    cards: Cards = {}
    for index, (name, ratio) in enumerate(zip(image.fields, ratios, strict=True)):
        radius = fwhm_of(name, image.header.pixel_scale) / 2
        if not ratio > 0:
            continue
        try:
            (spot,) = spot_rates(
                image.field(name), offsets[index : index + 1], Aperture("photometry", radius),
                [ratio],
            )  # fmt: skip
        except MeasurementError:
            continue  # then there is no contrast in small apertures
        distance = float(np.nanmean(np.hypot(*offsets[index].T)))
        low, high = FILTERS[name].edges
        shape = header_psf(image.header, name, _PSF_SIZE).astype(float)
        kept = kept_in_core(shape, radius, distance * (high - low) / FILTERS[name].mean)
        value = float(f"{spot.value / ratio / kept:.6g}")
        fact = Header.core_flux.of(index)
        cards[fact.keyword] = (value, fact.comment)
    return cards


def flux_source(config: Config) -> FluxSource:
    """Where the flux scale comes from, as the configuration wants it."""
    settings = config.specphot
    own = settings.source not in ("zeropoints", "pickles")
    return FluxSource(
        settings,
        coronagraphic=config.coronagraphic,
        spectrum=config.resolve(settings.source) if own else None,
        curves={name: config.resolve(path) for name, path in settings.filter_curves.items()},
        spot_ratios={name: (ratio, 0.0) for name, ratio in settings.spot_contrast.items()},
    )
