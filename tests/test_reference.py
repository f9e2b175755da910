"""The fast path beside the reference chain of ccdproc, scipy and photutils."""

from __future__ import annotations

from dataclasses import replace

import astropy.units as u
import ccdproc
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from photutils.aperture import CircularAperture, aperture_photometry

from vampires import reference
from vampires.calibration.masters import temporal_statistics
from vampires.calibration.pixels import pixel_calibration
from vampires.cube import CameraCube
from vampires.errors import CalibrationError, ConfigError, FileError, HeaderError
from vampires.simulate import NightSpec
from vampires.simulate.cube import simulate_cube

FRAMES, SIZE, WIDTH = 24, 96, 80


@pytest.fixture(name="night", scope="module")
def fixture_night(tmp_path_factory):
    """A cube with masters of its own."""
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
    return replace(cube, calibration=calibration)


def test_whole_pixels_with_masks_as_ccdproc_combines(night):
    """Data to 2e-5, the variance of the mean likewise; the same pixels are lost."""
    rng = np.random.default_rng(5)
    bad = rng.random(night.shape[1:]) < 0.01
    corners = rng.integers(5, 11, (FRAMES, 2))
    size = (WIDTH, WIDTH)
    centers = corners + (np.array(size) - 1) / 2
    cube = replace(
        night,
        calibration=replace(night.calibration, bad=bad, repair=False),
        centers=centers[None],
    )
    image = cube.coadd("mean", crop_width=WIDTH, pad=False, recenter=None)
    slow = reference.coadd(cube, "mean", crop_width=WIDTH)
    np.testing.assert_allclose(image.data[0], slow.data, rtol=2e-5, atol=0.05)
    pieces = [
        reference.shift_and_cut(frame, center, size)
        for frame, center in zip(reference.calibrated_frames(cube), centers, strict=True)
    ]
    valid = ~np.array([piece.mask for piece in pieces])
    variances = np.array([piece.uncertainty.array**2 for piece in pieces])
    variance = np.where(valid, variances, 0).sum(axis=0) / valid.sum(axis=0) ** 2
    np.testing.assert_allclose(image.variance[0], variance, rtol=2e-5)
    np.testing.assert_array_equal(image.count[0], valid.sum(axis=0))
    assert (valid.sum(axis=0) < FRAMES).any()


@pytest.mark.parametrize("method", ["mean", "median"])
def test_coadd_and_its_photometry(night, method):
    """Shifted by scipy's fifth-order spline: to 0.3 % of the peak, photometry to 0.1 %."""
    cube = night.measure().register("dft").select("strehl", 0.2)
    image = cube.coadd(method, crop_width=WIDTH, pad=False, recenter=None)
    slow = reference.coadd(cube, method, crop_width=WIDTH)
    inner = slice(12, -12)
    difference = (image.data[0] - slow.data)[inner, inner]
    assert np.abs(difference).max() < 3e-3 * slow.data[inner, inner].max()
    middle = (WIDTH - 1) / 2
    (ours, theirs) = (
        aperture_photometry(plane, CircularAperture([(middle, middle)], 8.0))["aperture_sum"][0]
        for plane in (image.data[0], slow.data)
    )
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert slow.header["NCOADD"] == image.header["NCOADD"] < FRAMES
    for ccd in (slow, image.ccddata()):
        place = ccd.wcs.wcs_pix2world(middle, middle, 0)
        assert place == pytest.approx([image.header["TARG-RA"], image.header["TARG-DEC"]])


def test_photometry_of_every_frame(night):
    """Flux to 2e-5 and error to 1e-4 of what photutils measures on ccdproc's frames."""
    cube = night.measure()
    places = cube.register("dft").centers[0]
    for k, frame in enumerate(reference.calibrated_frames(cube)):
        flux, error = reference.photometry(frame, places[k], 8.0)
        assert cube.metrics.photf[0, 0, k] == pytest.approx(flux, rel=2e-5)
        assert cube.metrics.phote[0, 0, k] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("method", ["mean", "median"])
