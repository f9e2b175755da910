"""Images by angular differential imaging, of coadds in memory."""

from __future__ import annotations

from vampires.config import AdiSettings, Config
from vampires.errors import ConfigError
from vampires.flux.adi_image import AdiImage, adi_images
from vampires.images.adi import AdiStack
from vampires.instrument.field_stops import is_unocculted


def adi_settings(config: Config) -> AdiSettings:
    """The [adi] table, in steps that exist only with it."""
    if config.adi is None:
        raise ConfigError(f"{config.path}: no [adi] table; add it")
    return config.adi


def images_of_stack(
    stack: AdiStack, config: Config, reference: AdiStack | None = None
) -> list[AdiImage]:
    """Image of each field, and of multiband data one of all fields, as the configuration wants.

    Parameters
    ----------
    stack : AdiStack
        Frames of the target.
    config : Config
        Settings.
    reference : AdiStack, optional
        Frames of the reference star, where ``[adi] reference`` names one.

    Raises
    ------
    ConfigError
        There is no [adi] table, a reference is named and not given, or vip_hci is not installed.
    """
    settings = adi_settings(config)
    if settings.reference is not None and reference is None:
        raise ConfigError(f'[adi] reference = "{settings.reference}": its frames were not given')
    covered = config.coronagraphic and not is_unocculted(stack.header.field_stop)
    return adi_images(stack, settings, reference, covered=covered)
