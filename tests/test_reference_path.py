"""The fast path beside the same chain made of ccdproc, scipy and photutils calls."""

from __future__ import annotations

from dataclasses import replace

import astropy.units as u
import ccdproc
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from photutils.aperture import CircularAperture, aperture_photometry
from scipy import ndimage

from vampires.calibration.pixels import pixel_calibration
from vampires.cube import CameraCube
from vampires.simulate import NightSpec
from vampires.simulate.cube import simulate_cube

FRAMES, SIZE, WIDTH = 24, 96, 80


@pytest.fixture(name="night", scope="module")
def fixture_night(tmp_path_factory):
    """A cube with its masters: (cube, raw numbers, background, flat, bad)."""
    path = tmp_path_factory.mktemp("reference") / "VMPA00000001.fits"
    spec = NightSpec.preset(
        "imaging", size=SIZE, jitter=1.2, sky_rate=2000.0, flux=1.5e6, hot_fraction=0.0,
        dead_fraction=0.0,
    )  # fmt: skip
    simulate_cube(spec, path, FRAMES, scenes=FRAMES)
    cube = CameraCube.open([path])
    nominal, rng = pixel_calibration(cube.header), np.random.default_rng(4)
    flat = rng.normal(1, 0.02, nominal.shape)
    background = nominal.background + rng.normal(0, 0.5, nominal.shape)
    calibration = replace(
        nominal,
        background=background.astype(np.float32),
        scale=(nominal.scale / flat).astype(np.float32),
    )
    return replace(cube, calibration=calibration), fits.getdata(path), background, flat


def reference_frames(night, bad=None):
    """Frames calibrated by ccdproc, calibrated orientation, with uncertainty and mask."""
    cube, cube_of_numbers, background, flat = night
    header = cube.header
    gain, noise = header["EFFGAIN"] * u.electron / u.adu, header["RN"] * u.electron
    for numbers in cube_of_numbers:
        signal = CCDData(numbers.astype(float) - header["BIAS"], unit="adu")
        error = ccdproc.create_deviation(signal, gain=gain, readnoise=noise).uncertainty
        mask = numbers >= header["SATURATE"]
        frame = CCDData(
            numbers.astype(float), unit="adu", uncertainty=error, mask=mask if bad is None else
            mask | bad,
        )  # fmt: skip
        frame = ccdproc.subtract_bias(frame, CCDData(background, unit="adu"))
        frame = ccdproc.gain_correct(frame, gain)
        frame = ccdproc.flat_correct(frame, CCDData(flat, unit=""), norm_value=1.0)
        frame = frame.divide(header["EXPTIME"] * u.s)
        yield frame[::-1] if cube.flip else frame


def cut(plane, corner, size, fill):
    """Rectangle of a plane, which may reach beyond it."""
    padded = np.pad(plane, size[0], constant_values=fill)
    y, x = np.asarray(corner) + size[0]
    return padded[y : y + size[0], x : x + size[1]]


def test_whole_pixels_with_masks_as_ccdproc_combines(night):
    """Data and variance to 2e-5; the same pixels are lost."""
    cube, numbers, *_ = night
    rng = np.random.default_rng(5)
    bad = rng.random(numbers.shape[1:]) < 0.01
    cube = replace(cube, calibration=replace(cube.calibration, bad=bad, repair=False))
    corners = rng.integers(5, 11, (FRAMES, 2))
    size = (WIDTH, WIDTH)
    centers = corners + (np.array(size) - 1) / 2
    image = replace(cube, centers=centers[None]).coadd(
        "mean", crop_width=WIDTH, pad=False, recenter=None
    )
    pieces = [
        CCDData(
            cut(frame.data, corner, size, np.nan),
            unit=frame.unit,
            mask=cut(frame.mask, corner, size, True),
            uncertainty=StdDevUncertainty(cut(frame.uncertainty.array, corner, size, 0.0)),
        )
        for frame, corner in zip(reference_frames(night, bad), corners, strict=True)
    ]
    combined = ccdproc.Combiner(pieces).average_combine()
    valid = ~np.array([piece.mask for piece in pieces])
    variances = np.array([piece.uncertainty.array**2 for piece in pieces])
    variance = np.where(valid, variances, 0).sum(axis=0) / valid.sum(axis=0) ** 2
    np.testing.assert_allclose(image.data[0], combined.data, rtol=2e-5, atol=0.05)
    np.testing.assert_allclose(image.variance[0], variance, rtol=2e-5)
    np.testing.assert_array_equal(image.count[0], valid.sum(axis=0))


@pytest.mark.parametrize("method", ["mean", "median"])
def test_coadd_and_its_photometry(night, method):
    """Shifted by scipy's fifth-order spline: to 0.3 % of the peak, photometry to 0.1 %."""
    cube = night[0].measure().register("dft")
    image = cube.coadd(method, crop_width=WIDTH, pad=False, recenter=None)
    middle = (WIDTH - 1) / 2
    shifted = []
    for frame, center in zip(reference_frames(night), cube.centers[0], strict=True):
        corner = np.rint(center - middle).astype(int)
        moved = ndimage.shift(frame.data, corner + middle - center, order=5, mode="nearest")
        shifted.append(cut(moved, corner, (WIDTH, WIDTH), np.nan))
    average = np.mean if method == "mean" else np.median
    expected = average(shifted, axis=0)
    inner = slice(12, -12)
    difference = (image.data[0] - expected)[inner, inner]
    assert np.abs(difference).max() < 3e-3 * expected[inner, inner].max()
    apertures = CircularAperture([(middle, middle)], 8.0)
    ours, theirs = (
        aperture_photometry(plane, apertures)["aperture_sum"][0]
        for plane in (image.data[0], expected)
    )
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_photometry_of_every_frame(night):
    """Flux to 2e-5 and error to 1e-4 of what photutils measures on ccdproc's frames."""
    cube = night[0].measure()
    metrics = cube.metrics
    places = cube.register("dft").centers[0]
    for k, frame in enumerate(reference_frames(night)):
        aperture = CircularAperture(places[k][::-1], 8.0)
        table = aperture_photometry(frame.data, aperture, error=frame.uncertainty.array)
        assert metrics.photf[0, 0, k] == pytest.approx(table["aperture_sum"][0], rel=2e-5)
        assert metrics.phote[0, 0, k] == pytest.approx(table["aperture_sum_err"][0], rel=1e-4)
