"""Master frames: level, scatter, errors, flats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from vampires.calibration.flats import make_flat
from vampires.calibration.masters import (
    make_background,
    read_master,
    temporal_statistics,
    write_master,
)
from vampires.errors import CalibrationError, ConfigError
from vampires.io.frames import open_frames
from vampires.kernels.reduce import AVERAGES
from vampires.night.raw import raw_header

SHAPE = (60, 80)
BIAS = 150.0


def write_file(path: Path, frames: np.ndarray, kind: str = "darks", em_gain: float = 1.0,
               exptime: float = 0.25) -> Path:  # fmt: skip
    """A raw EMCCD file with just the cards a calibration needs."""
    hdu = fits.PrimaryHDU(np.clip(np.rint(frames), 0, 65535).astype(np.uint16))
    hdu.header.update(
        {
            "INSTRUME": "VAMPIRES", "OBJECT": kind, "DATA-TYP": "ACQUISITION", "U_CAMERA": 1,
            "U_OGFNAM": f"{kind}_20220224_", "U_EMGAIN": em_gain, "EXPTIME": exptime,
            "U_FILTER": "750-50", "U_FLCSTT": 1, "DATE-OBS": "2022-02-24",
            "UT-STR": "05:30:00:000", "UT-END": "05:30:10:000", "MJD-STR": 59634.229167,
            "MJD-END": 59634.229283, "OBS-MOD": "IMAG",
        }
    )  # fmt: skip
    hdu.writeto(path, overwrite=True)
    return path


def gaussian(rng: np.random.Generator, n: int, sigma: float = 12.0) -> np.ndarray:
    return rng.normal(BIAS + 30.0, sigma, (n, *SHAPE))


@pytest.mark.parametrize("method", AVERAGES)
def test_level_and_error_plane_match_the_scatter(tmp_path: Path, method: str) -> None:
    """Over realisations the master scatters as its error plane says, within 10 %."""
    rng = np.random.default_rng(1)
    masters = []
    for k in range(8):
        path = write_file(tmp_path / f"{k}.fits", gaussian(rng, 16))
        masters.append(make_background(path, method=method))
    data = np.stack([m.data for m in masters])
    scatter = np.sqrt(data.var(axis=0, ddof=1).mean())
    error = np.sqrt(np.mean([m.uncertainty.array.astype(float) ** 2 for m in masters]))
    assert error == pytest.approx(scatter, rel=0.10)
    # 8 x 4800 values: the mean is known to 0.02 adu.
    assert data.mean() == pytest.approx(BIAS + 30.0, abs=0.1)


def test_median_of_few_photons_keeps_the_level_of_the_mean(tmp_path: Path) -> None:
    """An EM-amplified sky of 0.1 e-/frame, read noise 20 adu, amplified to 67 adu an electron."""
    rng = np.random.default_rng(2)
    electrons = rng.poisson(0.1, (40, *SHAPE))
    frames = rng.normal(BIAS, 20, electrons.shape)
    frames += rng.gamma(np.maximum(electrons, 1e-9), 67.0) * (electrons > 0)
    path = write_file(tmp_path / "sky.fits", frames, "skies", em_gain=300.0)
    truth = BIAS + 6.7
    plain_median = np.median(np.rint(frames), axis=0).mean()
    assert plain_median < truth - 2.0  # what a plain median would lose
    assert make_background(path).data.mean() == pytest.approx(truth, abs=0.4)


def test_error_of_a_skewed_median_is_measured_not_assumed(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    masters = []
    for k in range(8):
        frames = rng.normal(BIAS, 20, (20, *SHAPE)) + 200 * (rng.random((20, *SHAPE)) < 0.05)
        masters.append(make_background(write_file(tmp_path / f"{k}.fits", frames)))
    scatter = np.sqrt(np.stack([m.data for m in masters]).var(axis=0, ddof=1).mean())
    error = np.sqrt(np.mean([m.uncertainty.array.astype(float) ** 2 for m in masters]))
    assert error == pytest.approx(scatter, rel=0.10)


def test_few_frames_take_the_error_of_the_noise_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    path = write_file(tmp_path / "two.fits", gaussian(rng, 2, sigma=2.0))
    header = raw_header(path)
    expected = np.sqrt((30 * header["EFFGAIN"] + header["RN"] ** 2) / 2) / header["EFFGAIN"]
    assert np.median(make_background(path).uncertainty.array) == pytest.approx(expected, rel=0.02)


def test_bands_do_not_change_the_result(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = write_file(tmp_path / "dark.fits", gaussian(rng, 9))
    whole = make_background(path)
    banded = make_background(path, memory=9 * SHAPE[1] * 24 * 7)
    assert np.array_equal(whole.data, banded.data)
    assert np.array_equal(whole.uncertainty.array, banded.uncertainty.array)
    assert np.array_equal(whole.mask, banded.mask)


def test_varmean_weights_noisy_frames_down(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    frames = gaussian(rng, 12, sigma=3.0)
    frames[::4] += rng.normal(0, 100, frames[::4].shape)
    path = write_file(tmp_path / "dark.fits", frames)
    errors = {m: np.std(make_background(path, method=m).data) for m in ("mean", "varmean")}
    assert errors["varmean"] < 0.1 * errors["mean"]
    assert errors["varmean"] == pytest.approx(3.0 / 3.0, rel=0.1)


def test_hot_pixels_end_in_the_mask_and_spoil_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    frames = gaussian(rng, 20)
    hot = [(5, 5), (30, 40), (59, 79)]
    for y, x in hot:
        frames[:, y, x] += 500
    master = make_background(write_file(tmp_path / "dark.fits", frames))
    assert [tuple(p) for p in np.argwhere(master.mask)] == hot
    assert master.header["NBADPIX"] == 3


def test_write_and_read(tmp_path: Path) -> None:
    """Read back by this package and by astropy: the same CCDData."""
    rng = np.random.default_rng(8)
    frames = gaussian(rng, 8)
    frames[:, 5, 5] += 500
    master = make_background(write_file(tmp_path / "dark.fits", frames))
    write_master(tmp_path / "out" / "m.fits", master)
    again = read_master(tmp_path / "out" / "m.fits")
    theirs = CCDData.read(tmp_path / "out" / "m.fits", hdu_uncertainty="ERR")
    for other in (again, theirs):
        assert np.array_equal(master.data, other.data)
        assert np.array_equal(master.uncertainty.array, other.uncertainty.array)
        assert np.array_equal(master.mask, other.mask)
        assert isinstance(other.uncertainty, StdDevUncertainty)
        assert other.unit == "adu"
        assert other.header["RAWFILE"] == "dark.fits"
        assert other.header["CALTYPE"] == "BACKGROUND"
    with pytest.raises(CalibrationError, match="not a master frame"):
        read_master(tmp_path / "dark.fits")


def test_unknown_method(tmp_path: Path) -> None:
    path = write_file(tmp_path / "dark.fits", gaussian(np.random.default_rng(9), 3))
    with pytest.raises(ConfigError, match="allowed are mean, median, varmean, biweight"):
        temporal_statistics(open_frames(path), raw_header(path), "clip")


def true_flat(rng: np.random.Generator) -> np.ndarray:
    y, x = np.indices(SHAPE)
    smooth = 1 - 0.1 * ((y - 30) ** 2 + (x - 40) ** 2) / 50**2
    response = smooth * rng.normal(1, 0.01, SHAPE)
    return response / np.median(response)


def test_flat_is_recovered_to_its_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    truth = true_flat(rng)
    gain = 4.5
    background = make_background(write_file(tmp_path / "dark.fits", gaussian(rng, 20, 2.5)))
    frames = rng.poisson(5000 * gain * truth, (20, *SHAPE)) / gain
    path = write_file(tmp_path / "flat.fits", frames + gaussian(rng, 20, 2.5), "flats")
    flat = make_flat(path, background)
    assert not flat.mask.any()
    residual = flat.data - truth / np.median(truth)
    assert np.std(residual) == pytest.approx(np.sqrt(np.mean(flat.uncertainty.array**2)), rel=0.10)
    assert flat.header["FLATNORM"] == pytest.approx(5000, rel=0.01)
    assert flat.header["BACKFILE"] == "dark.fits"


def test_dead_pixels_are_masked_and_the_unlit_part_left_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    light = np.full(SHAPE, 4000.0)
    light[:, :20] = 0.0  # outside the field stop
    light[30, 50] = 0.0
    light[10, 60] *= 0.5
    path = write_file(tmp_path / "flat.fits", BIAS + rng.normal(light, 30, (12, *SHAPE)), "flats")
    flat = make_flat(path)
    assert [tuple(p) for p in np.argwhere(flat.mask)] == [(10, 60), (30, 50)]
    assert np.all(flat.data[:, :20] == 1.0)
    assert np.median(flat.data[:, 20:]) == pytest.approx(1.0, abs=1e-3)
    assert flat.header["FLATLIT"] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(("level", "word"), [(0.0, "light|noise"), (65535.0, "saturated")])
def test_useless_flats_are_refused(tmp_path: Path, level: float, word: str) -> None:
    rng = np.random.default_rng(12)
    path = write_file(tmp_path / "flat.fits", BIAS + rng.normal(level, 20, (8, *SHAPE)), "flats")
    with pytest.raises(CalibrationError, match=word):
        make_flat(path)
