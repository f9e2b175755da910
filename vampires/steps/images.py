"""From a measured cube to its coadd in the unit of the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from astropy.io import fits

from vampires.config import Config
from vampires.cube import CameraCube
from vampires.errors import MeasurementError
from vampires.flux.calibration import Calibration, FluxSource, calibrate_flux
from vampires.flux.rates import star_rates
from vampires.images.bias import coadd_is_biased, halo_level
from vampires.images.image import CameraImage
from vampires.images.recenter import pad_to_diagonal
from vampires.images.reproject import camera_1, reproject
from vampires.log import get_logger

log = get_logger(__name__)


def registered(cube: CameraCube, config: Config) -> CameraCube:
    """Measured cube with its frames selected and registered."""
    if config.frame_select.frame_select:
        cube = cube.select(config.frame_select.metric, config.frame_select.cutoff)
    return cube.register(config.align.method if config.align.align else None)


def coadd(cube: CameraCube, config: Config) -> CameraImage:
    """Combine the selected frames of a registered cube."""
    settings = config.coadd
    # A planet's disc has no PSF to centre on.
    recenter = settings.recenter and config.align.align and not config.planetary
    image = cube.coadd(
        settings.method,
        config.align.crop_width,
        pad=False,
        recenter=settings.recenter_method if recenter else None,
    )
    level = halo_level(image.data)
    if coadd_is_biased(image.header, settings.method, level):
        log.warning(
            "this coadd method is biased for so few photons a frame: use mean",
            file=Path(cube.source.paths[0]).name, method=settings.method,
            electrons_per_frame=round(level * image.header["EXPTIME"], 3),
        )  # fmt: skip
    if config.align.reproject and image.header["U_CAMERA"] == 2:
        image = reproject(image, camera_1(image.header))
    if config.align.pad:
        image = pad_to_diagonal(image)
    return calibrated_flux(image, cube, config)


def calibrated_flux(image: CameraImage, cube: CameraCube, config: Config) -> CameraImage:
    """Image in the unit of the configuration."""
    calibration = flux_calibration(image.header, cube, config)
    header = image.header.copy()
    header.update(calibration.cards)
    return replace(image, header=header).in_unit(calibration.scale)


def flux_calibration(header: fits.Header, cube: CameraCube, config: Config) -> Calibration:
    """Factors from e-/s to the unit of the configuration, for the selected frames of a cube."""
    source = flux_source(config)
    rates = None
    if config.specphot.unit != "e-/s" and not config.planetary:
        try:
            rates = star_rates(cube.measured, cube.selected, config.specphot.flux_metric)
        except MeasurementError:
            if source.needs_star:
                raise  # zero points do without; then the cards of the star are missing
    calibration = calibrate_flux(header, cube.fields, rates, source)
    if calibration.doubts:
        log.warning("flux scale in doubt", file=cube.source.paths[0].name,
                    why="; ".join(calibration.doubts))  # fmt: skip
    return calibration


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
