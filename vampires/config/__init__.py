"""The configuration of a reduction: one TOML file, every key declared once.

`load_config` reads and validates a file, `Config` holds the result, `find_config` chooses the
file of a reduction directory. Only the standard library is imported here: a configuration is
read each time doit starts.
"""

from vampires.config.load import ENVIRONMENT, config_from_dict, find_config, load_config
from vampires.config.model import GENERAL, Config
from vampires.config.schema import (
    SECTIONS,
    AdiSettings,
    AlignSettings,
    AnalysisSettings,
    CalibrateSettings,
    CoaddSettings,
    CombineSettings,
    ContrastSettings,
    DataSettings,
    DiffImagesSettings,
    ExecutionSettings,
    FrameSelectSettings,
    NrmSettings,
    PolarimetrySettings,
    SpecphotSettings,
    TargetSettings,
)

__all__ = [
    "ENVIRONMENT",
    "GENERAL",
    "SECTIONS",
    "AdiSettings",
    "AlignSettings",
    "AnalysisSettings",
    "CalibrateSettings",
    "CoaddSettings",
    "CombineSettings",
    "Config",
    "ContrastSettings",
    "DataSettings",
    "DiffImagesSettings",
    "ExecutionSettings",
    "FrameSelectSettings",
    "NrmSettings",
    "PolarimetrySettings",
    "SpecphotSettings",
    "TargetSettings",
    "config_from_dict",
    "find_config",
    "load_config",
]
