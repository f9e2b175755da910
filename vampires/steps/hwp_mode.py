"""Whether the half-wave plate followed the pupil, decided for all images of a night."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from vampires.canonical import Header
from vampires.config import Config
from vampires.images.image import CameraImage
from vampires.instrument.fields import field_names
from vampires.log import get_logger
from vampires.mueller.model import MuellerModel
from vampires.polarimetry.hwp_mode import HwpMode, mode_of_headers, mode_of_star
from vampires.polarimetry.standards import StarExposure
from vampires.polarimetry.star_images import star_exposures
from vampires.steps.settings import polarimetry_settings
from vampires.steps.stokes import light_path

log = get_logger(__name__)


def mode_of_night(
    headers: Sequence[Header], images: Callable[[], Iterable[CameraImage]], config: Config
) -> HwpMode:
    """Mode of the half-wave plate: what headers state, else the star's evidence.

    Parameters
    ----------
    headers : sequence of Header
        Of all coadds.
    images : callable
        Gives the coadds; called only where the headers do not state the mode.
    config : Config
    """
    settings = polarimetry_settings(config)
    _warn_of_doubts(headers, config)
    stated = mode_of_headers(headers, settings.hwp_adi_sync)
    if stated is not None:
        return stated
    radius2 = settings.ip_radius2 if settings.ip_method == "annulus" else None
    exposures: list[StarExposure] = []
    models: dict[str, MuellerModel] = {}
    for image in images():
        exposures += star_exposures(image.in_rate(), settings.ip_radius, radius2)
        if not set(image.fields) <= set(models):
            own = light_path(image.header, image.fields, config)
            models |= dict(zip(image.fields, own, strict=True))
    return mode_of_star(exposures, models, settings.hwp_adi_sync)


def _warn_of_doubts(headers: Sequence[Header], config: Config) -> None:
    """Warn once a night of what speaks against the tabulated light path."""
    for header in {header.filter: header for header in headers}.values():
        for model in light_path(header, field_names(header.filter), config):
            if model.doubt:
                log.warning(
                    "the polarisation response is doubtful; fit your own by doit mueller_fit",
                    filter=model.name, reason=model.doubt,
                )  # fmt: skip


def decided(config: Config, mode: HwpMode) -> Config:
    """Return the configuration with the mode in the place of ``"auto"``."""
    settings = replace(polarimetry_settings(config), hwp_adi_sync=mode.synchronised)
    return replace(config, polarimetry=settings)
