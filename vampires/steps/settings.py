"""Settings that a step cannot do without; only the standard library is imported."""

from __future__ import annotations

from vampires.config import Config, PolarimetrySettings
from vampires.errors import PolarimetryError


def polarimetry_settings(config: Config) -> PolarimetrySettings:
    """The [polarimetry] table, in steps that exist only with it."""
    if config.polarimetry is None:
        raise PolarimetryError(f"{config.path}: no [polarimetry] table; add it")
    return config.polarimetry
