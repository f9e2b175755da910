"""The synthetic PSF against first principles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import j1

from vampires.canonical import Header
from vampires.errors import MeasurementError
from vampires.instrument.telescope import PUPIL, Disc, Pupil, Spider
from vampires.measure.psf import (
    disc_psf,
    fraunhofer_psf,
    header_psf,
    pupil_transmission,
    synthetic_psf,
)

MAS = np.pi / 180 / 3600e3


def moment(psf):
    centre = (len(psf) - 1) / 2
    axis = np.arange(len(psf)) - centre
    return np.array([(psf.sum(axis=1) * axis).sum(), (psf.sum(axis=0) * axis).sum()])


def test_clear_circle_gives_the_airy_pattern():
    clear = Pupil(8.0, 0.0, 50.3, (), ())
    scale, wavelength = 1.0, 750e-9  # pixels much finer than lambda/D
    psf = fraunhofer_psf(pupil_transmission(clear), 8.0, [wavelength], [1.0], scale, 101)
    y, x = np.indices(psf.shape) - 50
    v = np.pi * 8.0 / wavelength * np.hypot(y, x) * scale * MAS
    v[50, 50] = 1e-12
    airy = (2 * j1(v) / v) ** 2
    np.testing.assert_allclose(psf / psf.max(), airy / airy.max(), atol=1.5e-3)


def test_central_obstruction_narrows_the_core():
    def width(obstruction):
        pupil = pupil_transmission(Pupil(8.0, obstruction, 1.0, (), ()))
        profile = fraunhofer_psf(pupil, 8.0, [750e-9], [1.0], 0.5, 121)[60, 60:]
        return np.interp(-0.5, -profile / profile[0], np.arange(61)) * 2 * 0.5

    resolution = 750e-9 / 8.0 / MAS
    assert width(0.0) == pytest.approx(1.029 * resolution, rel=0.01)
    assert width(2.4) < width(0.0)


def test_core_is_as_wide_as_diffraction_has_it():
    psf = synthetic_psf("750-50", 1.0, 0.0, 61)
    profile = psf[30, 30:] / psf.max()
    fwhm = 2 * np.interp(-0.5, -profile, np.arange(31))
    assert fwhm == pytest.approx(1.0 * 750e-9 / PUPIL.diameter / MAS, rel=0.06)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["Open", "F610", "Halpha"]), st.floats(-180, 180), st.integers(20, 33))
def test_unit_sum_and_exact_centre(name, angle, size):
    psf = synthetic_psf(name, 5.9, angle, size)
    assert psf.shape == (size, size)
    assert psf.sum(dtype=float) == pytest.approx(1, abs=1e-6)
    assert (psf >= 0).all()
    np.testing.assert_allclose(moment(psf.astype(float)), 0, atol=1e-6)
    np.testing.assert_array_equal(psf, psf[::-1, ::-1])


def test_pixels_integrate():
    """A pixel of 6 mas holds the light of the 25 pixels of 1.2 mas within it."""
    coarse = synthetic_psf("750-50", 6.0, 20.0, 21).astype(float)
    fine = synthetic_psf("750-50", 1.2, 20.0, 105).astype(float)
    binned = fine.reshape(21, 5, 21, 5).sum(axis=(1, 3))
    np.testing.assert_allclose(coarse, binned, atol=2e-6)


def test_pupil_area_and_direction_of_rotation():
    pupil = Pupil(8.0, 0.0, 50.3, (), (Disc((2.5, 0.0), 1.0),))  # a disc on +x
    turned = pupil_transmission(pupil, 90.0)
    dark = 1 - turned
    n = len(turned)
    y, x = np.indices(turned.shape) - (n - 1) / 2
    inside = np.hypot(y, x) < 0.48 * n
    where = [(dark * inside * axis).sum() / (dark * inside).sum() / n * 8 for axis in (y, x)]
    np.testing.assert_allclose(where, (2.5, 0.0), atol=0.05)  # counter-clockwise: now on +y
    area = turned.mean() * 64
    assert area == pytest.approx(np.pi * (16 - 0.25), rel=2e-3)


def test_spider_throws_light_at_right_angles():
    bar = Pupil(8.0, 0.0, 50.3, (Spider((-5.0, 0.0), 0.0, 0.3),), ())  # along x
    for angle, axis in ((0.0, 0), (90.0, 1)):
        psf = fraunhofer_psf(pupil_transmission(bar, angle), 8.0, [750e-9], [1.0], 6.24, 121)
        along_y = psf[:30, 59:62].sum() + psf[-30:, 59:62].sum()
        along_x = psf[59:62, :30].sum() + psf[59:62, -30:].sum()
        spike, other = (along_y, along_x) if axis == 0 else (along_x, along_y)
        assert spike > 3 * other


def test_header_and_arguments_agree():
    header = Header({"PXSCALE": 5.91, "INST-PA": -38.4})
    psf = header_psf(header, "F720", 31)
    np.testing.assert_array_equal(psf, synthetic_psf("F720", 5.91, 141.6, 31))
    with pytest.raises(ValueError, match="read-only"):
        psf[0, 0] = 1


def test_unknown_filter_is_named():
    with pytest.raises(MeasurementError, match=r"'750-60'.*750-50"):
        synthetic_psf("750-60", 6.0, 0.0, 21)


def test_disc_is_uniform_and_centred():
    disc = disc_psf(6.3, 18)
    assert disc.sum(dtype=float) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(moment(disc.astype(float)), 0, atol=1e-6)
    assert disc.max() == pytest.approx(1 / (np.pi * 6.3**2), rel=1e-5)


@pytest.mark.parametrize("cells", [64, 63])
@pytest.mark.parametrize("size", [20, 21])
@pytest.mark.parametrize("aberrated", [False, True])
def test_image_is_the_fourier_integral_over_the_pupil(cells, size, aberrated):
    """Whatever the parity of its samples and pixels; and where pixels are wider than it needs."""
    pupil = pupil_transmission(PUPIL, 20.0, samples=cells)
    if aberrated:
        y, x = np.indices(pupil.shape) / cells
        pupil = pupil * np.exp(1j * (np.sin(5 * y + 3 * x) + y * x**2))
    scale, diameter, wavelengths, weights = 12.0, 7.92, (700e-9, 760e-9), (1.0, 0.6)
    fine = 45  # samples a pixel and axis for a sum in place of the integral
    angles = (np.arange((size + 24) * fine) - ((size + 24) * fine - 1) / 2) / fine * scale * MAS
    u = ((np.arange(cells) + 0.5) / cells - 0.5) * diameter
    image = 0.0
    for wavelength, weight in zip(wavelengths, weights, strict=True):
        wave = np.exp(-2j * np.pi / wavelength * np.outer(angles, u))
        image = image + weight / wavelength**2 * np.abs(wave @ pupil @ wave.T) ** 2
    pixels = image.reshape(size + 24, fine, size + 24, fine).mean(axis=(1, 3))[12:-12, 12:-12]
    psf = fraunhofer_psf(pupil, diameter, wavelengths, weights, scale, size)
    np.testing.assert_allclose(psf, pixels / pixels.sum(), atol=1e-4 * psf.max())
