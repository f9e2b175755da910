"""Single pixels that no star explains: cosmic rays and electronic spikes in one frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel

#: A pixel at the peak of a diffraction-limited star is at most this many times the median of
#: the eight around it (1.42 for a full width of 3.4 pixels, with some room).
PEAK_RATIO = 1.5


@kernel
def mask_outliers(
    raw: NDArray,
    out: NDArray,
    background: NDArray[np.float32],
    bad: NDArray[np.bool_],
    gain: float,
    read_noise: float,
    excess: float,
    threshold: float,
    value: float,
) -> int:
    """Replace outlying pixels of every frame.

    Many arguments, because compiled loops take arrays and numbers, not objects.

    Parameters
    ----------
    raw : ndarray (n, rows, nx)
        Raw frames, native numbers.
    out : ndarray (n, rows, nx)
        Their copy, where outliers are replaced.
    background : ndarray (rows, nx)
        Level to subtract, adu.
    bad : ndarray of bool (rows, nx)
        Pixels that neither count as neighbours nor are judged.
    gain : float
        e-/adu, effective.
    read_noise : float
        e-, effective.
    excess : float
        Squared excess noise factor.
    threshold : float
        Standard deviations; as many as give a Gaussian variable the same chance.
    value : float
        What an outlier becomes: a number that counts as saturated.

    Returns
    -------
    int
        How many there were.

    Notes
    -----
    With m the median of the good ones among the eight neighbours and e = 1.5 max(m, 0) the most
    a star may have there, a pixel s is an outlier when
    ``s - e > k sqrt(F^2 e + R^2) + c k^2 / 2`` electrons, with c = 1/3 for counts of electrons
    (Poisson) and 1 for amplified ones (gamma). It bounds the chance of a false alarm by that of
    a Gaussian, exp(-k^2 / 2), although counts have longer tails (sub-gamma variables:
    Boucheron, Lugosi & Massart 2013, Concentration Inequalities, section 2.4).
    """
    tail = (1.0 + 2.0 * (excess - 1.0)) / 6.0 * threshold * threshold
    least = threshold * read_noise + tail
    near = np.empty(8)
    found = 0
    n, ny, nx = raw.shape
    for k in range(n):
        for y in range(ny):
            for x in range(nx):
                signal = (float(raw[k, y, x]) - background[y, x]) * gain
                if bad[y, x] or not signal > least:
                    continue
                count = 0
                for j in range(max(y - 1, 0), min(y + 2, ny)):
                    for i in range(max(x - 1, 0), min(x + 2, nx)):
                        if (j != y or i != x) and not bad[j, i]:
                            near[count] = (float(raw[k, j, i]) - background[j, i]) * gain
                            count += 1
                if count < 3:
                    continue
                expected = PEAK_RATIO * max(np.median(near[:count]), 0.0)
                noise = np.sqrt(excess * expected + read_noise * read_noise)
                if signal - expected > threshold * noise + tail:
                    out[k, y, x] = value
                    found += 1
    return found
