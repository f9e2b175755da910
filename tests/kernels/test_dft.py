"""Cross-correlation centroids: truth recovery, limits by photon noise, awkward pixels."""

import numpy as np
import pytest
from scipy import ndimage

from vampires.instrument.telescope import PUPIL
from vampires.kernels.dft import (
    climb,
    evaluate,
    passed,
    register_windows,
    spectrum,
    tables,
    window_spectrum,
)
from vampires.kernels.strehl import reference_spectrum
from vampires.measure.psf import fraunhofer_psf, pupil_transmission, synthetic_psf

HALF = 10
LENGTH = 2 * HALF + 1


@pytest.fixture(scope="module")
def psf():
    return synthetic_psf("750-50", 6.24, 140.4, 31).astype(float)


def shifted_star(dy, dx, size=43):
    """The telescope's image at an exact sub-pixel place: the wavefront is tilted."""
    pupil = pupil_transmission(PUPIL, 140.4)
    n = len(pupil)
    u = ((np.arange(n) + 0.5) / n - 0.5) * PUPIL.diameter
    scale = 6.24 * np.pi / 180 / 3600e3
    centres = np.arange(size) - size // 2
    nodes, weights = np.polynomial.legendre.leggauss(3)
    image = np.zeros((size, size))
    for wavelength in np.linspace(726e-9, 774e-9, 5):
        y = (centres[:, None] + 0.5 * nodes - dy).ravel() * scale
        x = (centres[:, None] + 0.5 * nodes - dx).ravel() * scale
        ky = np.exp(-2j * np.pi / wavelength * np.outer(y, u))
        kx = np.exp(-2j * np.pi / wavelength * np.outer(x, u))
        fine = np.abs(ky @ pupil @ kx.T) ** 2 / wavelength**2
        cells = fine.reshape(size, 3, size, 3)
        image += np.einsum("iajb,a,b->ij", cells, weights, weights)
    return image / image.sum()


def register(stamps, psf, centre=None):
    reference, deconvolution = reference_spectrum(psf, LENGTH)
    middle = np.array([s // 2 for s in stamps.shape[1:]])
    centres = np.tile(middle if centre is None else centre, (len(stamps), 1))
    return register_windows(stamps, centres, HALF, reference, deconvolution, tables(LENGTH))


def test_window_spectrum_is_the_fourier_transform():
    window = np.random.default_rng(0).normal(size=(LENGTH, LENGTH))
    kmax = 7
    out = np.empty((2, 2 * kmax + 1, kmax + 1))
    window_spectrum(window, tables(LENGTH), out)
    expected = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(window)))
    expected = expected[HALF - kmax : HALF + kmax + 1, HALF : HALF + kmax + 1]
    np.testing.assert_allclose(out[0] + 1j * out[1], expected, atol=1e-11)
    np.testing.assert_allclose(
        spectrum(window, LENGTH)[HALF - kmax : HALF + kmax + 1, : kmax + 1], expected, atol=1e-11
    )


