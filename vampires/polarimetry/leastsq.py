"""Least-squares inversion of any number of images for I, Q and U."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vampires.errors import PolarimetryError
from vampires.header.merge import merge_headers
from vampires.images.derotate import derotate
from vampires.images.differences import pair_exposures
from vampires.images.image import CameraImage
from vampires.kernels.covariance import pack
from vampires.mueller.components import FloatArray
from vampires.mueller.model import LightPathAngles
from vampires.polarimetry.correction import GEOMETRY_ONLY, Models
from vampires.polarimetry.inversion import (
    check_alike,
    common_covariance,
    geometry_models,
    image_order,
)
from vampires.polarimetry.model_error import ModelError
from vampires.polarimetry.photometry import region_weights
from vampires.polarimetry.shares import MasterShares
from vampires.polarimetry.stokes import StokesFrame
from vampires.sky.wcs import north_up


def invert(
    images: Sequence[CameraImage],
    models: Models,
    *,
    mm_correct: bool = True,
    hwp_sync: bool | None = None,
    gain_radius: float | None = 30.0,
    gain_radius2: float | None = None,
) -> StokesFrame:
    """Solve for I, Q and U from any number of coadds at once, by least squares.

    For every pixel ``image_i = g_i row_i . (I, Q, U)`` is solved over the images in which it is
    valid. Complete sets are not needed, only enough states to tell I, Q and U apart. Each image
    has one weight, its inverse median variance, shared by the two cameras of an exposure: pixel
    by pixel weights would follow the noise and bias faint light, and unequal weights within a
    pair would let the seeing in. For the same reason a pixel missing in one camera is left out
    of the other too. The relative throughput g of the cameras, per FLC state, is fitted to the
    flux of the star or halo; without it an incomplete cycle would turn it into polarisation.

    Parameters
    ----------
    images : sequence of CameraImage
        Coadds in the pupil frame, of one or many HWP cycles.
    models, mm_correct, hwp_sync
        As in `reduce_set`.
    gain_radius, gain_radius2 : float, optional
        Aperture, or annulus, in which the throughput is measured, pixels; None: all ones.

    Returns
    -------
    StokesFrame
        I_Q and I_U are both the common I.

    Raises
    ------
    PolarimetryError
        If the images cannot tell I, Q and U apart.
    """
    check_alike(images)
    ordered = sorted(images, key=lambda i: (i.header.mjd, *image_order(i)))
    angles = [LightPathAngles.from_header(i.header, hwp_sync=hwp_sync) for i in ordered]
    turned = derotate(ordered)
    pairs = _simultaneous(ordered)
    own_models = geometry_models(models, mm_correct, ordered[0].fields)
    solved = []
    for f, model in enumerate(own_models):
        rows = np.array([model.row(a)[:3] for a in angles])
        if gain_radius is not None:
            region = region_weights(turned[0].data.shape[1:], gain_radius, gain_radius2)
            fluxes = np.array([_flux(t.data[f], region) for t in turned])
            rows = rows * camera_gains(fluxes, rows, angles, pairs)[:, None]
        solved.append(_solve_field(turned, f, rows, pairs))
    shares = MasterShares.of_images(turned, [s[2] for s in solved], True)
    header = merge_headers([image.header for image in ordered])
    header.put(
        method="leastsq", north_up=True, interpolations=2, model_corrected=mm_correct,
        model_source=(own_models[0].source if mm_correct else GEOMETRY_ONLY, ""),
    )  # fmt: skip
    if mm_correct:
        for f, (model, solution) in enumerate(zip(own_models, solved, strict=True)):
            error = ModelError.of_operator(model, solution[2], angles)
            header.update(error.cards(str(f) if len(own_models) > 1 else ""))
    return StokesFrame(
        data=np.stack([s[0] for s in solved]),
        covariance=np.stack([s[1] for s in solved]),
        systematic=common_covariance(shares, [t.systematic for t in turned]),
        shares=shares,
        header=north_up(header, ordered[0].data.shape[1:]),
        fields=ordered[0].fields,
        count=np.stack([s[3] for s in solved]),
    )


def camera_gains(
    fluxes: FloatArray,
    rows: FloatArray,
    angles: Sequence[LightPathAngles],
    pairs: NDArray[np.int64],
) -> FloatArray:
    """Fit the throughput of camera 1 against camera 2, one ratio per FLC state.

    ``flux_i = g_i t_e (row_i . (1, q, u))`` with the total t of each exposure (both cameras) and
    the polarisation q, u of the source free. The logarithm is linear in the unknowns for small
    q, u; three Gauss-Newton steps make it exact. What the images do not determine stays at one.

    Parameters
    ----------
    fluxes : ndarray
        Shape (n,), e-/s.
    rows : ndarray
        First rows, shape (n, 3).
    angles : sequence of LightPathAngles
        Give camera and FLC state.
    pairs : ndarray of int
        Number of the exposure each image belongs to, shape (n,).

    Returns
    -------
    ndarray
        Shape (n,); the two cameras' product is one in each FLC state.
    """
    states = sorted({a.flc for a in angles})
    sign = np.array([0.5 if a.camera == 1 else -0.5 for a in angles])
    n, n_exposures = len(fluxes), int(pairs.max()) + 1
    if not (np.isfinite(fluxes) & (fluxes > 0)).all() or len({a.camera for a in angles}) < 2:
        return np.ones(n)
    ratio = np.zeros((n, len(states)))
    for i, a in enumerate(angles):
        ratio[i, states.index(a.flc)] = sign[i]
    exposure = np.eye(n_exposures)[pairs]
    q = u = 0.0
    log_gain = np.zeros(n)
    for _ in range(4):
        model = rows @ np.array([1.0, q, u])
        design = np.hstack([rows[:, 1:3] / model[:, None], ratio, exposure])
        target = np.log(fluxes / model)
        solution = np.linalg.lstsq(design, target, rcond=1e-10)[0]
        q, u = q + solution[0], u + solution[1]
        log_gain = ratio @ solution[2 : 2 + len(states)]
    return np.exp(log_gain)


def _solve_field(
    turned: Sequence[CameraImage], f: int, rows: FloatArray, pairs: NDArray[np.int64]
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Weighted least squares of one field: planes, covariance, weights (4, n), count."""
    shape = turned[0].data.shape[1:]
    valid = np.array([np.isfinite(t.data[f]) & np.isfinite(t.variance[f]) for t in turned])
    for number in np.unique(pairs):
        members = pairs == number
        valid[members] = valid[members].all(axis=0)
    weights = _pair_weights([t.variance[f] for t in turned], pairs)
    normal = np.zeros((*shape, 3, 3))
    right = np.zeros((*shape, 3))
    noise = np.zeros((*shape, 3, 3))
    for row, weight, good, image in zip(rows, weights, valid, turned, strict=True):
        outer = weight * np.outer(row, row)
        normal += good[..., None, None] * outer
        right += np.where(good, image.data[f], 0.0)[..., None] * (weight * row)
        noise += np.where(good, image.variance[f], 0.0)[..., None, None] * (weight * outer)
    solvable = _solvable(normal)
    if not solvable.any():
        raise PolarimetryError(
            "the exposures cannot tell I, Q and U apart: at least two HWP angles not 45 deg apart "
            "and both cameras (or FLC states) are needed"
        )
    inverse = np.full_like(normal, np.nan)
    inverse[solvable] = np.linalg.inv(normal[solvable])
    stokes = np.einsum("yxij,yxj->yxi", inverse, right)
    covariance = inverse @ noise @ inverse
    root = np.sqrt(weights)
    operator = np.asarray(np.linalg.pinv(root[:, None] * rows) * root, dtype=float)
    take = [0, 0, 1, 2]  # I stands for both I_Q and I_U
    planes = stokes[..., take].transpose(2, 0, 1).astype(np.float32)
    cov = covariance[..., take, :][..., take].transpose(2, 3, 0, 1).astype(np.float32)
    return planes, pack(cov), operator[take], valid.sum(axis=0, dtype=np.int32)


def _solvable(normal: FloatArray) -> NDArray[np.bool_]:
    scale = np.maximum(normal[..., 0, 0], np.finfo(float).tiny)
    return np.linalg.eigvalsh(normal / scale[..., None, None])[..., 0] > 1e-3


def _pair_weights(variances: Sequence[NDArray], pairs: NDArray[np.int64]) -> FloatArray:
    """One weight per image: inverse median variance, averaged over each exposure."""
    medians = np.array([np.nanmedian(v) if np.isfinite(v).any() else np.nan for v in variances])
    usable = np.isfinite(medians) & (medians > 0)
    if not usable.all():
        return np.ones(len(medians))
    mean = np.array([medians[pairs == number].mean() for number in pairs])
    return mean.min() / mean


def _simultaneous(images: Sequence[CameraImage]) -> NDArray[np.int64]:
    """Give images of one exposure the same number: both cameras at once."""
    numbers = np.arange(len(images))
    for a, b in pair_exposures([image.header for image in images]):
        numbers[b] = numbers[a]
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _flux(data: NDArray, region: NDArray) -> float:
    return float(np.nansum(np.where(region > 0, data, 0.0) * region))
