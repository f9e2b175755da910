r"""Sub-pixel positions and peaks by matrix discrete Fourier transform.

A window ``w`` (L x L, L odd) and a reference ``p``, both with their origin at the centre, have the
cross-correlation

.. math:: C(d) = \frac{1}{L^2} \sum_k W_k P_k^* e^{2\pi i\, k \cdot d / L},

a trigonometric polynomial that can be evaluated, with its derivatives, at any sub-pixel d.
Its spectrum comes from two small matrix products, restricted to the frequencies that the
optics pass; its maximum from Newton steps, so that no grid of upsampled pixels limits the
accuracy. A flat background has no part in it but the constant k = 0.

With the transfer function of a pixel in place of ``P`` the same code gives the maximum of the
image before it was integrated over the pixels.

References
----------
Guizar-Sicairos, M., Thurman, S. & Fienup, J. 2008, Optics Letters 33, 156.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vampires.kernels._jit import kernel
from vampires.kernels.windows import fill_holes

#: The search gives up where it has left the window's centre by more than this, pixels.
_REACH = 4.0
#: Longest step, pixels; well within the core of a diffraction-limited image.
_STEP = 0.7
_ITERATIONS = 30
_TOLERANCE = 1e-6


def tables(length: int) -> NDArray[np.float64]:
    """Cosines and sines of a window's frequencies.

    Parameters
    ----------
    length : int
        Odd length of the window.

    Returns
    -------
    ndarray (2, h, h), h = (length + 1) / 2
        ``cos`` and ``sin`` of ``2 pi j m / length`` for offset j and frequency m.
    """
    j = np.arange(length // 2 + 1)
    phase = 2 * np.pi * np.outer(j, j) / length
    return np.array([np.cos(phase), np.sin(phase)])


def spectrum(image: NDArray, length: int) -> NDArray[np.complex128]:
    """Transform of an image of any size at the frequencies of a window.

    Parameters
    ----------
    image : ndarray (n, n)
        Centred at ``((n - 1) / 2, (n - 1) / 2)``, which becomes the origin.
    length : int
        Odd length of the window.

    Returns
    -------
    ndarray (length, h), h = (length + 1) / 2, complex
        Frequencies ``-(h - 1) .. h - 1`` along y and ``0 .. h - 1`` along x; those missing are
        the complex conjugates.
    """
    half = length // 2
    unit = 2 * np.pi / length
    y = np.arange(image.shape[0]) - (image.shape[0] - 1) / 2
    x = np.arange(image.shape[1]) - (image.shape[1] - 1) / 2
    left = np.exp(-1j * unit * np.outer(np.arange(-half, half + 1), y))
    right = np.exp(-1j * unit * np.outer(x, np.arange(half + 1)))
    # the image is real: two real products take half the time of a complex one
    values: NDArray[np.complex128] = left @ (image @ right.real + 1j * (image @ right.imag))
    return values


def passed(reference: NDArray[np.complex128], threshold: float = 3e-3) -> NDArray[np.complex128]:
    """Keep the frequencies that the optics pass, in the smallest array that holds them.

    The detector samples finer than the diffraction limit: beyond the cut-off there is noise
    only. What counts is a modulus above `threshold` times the flux.

    Parameters
    ----------
    reference : ndarray (length, h), complex
        Spectrum of the reference PSF, from `spectrum`.
    threshold : float
        Relative modulus.

    Returns
    -------
    ndarray (2 kmax + 1, kmax + 1), complex
        Zero where not passed.
    """
    modulus = np.abs(reference)
    kept = np.where(modulus > threshold * modulus.max(), reference, 0)
    half = reference.shape[1] - 1
    rows, columns = np.nonzero(kept)
    kmax = int(max(np.abs(rows - half).max(), columns.max()))
    return np.ascontiguousarray(kept[half - kmax : half + kmax + 1, : kmax + 1])


def pixel_transfer(length: int, kmax: int) -> NDArray[np.float64]:
    """Fourier transform of a square pixel, ``sinc(ky) sinc(kx)``, for frequencies up to kmax."""
    fy, fx = np.arange(-kmax, kmax + 1) / length, np.arange(kmax + 1) / length
    transfer: NDArray[np.float64] = np.outer(np.sinc(fy), np.sinc(fx))
    return transfer


@kernel
def window_spectrum(window: NDArray, table: NDArray, out: NDArray) -> None:
    """Transform of a real window about its centre, by two real matrix products.

    Parameters
    ----------
    window : ndarray (L, L), float64
        Without NaN.
    table : ndarray (2, h, h)
        From `tables`.
    out : ndarray (2, 2 kmax + 1, kmax + 1)
        Result, real and imaginary part.
    """
    cosine, sine = table[0], table[1]
    length = window.shape[0]
    half = length // 2
    nk = out.shape[2]
    kmax = nk - 1
    # Parts even and odd about the centre halve the number of products.
    rows = np.zeros((2, length, nk))
    for y in range(length):
        for m in range(nk):
            rows[0, y, m] = window[y, half]
        for j in range(1, half + 1):
            even = window[y, half + j] + window[y, half - j]
            odd = window[y, half + j] - window[y, half - j]
            for m in range(nk):
                rows[0, y, m] += even * cosine[j, m]
                rows[1, y, m] -= odd * sine[j, m]
    for i in range(2 * kmax + 1):
        for m in range(nk):
            out[0, i, m] = rows[0, half, m]
            out[1, i, m] = rows[1, half, m]
    for j in range(1, half + 1):
        even = rows[:, half + j] + rows[:, half - j]
        odd = rows[:, half + j] - rows[:, half - j]
        for i in range(2 * kmax + 1):
            k = i - kmax
            c = cosine[j, abs(k)]
            s = sine[j, abs(k)] if k >= 0 else -sine[j, abs(k)]
            for m in range(nk):
                out[0, i, m] += c * even[0, m] + s * odd[1, m]
                out[1, i, m] += c * even[1, m] - s * odd[0, m]


@kernel
def evaluate(
    re: NDArray, im: NDArray, unit: float, y: float, x: float, work: NDArray
) -> tuple[float, float, float, float, float, float]:
    """Value and derivatives of a trigonometric polynomial at one point.

    Parameters
    ----------
    re, im : ndarray (2 kmax + 1, kmax + 1)
        Coefficients, half plane; kx > 0 counts twice.
    unit : float
        ``2 pi / L``.
    y, x : float
        Point, pixels from the centre.
    work : ndarray (2, 2 kmax + 1)
        Scratch.

    Returns
    -------
    value, d/dy, d/dx, d2/dy2, d2/dydx, d2/dx2 : float
        Not divided by L^2.
    """
    nk = re.shape[1]
    kmax = nk - 1
    for i in range(2 * kmax + 1):
        work[0, i] = np.cos(unit * (i - kmax) * y)
        work[1, i] = np.sin(unit * (i - kmax) * y)
    value, gy, gx, hyy, hyx, hxx = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(nk):
        a_re, a_im, b_re, b_im, c_re, c_im = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(2 * kmax + 1):
            ky = unit * (i - kmax)
            t_re = re[i, m] * work[0, i] - im[i, m] * work[1, i]
            t_im = re[i, m] * work[1, i] + im[i, m] * work[0, i]
            a_re += t_re
            a_im += t_im
            b_re += ky * t_re
            b_im += ky * t_im
            c_re += ky * ky * t_re
            c_im += ky * ky * t_im
        kx = unit * m
        weight = 1.0 if m == 0 else 2.0
        c, s = weight * np.cos(kx * x), weight * np.sin(kx * x)
        value += a_re * c - a_im * s
        gx -= kx * (a_re * s + a_im * c)
        gy -= b_re * s + b_im * c
        hxx -= kx * kx * (a_re * c - a_im * s)
        hyx -= kx * (b_re * c - b_im * s)
        hyy -= c_re * c - c_im * s
    return value, gy, gx, hyy, hyx, hxx


@kernel
def climb(
    re: NDArray, im: NDArray, unit: float, y: float, x: float, work: NDArray
) -> tuple[float, float, float]:
    """Climb to the nearest maximum of a trigonometric polynomial.

    Newton steps, no longer than 0.7 px; where the surface is not concave, such a step along the
    gradient.

    Parameters
    ----------
    re, im, unit, work
        As for `evaluate`.
    y, x : float
        Start, pixels from the centre.

    Returns
    -------
    y, x, value : float
        NaN when there is no maximum within 4 px of the centre.
    """
    for _ in range(_ITERATIONS):
        value, gy, gx, hyy, hyx, hxx = evaluate(re, im, unit, y, x, work)
        determinant = hyy * hxx - hyx * hyx
        if hyy < 0 and determinant > 0:
            dy = (hyx * gx - hxx * gy) / determinant
            dx = (hyx * gy - hyy * gx) / determinant
        else:
            norm = np.hypot(gy, gx)
            if not norm > 0:  # flat, or NaN
                return np.nan, np.nan, np.nan
            dy, dx = _STEP * gy / norm, _STEP * gx / norm
        length = np.hypot(dy, dx)
        if length > _STEP:
            dy, dx = dy * _STEP / length, dx * _STEP / length
        y, x = y + dy, x + dx
        if not (abs(y) <= _REACH and abs(x) <= _REACH):
            return np.nan, np.nan, np.nan
        if length < _TOLERANCE:
            # the value is stationary: its error is of second order in the last step
            return y, x, value
    return np.nan, np.nan, np.nan


@kernel
def register_windows(
    stamps: NDArray,
    centres: NDArray,
    half: int,
    reference: NDArray,
    deconvolution: NDArray,
    table: NDArray,
) -> NDArray[np.float64]:
    """Cross-correlation centroid, and image peak, of one window per frame.

    Parameters
    ----------
    stamps : ndarray (n, s, s)
        Calibrated cut-outs; NaN pixels are filled from neighbours first.
    centres : ndarray (n, 2), int64
        Window centre (y, x) within the stamp.
    half : int
        The window is ``2 half + 1`` wide.
    reference : ndarray (2 kmax + 1, kmax + 1), complex
        Spectrum of the reference PSF, from `passed`.
    deconvolution : ndarray (2 kmax + 1, kmax + 1)
        Factor for the spectrum of the image whose peak is sought.
    table : ndarray (2, h, h)
        From `tables`.

    Returns
    -------
    ndarray (n, 3)
        y, x within the stamp, and the peak of the image; NaN where more than half of the window
        is NaN or no maximum is found.
    """
    n = stamps.shape[0]
    length = 2 * half + 1
    unit = 2 * np.pi / length
    rows, nk = reference.shape
    out = np.full((n, 3), np.nan)
    window = np.empty((length, length))
    re_im = np.empty((2, rows, nk))
    re, im = np.empty((rows, nk)), np.empty((rows, nk))
    work = np.empty((2, rows))
    for k in range(n):
        y0, x0 = centres[k, 0] - half, centres[k, 1] - half
        holes = fill_holes(stamps[k, y0 : y0 + length, x0 : x0 + length], window)
        if 2 * holes > length * length:
            continue
        window_spectrum(window, table, re_im)
        for i in range(rows):
            for m in range(nk):
                p = reference[i, m]
                re[i, m] = re_im[0, i, m] * p.real + re_im[1, i, m] * p.imag
                im[i, m] = re_im[1, i, m] * p.real - re_im[0, i, m] * p.imag
        y, x, _ = climb(re, im, unit, 0.0, 0.0, work)
        if np.isnan(y):
            continue
        out[k, 0], out[k, 1] = centres[k, 0] + y, centres[k, 1] + x
        for i in range(rows):
            for m in range(nk):
                re[i, m] = re_im[0, i, m] * deconvolution[i, m]
                im[i, m] = re_im[1, i, m] * deconvolution[i, m]
        out[k, 2] = climb(re, im, unit, y, x, work)[2] / (length * length)
    return out
