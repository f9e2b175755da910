"""Stokes frames of a set made frame by frame, straight from the raw files, in bounded memory.

Every frame is calibrated, registered and derotated by its own angle; the cameras, FLC states and
HWP positions are subtracted frame by frame, and only then is anything combined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.config import AlignSettings, PolarimetrySettings
from vampires.cube import CameraCube
from vampires.errors import PolarimetryError
from vampires.images.image import CameraImage
from vampires.images.recenter import pad_to_diagonal
from vampires.log import get_logger
from vampires.night.sets import nominal_hwp
from vampires.polarimetry.collapse import collapse
from vampires.polarimetry.correction import Models
from vampires.polarimetry.inversion import reduce_frames
from vampires.polarimetry.stokes import StokesFrame
from vampires.sky.geometry import Target, add_geometry

log = get_logger(__name__)

# Angles that move during a file, and the number of instants they are computed for.
_MOVING = (
    Header.pa, Header.derotation, Header.altitude, Header.azimuth, Header.rotator,
    Header.hwp_sync_angle,
)  # fmt: skip
_INSTANTS = 5

# Of the memory, the share that blocks of frames may take; the rest is for Stokes frames.
_SHARE = 0.5


def reduce_cubes(
    cubes: Sequence[CameraCube],
    models: Models,
    settings: PolarimetrySettings | None = None,
    align: AlignSettings | None = None,
    target: Target | None = None,
) -> StokesFrame:
    """Make the Stokes frame of a set, subtracting frame by frame before combining.

    The k-th frames of all states make the k-th Stokes frame. Cameras stay in step: a frame that
    the selection dropped in one camera is dropped in the other too. States with more frames than
    the shortest leave their last ones out.

    Parameters
    ----------
    cubes : sequence of CameraCube
        All states of one set, registered; their `memory` bounds the whole.
    models : MuellerModel or sequence of them
        As in `vampires.polarimetry.inversion.reduce_set`.
    settings : PolarimetrySettings, optional
        ``mm_correct``, ``hwp_adi_sync`` and ``derotate`` as in `reduce_set`; ``collapse`` says how
        Stokes frames are combined, see `vampires.polarimetry.collapse.collapse`.
    align : AlignSettings, optional
        ``crop_width`` and ``pad`` as in `CameraCube.coadd`; there is no second registration.
    target : Target, optional
        Default: the coordinates in the headers.

    Returns
    -------
    StokesFrame
        `NSTREAM` in its header counts the Stokes frames; NCOADD and TINT are those used.

    Raises
    ------
    PolarimetryError
        If no frames remain in step, or a median would need more memory than allowed.
    """
    settings, align = settings or PolarimetrySettings(), align or AlignSettings()
    matched = _in_step(cubes)
    stacks = _by_state(matched)
    counts = [sum(int(cube.selected.sum()) for cube in stack) for stack in stacks]
    n = min(counts)
    if n == 0:
        raise PolarimetryError(
            f"{matched[0].source.paths[0].name}: no frames that all states of the set have; "
            "loosen [frame_select], or set [polarimetry] stream = false"
        )
    if max(counts) > n:
        log.warning("states of a set differ in frames; the last ones are left out", frames=counts)
    _check_memory(matched[0], align.crop_width, n, settings.collapse)
    share = int(matched[0].memory * _SHARE / len(matched))
    streams = [
        chain.from_iterable(
            aligned_images(replace(cube, memory=share), target, align.crop_width, align.pad)
            for cube in stack
        )
        for stack in stacks
    ]
    # "auto" that nobody has decided: what the headers say
    stated = settings.hwp_adi_sync if isinstance(settings.hwp_adi_sync, bool) else None
    frames = reduce_frames(
        streams, models, mm_correct=settings.mm_correct, hwp_sync=stated,
        turn=settings.derotate,
    )  # fmt: skip
    product = collapse(frames, settings.collapse)
    header = product.header.copy()
    header.drop(Header.nsets)
    header.put(nstream=n)
    return replace(product, header=header)


def aligned_images(
    cube: CameraCube, target: Target | None = None, crop_width: int = 536, pad: bool = True
) -> Iterator[CameraImage]:
    """Stream the selected, registered frames of a cube as images with angles of their own.

    Parameters
    ----------
    cube : CameraCube
        Registered.
    target : Target, optional
        Default: the coordinates in the header.
    crop_width, pad
        As in `CameraCube.coadd`.

    Yields
    ------
    CameraImage
        One per frame; the masters' errors are those of the frames' mean.
    """
    common = cube.coadd("mean", crop_width, pad=False, recenter=None)
    headers = frame_headers(cube, target)
    for _, data, variance in cube.aligned(crop_width):
        for plane, var in zip(data, variance, strict=True):
            header = next(headers)
            header.set(Header.master_pixels, common.header.master_pixels, "")
            image = replace(
                common,
                data=plane,
                variance=var,
                count=np.isfinite(plane).astype(np.int32),
                header=header,
            )
            yield pad_to_diagonal(image) if pad else image


def frame_headers(cube: CameraCube, target: Target | None = None) -> Iterator[Header]:
    """Header of each selected frame: its time, angles, and the open-shutter time of one frame.

    Angles are computed for a few instants of the cube and interpolated by a cubic spline.
    """
    base = cube.product_header("none")
    times = frame_times(cube)[cube.selected]
    half = base.exptime / 86400 / 2
    angles = _angles(base, target, times)
    for k, mjd in enumerate(times):
        header = base.copy()
        _set_times(header, mjd, half)
        header.update({Header.ncoadd.keyword: 1, Header.integration.keyword: base.exptime})
        header.update({key: float(values[k]) for key, values in angles.items()})
        yield header


def _set_times(header: Header, mjd: float, half: float = 0.0) -> None:
    """Set the middle, the start and the end, a half of the exposure away, of one frame."""
    facts = (Header.mjd, Header.mjd_start, Header.mjd_end)
    header.update(
        {
            fact.keyword: time
            for fact, time in zip(facts, (mjd, mjd - half, mjd + half), strict=True)
        }
    )


def frame_times(cube: CameraCube) -> NDArray[np.float64]:
    """Mid-exposure MJD of every frame of a cube; frames are evenly spread over their file."""
    source = cube.source
    spans = [(h.mjd_start, h.mjd_end, h.nframes) for h in cube.headers]
    start, end, n = np.array(spans, dtype=float)[source.file_index].T
    return np.asarray(start + (source.frame_index + 0.5) / n * (end - start))


def _angles(
    header: Header, target: Target | None, times: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Moving angles at some times, deg."""
    from scipy.interpolate import CubicSpline  # slow to load, and seldom needed

    nodes = np.linspace(times.min(), times.max(), _INSTANTS)
    if nodes[0] == nodes[-1]:
        nodes = nodes[0] + np.linspace(-1, 1, _INSTANTS) / 86400
    rows = []
    for mjd in nodes:
        instant = header.copy()
        _set_times(instant, mjd)
        rows.append(add_geometry(instant, target))
    keys = [fact.keyword for fact in _MOVING if rows[0].has(fact)]
    return {
        key: np.asarray(CubicSpline(nodes, np.unwrap([r[key] for r in rows], period=360.0))(times))
        for key in keys
    }


