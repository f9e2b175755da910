"""What became of each key of the public pipeline's earlier configs (vampires_dpp 0.5 to 0.13).

Facts of its version history: 0.7 renamed polarimetry methods and inverted ``derotate_pa`` into
``adi_sync``; 0.8 turned master darks into backgrounds; 0.9 to 0.13 renamed collapse to coadd and
register to align, and split selection and combination out of them. A key says by itself which
version it is from, so rules apply whatever version the file claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

Assignment = tuple[str, str, Any]
"""Table, key and value of the new config."""


@dataclass(frozen=True)
class Rule:
    """Where an old key goes.

    Attributes
    ----------
    table, key : str
        New place; an empty key: nowhere.
    values : mapping
        Old value -> new value; what is not in it stays.
    also : mapping
        Old value -> further assignments it implies.
    invert : bool
        Whether true became false.
    why_dropped : str
        Why it goes nowhere.
    """

    table: str = ""
    key: str = ""
    values: Mapping[Any, Any] = field(default_factory=dict)
    also: Mapping[Any, tuple[Assignment, ...]] = field(default_factory=dict)
    invert: bool = False
    why_dropped: str = ""


def _dropped(why: str) -> Rule:
    return Rule(why_dropped=why)


_FIT: tuple[Assignment, ...] = (("analysis", "fit_psf_model", True),)
_POSITION = {
    **dict.fromkeys(("gauss", "gaussian", "moffat", "airydisk", "psf"), "model"),
    "centroid": "com",
}
_POSITION_NEEDS = dict.fromkeys(("gauss", "gaussian", "moffat", "airydisk", "psf", "model"), _FIT)
_NO_FACTOR = _dropped("the sub-pixel position is always found to 1/100 px and better")
_FROM_HEADERS = _dropped("found from the headers")
_FROM_IMAGES = _dropped("the satellite spots are found in the images")
_FOLDERS = _dropped("every product has its fixed place beside the config")
_FORCE = _dropped("`doit forget TASK` and `doit` force a step")
_ALWAYS = _dropped("always made")
_METRICS = ("max", "peak", "l2norm", "normvar", "strehl")
_SELECT: tuple[Assignment, ...] = (("frame_select", "frame_select", True),)
_NO_DISTORTION = _dropped("no distortion correction is made")
_MOFFAT = {"gaussian": "moffat", "airydisk": "moffat"}

TABLES = {
    "coordinate": "target",
    "object": "target",
    "collapse": "coadd",
    "register": "align",
    "coregister": "align",
    "diff": "diff_images",
}
"""Tables that only changed their name."""

PRESENCE: dict[str, tuple[Assignment, ...]] = {
    "coronagraph": (("", "coronagraphic", True),),
    "satspot": (("", "coronagraphic", True),),
    "satspots": (("", "coronagraphic", True),),
    "diff": (("diff_images", "make_diff", True),),
    "polarimetry.ip": (("polarimetry", "ip_correct", True),),
    "analysis.photometry": (("analysis", "photometry", True),),
}
"""What the mere presence of an old table meant, unless the file says otherwise."""

PRESENCE_BEFORE_0_11: dict[str, tuple[Assignment, ...]] = {"frame_select": _SELECT}
"""The same for tables that later got a switch of their own."""

ANYWHERE: dict[str, Rule] = {"output_directory": _FOLDERS, "force": _FORCE}
"""Keys that could stand in any table."""

RULES: dict[tuple[str, str], Rule] = {
    ("", "version"): _dropped("this config is now the present version's"),
    ("", "dpp_version"): _dropped("this config is now the present version's"),
    ("", "directory"): _FOLDERS,
    ("", "filenames"): Rule("data", "raw"),
    ("", "target"): Rule("target", "name"),
    ("", "use_satspots"): Rule("", "coronagraphic"),
    ("", "make_diff_images"): Rule("diff_images", "make_diff"),
    ("", "frame_centers"): _dropped(
        "rough centres are found automatically; `doit centroid` writes them to "
        "aux/*_centroids_cam*.toml, to be edited, with a picture"
    ),
    ("coordinate", "object"): Rule("target", "name"),
    ("object", "object"): Rule("target", "name"),
    ("coronagraph", "iwa"): _dropped("not needed"),
    ("products", "adi_cubes"): Rule("", "save_adi_cubes"),
    ("products", "header_table"): _ALWAYS,
    ("products", "pdi_cubes"): _ALWAYS,
    ("calibrate", "deinterleave"): _FROM_HEADERS,
    ("calibrate", "distortion_file"): _NO_DISTORTION,
    ("calibrate", "reproject"): Rule("align", "reproject"),
    ("frame_select", "window_size"): Rule("analysis", "window_size"),
    ("frame_select", "q"): Rule("frame_select", "cutoff"),
    ("register", "method"): Rule("align", "method", _POSITION, _POSITION_NEEDS),
    ("coregister", "method"): Rule("align", "method", _POSITION, _POSITION_NEEDS),
    ("register", "window_size"): Rule("analysis", "window_size"),
    ("coregister", "window_size"): Rule("analysis", "window_size"),
    ("register", "dft_factor"): _NO_FACTOR,
    ("register", "dft_ref"): _dropped("the reference is always the synthetic PSF"),
    ("register", "smooth"): _dropped("frames are not smoothed before they are measured"),
    ("register", "smooth_kernel"): _dropped("frames are not smoothed before they are measured"),
    ("align", "dft_factor"): _NO_FACTOR,
    ("collapse", "frame_select"): Rule(
        "frame_select",
        "metric",
        also=dict.fromkeys(_METRICS, _SELECT),
    ),
    ("collapse", "select_cutoff"): Rule("frame_select", "cutoff"),
    ("collapse", "centroid"): Rule("align", "method", _POSITION, _POSITION_NEEDS),
    ("collapse", "recenter"): Rule(
        "coadd",
        "recenter",
        dict.fromkeys(("com", "peak", "gauss", "dft"), True),
        {
            "com": (("coadd", "recenter_method", "com"),),
            "peak": (("coadd", "recenter_method", "peak"),),
            "dft": (("coadd", "recenter_method", "dft"),),
            "gauss": (("coadd", "recenter_method", "model"), *_FIT),
        },
    ),
    ("coadd", "recenter_dft_factor"): _NO_FACTOR,
    ("analysis", "fit_psf"): Rule("analysis", "fit_psf_model"),
    ("analysis", "fit_model"): Rule("analysis", "fit_psf_model"),
    ("analysis", "model"): Rule("analysis", "psf_model", _MOFFAT),
    ("analysis", "psf_model"): Rule("analysis", "psf_model", _MOFFAT),
    ("analysis", "recenter"): Rule("coadd", "recenter"),
    ("analysis", "subtract_radprof"): _dropped("no radial profile is subtracted"),
    ("analysis", "dft_factor"): _NO_FACTOR,
    ("analysis", "aper_rad"): Rule("analysis", "phot_aper_rad", {"auto": 8.0}),
    ("analysis", "phot_aper_rad"): Rule("analysis", "phot_aper_rad", {"auto": 8.0}),
    ("analysis", "ann_rad"): Rule("analysis", "phot_ann_rad"),
    ("analysis.photometry", "aper_rad"): Rule("analysis", "phot_aper_rad"),
    ("analysis.photometry", "ann_rad"): Rule("analysis", "phot_ann_rad"),
    ("diff_images", "method"): Rule(
        "diff_images", "save_double", {"doublediff": True, "singlediff": False}
    ),
    ("diff_images", "save_single"): _dropped("single differences are always kept"),
    ("diff_images", "save_triple"): _dropped("triple differences are the polarimetry's"),
    ("polarimetry", "method"): Rule(
        "polarimetry", "method", {"difference": "triplediff", "mueller": "leastsq"}
    ),
    ("polarimetry", "order"): _FROM_HEADERS,
    ("polarimetry", "N_per_hwp"): _FROM_HEADERS,
    ("polarimetry", "adi_sync"): Rule("polarimetry", "hwp_adi_sync"),
    ("polarimetry", "derotate_pa"): Rule("polarimetry", "hwp_adi_sync", invert=True),
    ("polarimetry", "mm_method"): Rule(
        "polarimetry", "use_ideal_mm", {"calibrated": False, "ideal": True}
    ),
    ("polarimetry", "ip_method"): Rule(
        "polarimetry",
        "ip_method",
        {"satspots": "aperture"},
        {"satspots": (("polarimetry", "ip_correct", False),)},
    ),
    ("polarimetry", "planetary"): Rule(
        "polarimetry", "cyl_stokes", {True: "radial", False: "azimuthal"}
    ),
    ("polarimetry.ip", "method"): Rule(
        "polarimetry",
        "ip_method",
        {"photometry": "aperture", "satspots": "aperture"},
        {"satspots": (("polarimetry", "ip_correct", False),)},
    ),
    ("polarimetry.ip", "aper_rad"): Rule("polarimetry", "ip_radius"),
    ("polarimetry", "mask_satspots"): _dropped("spots are not masked in Stokes images"),
}
"""Old table and key -> what became of it; what is not here keeps its name."""

DROPPED_TABLES = {
    "satspot": _FROM_IMAGES,
    "satspots": _FROM_IMAGES,
    "fields": _FROM_HEADERS,
    "frame_centers": RULES["", "frame_centers"],
    "calibrate.distortion": _NO_DISTORTION,
    "calibrate.satspot_reference": _FROM_IMAGES,
}
"""Tables (or inline tables) none of whose keys go anywhere."""

ON_BY_DEFAULT = {
    "calibrate": '"back_subtract", "flat_correct" and "fix_bad_pixels" of [calibrate]',
    "register": "[align] align",
    "collapse": "[coadd] coadd",
}
"""Up to 0.8 a step without a table was left out; here it is done unless these say no."""

MASTERS = ("master_darks", "master_backgrounds", "master_flats")
"""Keys of [calibrate] that named master files per camera."""


def masters_folder(paths: list[str]) -> str | None:
    """Return the one folder all master files are in, None if there is no such folder."""
    folders = {str(PurePath(path).parent) for path in paths}
    return folders.pop() if len(folders) == 1 else None
