"""Linear algebra of a set: the weights of its images and its response to the sky."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vampires.errors import PolarimetryError
from vampires.mueller.components import FloatArray
from vampires.night.sets import State

# Below this efficiency the exposures hardly tell Q from U and the inversion only makes noise.
_MIN_EFFICIENCY = 0.05


def difference_weights(states: Sequence[State]) -> FloatArray:
    """Weights that turn the images of a set into (I_Q, I_U, Q, U) of the instrument.

    ``Q = (Q+ - Q-) / 2`` with ``Q+ = [(c1A - c2A) - (c1B - c2B)] / 4`` at HWP 0 and Q- at 45 deg
    (without FLC switching: ``Q+ = (c1 - c2) / 2``); U likewise at 22.5 and 67.5 deg. The
    intensities are the matching sums, so every weight is plus or minus one over the number of
    images of its pair of HWP positions. A throughput that differs between the cameras cancels
    from Q and U by the switching of FLC or HWP.

    Parameters
    ----------
    states : sequence of (hwp, flc, camera)
        One per image, with nominal HWP angles.

    Returns
    -------
    ndarray
        Shape (4, n).

    Examples
    --------
    >>> states = [(hwp, "NA", camera) for hwp in (0.0, 45.0, 22.5, 67.5) for camera in (1, 2)]
    >>> (4 * difference_weights(states)[2]).astype(int).tolist()
    [1, -1, -1, 1, 0, 0, 0, 0]
    """
    hwp = np.array([s[0] for s in states])
    switched = {s[1] for s in states} == {"A", "B"}
    sign = np.where(np.isin(hwp, (0.0, 22.5)), 1.0, -1.0)
    if switched:
        sign *= np.where(np.array([s[1] for s in states]) == "A", 1.0, -1.0)
    cameras = np.array([s[2] for s in states])
    if len(set(cameras.tolist())) == 2:
        sign *= np.where(cameras == 1, 1.0, -1.0)
    for_q = np.isin(hwp, (0.0, 45.0))
    if not for_q.any() or for_q.all():
        raise PolarimetryError("a set needs HWP positions for both Q (0, 45) and U (22.5, 67.5)")
    mean_q, mean_u = for_q / for_q.sum(), ~for_q / (~for_q).sum()
    return np.stack([mean_q, mean_u, mean_q * sign, mean_u * sign])


def stacked_weights(states: Sequence[State], times: Sequence[float]) -> FloatArray:
    """Weights of a set whose states may have several images each.

    The images of one state share its weight in proportion to their open-shutter times.

    Parameters
    ----------
    states : sequence of (hwp, flc, camera)
        One per image, with nominal HWP angles.
    times : sequence of float
        Open-shutter time of each image, s.

    Returns
    -------
    ndarray
        Shape (4, n); see `difference_weights`.

    Examples
    --------
    >>> states = [(hwp, "NA", camera) for hwp in (0.0, 45.0, 22.5, 67.5) for camera in (1, 2)]
    >>> stacked_weights([*states, states[0]], [1.0] * 8 + [3.0])[2].round(4).tolist()[::8]
    [0.0625, 0.1875]
    """
    unique = list(dict.fromkeys(states))
    index = np.array([unique.index(state) for state in states])
    time = np.asarray(times, dtype=float)
    share = time / np.bincount(index, time)[index]
    return np.asarray(difference_weights(unique)[:, index] * share)


def response_matrix(weights: FloatArray, rows: FloatArray) -> FloatArray:
    """Response of differenced planes to (I_Q, I_U, Q, U) on the sky.

    The same differences as those of the images, taken of the first rows of their Mueller
    matrices; the intensity column belongs to I_Q or I_U after the HWP position.

    Parameters
    ----------
    weights : ndarray
        Shape (4, n), from `difference_weights`.
    rows : ndarray
        First rows, shape (..., n, 4).

    Returns
    -------
    ndarray
        Shape (..., 4, 4).
    """
    response = np.zeros((*rows.shape[:-2], 4, 4))
    for_q, for_u = weights[0] != 0, weights[1] != 0
    response[..., :, 0] = rows[..., for_q, 0] @ weights[:, for_q].T
    response[..., :, 1] = rows[..., for_u, 0] @ weights[:, for_u].T
    response[..., :, 2] = rows[..., 1] @ weights.T
    response[..., :, 3] = rows[..., 2] @ weights.T
    return response


def efficiencies(response: FloatArray) -> tuple[float, float]:
    """Length of the response of the Q and U planes to linear polarisation; 1 is perfect."""
    q, u = np.hypot(response[2:, 2], response[2:, 3])
    return float(q), float(u)


def invert_response(response: FloatArray) -> FloatArray:
    """Invert one response matrix (4, 4).

    Raises
    ------
    PolarimetryError
        If the exposures hardly tell Q from U.
    """
    weakest = np.linalg.svd(response[2:, 2:], compute_uv=False)[-1]
    if not weakest > _MIN_EFFICIENCY:
        raise PolarimetryError(
            f"these exposures hardly tell Q from U (efficiency {weakest:.3f}): check the HWP and "
            "FLC angles in the headers and [polarimetry] hwp_adi_sync and mueller_table"
        )
    return np.asarray(np.linalg.inv(response))