def _in_step(cubes: Sequence[CameraCube]) -> list[CameraCube]:
    """Drop from each camera the frames that its sibling does not use."""
    out = list(cubes)
    for i, one in enumerate(cubes):
        for j, two in enumerate(cubes):
            if i >= j or not _siblings(one, two):
                continue
            if one.source.n != two.source.n:
                log.warning(
                    "cameras differ in frames: frame by frame they may not be simultaneous",
                    files=[one.source.paths[0].name, two.source.paths[0].name],
                    frames=[one.source.n, two.source.n],
                )
                continue
            keep = one.selected & two.selected
            out[i], out[j] = replace(one, keep=keep), replace(two, keep=keep)
    return out


def _siblings(one: CameraCube, two: CameraCube) -> bool:
    """Whether two cameras exposed at the same time in the same state."""
    a, b = one.header, two.header
    overlap = a.mjd_start < b.mjd_end and b.mjd_start < a.mjd_end
    same = (a.hwp, a.flc) == (b.hwp, b.flc)
    return same and overlap and a.camera != b.camera


def _by_state(cubes: Sequence[CameraCube]) -> list[list[CameraCube]]:
    """Cubes of each state in order of time: several files at one HWP angle follow each other."""
    stacks: dict[tuple[object, ...], list[CameraCube]] = {}
    for cube in sorted(cubes, key=lambda cube: cube.header.mjd):
        h = cube.header
        key = (nominal_hwp(h.hwp), h.flc, h.camera)
        stacks.setdefault(key, []).append(cube)
    return list(stacks.values())


def _check_memory(cube: CameraCube, width: int, n: int, method: str) -> None:
    """Raise PolarimetryError where a median of the planes would not fit."""
    ny, nx = cube.crop(width)
    need = 4 * 4 * 2 * n * len(cube.fields) * ny * nx
    if method == "median" and need > cube.memory:
        raise PolarimetryError(
            f"the median of {n} Stokes frames needs {need / 1e9:.1f} GB: raise [execution] memory "
            "or set [polarimetry] collapse = 'mean'"
        )
