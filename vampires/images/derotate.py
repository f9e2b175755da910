"""Derotation of images together with all their error planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import HeaderError
from vampires.images.image import CameraImage
from vampires.kernels.covariance import pair
from vampires.kernels.resample import rotate, rotate_smooth
from vampires.sky.wcs import north_up
from vampires.utils.angles import circular_mean, wrap
from vampires.utils.threads import side_by_side

Float32 = NDArray[np.float32]
_A = TypeVar("_A", bound=np.generic)

# Images within this angle share one turned map of the masters' errors, deg.
_STEP = 5.0


def derotate(images: Sequence[CameraImage]) -> list[CameraImage]:
    """Turn coadds counter-clockwise, each by its DEROTANG: north up, east left.

    Interpolation makes the noise of neighbouring pixels correlated. The variance of each pixel is
    propagated exactly (the weights squared); the correlation is not kept, but sums over areas
    allow for it (`vampires.polarimetry.propagation.sum_variance_gain`). The systematic variance,
    which the images of a camera share, is averaged and turned once for all images within a few
    degrees.

    Parameters
    ----------
    images : sequence of CameraImage
        With DEROTANG (deg) in their headers.

    Returns
    -------
    list of CameraImage

    Raises
    ------
    HeaderError
        If DEROTANG is missing.
    """
    angles = derotation_angles(images)
    systematic = turned_systematic(images, angles)

    def turned(i: int) -> CameraImage:
        shape = images[i].data.shape
        data, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for field, planes in enumerate(zip(data, variance, strict=True)):
            _turn(images[i], field, angles[i], planes)
        return replace(images[i], data=data, variance=variance, systematic=systematic[i])

    return side_by_side(turned, range(len(images)))


def derotation_angles(images: Sequence[CameraImage]) -> list[float]:
    """DEROTANG of each image, deg.

    Raises
    ------
    HeaderError
        It is missing.
    """
    why = "the image cannot be turned north up"
    return [image.header.need(Header.derotation, why) for image in images]


def turned_field(
    images: Sequence[CameraImage], field: int, angles: Sequence[float]
) -> tuple[Float32, Float32]:
    """Turn one field of each of some images counter-clockwise by an angle of its own.

    Parameters
    ----------
    images : sequence of CameraImage
        Of one size.
    field : int
    angles : sequence of float
        Deg.

    Returns
    -------
    data, variance : ndarray of float32, shape (n, ny, nx)
    """
    shape = len(images), *images[0].data.shape[1:]
    data, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)

    def turn(i: int) -> None:
        _turn(images[i], field, angles[i], (data[i], variance[i]))

    side_by_side(turn, range(len(images)))
    return data, variance


def _turn(image: CameraImage, field: int, angle: float, out: tuple[Float32, Float32]) -> None:
    """Turn one field into data and variance."""
    rotate(_contiguous(image.data[field]), _contiguous(image.variance[field]), angle, out=out)


def north_up_image(image: CameraImage) -> CameraImage:
    """Turn one image as `derotate` does, and its header with it; see `CameraImage.derotate`."""
    if image.header.north_up:
        raise HeaderError(f"{image!r} is north up already")
    turned = derotate([image])[0]
    header = north_up(image.header, (image.data.shape[-2], image.data.shape[-1]))
    header.put(north_up=True)
    fields = {name: header.copy() for name in image.field_headers}
    return replace(turned, header=header, field_headers=fields)


def turned_systematic(images: Sequence[CameraImage], angles: Sequence[float]) -> list[Float32]:
    """Turn the mean systematic variance of each camera once per step of angle.

    Returns
    -------
    list of ndarray
        For each image, shape (nfields, ny, nx); images of one step share theirs.
    """
    keys = [
        (image.header.camera, round(wrap(angle - angles[0]) / _STEP))
        for image, angle in zip(images, angles, strict=True)
    ]

    def turned(key: tuple[int, int]) -> Float32:
        own = [i for i, k in enumerate(keys) if k == key]
        angle = circular_mean(angles[i] for i in own)
        mean = _finite_mean([images[i].systematic for i in own])
        return np.stack([turn_common(plane, angle) for plane in mean])

    distinct = sorted(set(keys))
    found = dict(zip(distinct, side_by_side(turned, distinct), strict=True))
    return [found[key] for key in keys]


def turn_common(variance: Float32, angle: float) -> Float32:
    """Turn a map of the masters' variance like an image.

    Registration has smeared the errors themselves, so turning them loses next to nothing, unlike
    noise independent from pixel to pixel.
    """
    return rotate_smooth(variance, angle)


def _finite_mean(stack: Sequence[Float32]) -> Float32:
    count = sum(np.isfinite(plane).astype(np.float32) for plane in stack)
    total = sum(np.nan_to_num(plane) for plane in stack)
    out = np.full(stack[0].shape, np.nan, dtype=np.float32)
    return np.divide(total, count, out=out, where=np.asarray(count) > 0)


def rotate_planes(
    data: Float32, covariance: Float32, systematic: Float32, angle: float
) -> tuple[Float32, Float32, Float32]:
    """Turn Stokes planes and their covariances counter-clockwise.

    Parameters
    ----------
    data : ndarray
        Shape (nfields, 4, ny, nx).
    covariance, systematic : ndarray
        Shape (nfields, 10, ny, nx).
    angle : float
        Deg.
    """
    out = np.empty_like(data), np.empty_like(covariance), np.empty_like(systematic)
    for i in range(len(data)):
        for k in range(4):
            plane = _contiguous(data[i, k])
            for m in range(k, 4):
                p = pair(k, m)
                out[0][i, k], out[1][i, p] = rotate(plane, _contiguous(covariance[i, p]), angle)
                out[2][i, p] = turn_common(systematic[i, p], angle)
    return out


def _contiguous(array: NDArray[_A]) -> Float32:
    return np.ascontiguousarray(array, dtype=np.float32)
