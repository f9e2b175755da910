"""Images of a star against diffraction theory and direct photometry."""

import numpy as np
import pytest
from photutils.aperture import CircularAperture
from scipy.fft import irfft2

from vampires.simulate import constants as c
from vampires.simulate.bank import SatelliteSpots, make_bank, shift_phase
from vampires.simulate.detector import generator
from vampires.simulate.optics import MAS, phase_screens, pupil_amplitude, star_psf

SIZE = 96


@pytest.fixture(scope="module")
def bank():
    screens = phase_screens(96, 0.6, 750.0, 3, generator(1, "test"))
    return make_bank("750-50", 6.24, 140.4, SIZE, screens, radii=(4.0, 8.0, 16.0))


def fwhm(psf):
    """Full width at half maximum from the area above half of the maximum."""
    return 2 * np.sqrt((psf > psf.max() / 2).sum() / np.pi)


def test_pupil_area():
    # L24: 40.64 m^2; the spiders' and arm's exact ends are not published
    area = pupil_amplitude(256, 0.0).mean() * c.PUPIL_DIAMETER**2
    assert area == pytest.approx(40.64, rel=0.05)


def test_pupil_turns_counter_clockwise():
    upright, turned = pupil_amplitude(128, 0.0), pupil_amplitude(128, 90.0)
    # rows go up: a quarter turn counter-clockwise takes +x to +y
    np.testing.assert_allclose(turned, np.rot90(upright, -1), atol=0.3)
    assert np.abs(turned - np.rot90(upright, 1)).max() > 0.9


def test_psf_width_and_sum():
    fine = star_psf("750-50", 1.0, 140.4, 81, pixel_integrated=False)
    resolution = 750e-9 / c.PUPIL_DIAMETER / MAS
    assert fwhm(fine) == pytest.approx(resolution, rel=0.07)
    assert star_psf("750-50", 6.24, 140.4, 64).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("size", [40, 41])
def test_psf_is_centred_and_point_symmetric(size):
    psf = star_psf("F720", 5.91, -38.4, size)
    np.testing.assert_allclose(psf, psf[::-1, ::-1], atol=1e-10)
    y, x = np.indices(psf.shape)
    assert (psf * y).sum() == pytest.approx((size - 1) / 2, abs=1e-9)
    assert (psf * x).sum() == pytest.approx((size - 1) / 2, abs=1e-9)


def test_screens_have_the_strehl_and_no_tilt():
    screens = phase_screens(128, 0.5, 750.0, 4, generator(2, "test"))
    axis = (np.arange(128) + 0.5) / 128 - 0.5
    x, y = np.meshgrid(axis, axis)
    inside = np.hypot(x, y) <= 0.5
    phase = 2 * np.pi * screens[:, inside] / 750
    assert np.exp(-phase.var(axis=1)).mean() == pytest.approx(0.5, abs=0.08)
    for tilt in (x[inside], y[inside]):
        np.testing.assert_allclose(phase @ tilt / inside.sum(), 0, atol=1e-10)


def test_bank_strehl_follows_the_peak(bank):
    perfect = make_bank("750-50", 6.24, 140.4, SIZE, np.zeros((1, 96, 96)))
    assert perfect.strehl[0] == pytest.approx(1.0, abs=1e-9)
    peaks = [bank.image(otf).max() for otf in bank.off_axis]
    reference = perfect.image(perfect.off_axis[0]).max()
    np.testing.assert_allclose(np.array(peaks) / reference, bank.strehl, rtol=0.03)


def test_encircled_light_is_exact_overlap_photometry(bank):
    y, x = 47.3, 46.8
    image = irfft2(bank.on_axis[0] * shift_phase(SIZE, y, x), s=(SIZE, SIZE))
    assert image.sum() == pytest.approx(1.0)
    for radius, fraction in zip(bank.radii, bank.encircled[0], strict=True):
        measured = CircularAperture((x, y), radius).do_photometry(image)[0][0]
        assert measured == pytest.approx(fraction, rel=2e-3)


def test_coronagraph_rejects_the_star_only():
    screens = phase_screens(96, 0.8, 750.0, 2, generator(3, "test"))
    open_ = make_bank("750-50", 5.91, 0.0, SIZE, screens)
    masked = make_bank("750-50", 5.91, 0.0, SIZE, screens, coronagraph=1.0)
    np.testing.assert_allclose(masked.off_axis, open_.off_axis)
    rejected = masked.image(masked.on_axis[0]).max() / open_.image(open_.on_axis[0]).max()
    assert rejected < 0.05
    # what is left is the incoherent part, 1 - S, up to the mask's reach beyond the grid
    assert masked.on_axis[0, 0, 0].real == pytest.approx(1 - np.exp(np.log(0.8)), abs=0.08)


def test_satellite_spots_stand_where_they_should():
    spots = SatelliteSpots(amplitude=0.05, separation=10.3, angle=-6.6)
    flat = np.zeros((1, 96, 96))
    bank = make_bank("750-50", 5.91, 0.0, SIZE, flat, coronagraph=1.0, spots=spots, wavelengths=1)
    image = bank.image(bank.on_axis[0])
    radius = 10.3 * 750e-9 / c.PUPIL_DIAMETER / MAS / 5.91
    for k, (dy, dx) in enumerate(bank.spots):
        assert np.hypot(dy, dx) == pytest.approx(radius)
        angle = np.rad2deg(np.arctan2(dy, dx)) % 360
        assert angle == pytest.approx((45 - 6.6 + 90 * k) % 360)
        y, x = round(SIZE // 2 + dy), round(SIZE // 2 + dx)
        window = image[y - 3 : y + 4, x - 3 : x + 4]
        assert np.unravel_index(window.argmax(), window.shape) == (3, 3)
    # L24 at 10.3 lambda/D: -0.111 A + 14.217 A^2 with A = 50/750
    assert bank.spot_ratio == pytest.approx(-0.111 / 15 + 14.217 / 225)
    assert image.sum() == pytest.approx(4 * bank.spot_ratio, rel=0.01)
