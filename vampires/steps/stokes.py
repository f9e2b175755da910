"""From the images or cubes of one HWP set to its Stokes frame, and from these to the product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vampires.canonical import Header
from vampires.config import Config
from vampires.cube import CameraCube
from vampires.flux.ladder import Ladder
from vampires.images.image import CameraImage
from vampires.images.units import FluxScale
from vampires.mueller.model import MuellerModel, check_hwp_sync, models_for
from vampires.night.plan import target_of
from vampires.polarimetry.collapse import collapse
from vampires.polarimetry.inversion import reduce_set
from vampires.polarimetry.leastsq import invert
from vampires.polarimetry.stokes import StokesFrame
from vampires.polarimetry.streaming import reduce_cubes
from vampires.steps.images import NO_LADDER, flux_scale
from vampires.steps.settings import polarimetry_settings


def light_path(header: Header, fields: tuple[str, ...], config: Config) -> tuple[MuellerModel, ...]:
    """Model of each field as the configuration wants it."""
    settings = polarimetry_settings(config)
    if isinstance(settings.hwp_adi_sync, bool):
        check_hwp_sync([header], settings.hwp_adi_sync)
    table = config.resolve(settings.mueller_table) if settings.mueller_table else None
    models = models_for(
        fields, header.generation, ideal=settings.use_ideal_mm, table=table, mjd=header.mjd
    )
    return models if settings.mm_correct else tuple(model.idealised() for model in models)


def stokes_of_images(
    coadds: Sequence[CameraImage], models: Sequence[MuellerModel], config: Config
) -> StokesFrame:
    """Stokes frame of the coadds of one HWP set, in their unit.

    Differences are made of e-/s: images that were each scaled to the same star would lose its
    polarisation. The result has the scale of their mean.
    """
    settings = polarimetry_settings(config)
    scale = FluxScale.mean([image.scale for image in coadds])
    images = [image.in_rate() for image in coadds]
    # "auto" that nobody has decided: what the headers say
    stated = settings.hwp_adi_sync if isinstance(settings.hwp_adi_sync, bool) else None
    if settings.method == "leastsq":
        frame = invert(images, models, mm_correct=settings.mm_correct, hwp_sync=stated)
    else:
        frame = reduce_set(
            images, models, mm_correct=settings.mm_correct, hwp_sync=stated,
            turn=settings.derotate,
        )  # fmt: skip
    return _finished(frame, scale, config)


def stokes_of_cubes(
    cubes: Sequence[CameraCube], config: Config, ladder: Ladder = NO_LADDER
) -> StokesFrame:
    """Stokes frame of the registered cubes of one HWP set, subtracted frame by frame.

    Parameters
    ----------
    cubes : sequence of CameraCube
        Registered.
    config : Config
        Settings.
    ladder : Ladder
        What the unocculted frames of the night tell of the satellite spots.
    """
    models = light_path(cubes[0].header, cubes[0].fields, config)
    frame = reduce_cubes(
        cubes, models, polarimetry_settings(config), config.align, target_of(config)
    )
    scales = [flux_scale(cube, config, ladder) for cube in cubes]
    return _finished(frame, FluxScale.mean(scales), config)


def _finished(frame: StokesFrame, scale: FluxScale, config: Config) -> StokesFrame:
    """Subtract the residual polarisation where wanted, and bring to the unit wanted."""
    settings = polarimetry_settings(config)
    if settings.ip_correct:
        radius2 = settings.ip_radius2 if settings.ip_method == "annulus" else None
        frame = frame.subtract_ip(frame.polarisation(settings.ip_radius, radius2))
    return frame.with_convention(settings.cyl_stokes).in_unit(scale)


def product_of(frames: Iterable[StokesFrame], config: Config) -> StokesFrame:
    """Combine the Stokes frames of a night; all fields of multiband data are kept."""
    settings = polarimetry_settings(config)
    return collapse(frames, settings.collapse).with_convention(settings.cyl_stokes)
