"""The task graph: what to make, from what, and when it is out of date.

``from vampires.tasks import *`` in a ``dodo.py`` is a whole reduction. The generators are
imported only then: every doit command, in any folder, passes through this package to reach
the state database.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "task_files": "files",
    "task_setup": "files",
    "task_normalize": "normalize",
    "task_background": "calib",
    "task_flat": "calib",
    "task_flat_check": "calib",
    "task_calib": "calib",
    "task_unusable": "calib",
    "task_left_out": "calib",
    "task_psf": "measure",
    "task_centroids": "measure",
    "task_metrics": "measure",
    "task_combined": "intermediate",
    "task_calibrated": "intermediate",
    "task_selected": "intermediate",
    "task_aligned": "intermediate",
    "task_ladder": "ladder",
    "task_coadd": "images",
    "task_coadd_table": "images",
    "task_mueller": "polarimetry",
    "task_stokes": "polarimetry",
    "task_pdi": "polarimetry",
    "task_adi": "adi",
    "task_adi_image": "adi",
    "task_contrast": "contrast",
    "task_diff": "differences",
    "task_pictures": "pictures",
    "task_report": "report",
    "DOIT_CONFIG": "settings",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if not name.startswith("task_"):
        return value
    return import_module(f"{__name__}.away").without_raw(value)
