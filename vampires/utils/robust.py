"""Scatter that outliers do not set."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MAD_TO_SIGMA = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""


def robust_std(values: ArrayLike, center: float | None = None) -> float:
    """Standard deviation by the median absolute deviation.

    Parameters
    ----------
    values : array_like
        Finite; of any shape.
    center : float, optional
        What they scatter about, where it is known; default: their median, which then need not
        be found twice (`astropy.stats.mad_std`, the same otherwise, always finds it).

    Returns
    -------
    float
        In the unit of the values; NaN of none.

    Examples
    --------
    >>> round(robust_std([1.0, 2.0, 3.0, 4.0, 1000.0]), 4)
    1.4826
    """
    sample = np.asarray(values)
    if not sample.size:
        return float("nan")
    middle = np.median(sample) if center is None else center
    return MAD_TO_SIGMA * float(np.median(np.abs(sample - middle)))
