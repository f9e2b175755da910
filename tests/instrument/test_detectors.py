"""Detector facts of every generation."""

from __future__ import annotations

import pytest

from vampires.instrument.detectors import GENERATIONS, READ_MODES, detector, saved_half_range
from vampires.instrument.tables import load_table

ALL = [
    (generation, camera, mode)
    for generation in GENERATIONS
    for camera in (1, 2)
    for mode in READ_MODES[generation]
]


@pytest.mark.parametrize(("generation", "camera", "mode"), ALL)
def test_saturation_can_occur(generation, camera, mode):
    """Saturation lies above the bias, within the file, at the full well or the converter's end."""
    device = detector(generation, camera, mode, 300.0)
    assert device.bias < device.saturation <= 65535
    assert device.full_well <= 65536 * device.gain
    assert device.saturation <= device.full_well / device.gain + device.bias


@pytest.mark.parametrize(("generation", "camera", "mode"), ALL)
def test_one_camera_of_two_is_flipped(generation, camera, mode):
    other = detector(generation, 3 - camera, mode)
    assert detector(generation, camera, mode).flip is not other.flip


@pytest.mark.parametrize(
    ("generation", "camera", "scale", "offset", "flip", "pa_offset"),
    [
        ("EMCCD", 1, 6.24, 140.4, True, -78.6),
        ("EMCCD", 2, 6.24, 140.4, False, -78.6),
        ("QCMOS", 1, 5.91, -38.90, True, 102.1),
        ("QCMOS", 2, 5.895, -38.58, False, 102.42),
        ("QCMOS-NBS", 1, 5.952, 129.44, False, -87.56),
        ("QCMOS-NBS", 2, 5.938, 129.99, True, -87.01),
    ],
)
def test_geometry(generation, camera, scale, offset, flip, pa_offset):
    device = detector(generation, camera, READ_MODES[generation][0])
    assert (device.pixel_scale, device.pupil_offset, device.flip) == (scale, offset, flip)
    assert device.pa_offset() == pytest.approx(pa_offset)
    assert device.pa_offset(0.0) == pytest.approx((offset % 360) - 180)
    assert device.pixel_area == pytest.approx((scale / 1e3) ** 2)


@pytest.mark.parametrize("generation", ["QCMOS", "QCMOS-NBS"])
@pytest.mark.parametrize(
    ("camera", "mode", "noise", "gain"),
    [
        (1, "FAST", 0.403, 0.103),
        (1, "SLOW", 0.245, 0.105),
        (2, "FAST", 0.399, 0.103),
        (2, "SLOW", 0.220, 0.105),
    ],
)
def test_qcmos_noise_and_gain(generation, camera, mode, noise, gain):
    device = detector(generation, camera, mode)
    assert (device.read_noise, device.gain, device.effective_gain) == (noise, gain, gain)
    assert (device.bias, device.dark_current, device.excess_noise) == (200.0, 3.6e-3, 1.0)


def test_emccd_with_and_without_multiplication():
    with_gain, without = detector("EMCCD", 1, "EM", 300.0), detector("EMCCD", 1, "NOEM", 300.0)
    assert with_gain.effective_gain == pytest.approx(0.015)
    assert with_gain.read_noise == pytest.approx(0.2967, abs=1e-4)
    assert with_gain.full_well == 65536 * 4.5
    assert (without.effective_gain, without.read_noise, without.full_well) == (4.5, 9.6, 180000)


def test_half_range_only_in_the_summer_of_2023():
    assert [saved_half_range("QCMOS", mjd) for mjd in (60095.9, 60096.0, 60148.9, 60149.0)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert not saved_half_range("EMCCD", 60100.0)
    device = detector("QCMOS", 2, "FAST", half_range=True)
    assert device.saturation == 32767
    assert device.full_well == 0.5 * detector("QCMOS", 2, "FAST").full_well


@pytest.mark.parametrize(("camera", "mode"), [(3, "FAST"), (1, "EM")])
def test_impossible_detector(camera, mode):
    with pytest.raises(ValueError, match="QCMOS has no camera"):
        detector("QCMOS", camera, mode)


def test_published_values_are_kept_the_one_in_use_first():
    facts = load_table("detectors")["QCMOS"]["camera"]["1"]["pupil_offset"]
    assert [(fact["value"], fact["source"]) for fact in facts] == [(-38.90, "L24"), (-38.40, "DPP")]


def leaves(node, path=""):
    if isinstance(node, dict) and "value" in node:
        yield path, node
    elif isinstance(node, dict):
        for key, child in node.items():
            yield from leaves(child, f"{path}/{key}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from leaves(child, f"{path}/{index}")


def sections(node, path=""):
    """Yield the tables of a file that hold plain entries."""
    if any(not isinstance(child, dict) for child in node.values()):
        yield path, node
    for key, child in node.items():
        if isinstance(child, dict):
            yield from sections(child, f"{path}/{key}")


def test_every_table_of_fields_has_a_source():
    """They hold too many numbers of one origin to name it for each."""
    found = [(path, table) for path, table in sections(load_table("fields"))
             if not path.endswith("/hotspots")]  # fmt: skip
    assert len(found) > 4
    assert [path for path, table in found if "source" not in table] == []


@pytest.mark.parametrize("table", ["detectors", "telescope", "optics", "filters"])
def test_every_number_has_a_source(table):
    facts = list(leaves(load_table(table)))
    assert facts
    assert all("source" in fact for _, fact in facts), [p for p, f in facts if "source" not in f]