def test_derivatives_agree_with_differences():
    rng = np.random.default_rng(1)
    re, im = rng.normal(size=(2, 9, 5))
    unit, work, h = 2 * np.pi / LENGTH, np.empty((2, 9)), 1e-5

    def at(y, x):
        return np.array(evaluate(re, im, unit, y, x, work))

    value = at(0.3, -0.7)
    dy = (at(0.3 + h, -0.7) - at(0.3 - h, -0.7)) / (2 * h)
    dx = (at(0.3, -0.7 + h) - at(0.3, -0.7 - h)) / (2 * h)
    np.testing.assert_allclose(value[1:3], [dy[0], dx[0]], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(value[3:6], [dy[1], dy[2], dx[2]], rtol=1e-6, atol=1e-6)


def test_flat_surface_has_no_summit():
    re, im = np.zeros((2, 9, 5))
    assert np.isnan(climb(re, im, 0.3, 0.0, 0.0, np.empty((2, 9)))).all()


def test_noiseless_stars_are_found_to_a_thousandth_of_a_pixel(psf):
    rng = np.random.default_rng(2)
    truth = rng.uniform(-0.7, 0.7, (20, 2))
    stamps = np.stack([shifted_star(*place) for place in truth])
    found = register(stamps, psf)[:, :2] - 21
    # what remains is the light that the window cuts off
    assert np.abs(found - truth).max() < 1.5e-3


@pytest.mark.parametrize(("electrons", "limit"), [(3e5, 0.004), (3e3, 0.05)])
def test_noise_is_near_the_photon_limit(psf, electrons, limit):
    rng = np.random.default_rng(3)
    truth = rng.uniform(-0.5, 0.5, (8, 2))
    images = np.stack([shifted_star(*place) for place in truth])
    stamps = rng.poisson(np.repeat(images, 40, axis=0) * electrons).astype(np.float32)
    error = register(stamps, psf)[:, :2] - 21 - np.repeat(truth, 40, axis=0)
    # Fisher information of a Poisson image: sum (dI/dx)^2 / I
    gradient = (shifted_star(0, 0.01) - shifted_star(0, -0.01)) / 0.02
    bound = 1 / np.sqrt(electrons * (gradient**2 / shifted_star(0, 0)).sum())
    rms = np.sqrt((error**2).mean())
    assert bound < rms < min(limit, 1.6 * bound)


def test_background_and_few_bad_pixels_do_not_matter(psf):
    stamp = 3e4 * shifted_star(0.31, -0.22)[None] + 100
    stamp[0, 15, 18] = np.nan
    found = register(stamp, psf)[0, :2] - 21
    np.testing.assert_allclose(found, (0.31, -0.22), atol=5e-3)


def test_star_beside_the_window_centre_is_climbed_to(psf):
    stamp = shifted_star(0.0, 0.0)[None]
    found = register(stamp, psf, centre=np.array([23, 20]))[0, :2]
    np.testing.assert_allclose(found, (21, 21), atol=0.02)


def test_empty_window_has_no_position(psf):
    assert np.isnan(register(np.full((1, 43, 43), np.nan), psf)).all()
    half_empty = shifted_star(0, 0)
    half_empty[:22] = np.nan
    assert np.isnan(register(half_empty[None], psf)).all()


def test_result_does_not_depend_on_neighbouring_frames(psf):
    rng = np.random.default_rng(4)
    stamps = rng.poisson(1e4 * shifted_star(0.2, 0.1), (7, 43, 43)).astype(np.float32)
    together = register(stamps, psf)
    apart = np.concatenate([register(stamps[k : k + 1], psf) for k in range(7)])
    np.testing.assert_array_equal(together, apart)


def test_peak_is_that_of_the_image_before_pixel_integration(psf):
    pupil = pupil_transmission(PUPIL, 140.4)
    # pixels ten times finer: integration no longer matters
    wavelengths = np.linspace(726e-9, 774e-9, 5)
    fine = fraunhofer_psf(pupil, PUPIL.diameter, wavelengths, np.ones(5), 0.624, 431)
    peak = fine.max() * 100
    stamps = np.stack([shifted_star(*place) for place in [(0, 0), (0.5, 0.5), (-0.3, 0.1)]])
    flux = stamps[0].sum() / fine.sum()
    np.testing.assert_allclose(register(stamps, psf)[:, 2] * flux, peak, rtol=0.02)
    np.testing.assert_allclose(register(stamps, psf)[:, 2] / stamps.max(axis=(1, 2)) > 1, True)
    spread = np.ptp(register(stamps, psf)[:, 2]) / peak
    assert spread < 3e-3


def test_only_what_the_optics_pass_is_kept(psf):
    kept = passed(spectrum(psf, LENGTH))
    cutoff = PUPIL.diameter / 724e-9 * 6.24 * np.pi / 180 / 3600e3 * LENGTH
    assert kept.shape[1] - 1 <= np.ceil(cutoff)
    assert kept.shape == (2 * kept.shape[1] - 1, kept.shape[1])


def test_agrees_with_a_brute_force_search(psf):
    stamp = np.random.default_rng(5).poisson(5e3 * shifted_star(0.27, 0.41)).astype(float)
    window = stamp[11:32, 11:32]
    y, x = register(stamp[None], psf)[0, :2] - 21
    small = psf[5:26, 5:26]
    steps = np.arange(-0.06, 0.07, 0.02)

    def score(dy, dx):
        moved = ndimage.fourier_shift(np.fft.fft2(small), (dy, dx))
        return (np.fft.ifft2(moved).real * window).sum()

    surface = [[score(y + a, x + b) for b in steps] for a in steps]
    best = np.unravel_index(np.argmax(surface), (len(steps), len(steps)))
    assert np.abs(np.array(best) - 3).max() <= 1
