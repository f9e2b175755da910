"""Find the fields of a multiband flat, to normalise each by itself.

Each dichroic field is a rectangle on the detector, turned a little, with more or less soft
edges; its size is not assumed. The header says only roughly where it is (the hotspot).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vampires.calibration.badpixels import Mask, Plane
from vampires.errors import CalibrationError
from vampires.utils.robust import robust_std

MAX_ROTATION = 10.0
"""Degrees; a field turned by more has not been found."""

MAX_SKEW = 4.0
"""Degrees by which the edges of one field may depart from parallel and perpendicular."""

MAX_EDGE_SCATTER = 2.0
"""Pixels rms about a straight line beyond which an edge is no edge."""

MIN_SIDE = 16.0
"""Pixels; anything smaller is no field."""

_EDGE = 0.5  # the edge is where the light falls to this fraction of the field's level
_NO_EDGE = 0.75  # light beyond the last pixel that means that there is no edge


@dataclass(frozen=True)
class FieldBox:
    """A field found in a flat; raw orientation, 0-based pixels.

    Parameters
    ----------
    y, x : float
        Centre of the rectangle.
    height, width : float
        Sides, pixels, between the half-level points.
    angle : float
        Rotation of the rectangle, degrees from x towards y.
    level : float
        Median signal inside, adu.
    """

    y: float
    x: float
    height: float
    width: float
    angle: float
    level: float


@dataclass(frozen=True)
class _Line:
    """An edge ``across = offset + slope * along``; `open` where the frame cuts the field."""

    offset: float
    slope: float
    open: bool

    def at(self, along: float) -> float:
        return self.offset + self.slope * along


def cells(centers: Mapping[str, tuple[float, float]], shape: tuple[int, int]) -> NDArray[np.int8]:
    """Tell for every pixel which field is nearest.

    Parameters
    ----------
    centers : mapping of str to (float, float)
        (y, x) of each field.
    shape : tuple of int
        Size (ny, nx) of the frame.

    Returns
    -------
    ndarray of int, shape (ny, nx)
        Index into the mapping's order.
    """
    y, x = np.ogrid[: shape[0], : shape[1]]
    nearest, least = np.zeros(shape, np.int8), np.full(shape, np.inf, np.float32)
    for index, (cy, cx) in enumerate(centers.values()):
        squares = np.float32((y - cy) ** 2) + np.float32((x - cx) ** 2)
        nearest[squares < least] = index
        np.minimum(least, squares, out=least)
    return nearest


def find_fields(smooth: Plane, centers: Mapping[str, tuple[float, float]]) -> dict[str, FieldBox]:
    """Find each field near where the header puts it.

    Parameters
    ----------
    smooth : ndarray, shape (ny, nx)
        Local median of the background-subtracted flat.
    centers : mapping of str to (float, float)
        Rough (y, x) of each field, raw orientation, 0-based.

    Returns
    -------
    dict of str to FieldBox

    Raises
    ------
    CalibrationError
        A field cannot be found; the message (without the file's name) says which and why.

    Examples
    --------
    >>> flat = np.zeros((80, 80), np.float32)
    >>> flat[10:70, 20:60] = 1000
    >>> box = find_fields(flat, {"F760": (40, 40)})["F760"]
    >>> round(box.height, 6), round(box.width, 6), abs(round(box.angle, 6))
    (60.0, 40.0, 0.0)
    """
    nearest = cells(centers, (smooth.shape[0], smooth.shape[1]))
    return {
        name: _find_field(smooth, nearest == index, name, center)
        for index, (name, center) in enumerate(centers.items())
    }


def _find_field(smooth: Plane, cell: Mask, name: str, center: tuple[float, float]) -> FieldBox:
    cy, cx = (round(value) for value in center)
    reach = 8
    around = smooth[max(cy - reach, 0) : cy + reach + 1, max(cx - reach, 0) : cx + reach + 1]
    level = float(np.median(around))
    labels, _ = ndimage.label((smooth > _EDGE * level) & cell)
    if level <= 0 or labels[cy, cx] == 0:
        raise CalibrationError(
            f"field {name} is dark where the header puts it (x {cx}, y {cy}, from 0)"
        )
    inside = labels == labels[cy, cx]
    level = float(np.median(smooth[inside]))
    left, right = _edges(smooth, inside, level, name)
    bottom, top = _edges(smooth.T, inside.T, level, name)
    slopes = [line.slope for line in (bottom, top) if not line.open]
    slopes += [-line.slope for line in (left, right) if not line.open]
    if not slopes:
        raise CalibrationError(f"field {name} fills the frame without an edge")
    if max(slopes) - min(slopes) > np.tan(np.radians(MAX_SKEW)):
        raise CalibrationError(f"field {name} has edges that do not make a rectangle")
    slope = float(np.median(slopes))
    y, x = _centre(left, right, bottom, top, center)
    cosine = float(np.cos(np.arctan(slope)))
    box = FieldBox(
        y=y, x=x, height=(top.at(x) - bottom.at(x)) * cosine,
        width=(right.at(y) - left.at(y)) * cosine,
        angle=float(np.degrees(np.arctan(slope))), level=level,
    )  # fmt: skip
    _check(box, name)
    return box


def _centre(
    left: _Line, right: _Line, bottom: _Line, top: _Line, start: tuple[float, float]
) -> tuple[float, float]:
    """Middle between opposite edges; they are nearly square, so a few turns settle it."""
    y, x = start
    for _ in range(5):
        x = (left.at(y) + right.at(y)) / 2
        y = (bottom.at(x) + top.at(x)) / 2
    return y, x


def _edges(smooth: Plane, inside: Mask, level: float, name: str) -> tuple[_Line, _Line]:
    """First and last edge along the second axis, away from the corners."""
    rows = np.flatnonzero(inside.any(axis=1))
    corner = len(rows) // 8
    rows = rows[corner : len(rows) - corner]
    first = np.argmax(inside[rows], axis=1)
    last = inside.shape[1] - 1 - np.argmax(inside[rows, ::-1], axis=1)
    if len(rows) < 4:
        raise CalibrationError(f"field {name} is only {len(rows)} pixels high where it should be")
    return (
        _fit_edge(smooth, rows, first, -1, level, name),
        _fit_edge(smooth, rows, last, 1, level, name),
    )


def _fit_edge(
    smooth: Plane, rows: NDArray[np.int64], pixel: NDArray[np.int64], outward: int, level: float,
    name: str,
) -> _Line:  # fmt: skip
    """Fit a line to the half-level points between the outermost lit pixels and the next ones."""
    border = 0 if outward < 0 else smooth.shape[1] - 1
    if np.mean(pixel == border) > 0.5:
        return _Line(border + 0.5 * outward, 0.0, open=True)
    within = pixel != border
    rows, pixel = rows[within], pixel[within]
    here = smooth[rows, pixel].astype(float)
    beyond = smooth[rows, pixel + outward].astype(float)
    if np.mean(beyond > _NO_EDGE * level) > 0.5:
        raise CalibrationError(f"field {name} runs into its neighbour without an edge")
    drop = np.maximum(here - beyond, 1e-6 * level)
    points = pixel + outward * np.clip((here - _EDGE * level) / drop, 0.0, 1.0)
    kept = np.ones(len(rows), dtype=bool)
    for _ in range(3):
        slope, offset = np.polyfit(rows[kept], points[kept], 1)
        residual = points - (offset + slope * rows)
        kept = np.abs(residual) <= 4 * max(robust_std(residual, 0.0), 0.1)
    scatter = float(np.sqrt(np.mean(residual[kept] ** 2)))
    if scatter > MAX_EDGE_SCATTER or kept.mean() < 0.5:
        raise CalibrationError(
            f"field {name} has no straight edge (rms {scatter:.1f} px about a line)"
        )
    return _Line(float(offset), float(slope), open=False)


def _check(box: FieldBox, name: str) -> None:
    if min(box.height, box.width) < MIN_SIDE:
        raise CalibrationError(
            f"field {name} is only {box.width:.0f} x {box.height:.0f} pixels large"
        )
    if abs(box.angle) > MAX_ROTATION:
        raise CalibrationError(f"field {name} is turned by {box.angle:.0f} deg, which is no field")
