"""Where the fields of a multiband detector lie, in the calibrated orientation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.instrument.fields import raw_field_centers


def field_centers(header: Header, ny: int, nx: int) -> dict[str, tuple[float, float]]:
    """(y, x) of each field's centre, 0-based, in the calibrated orientation.

    One-field data have one entry, named by the filter, at the frame's centre.

    Parameters
    ----------
    header : Header
        Canonical header.
    ny, nx : int
        Size of the frame.

    Returns
    -------
    dict of str to (float, float)
        In the order of wavelength.
    """
    if header.filter not in {"MBI", "MBIR"}:
        return {header.filter: ((ny - 1) / 2, (nx - 1) / 2)}
    centers = raw_field_centers(header, ny, nx)
    if header.flip:
        centers = {name: (ny - 1 - y, x) for name, (y, x) in centers.items()}
    return {name: centers[name] for name in sorted(centers)}


def field_index(fields: Sequence[str], name: str | None = None) -> int:
    """Place of a field among those of an image.

    Parameters
    ----------
    fields : sequence of str
        Names of the image's fields.
    name : str, optional
        Default: the first field.

    Raises
    ------
    FileError
        The image has no such field.

    Examples
    --------
    >>> field_index(("F670", "F720"), "F720")
    1
    """
    if name is None:
        return 0
    if name not in fields:
        raise FileError(f"there is no field {name!r}: the image has {', '.join(fields)}")
    return fields.index(name)


def field_size(centers: np.ndarray, ny: int, nx: int, width: int) -> tuple[int, int]:
    """Size (ny, nx) of a cut-out that stays within its own field.

    Parameters
    ----------
    centers : ndarray, shape (nfields, 2)
        (y, x) of each field.
    ny, nx : int
        Size of the frame.
    width : int
        Largest side wanted, pixels.

    Returns
    -------
    (int, int)
        At most ``width``, at most the frame, and at most the distance between neighbouring
        fields, along the axis on which they are apart.
    """
    if len(centers) == 1:
        return min(width, ny), min(width, nx)
    apart = np.abs(centers[:, None] - centers[None]).max(axis=-1)
    nearest = int(apart[~np.eye(len(centers), dtype=bool)].min())
    side = min(width, ny, nx, nearest)
    return side, side
