"""Pixels that cannot be data, in otherwise sound files."""

import numpy as np
import pytest
from astropy.io import fits

from vampires.cube import CameraCube
from vampires.errors import MeasurementError
from vampires.measure.plausible import impossible_frames, stray_pixels


@pytest.fixture(name="raw", scope="module")
def fixture_raw(stars_night):
    """One exposure of an EMCCD, six frames."""
    with fits.open(sorted((stars_night / "raw").glob("*.fits"))[0]) as hdus:
        return hdus[0].data.copy(), hdus[0].header.copy()


def cube_of(path, data, header):
    fits.PrimaryHDU(data, header).writeto(path, output_verify="silentfix")
    return CameraCube.open([path])


def random_bytes(data):
    flat = data[3].reshape(-1)
    flat[: len(flat) // 3] = np.random.default_rng(1).integers(0, 65536, len(flat) // 3)


def zeros(data):
    data[3] = 0


def some_zeros(data):
    data[3, :60] = 0


@pytest.mark.parametrize("damage", [random_bytes, zeros, some_zeros])
def test_a_damaged_frame_is_left_out_and_the_coadd_is_that_of_the_others(raw, tmp_path, damage):
    data, header = raw
    damaged = data.copy()
    damage(damaged)
    assert (damaged != data).any(axis=(1, 2)).tolist() == [k == 3 for k in range(len(data))]
    cube = cube_of(tmp_path / "a.fits", damaged, header).measure()
    assert cube.selected.tolist() == [k != 3 for k in range(len(data))]
    image = cube.register().coadd("mean", 64, pad=False, recenter=None)
    assert image.header["NREFUSED"] == 1
    assert image.header["NCOADD"] == len(data) - 1
    without = cube_of(tmp_path / "b.fits", np.delete(data, 3, axis=0), header)
    expected = without.measure().register().coadd("mean", 64, pad=False, recenter=None)
    np.testing.assert_allclose(image.data, expected.data, rtol=1e-4, atol=1e-2)


def test_a_flipped_high_bit_is_masked(raw, tmp_path):
    data, header = raw
    data = (150 + (data.astype(int) - 150) // 5).clip(0).astype(np.uint16)  # a fainter star
    damaged = data.copy()
    y, x = data.shape[1] // 2 + 6, data.shape[2] // 2 + 20
    damaged[3, y, x] ^= 1 << 15
    cube = cube_of(tmp_path / "a.fits", damaged, header).measure()
    assert np.flatnonzero(stray_pixels(cube.measured)).tolist() == [3]
    assert cube.selected.all()
    image = cube.register().coadd("mean", 64, pad=False, recenter=None)
    clean = cube_of(tmp_path / "b.fits", data, header).measure().register()
    expected = clean.coadd("mean", 64, pad=False, recenter=None)
    step = 32768 * cube.pixel_calibration.scale[y, x] / len(data)
    assert np.nanmax(np.abs(image.data - expected.data)) < 0.05 * step


def test_a_cube_without_any_signal_is_refused(raw, tmp_path):
    data, header = raw
    cube = cube_of(tmp_path / "a.fits", np.zeros_like(data), header)
    with pytest.raises(MeasurementError, match=r"a\.fits: no frame holds what can be data"):
        cube.measure().register()


def test_clouds_are_data(raw, tmp_path):
    """Most frames behind a cloud, two in the clear, one with hardly a star."""
    data, header = raw
    cube = cube_of(tmp_path / "a.fits", data, header)
    bias = cube.pixel_calibration.bias
    transparency = np.full(len(data), 0.1)
    transparency[4], transparency[1] = 1.0, 0.01
    clouded = bias + (data - bias) * transparency[:, None, None]
    cube = cube_of(
        tmp_path / "b.fits", np.rint(clouded.clip(0)).astype(np.uint16), header
    ).measure()
    assert not impossible_frames(cube.measured)
    assert not stray_pixels(cube.measured).any()


def test_sound_frames_are_not_doubted(stars_night):
    for path in sorted((stars_night / "raw").glob("*.fits"))[:8]:
        measured = CameraCube.open([path]).measure().measured
        assert not impossible_frames(measured)
        assert not stray_pixels(measured).any()
        assert measured.zero_level < 0 < measured.full_level
