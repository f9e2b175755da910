"""CalibrationSet: matched, scaled, assembled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

from vampires.calibration.masters import master_frame
from vampires.calibration.pixels import pixel_calibration, scaled_background
from vampires.calibration.set import CalibrationSet
from vampires.config import CalibrateSettings
from vampires.cube import CameraCube
from vampires.errors import CalibrationError, FileError
from vampires.log import collected_warnings
from vampires.night.index import build_index
from vampires.night.raw import raw_header
from vampires.night.record import Record


@pytest.fixture(scope="module")
def folder(stars_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reduction directory whose raw folder is the simulated night's."""
    folder = tmp_path_factory.mktemp("reduction")
    (folder / "raw").symlink_to(stars_night / "raw")
    return folder


@pytest.fixture(scope="module")
def records(folder: Path) -> list[Record]:
    return build_index("raw/*.fits", folder)


@pytest.fixture(scope="module")
def calibrations(records: list[Record], folder: Path) -> CalibrationSet:
    return CalibrationSet(records, folder)


@pytest.fixture(scope="module")
def science(records: list[Record]) -> fits.Header:
    record = next(r for r in records if r["kind"] == "science" and r["camera"] == 2)
    return raw_header(record["path"])


def master(header: fits.Header, data: float, error: float, kind: str, **cards: object) -> CCDData:
    """A uniform master of the size of a header."""
    shape = (header["NAXIS2"], header["NAXIS1"])
    header = header.copy()
    header["CALTYPE"] = kind
    header.update(cards)
    return master_frame(np.full(shape, data), np.full(shape, error), np.zeros(shape, bool), header)


def test_masters_of_a_night_recover_its_detector(
    calibrations: CalibrationSet, science: fits.Header, stars_night: Path
) -> None:
    """Flat within its error; every truly hot or dead pixel of the simulator flagged bad."""
    masters = calibrations.ready(calibrations.match(science))
    calibration = pixel_calibration(science, masters.background, masters.flat)
    with fits.open(stars_night / "truth_det_cam2.fits") as hdus:
        truth = {hdu.name: np.asarray(hdu.data) for hdu in hdus if hdu.data is not None}
    truly_bad = truth["BADPIX"] > 0
    assert calibration.bad[truly_bad].all()
    assert (calibration.bad & ~truly_bad).sum() <= 5
    good = ~calibration.bad
    flat = science["EFFGAIN"] / (science["EXPTIME"] * calibration.scale)
    true_flat = truth["FLAT"] / np.median(truth["FLAT"][good])
    error = np.sqrt(np.mean(calibration.flat_variance[good]))
    assert np.std((flat / true_flat - 1)[good]) == pytest.approx(error, rel=0.15)
    # A sky of the night is matched: bias plus 0.5 e-/s/px.
    level = calibration.background[good].mean() - science["BIAS"]
    assert level == pytest.approx(0.5 * science["EXPTIME"] / science["EFFGAIN"], abs=0.5)
    assert not masters.missing
    assert [path.parent.name for path in masters.paths] == ["background", "flat"]


def test_masters_made_before_are_found_again(
    calibrations: CalibrationSet, science: fits.Header
) -> None:
    first = calibrations.ready(calibrations.match(science))
    again = CalibrationSet.from_directory(calibrations.folder / "master_cals")
    assert len(again) >= 2
    assert again.match(science) == first


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no file matches"):
        CalibrationSet.from_directory(tmp_path / "nowhere")


def test_without_masters_bias_and_gain_remain(science: fits.Header) -> None:
    calibration = pixel_calibration(science)
    assert np.all(calibration.background == science["BIAS"])
    assert np.allclose(calibration.scale, science["EFFGAIN"] / science["EXPTIME"], rtol=1e-6)
    assert not calibration.bad.any()
    assert not calibration.background_variance.any()
    assert calibration.saturation == science["SATURATE"]


def test_a_set_without_a_match_goes_on_and_says_so(
    records: list[Record], science: fits.Header
) -> None:
    record = next(r for r in records if r["path"].endswith(science["RAWFILE"]))
    other = CalibrationSet([r for r in records if r["camera"] == 1])
    assert other.match(science).paths == []
    assert "cam2" in other.match(science).missing[1]
    cube = CameraCube.open([record["path"]])
    with collected_warnings() as texts:
        calibrated = cube.calibrate(other)
    assert [text.partition("missing=")[2].split(":")[0] for text in texts] == ["background", "flat"]
    assert np.all(calibrated.pixel_calibration.background == science["BIAS"])
    assert calibrated.masters == {}


def test_what_is_not_wanted_is_not_matched(records: list[Record], science: fits.Header) -> None:
    settings = CalibrateSettings(flat_correct=False)
    masters = CalibrationSet(records, settings=settings).match(science)
    assert masters.flat is None
    assert masters.background is not None
    assert not masters.missing


def test_a_required_master_must_be_there(records: list[Record], science: fits.Header) -> None:
    record = next(r for r in records if r["path"].endswith(science["RAWFILE"]))
    other = CalibrationSet(
        [r for r in records if r["camera"] == 1], settings=CalibrateSettings(require=("flat",))
    )
    with pytest.raises(CalibrationError, match="require: flat: no flat of"):
        CameraCube.open([record["path"]]).calibrate(other)


def test_background_of_another_exposure_time_is_scaled(science: fits.Header) -> None:
    bias = science["BIAS"]
    back = master(science, bias + 10.0, 2.0, "BACKGROUND", EXPTIME=2 * science["EXPTIME"])
    level = scaled_background(back, science, back.data.shape)
    assert np.allclose(level.data, bias + 5.0)
    assert np.allclose(level.uncertainty.array, 1.0)


def test_background_of_another_gain_is_scaled_in_electrons(science: fits.Header) -> None:
    bias = science["BIAS"]
    back = master(science, bias + 10.0, 2.0, "BACKGROUND", EFFGAIN=3 * science["EFFGAIN"])
    level = scaled_background(back, science, back.data.shape)
    assert np.allclose(level.data, bias + 30.0)
    assert np.allclose(level.uncertainty.array, 6.0)


def test_bad_pixels_of_both_masters_join(science: fits.Header) -> None:
    back = master(science, 150.0, 1.0, "BACKGROUND")
    flat = master(science, 2.0, 0.1, "FLAT")
    back.mask[1, 2] = flat.mask[3, 4] = True
    flat.data[5, 6] = 0.0
    calibration = pixel_calibration(science, back, flat)
    assert np.argwhere(calibration.bad).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert np.isfinite(calibration.scale).all()
    assert calibration.flat_variance[0, 0] == pytest.approx(0.05**2)
    assert calibration.scale[0, 0] == pytest.approx(science["EFFGAIN"] / science["EXPTIME"] / 2)


@pytest.mark.parametrize("card", ["U_CAMERA", "PRD-MIN1"])
def test_a_flat_of_another_camera_or_crop_is_never_used(science: fits.Header, card: str) -> None:
    flat = master(science, 1.0, 0.1, "FLAT", **{card: 99})
    with pytest.raises(CalibrationError, match=card):
        pixel_calibration(science, None, flat)


def test_repr_lists_the_files(calibrations: CalibrationSet) -> None:
    text = repr(calibrations)
    assert "backgrounds" in text
    assert all(r["name"] in text for r in calibrations.flats)
