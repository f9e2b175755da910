"""Strehl ratio: one for the telescope's own image, exp(-sigma^2) with phase errors."""

import numpy as np
import pytest

from vampires.instrument.telescope import PUPIL
from vampires.kernels.aperture import measure_apertures
from vampires.kernels.dft import register_windows, tables
from vampires.kernels.strehl import reference_spectrum, strehl_scale
from vampires.measure.psf import fraunhofer_psf, pupil_transmission, synthetic_psf

HALF = 10


def strehl(images, psf, radius):
    reference, deconvolution = reference_spectrum(psf, 2 * HALF + 1)
    centres = np.tile([s // 2 for s in images.shape[1:]], (len(images), 1))
    found = register_windows(images, centres, HALF, reference, deconvolution, tables(2 * HALF + 1))
    flux, _, background = measure_apertures(images, images, found[:, :2], radius, 0, 0).T
    return (found[:, 2] - background) / flux / strehl_scale(psf, HALF, radius, 0, 0)


@pytest.mark.parametrize("size", [31, 32, 41])
@pytest.mark.parametrize("radius", [4.0, 8.0])
def test_the_synthetic_psf_has_strehl_one(size, radius):
    psf = synthetic_psf("F720", 5.91, -38.4, size)
    image = synthetic_psf("F720", 5.91, -38.4, 61).astype(float)[None] * 1e5
    assert strehl(image, psf, radius)[0] == pytest.approx(1, abs=6e-3)


def test_phase_errors_lower_the_peak_by_the_extended_marechal_factor():
    pupil = pupil_transmission(PUPIL, 0.0)
    psf = fraunhofer_psf(pupil, PUPIL.diameter, [750e-9], [1.0], 6.24, 51)
    y, x = (np.indices(pupil.shape) + 0.5) / len(pupil) * 2 - 1
    inside = pupil > 0.5
    astigmatism = x**2 - y**2
    astigmatism -= astigmatism[inside].mean()
    astigmatism *= 0.4 / astigmatism[inside].std()
    aberrated = fraunhofer_psf(
        pupil * np.exp(1j * astigmatism), PUPIL.diameter, [750e-9], [1.0], 6.24, 51
    )
    # an aperture that holds all the light: the ratio is that of the peaks
    measured = strehl(aberrated[None], psf, 20.0)[0]
    assert measured == pytest.approx(np.exp(-(0.4**2)), abs=0.015)


def test_place_between_pixels_does_not_matter():
    psf = synthetic_psf("750-50", 6.24, 140.4, 31)
    fine = synthetic_psf("750-50", 6.24 / 5, 140.4, 305).astype(float)
    images = []
    for dy, dx in [(0, 0), (1, 2), (-2, 2), (2, 0)]:
        moved = np.roll(fine, (dy, dx), axis=(0, 1))
        images.append(moved.reshape(61, 5, 61, 5).sum(axis=(1, 3)))
    values = strehl(np.array(images), psf, 8.0)
    np.testing.assert_allclose(values, 1.0, atol=5e-3)
    assert np.ptp(values) < 3e-3


def test_aperture_wider_than_the_psf_counts_the_rest_as_dark():
    psf = synthetic_psf("750-50", 6.24, 140.4, 31)
    assert strehl_scale(psf, HALF, 14.0, 0, 0) > strehl_scale(psf, HALF, 40.0, 0, 0) > 0
