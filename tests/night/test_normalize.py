"""Controller-format cubes become what the archive would have stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from vampires.errors import FileError
from vampires.io.frames import open_frames
from vampires.night.controller import CORRUPTED, normalized_outputs, with_normalized
from vampires.night.grouping import group_cubes
from vampires.night.index import build_index
from vampires.night.normalize import normalize_file
from vampires.night.record import Record
from vampires.observation import Observation
from vampires.simulate import NightSpec, simulate_night


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controller")
    simulate_night(NightSpec.preset("controller", size=64, cycles=1, calibration_frames=4), folder)
    return folder


@pytest.fixture(scope="module")
def records(night: Path) -> list[Record]:
    return build_index("raw/*.fits", night)


def pixels(path: str | Path) -> np.ndarray:
    source = open_frames(path)
    return source.read(0, source.n).native()


def test_science_is_told_as_interleaved(records: list[Record]) -> None:
    assert {r["format"] for r in records} == {"controller"}
    assert {r["kind"] for r in records if r["interleaved"]} == {"science"}
    assert sum(r["interleaved"] for r in records) == 8


def test_predicted_records_are_what_is_made(records: list[Record], tmp_path: Path) -> None:
    predicted = with_normalized(records, tmp_path)
    for record in records:
        normalize_file(record["path"], tmp_path)
    made = {r["path"]: r for r in build_index("normalized", tmp_path)}
    assert {r["path"] for r in predicted} == set(made)
    for record in predicted:
        differing = {key for key, value in made[record["path"]].items() if value != record[key]}  # type: ignore[literal-required]
        # Whether the sequence was aborted is known only from the pixels.
        assert differing <= {"size", "mtime_ns", "nframes"}
        assert made[record["path"]]["nframes"] <= record["nframes"]
    assert {g.flc for g in group_cubes(predicted, "pdi")} == {"A", "B"}


def test_frames_are_separated_and_unchanged(records: list[Record], tmp_path: Path) -> None:
    science = next(r for r in records if r["kind"] == "science")
    normalize_file(science["path"], tmp_path, memory=1)
    raw = pixels(science["path"])
    outputs = [r["path"] for r in normalized_outputs(science, tmp_path)]
    for parity, path in enumerate(outputs):
        assert np.array_equal(pixels(path), raw[CORRUPTED + parity :: 2])
        header = fits.getheader(path)
        assert header["U_FLCSTT"] == parity + 1
        assert header["NORMFROM"] == Path(science["path"]).name


def test_zero_frames_are_dropped_without_upsetting_the_alternation(
    records: list[Record], tmp_path: Path
) -> None:
    """A zero frame in the middle, besides the aborted end that the simulator writes."""
    science = [r for r in records if r["kind"] == "science"][-1]
    raw = pixels(science["path"]).copy()
    zeros = np.flatnonzero(~raw.any(axis=(1, 2)))
    assert len(zeros) == 4
    raw[CORRUPTED + 2] = 0  # the second A frame
    path = tmp_path / "ABAUR_cam1.fits"
    fits.PrimaryHDU(raw, fits.getheader(science["path"])).writeto(path)
    result = normalize_file(path, tmp_path)
    assert result.empty == 5
    assert sorted(result.outputs.values()) == [4, 5]
    a, b = (pixels(p) for p in sorted(result.outputs))
    assert np.array_equal(a[1], raw[CORRUPTED + 4])
    assert np.array_equal(b[1], raw[CORRUPTED + 3])


def test_choice_from_the_header_can_be_overridden(records: list[Record], tmp_path: Path) -> None:
    science = next(r for r in records if r["kind"] == "science")
    result = normalize_file(science["path"], tmp_path, deinterleave=False)
    assert [p.name for p in result.outputs] == [f"{science['name']}_fix.fits"]
    predicted = normalized_outputs(science, tmp_path, deinterleave=False)
    assert [r["path"] for r in predicted] == [str(p) for p in result.outputs]
    assert build_index("normalized", tmp_path)[0]["format"] == "archive"


def test_a_cube_without_a_good_frame_is_an_error_and_leaves_nothing(
    records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "aborted_cam1.fits"
    empty = np.zeros((6, 16, 16), np.uint16)
    empty[2] = 5  # one A frame, no B frame
    fits.PrimaryHDU(empty, fits.getheader(records[0]["path"])).writeto(path)
    with pytest.raises(FileError, match=r"no frame is left for aborted_cam1_FLC2.fits"):
        normalize_file(path, tmp_path)
    assert list((tmp_path / "normalized").iterdir()) == []


def test_an_observation_of_controller_files(night: Path, tmp_path: Path) -> None:
    raw = Observation(build_index("raw/*.fits", night), tmp_path)
    assert len(raw) == 0  # nothing can be reduced as it is
    assert len(raw.calibrations) == 0
    observation = raw.normalized()
    assert len(observation) == 16
    assert len(observation.calibrations) == 6
    assert len(observation.hwp_sets()) == 1
    assert observation.calibrations.match(observation.science[0]).background
