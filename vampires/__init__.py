"""Reduction of SCExAO/VAMPIRES data: raw cubes to calibrated, polarimetric science products.

The classes an observer works with are importable from here; each is loaded when first used,
so that ``import vampires`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vampires.calibration.set import CalibrationSet
    from vampires.config import Config, load_config
    from vampires.cube import CameraCube
    from vampires.images.image import CameraImage
    from vampires.measure.metrics import FrameMetrics
    from vampires.mueller.model import MuellerModel
    from vampires.observation import Observation
    from vampires.polarimetry.stokes import StokesFrame

from vampires.version import __version__

_HOMES = {
    "CalibrationSet": "vampires.calibration.set",
    "CameraCube": "vampires.cube",
    "CameraImage": "vampires.images.image",
    "Config": "vampires.config",
    "FrameMetrics": "vampires.measure.metrics",
    "MuellerModel": "vampires.mueller.model",
    "Observation": "vampires.observation",
    "StokesFrame": "vampires.polarimetry.stokes",
    "load_config": "vampires.config",
}

__all__ = [
    "CalibrationSet",
    "CameraCube",
    "CameraImage",
    "Config",
    "FrameMetrics",
    "MuellerModel",
    "Observation",
    "StokesFrame",
    "__version__",
    "load_config",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
