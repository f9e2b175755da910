"""From the coadds of a set to Stokes frames: differences, or least squares.

The coadds come in the pupil frame and are derotated first, each by its own angle, so that a
pixel means the same place on the sky in all of them. Everything after is linear in the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.header.merge import merge_headers
from vampires.images.derotate import derotation_angles, turned_field, turned_systematic
from vampires.images.image import CameraImage
from vampires.kernels.covariance import number_of_pairs
from vampires.kernels.sums import sums_covariance, weighted_sums
from vampires.mueller.components import FloatArray
from vampires.mueller.model import LightPathAngles, MuellerModel
from vampires.night.sets import State, nominal_hwp
from vampires.polarimetry.correction import Correction, Models, per_field
from vampires.polarimetry.modulation import stacked_weights
from vampires.polarimetry.shares import MasterShares
from vampires.polarimetry.stokes import StokesFrame
from vampires.sky.wcs import north_up


def difference_set(
    images: Sequence[CameraImage], *, hwp_sync: bool | None = None, turn: bool = True
) -> StokesFrame:
    """Derotate the coadds of one set and take their single, double and triple differences.

    Parameters
    ----------
    images : sequence of CameraImage
        All states of a set (see `find_sets`), in any order. Images of one state are averaged,
        weighted by their open-shutter times. With two FLC states it is the triple
        difference, with one the double; with one camera, that of its FLC and HWP alone.
    hwp_sync : bool, optional
        Whether the HWP followed the pupil; by default what the headers say.
    turn : bool
        False leaves the images in the pupil frame.

    Returns
    -------
    StokesFrame
        In the instrument's frame: Q and U are what HWP 0/45 and 22.5/67.5 modulate. Use
        `StokesFrame.correct` to take them to the sky.

    Raises
    ------
    PolarimetryError
        If the images are not a complete set or differ in size or fields.
    """
    found = _Set.of(images, hwp_sync)
    weights = np.array([found.weights] * len(found.fields))
    frame = _summed(found, weights, turn)
    return replace(frame, weights=found.weights, angles=found.angles)


def reduce_set(
    images: Sequence[CameraImage],
    models: Models,
    *,
    mm_correct: bool = True,
    hwp_sync: bool | None = None,
    turn: bool = True,
    errors: bool = True,
) -> StokesFrame:
    """Make the Stokes frame of one set, Q and U on the sky.

    It is ``difference_set(images).correct(models)``, but the images are summed once, with the
    weights that both steps together give them.

    Parameters
    ----------
    images : sequence of CameraImage
        All states of one set.
    models : MuellerModel or sequence of them
        Light path, one for all fields or one per field.
    mm_correct : bool
        False leaves instrumental polarisation and cross-talk in: Q and U are only turned to the
        sky with ideal components, from the angles in the headers.
    hwp_sync : bool, optional
        As in `difference_set`.
    turn : bool
        False leaves the images in the pupil frame; Q and U then refer to its vertical axis.
    errors : bool
        Propagate the errors of the models' parameters.
    """
    found = _Set.of(images, hwp_sync)
    correction = Correction.of_set(
        geometry_models(models, mm_correct, found.fields),
        found.weights, found.angles, instrumental=mm_correct, errors=errors,
    )  # fmt: skip
    frame = _summed(found, correction.matrices @ found.weights, turn)
    frame.header.update(correction.cards)
    return frame if turn else frame.turn_polarisation(-frame.header.need(Header.derotation))


def reduce_frames(
    streams: Sequence[Iterable[CameraImage]],
    models: Models,
    *,
    mm_correct: bool = True,
    hwp_sync: bool | None = None,
    turn: bool = True,
) -> Iterator[StokesFrame]:
    """Make Stokes frames of one set frame by frame, before any frame is combined.

    The first frames of all states make the first Stokes frame, and so on, as long as every state
    has one. Combine them with `vampires.polarimetry.collapse.collapse`; their plain mean equals
    that of the coadds, their median does not.

    Parameters
    ----------
    streams : sequence of iterables of CameraImage
        Aligned frames of each state, each with its own header (DEROTANG, PA, ...).
    models, mm_correct, hwp_sync, turn
        As in `reduce_set`.

    Yields
    ------
    StokesFrame
    """
    for number, images in enumerate(zip(*streams, strict=False)):
        yield reduce_set(
            images, models, mm_correct=mm_correct, hwp_sync=hwp_sync, turn=turn,
            errors=number == 0,  # alike in all frames of a set, and dear to compute
        )  # fmt: skip


@dataclass(frozen=True)
class _Set:
    """Images of a complete set in order, and how they go into its differences."""

    images: list[CameraImage]
    states: list[State]
    weights: FloatArray
    angles: tuple[LightPathAngles, ...]

    @classmethod
    def of(cls, images: Sequence[CameraImage], hwp_sync: bool | None) -> _Set:
        check_alike(images)
        ordered = sorted(images, key=image_order)
        states = [_state(image) for image in ordered]
        _check_balanced(states)
        times = [image.header.integration for image in ordered]
        angles = [LightPathAngles.from_header(i.header, hwp_sync=hwp_sync) for i in ordered]
        return cls(ordered, states, stacked_weights(states, times), tuple(angles))

    @property
    def fields(self) -> tuple[str, ...]:
        return self.images[0].fields


def _summed(found: _Set, weights: FloatArray, turn: bool) -> StokesFrame:
    """Turn the images of a set and sum them with weights of shape (nfields, 4, n)."""
    images = found.images
    angles = derotation_angles(images) if turn else None
    data, covariance = _sums(weights, images, angles)
    systematic = turned_systematic(images, angles) if angles else [i.systematic for i in images]
    shares = MasterShares.of_images(images, weights, turn)
    header = merge_headers([image.header for image in found.images])
    header.put(method=_method_name(found.states), north_up=turn, interpolations=1 + int(turn))
    return StokesFrame(
        data=data,
        covariance=covariance,
        systematic=common_covariance(shares, systematic),
        shares=shares,
        header=north_up(header, data.shape[-2:]) if turn else header,
        fields=found.fields,
    )


def _sums(
    weights: FloatArray, images: Sequence[CameraImage], angles: Sequence[float] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted sums of images, turned if there are angles, and their covariance from noise.

    Field by field: the turned images of one take the memory of those of the field before.
    """
    shape = images[0].data.shape[1:]
    nf, k, _ = weights.shape
    data = np.empty((nf, k, *shape), np.float32)
    covariance = np.empty((nf, number_of_pairs(k), *shape), np.float32)
    for field, own in enumerate(weights):
        if angles is None:
            planes = np.stack([image.data[field] for image in images])
            noise = np.stack([image.variance[field] for image in images])
        else:
            planes, noise = turned_field(images, field, angles)
        weighted_sums(own, planes, data[field])
        sums_covariance(own, noise, covariance[field])
    return data, covariance


