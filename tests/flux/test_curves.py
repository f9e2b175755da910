"""Contrast curves, signal-to-noise maps, and companions through the ADI image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import ndimage, stats

from vampires.errors import FileError
from vampires.flux import adi
from vampires.flux.curves import CurveSettings, contrast_curve, fwhm_of, snr_map, student_factor
from vampires.measure.psf import synthetic_psf

FWHM = fwhm_of("750-50", 5.91)


@pytest.fixture(scope="module")
def vip():
    pytest.importorskip("vip_hci")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vip_hci
        import vip_hci.metrics
    return vip_hci


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    rng = np.random.default_rng(4)
    y, x = np.indices((121, 121)) - 60
    image = ndimage.gaussian_filter(rng.normal(size=(121, 121)), 1.2)
    return image * (1 + 200 / (20 + y**2 + x**2))


def test_factor_of_mawet():
    assert student_factor(1e6, 5.0) == pytest.approx(5.0, abs=0.001)
    # of the 6 and 12 apertures at 1 and 2 FWHM
    assert student_factor(6, 5.0) == pytest.approx(62.3, abs=0.1)
    assert student_factor(12, 5.0) == pytest.approx(11.66, abs=0.01)


def test_curve_of_white_noise():
    image = np.random.default_rng(2).normal(size=(161, 161))
    curve = contrast_curve(image, CurveSettings(6.0, 0.006, 1e4))
    far = curve["radius"].value > 25
    area = np.pi * 9
    assert np.mean(curve["noise"][far]) == pytest.approx(np.sqrt(area), rel=0.08)
    expected = curve["factor"] * curve["noise"] / 1e4
    np.testing.assert_allclose(curve["contrast"], expected)
    assert curve["separation"][0].to_value("arcsec") == pytest.approx(0.036)
    assert curve["apertures"][0] == 6


def test_agrees_with_vip_on_the_same_frame(vip, noise):
    """Within 5 % from four FWHM on; nearer the definitions differ, and by nothing else.

    VIP tests one aperture more than there are, against their standard deviation by n.
    """
    from vip_hci.metrics.contrcurve import noise_per_annulus

    sigma, _, radii = noise_per_annulus(noise, 2, 4.0)
    n = np.floor(2 * np.pi * radii / 4.0)
    theirs = stats.t.ppf(stats.norm.cdf(5.0), n - 1) * np.sqrt(1 + 1 / n) * sigma / 1e6
    ours = contrast_curve(noise, CurveSettings(4.0, 0.006, 1e6))
    common = min(len(radii), len(ours))
    np.testing.assert_allclose(ours["radius"].value[:common], radii[:common])
    ratio = ours["contrast"][:common] / theirs[:common]
    far = radii[:common] >= 4 * 4.0
    assert far.sum() > 15
    np.testing.assert_allclose(ratio[far], 1, atol=0.05)
    definitions = student_factor(n, 5.0) / student_factor(n + 1, 5.0) * np.sqrt(n / (n - 1))
    np.testing.assert_allclose(ratio, definitions[:common], rtol=1e-4)


def test_source_stands_out_of_the_map(noise):
    image = noise.copy()
    image[85:90, 35:40] += 5
    found = snr_map(image, 4.0)
    y, x = np.unravel_index(np.nanargmax(found), found.shape)
    assert abs(y - 87) <= 1
    assert abs(x - 37) <= 1
    assert np.isnan(found[60, 60])
    others = found[np.isfinite(found) & (np.abs(np.indices(found.shape)[0] - 87) > 6)]
    assert np.std(others) == pytest.approx(1, abs=0.2)


RADIUS, POSITION, CONTRAST = 24.3, 70.0, 4e-3


@pytest.fixture(scope="module")
def observed() -> tuple[adi.AdiCube, np.ndarray]:
    """Pupil-tracking frames of a star with static speckles and a companion; and its PSF."""
    rng = np.random.default_rng(8)
    psf = synthetic_psf("750-50", 5.91, -38.4, 101).astype(float)
    y, x = np.indices(psf.shape) - 50
    speckles = np.abs(ndimage.gaussian_filter(rng.normal(size=psf.shape), 1.5))
    speckles *= 2e-3 / (1 + (np.hypot(y, x) / 15) ** 2)
    angles = np.linspace(-140, -80, 16)
    # north up: east is left, so a position angle of 70 deg is up and to the left
    theta = np.deg2rad(POSITION)
    up, left = RADIUS * np.cos(theta), RADIUS * np.sin(theta)
    frames = []
    for a in np.deg2rad(angles):
        # the frame comes north up when it is turned counter-clockwise by the angle
        dx, dy = -left * np.cos(a) + up * np.sin(a), left * np.sin(a) + up * np.cos(a)
        companion = CONTRAST * ndimage.shift(psf, (dy, dx), order=3)
        frames.append(1e6 * (psf + speckles + companion) + 3 * rng.normal(size=psf.shape))
    return adi.AdiCube(np.array(frames), angles, FWHM), psf


@pytest.mark.parametrize(("method", "components"), [("median", 0), ("pca", 3)])
def test_companion_through_the_image(vip, observed, method, components):
    cube, _ = observed
    subtract = adi.subtraction(method, cube, components)
    image = subtract(cube.frames)
    star = adi.star_image(cube.frames, FWHM)
    flux = adi.star_flux(star, FWHM)
    curve = contrast_curve(image, CurveSettings(FWHM, 0.00591, flux))
    passed = adi.throughput([cube], lambda frames: subtract(frames[0]), [star], curve, flux)
    assert 0.3 < np.median(passed["throughput"]) < 1.1
    y, x = adi.place(cube.size, RADIUS, POSITION)
    cut = image[int(y) - 3 : int(y) + 5, int(x) - 3 : int(x) + 5].clip(0)
    weight = cut * (cut > 0.4 * cut.max())
    yy, xx = np.indices(cut.shape)
    total = weight.sum()
    off = (weight * yy).sum() / total + int(y) - 3 - y, (weight * xx).sum() / total + int(x) - 3 - x
    assert np.hypot(*off) < 0.3
    at = np.interp(RADIUS, passed["radius"], passed["throughput"])
    measured = adi._flux(image, (y, x), FWHM) / at / flux
    assert measured == pytest.approx(CONTRAST, rel=0.1)
    assert np.nanmax(snr_map(image, FWHM)[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]) > 5


def test_injected_companions_derotate_to_their_place(vip, observed):
    cube, psf = observed
    empty = adi.AdiCube(np.zeros_like(cube.frames), cube.angles, FWHM)
    frames = adi.inject(empty, psf[30:71, 30:71], [(20.0, 200.0, 1.0)])
    image = adi.derotated_mean(adi.AdiCube(frames, cube.angles, FWHM))
    y, x = adi.place(cube.size, 20.0, 200.0)
    peak = np.unravel_index(np.argmax(image), image.shape)
    assert np.hypot(peak[0] - y, peak[1] - x) < 0.8
    assert adi._flux(image, (y, x), FWHM) == pytest.approx(adi._flux(psf, (50, 50), FWHM), rel=0.03)


def test_reference_star(vip, observed):
    cube, psf = observed
    rng = np.random.default_rng(9)
    _, x = np.indices(psf.shape)
    reference = 3e5 * (psf + 1e-6 * x) + rng.normal(size=(6, *psf.shape))
    image = adi.subtraction("pca", cube, 2, reference)(cube.frames)
    y, x = adi.place(cube.size, RADIUS, POSITION)
    own = adi._flux(image, (y, x), FWHM) / adi.star_flux(adi.star_image(cube.frames, FWHM), FWHM)
    assert own == pytest.approx(CONTRAST, rel=0.25)  # the model holds nothing of the companion


def test_borders_are_cut():
    cube = np.ones((2, 3, 21, 23))
    cube[0, 1, :2] = np.nan
    cube[1, 0, :, -1] = np.nan
    (cut,), core = adi.without_nan([cube])
    assert cut.shape == (2, 3, 17, 17)
    assert core == 0
    cube[0, 0, 10, 11:13] = np.nan
    (cut,), core = adi.without_nan([cube])
    assert core == 2
    assert np.isfinite(cut).all()
    assert (cut[:, :, 8, 8] == 0).all()
    cube[0, 0, 10, 6:16] = np.nan
    with pytest.raises(FileError, match="masked from 6 px about the star"):
        adi.without_nan([cube])
