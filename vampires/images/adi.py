"""Cubes and angles for angular differential imaging (ADI), as VIP and pyKLIP take them.

Both packages turn frame i counter-clockwise by angle i to bring north up (VIP:
``cube_derotate(cube, angles)``, which rotates by ``-angle`` in its own clockwise sense; pyKLIP:
``PAs``, with ``flipx = False``), so the angles are those of ``DEROTANG``. Neither expects them to
wrap: they are written without jumps of 360 deg. Both want the star on the central pixel of
frames of odd size (VIP's centre of an even frame is the pixel right of and above ours), so
frames of even size are moved by half a pixel. Cubes are (time, y, x), for multiband data
(field, time, y, x), as VIP has them; pixels in the unit of the coadds, float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.header.merge import merge_headers
from vampires.images.image import CameraImage
from vampires.images.reproject import reproject
from vampires.images.units import RATE, FluxScale
from vampires.instrument.filters import FILTERS
from vampires.io.atomic import atomic_path
from vampires.io.products import read_header, stamp, write_fits
from vampires.io.stream import Float32, stream_fits
from vampires.kernels.resample import shift
from vampires.utils.angles import circular_mean, wrap

_CONVENTION = (
    "Turn frame i counter-clockwise (origin lower left) by angle i to have north up and east left: "
    "angle_list of VIP, PAs of pyKLIP (flipx=False). The star is on the central pixel."
)


@dataclass(frozen=True)
class AdiFrame:
    """Coadds that one frame of an ADI cube is made of.

    Parameters
    ----------
    paths : tuple of Path
        The coadd of one camera, or those of cameras 1 and 2 exposed at the same time.
    header : Header
        Header of the coadd, or merged of those of both cameras.
    fields : tuple of str
        Its fields.
    """

    paths: tuple[Path, ...]
    header: Header
    fields: tuple[str, ...]

    @classmethod
    def open(cls, *paths: str | Path) -> AdiFrame:
        """Read the headers of one coadd, or of the coadds of cameras 1 and 2."""
        headers = [read_header(path) for path in paths]
        header = headers[0] if len(headers) == 1 else _combined_header(*headers)
        fields = headers[0].field_names
        return cls(tuple(map(Path, paths)), header, fields)

    def read(self, name: str) -> Float32:
        """Image of one field, (ny, nx), in the geometry of the first coadd."""
        images = [CameraImage.read(path).field(name) for path in self.paths]
        image = images[0] if len(images) == 1 else combine_cameras(*images)
        return image.data[0]


def combine_cameras(one: CameraImage, two: CameraImage) -> CameraImage:
    """Mean of the two cameras' simultaneous images, on the pixels of camera 1.

    Parameters
    ----------
    one, two : CameraImage
        Coadds of cameras 1 and 2 in the same filter; camera 2 is reprojected if it has not been.

    Returns
    -------
    CameraImage
        e-/s of one camera, or their common unit; NaN where either camera is NaN, so that cameras
        of different throughput leave no edge. No gains are applied: in polarised light the plain
        mean, half of Stokes I, is what both cameras see together.

    Raises
    ------
    FileError
        The images differ in size or filters.
    """
    if (one.data.shape, one.fields) != (two.data.shape, two.fields):
        raise FileError(
            f"{one!r} and {two!r} differ in size or filter and cannot be combined; "
            "reduce both cameras with the same [align] crop_width"
        )
    scale = FluxScale.mean([one.scale, two.scale])
    one, two = one.in_rate(), two.in_rate()
    other = reproject(two, one.header)
    quarter = np.float32(0.25)
    combined = replace(
        one,
        data=(one.data + other.data) / np.float32(2),
        variance=(one.variance + other.variance) * quarter,
        systematic=(one.systematic + other.systematic) * quarter,
        count=np.minimum(one.count, other.count),
        header=_combined_header(one.header, two.header),
    )
    return combined if scale.unit == RATE else combined.in_unit(scale)


def derotation_angles(headers: Sequence[Header]) -> Float32:
    """Angles by which frames are turned counter-clockwise to have north up.

    Parameters
    ----------
    headers : sequence of Header
        With DEROTANG (deg), in order of time.

    Returns
    -------
    ndarray of float32, shape (n,)
        Deg, without jumps of 360 deg; the first is in [-180, 180).

    Raises
    ------
    HeaderError
        DEROTANG is missing from a header.

    Examples
    --------
    >>> headers = [Header({"DEROTANG": angle}) for angle in (178.0, -179.0, -177.0)]
    >>> derotation_angles(headers).tolist()
    [178.0, 181.0, 183.0]
    """
    why = "it cannot be a frame of an ADI cube"
    angles = np.array([header.need(Header.derotation, why) for header in headers])
    return np.unwrap(angles, period=360).astype(np.float32)


@dataclass(frozen=True)
class AdiStack:
    """Frames of an ADI cube in memory.

    Parameters
    ----------
    cube : ndarray of float32, shape (nfields, n, ny, nx)
        In order of time; the star on the central pixel.
    angles : ndarray of float32, shape (n,)
        See `derotation_angles`.
    header : Header
        See `adi_header`.
    fields : tuple of str
        Filter of each field.
    """

    cube: Float32
    angles: Float32
    header: Header
    fields: tuple[str, ...]

    @classmethod
    def read(cls, frames: Sequence[AdiFrame]) -> AdiStack:
        """Read frames, in any order.

        Raises
        ------
        FileError
            They do not have the same fields.
        """
        ordered, fields, size = _ordered(frames)
        planes = list(_planes(ordered, fields, size))
        cube = np.stack(planes).reshape(len(fields), len(ordered), *size)
        headers = [frame.header for frame in ordered]
        return cls(cube, derotation_angles(headers), adi_header(headers, fields, size), fields)

    @classmethod
    def of_images(cls, images: Sequence[CameraImage]) -> AdiStack:
        """Stack coadds in memory, in order of time; see `adi_cube`."""
        cube, angles = adi_cube(images)
        headers, fields = [image.header for image in images], images[0].fields
        size = (cube.shape[-2], cube.shape[-1])
        return cls(cube, angles, adi_header(headers, fields, size), fields)


def adi_frame(data: Float32, size: tuple[int, int]) -> Float32:
    """Cut an image so that its centre falls on the central pixel.

    Parameters
    ----------
    data : ndarray of float32, shape (ny, nx)
        Image with the star at ((ny-1)/2, (nx-1)/2).
    size : (int, int)
        Size of the output, odd.

    Returns
    -------
    ndarray of float32, shape `size`
        NaN beyond the image. Along an even side the image has been moved by half a pixel.
    """
    half = [0.5 * (1 - side % 2) for side in data.shape]
    moved = shift(data, np.zeros_like(data), *half)[0] if any(half) else data
    out = np.full(size, np.nan, np.float32)
    source, target = [], []
    for side, wanted in zip(data.shape, size, strict=True):
        reach = min(side // 2 if side % 2 else side // 2 - 1, wanted // 2)
        center = side // 2
        source.append(slice(center - reach, center + reach + 1))
        target.append(slice(wanted // 2 - reach, wanted // 2 + reach + 1))
    out[tuple(target)] = moved[tuple(source)]
    return out


def adi_size(images: Iterable[Float32]) -> tuple[int, int]:
    """Smallest odd size, about the star, that holds every pixel with data.

    Coadds are padded with NaN to keep their corners when they are turned; ADI programs do that
    themselves, and most of them dislike NaN.

    Parameters
    ----------
    images : iterable of ndarray, shape (ny, nx)
        The frames.

    Returns
    -------
    (int, int)
        (ny, nx).
    """
    reach = [0.0, 0.0]
    for data in images:
        valid = np.isfinite(data)
        for axis in (0, 1):
            where = np.flatnonzero(valid.any(axis=1 - axis))
            if where.size:
                center = (data.shape[axis] - 1) / 2
                reach[axis] = max(reach[axis], center - where[0], where[-1] - center)
    return 2 * int(reach[0]) + 1, 2 * int(reach[1]) + 1


def adi_cube(images: Sequence[CameraImage]) -> tuple[Float32, Float32]:
    """Make an ADI cube and its angles in memory.

    Parameters
    ----------
    images : sequence of CameraImage
        Coadds of one camera, in the pupil frame, the star at their centre, in order of time.

    Returns
    -------
    cube : ndarray of float32, shape (nfields, n, ny, nx)
        One field: ``cube[0]`` is what VIP and pyKLIP take.
    angles : ndarray of float32, shape (n,)
        See `derotation_angles`.

    Examples
    --------
    >>> cube, angles = adi_cube(images)  # doctest: +SKIP
    >>> residual = vip_hci.psfsub.median_sub(cube[0], angles)  # doctest: +SKIP
    """
    size = adi_size(plane for image in images for plane in image.data)
    nfields = len(images[0].fields)
    cube = np.stack(
        [np.stack([adi_frame(image.data[i], size) for image in images]) for i in range(nfields)]
    )
    return cube, derotation_angles([image.header for image in images])


def write_adi(
    frames: Sequence[AdiFrame], cube_path: str | Path, angles_path: str | Path, digest: str = ""
) -> tuple[int, ...]:
    """Write an ADI cube and its angles, frame by frame.

    Parameters
    ----------
    frames : sequence of AdiFrame
        In any order; written in order of time.
    cube_path, angles_path : str or Path
        Targets.
    digest : str
        Digest of the configuration, for the header.

    Returns
    -------
    tuple of int
        Shape of the cube.

    Raises
    ------
    FileError
        The frames do not have the same fields.
    """
    ordered, fields, size = _ordered(frames)
    angles = derotation_angles([frame.header for frame in ordered])
    shape = (*((len(fields),) if len(fields) > 1 else ()), len(ordered), *size)
    header = adi_header([frame.header for frame in ordered], fields, size)
    header = stamp(header, digest, [path for frame in ordered for path in frame.paths])
    with atomic_path(Path(cube_path)) as temporary:
        stream_fits(temporary, shape, header, _planes(ordered, fields, size))
    write_fits(angles_path, {"ANGLES": angles}, _angles_header(header))
    return shape


def adi_header(headers: Sequence[Header], fields: tuple[str, ...], size: tuple[int, int]) -> Header:
    """Header of an ADI cube: what its frames have in common, and its conventions.

    Parameters
    ----------
    headers : sequence of Header
        Headers of the frames, in order of time.
    fields : tuple of str
        Names of the fields.
    size : (int, int)
        Size (ny, nx) of a frame.

    Returns
    -------
    Header
        ``PSFCENTX`` and ``PSFCENTY`` (0-based) are pyKLIP's centers, ``WAVEi`` (um) its wvs.
    """
    out = merge_headers(headers)
    scale = FluxScale.mean([FluxScale.of_header(header, len(fields)) for header in headers])
    scale.stamp(out)
    out.put(
        pixel_scale=(headers[0].pixel_scale, "[mas] pixel scale"),
        star_x=size[1] // 2, star_y=size[0] // 2, nfields=len(fields),
    )  # fmt: skip
    for index, name in enumerate(fields):
        out.set(Header.field_names.of(index), name, f"name of field {index}")
        if name in FILTERS:
            wavelength = FILTERS[name].mean / 1000
            out.set(Header.wavelength.of(index), wavelength, f"[um] wavelength of field {index}")
    out.prose.append(("COMMENT", _CONVENTION))
    return out


def _combined_header(one: Header, two: Header) -> Header:
    """Header of the mean of both cameras, in the geometry of camera 1."""
    out = merge_headers([one, two])
    for fact in (Header.pixel_scale, Header.pixel_area, Header.pupil_angle, Header.pa_offset):
        if one.has(fact):
            out.set(fact, one.need(fact), one.comments[fact.keyword])
    if one.derotation is not None and two.derotation is not None:
        other = two.derotation + one.pupil_angle - two.pupil_angle
        mean = wrap(circular_mean([one.derotation, other]))
        out.set(Header.derotation, mean, one.comments[Header.derotation.keyword])
    fields = one.known(Header.nfields, 1)
    FluxScale.mean([FluxScale.of_header(header, fields) for header in (one, two)]).stamp(out)
    return out


def _angles_header(header: Header) -> Header:
    out = header.copy()
    out.put(unit=("deg", "derotation angles of the frames of the cube"))
    return out


def _ordered(
    frames: Sequence[AdiFrame],
) -> tuple[list[AdiFrame], tuple[str, ...], tuple[int, int]]:
    """Frames in order of time, their fields, and the size that holds them all."""
    ordered = sorted(frames, key=lambda frame: frame.header.known(Header.mjd, 0.0))
    fields = ordered[0].fields
    for frame in ordered:
        if frame.fields != fields:
            raise FileError(
                f"frames of {'+'.join(fields)} and {'+'.join(frame.fields)} cannot be in one ADI "
                "cube; exclude one of them with [data] exclude"
            )
    size = adi_size(plane for frame in ordered for plane in CameraImage.read(frame.paths[0]).data)
    return ordered, fields, size


def _planes(
    frames: Sequence[AdiFrame], fields: Sequence[str], size: tuple[int, int]
) -> Iterator[Float32]:
    """Frames of the first field, then of the next: one image is in memory at a time."""
    for name in fields:
        for frame in frames:
            yield adi_frame(frame.read(name), size)