def common_covariance(
    shares: MasterShares, systematic: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Covariance from the masters' errors, shape (nfields, 10, ny, nx).

    Parameters
    ----------
    shares : MasterShares
        How the images went into the planes.
    systematic : sequence of ndarray
        Systematic variance of each image, shape (nfields, ny, nx). Images of the same masters
        share one map, the mean of theirs.
    """
    means: dict[str | None, NDArray] = {}
    for name in sorted(set(shares.masters)):
        own = [maps for maps, m in zip(systematic, shares.masters, strict=True) if m == name]
        mean = np.zeros(own[0].shape, own[0].dtype)
        for maps in own:
            np.add(mean, maps, out=mean, where=np.isfinite(maps))
        mean /= len(own)
        means[name] = mean
    return shares.covariance(means)


def geometry_models(
    models: Models, mm_correct: bool, fields: Sequence[str]
) -> tuple[MuellerModel, ...]:
    """Model of each field, or an ideal one with the same geometry."""
    every = per_field(models, fields)
    return every if mm_correct else tuple(model.idealised() for model in every)


def _state(image: CameraImage) -> State:
    header = image.header
    hwp = nominal_hwp(header.hwp)
    if hwp is None:
        raise PolarimetryError(
            f"{header.label}: HWP at {header.hwp} deg is not one of 0, 45, 22.5, 67.5"
        )
    return hwp, header.flc, header.camera


def image_order(image: CameraImage) -> tuple[float, str, int]:
    """Order images by HWP angle, FLC state and camera, whatever order they come in."""
    return image.header.hwp, image.header.flc, image.header.camera


def check_alike(images: Sequence[CameraImage]) -> None:
    """Raise PolarimetryError unless there are images, all of one size and with the same fields."""
    if not images:
        raise PolarimetryError("no images to make a Stokes frame of")
    checks: tuple[tuple[str, Callable[[CameraImage], object]], ...] = (
        ("size", lambda image: image.data.shape),
        ("fields", lambda image: image.fields),
    )
    for what, get in checks:
        for image in images[1:]:
            if get(image) != get(images[0]):
                raise PolarimetryError(
                    f"{image.header.label}: {what} {get(image)} differs from {get(images[0])} of "
                    f"{images[0].header.label}; a Stokes frame needs images alike"
                )


def _check_balanced(states: Sequence[State]) -> None:
    flcs, cameras = sorted({s[1] for s in states}), sorted({s[2] for s in states})
    if len(flcs) == 2 and flcs != ["A", "B"]:
        raise PolarimetryError(f"FLC states {flcs} cannot be differenced; A and B are needed")
    wanted = {(h, f, c) for h in (0.0, 45.0, 22.5, 67.5) for f in flcs for c in cameras}
    missing = sorted(wanted - set(states))
    if missing:
        text = ", ".join(f"HWP {h:g} FLC {f} cam {c}" for h, f, c in missing)
        raise PolarimetryError(f"not one complete set of {len(wanted)} images: {text}")


def _method_name(states: Sequence[State]) -> str:
    return "triplediff" if len({s[1] for s in states}) == 2 else "doublediff"