def test_raw_frames_are_combined_as_ccdproc_does(night, method):
    slow = reference.combine_raw(night.source, method)
    fast = temporal_statistics(night.source, night.header, method)
    np.testing.assert_allclose(fast.center, slow.data, rtol=1e-6)
    if method == "mean":
        ddof = np.sqrt(FRAMES / (FRAMES - 1))  # the Combiner divides by n, we by n - 1
        np.testing.assert_allclose(fast.error, ddof * slow.uncertainty.array, rtol=1e-3)


def test_what_it_cannot_do_it_says(night):
    with pytest.raises(ConfigError, match="mean, median"):
        reference.combine_raw(night.source, "biweight")
    header = night.header.copy()
    header["ENF"] = 1.41
    with pytest.raises(CalibrationError, match="excess noise factor"):
        next(reference.calibrated_frames(replace(night, header=header)))


def raw_ccd(night):
    with fits.open(night.source.paths[0]) as hdus:
        return CCDData(hdus[0].data.astype(np.uint16), unit="adu", meta=hdus[0].header.copy())


def test_raw_ccddata_is_reduced_like_its_file(night):
    """After a function of ccdproc as well: five frames cut off, one pixel masked."""
    ccd = raw_ccd(night)
    path = night.source.paths[0]
    cube = CameraCube.from_ccddata(ccd, name=path.name)
    opened = CameraCube.open([path])
    assert not fits.HeaderDiff(cube.header.to_fits(), opened.header.to_fits()).diff_keyword_values
    one, two = (
        c.measure().register().coadd(crop_width=WIDTH, recenter=None) for c in (cube, opened)
    )
    assert np.array_equal(one.data, two.data, equal_nan=True)
    assert np.array_equal(one.variance, two.variance, equal_nan=True)

    ccd.mask = np.zeros(ccd.shape, bool)
    ccd.mask[:, 3, 4] = True
    part = CameraCube.from_ccddata(ccd[: FRAMES - 5])
    assert part.shape == (FRAMES - 5, SIZE, SIZE)
    frames = part.ccddata
    row = SIZE - 1 - 3 if part.flip else 3
    assert frames.mask[:, row, 4].all()
    assert frames.mask.sum() == FRAMES - 5
    scaled = ccdproc.gain_correct(ccd, 2 * u.electron / u.adu)
    with pytest.raises(FileError, match="electron; expected raw numbers in adu"):
        CameraCube.from_ccddata(scaled)
    with pytest.raises(FileError, match="with an uncertainty"):
        CameraCube.from_ccddata(ccdproc.create_deviation(ccd, readnoise=2 * u.adu))


def test_exported_frames_carry_their_wcs(night):
    """The target is where the star is, in every frame of a block and in a single one."""
    cube = night.measure().register("dft")
    y, x = cube.centers[0].mean(axis=0)
    target = [cube.header["TARG-RA"], cube.header["TARG-DEC"]]
    ccd = cube.ccddata
    assert ccd.wcs.wcs_pix2world(x, y, 3, 0) == pytest.approx([*target, 3])
    assert ccd[3:5].wcs.wcs_pix2world(x, y, 1, 0) == pytest.approx([*target, 4])
    assert ccd[3].wcs.wcs_pix2world(x, y, 0) == pytest.approx(target)
    assert ccd[3, 10:, 20:].wcs.wcs_pix2world(x - 20, y - 10, 0) == pytest.approx(target)
    frame = next(reference.calibrated_frames(cube))
    assert frame.wcs.wcs_pix2world(x, y, 0) == pytest.approx(target)


def test_a_header_of_another_instrument_is_refused():
    with pytest.raises(HeaderError, match="not a VAMPIRES image"):
        CameraCube.from_ccddata(CCDData(np.zeros((3, 8, 8)), unit="adu"))
