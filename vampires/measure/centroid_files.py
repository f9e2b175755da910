"""Rough centroids on disk: TOML to edit, regions for DS9, a picture to look at.

All three count pixels as DS9 shows them: 1-based, x before y, in the calibrated orientation.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from vampires.errors import FileError
from vampires.io.atomic import atomic_path
from vampires.io.paths import region_paths
from vampires.kernels.despike import sample
from vampires.measure.star import RoughCentroid
from vampires.utils.robust import robust_std
from vampires.utils.toml import toml_document, toml_number, toml_table

__all__ = [
    "draw_centroids",
    "format_centroids",
    "format_regions",
    "name_mark",
    "read_centroids",
    "write_regions",
]

_SHOWN = 840  # pixels of a picture

_HEADER = """\
Rough centroids of camera {camera}: where to look for the star in every frame.
Pixels as DS9 shows them: [x, y], 1-based, of the frames in calibrated orientation.
Edit freely: a file that was edited is never overwritten.
"""


def format_centroids(camera: int, fields: Mapping[str, RoughCentroid]) -> str:
    r"""Text of a centroid file.

    Parameters
    ----------
    camera : int
        1 or 2.
    fields : mapping of str to RoughCentroid
        By filter.

    Returns
    -------
    str
        TOML.

    Examples
    --------
    >>> print(format_centroids(1, {"750-50": RoughCentroid((79.5, 81.25))}).split("\n", 3)[3])
    camera = 1
    <BLANKLINE>
    [fields."750-50"]
    star = [82.250, 80.500]
    <BLANKLINE>
    """
    import tomlkit  # written seldom

    document = toml_document(*_HEADER.format(camera=camera).splitlines())
    document.add("camera", tomlkit.item(camera))
    for name, centroid in fields.items():
        entry = toml_table(document, "fields", name)
        entry.add("star", tomlkit.value(_pair(centroid.star)))
        if centroid.spots:
            spots = tomlkit.array()
            spots.extend([tomlkit.value(_pair(spot)) for spot in centroid.spots])
            entry.add("spots", spots.multiline(True))
        if centroid.radius is not None:
            entry.add("radius", toml_number(f"{centroid.radius:.3f}"))
        if centroid.peak is not None:
            note = "e-/s, to tell a file without the star"
            entry.add("peak", toml_number(f"{centroid.peak:.6g}", note))
    return tomlkit.dumps(document)


def read_centroids(
    path: str | Path, camera: int | None = None, mirror: int | None = None
) -> dict[str, RoughCentroid]:
    """Read a centroid file, of this package or of the public pipeline.

    Parameters
    ----------
    path : str or Path
        Text from `format_centroids`, or written by hand.
    camera : int, optional
        The camera it must be for.
    mirror : int, optional
        Height of its raw frames if they are turned upside down when calibrated. Files of the
        public pipeline (``"750-50" = [[x, y]]``) count pixels of the raw frame.

    Returns
    -------
    dict of str to RoughCentroid
        By filter; 0-based (y, x), calibrated orientation.

    Raises
    ------
    FileError
        When the file is missing or is not what it should be; the message names the key.
    """
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: not a centroid file: {error}") from error
    if camera is not None and table.get("camera", camera) != camera:
        raise FileError(f"{path}: camera = {table['camera']}, expected {camera}")
    if table and all(isinstance(entry, list) for entry in table.values()):
        raw = {name: _public(path, name, entry) for name, entry in table.items()}
        if mirror is None:
            return raw
        return {name: one.mirrored(mirror) for name, one in raw.items()}
    fields = table.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise FileError(f'{path}: no field; expected [fields."750-50"] with star = [x, y]')
    return {name: _centroid(path, name, entry) for name, entry in fields.items()}


def format_regions(
    fields: Mapping[str, RoughCentroid], radius: float = 8.0, mirror: int | None = None
) -> str:
    """Text of a DS9 region file: a circle for the star, a box for each satellite spot.

    Parameters
    ----------
    fields : mapping of str to RoughCentroid
        By filter, calibrated orientation.
    radius : float
        Of the circles, pixels, where the object has no size of its own.
    mirror : int, optional
        Height of the frames, for regions on frames that are upside down.

    Returns
    -------
    str
    """
    lines = ["# Region file format: DS9 version 4.1", "global color=green", "image"]
    for name, calibrated in fields.items():
        centroid = calibrated if mirror is None else calibrated.mirrored(mirror)
        x, y = _one_based(centroid.star)
        size = radius if centroid.radius is None else centroid.radius
        lines.append(f"circle({x:.3f},{y:.3f},{size:.3f}) # text={{{name}}}")
        for spot in centroid.spots:
            x, y = _one_based(spot)
            lines.append(f"box({x:.3f},{y:.3f},{2 * radius:.3f},{2 * radius:.3f},0)")
    return "\n".join(lines) + "\n"


def write_regions(path: Path, fields: Mapping[str, RoughCentroid], mirror: int | None) -> None:
    """Write the region files that belong to a centroid file.

    Parameters
    ----------
    path : Path
        The centroid file.
    fields : mapping of str to RoughCentroid
        By filter, calibrated orientation.
    mirror : int or None
        Height of the raw frames if they are turned upside down when calibrated.
    """
    for target, height in zip(region_paths(path), (mirror, None), strict=True):
        with atomic_path(target) as temporary:
            temporary.write_text(format_regions(fields, mirror=height), encoding="utf-8")


def draw_centroids(
    image: ArrayLike, fields: Mapping[str, RoughCentroid], title: str, radius: float = 8.0
) -> Figure:
    """Picture of the mean image with what was found marked.

    Parameters
    ----------
    image : array_like (ny, nx)
        Mean image in the calibrated orientation.
    fields : mapping of str to RoughCentroid
        By filter.
    title : str
        Title of the picture.
    radius : float
        Of the marks, pixels.

    Returns
    -------
    matplotlib.figure.Figure
        Stretched by asinh, linear within five sigma of the sky; axes 1-based as in DS9.
    """
    from matplotlib.colors import AsinhNorm
    from matplotlib.patches import Circle

    image = np.asarray(image, dtype=float)
    ny, nx = image.shape
    some = sample(image)
    known = some[np.isfinite(some)]
    sky = float(np.median(known)) if known.size else 0.0
    sigma = robust_std(known, sky) if known.size else 0.0
    step = -(-max(ny, nx) // _SHOWN)
    image = _brightest(image, step)
    top = float(np.nanmax(image)) if np.isfinite(image).any() else 1.0
    linear = max(5 * sigma, 1e-6 * abs(top - sky), 1e-12)
    height = 7 * min(max(ny / nx, 0.4), 1.5)  # inch, as are the margins
    figure = Figure(figsize=(7, height))
    axes = figure.add_axes((0.7 / 7, 0.5 / height, 6.2 / 7, 1 - 0.9 / height))
    norm = AsinhNorm(linear, -linear, max(top - sky, 2 * linear))
    extent = (0.5, 0.5 + step * image.shape[1], 0.5, 0.5 + step * image.shape[0])
    axes.set_facecolor("0.45")  # pixels without a value
    axes.imshow(image - sky, origin="lower", cmap="gray", norm=norm, extent=extent)
    axes.set(xlim=(0.5, nx + 0.5), ylim=(0.5, ny + 0.5))  # the last blocks may reach further
    for name, centroid in fields.items():
        x, y = _one_based(centroid.star)
        size = radius if centroid.radius is None else centroid.radius
        axes.add_patch(Circle((x, y), size, fill=False, color="tab:red"))
        name_mark(axes, name, (x, y + size))
        for spot in centroid.spots:
            axes.add_patch(Circle(_one_based(spot), radius, fill=False, color="tab:cyan"))
    axes.set_title(title, y=1.0)  # else matplotlib measures all labels to find it a place
    axes.set(xlabel="x [pixel, 1-based]", ylabel="y [pixel, 1-based]")
    return figure


def _brightest(image: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Brightest pixel of each block of `step` by `step`: fewer pixels, and no star lost.

    Blocks without a valid pixel are NaN.
    """
    if step == 1:
        return image
    rows, columns = (-(-side // step) * step for side in image.shape)
    whole = np.full((rows, columns), np.nan)
    whole[: image.shape[0], : image.shape[1]] = image
    return np.fmax.reduce(whole.reshape(rows // step, step, columns // step, step), axis=(1, 3))


def _one_based(place: Sequence[float]) -> tuple[float, float]:
    return place[1] + 1, place[0] + 1


def _pair(place: Sequence[float]) -> str:
    x, y = _one_based(place)
    return f"[{x:.3f}, {y:.3f}]"


def _centroid(path: str | Path, name: str, entry: Any) -> RoughCentroid:
    where = f'{path}: [fields."{name}"]'
    if not isinstance(entry, dict):
        raise FileError(f"{where} is no table; expected star = [x, y]")
    unknown = sorted(set(entry) - {"star", "spots", "radius", "peak"})
    if unknown:
        raise FileError(f"{where} {unknown[0]}: unknown; known are star, spots, radius, peak")
    spots = entry.get("spots", [])
    if not isinstance(spots, list) or len(spots) not in (0, 4):
        raise FileError(f"{where} spots = {spots!r}: expected four pairs [x, y]")
    places = tuple(_place(f"{where} spots", spot) for spot in spots)
    if "star" in entry:
        star = _place(f"{where} star", entry["star"])
    elif places:
        y, x = np.mean(places, axis=0)
        star = (float(y), float(x))
    else:
        raise FileError(f"{where} has neither star nor spots; expected star = [x, y]")
    radius = entry.get("radius")
    if radius is not None and not (_is_number(radius) and radius > 0):
        raise FileError(f"{where} radius = {radius!r}: expected a number of pixels above 0")
    peak = entry.get("peak")
    if peak is not None and not (_is_number(peak) and peak > 0):
        raise FileError(f"{where} peak = {peak!r}: expected a number of e-/s above 0")
    return RoughCentroid(star, places, *(None if v is None else float(v) for v in (radius, peak)))


def _public(path: str | Path, name: str, entry: list[Any]) -> RoughCentroid:
    """One field of a file of the public pipeline: the star, or four spots."""
    if len(entry) not in (1, 4):
        raise FileError(f'{path}: "{name}" has {len(entry)} pairs [x, y]: expected one, or four')
    places = tuple(_place(f'{path}: "{name}"', pair) for pair in entry)
    if len(places) == 1:
        return RoughCentroid(places[0])
    y, x = np.mean(places, axis=0)
    return RoughCentroid((float(y), float(x)), places)


def _place(where: str, pair: Any) -> tuple[float, float]:
    if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))):
        raise FileError(f"{where} = {pair!r}: expected [x, y], two numbers")
    x, y = pair
    return float(y) - 1, float(x) - 1


def _is_number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(value)


def centroids_of(
    path: Path, camera: int, fields: Sequence[str], mirror: int | None = None
) -> list[RoughCentroid]:
    """Read where in the fields of one camera to look: the star, or the four spots.

    Parameters
    ----------
    path : Path
        Centroid file of the camera.
    camera : int
        1 or 2.
    fields : sequence of str
        Looked up by name; a single field of another filter takes the only entry of the file.
    mirror : int, optional
        As in `read_centroids`.

    Returns
    -------
    list of RoughCentroid
        One per field.

    Raises
    ------
    FileError
        The file lacks a field.
    """
    return places_of(read_centroids(path, camera, mirror), fields, str(path))


def places_of(
    entries: Mapping[str, RoughCentroid], fields: Sequence[str], source: str = "centroids"
) -> list[RoughCentroid]:
    """Choose those of the fields of an image; see `centroids_of`."""
    if len(fields) == 1 and len(entries) == 1:
        return list(entries.values())
    missing = [name for name in fields if name not in entries]
    if missing:
        raise FileError(
            f"{source}: no [fields.{missing[0]!r}]; found {', '.join(entries)}: add it, or delete "
            "the file to have it made anew"
        )
    return [entries[name] for name in fields]


def name_mark(axes: Axes, name: str, top: tuple[float, float]) -> None:
    """Write a name above a mark, readable on dark and on bright sky.

    Parameters
    ----------
    axes : Axes
    name : str
    top : (float, float)
        Upper end of the mark (x, y).
    """
    from matplotlib.patheffects import withStroke

    axes.annotate(
        name, top, (0, 3), textcoords="offset points", ha="center", va="bottom",
        color="#ff8a80", path_effects=[withStroke(linewidth=2.5, foreground="black")],
    )  # fmt: skip
