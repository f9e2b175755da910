from dataclasses import replace

import numpy as np
import pytest

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.images.differences import (
    double_difference,
    line_minus_continuum,
    pair_exposures,
    single_difference,
)


def span(camera, start, length=60.0, flc="A", hwp=0.0):
    h = Header()
    h.update(
        {
            "U_CAMERA": camera, "U_FLC": flc, "RET-ANG1": hwp,
            "MJD": 59634 + (start + length / 2) / 86400, "MJD-STR": 59634 + start / 86400,
            "MJD-END": 59634 + (start + length) / 86400,
        }
    )  # fmt: skip
    return h


def test_pairs_overlap_in_time_whatever_the_exact_times():
    headers = [span(1, 0), span(2, 1.7), span(2, 75.2), span(1, 75), span(1, 150)]
    assert pair_exposures(headers) == [(0, 1), (3, 2)]


def test_the_longest_overlap_wins_and_nothing_is_used_twice():
    headers = [span(1, 0), span(1, 50), span(2, 45), span(2, 2)]
    assert pair_exposures(headers) == [(0, 3), (1, 2)]


def test_states_that_differ_do_not_pair():
    assert pair_exposures([span(1, 0), span(2, 0, flc="B")]) == []
    assert pair_exposures([span(1, 0), span(2, 0, hwp=45.0)]) == []
    assert pair_exposures([span(1, 0), span(2, 0, hwp=179.99)]) == [(0, 1)]


def test_midpoints_do_where_there_are_no_ends():
    headers = [span(1, 0), span(2, 0.4), span(1, 75), span(2, 77)]
    for h in headers:
        del h["MJD-STR"], h["MJD-END"]
    assert pair_exposures(headers) == [(0, 1)]


def test_differences_and_their_errors(toy):
    rng = np.random.default_rng(1)
    images = toy.Night(toy.IDEAL, toy.sky(21))(None, 4.0, (np.zeros((2, 21, 21)), 3.0))[:4]
    a1, a2, b1, b2 = images
    single, double = [], []
    for _ in range(100):
        na1, na2, nb1, nb2 = toy.with_noise(images, rng, 2.0)
        single.append(single_difference(na1, na2).difference)
        double.append(double_difference((na1, na2), (nb1, nb2)).difference)
    s, d = single_difference(a1, a2), double_difference((a1, a2), (b1, b2))
    np.testing.assert_allclose(s.total, (a1.data + a2.data) / 2, rtol=1e-6)
    np.testing.assert_allclose(d.difference, (a1.data - a2.data - b1.data + b2.data) / 4, atol=1e-5)
    independent = np.sqrt(s.error**2 - 2 * 3.0**2 / 4)
    assert np.std(single, axis=0).mean() == pytest.approx(independent.mean(), rel=0.05)
    # both masters' errors cancel
    assert np.std(double, axis=0).mean() == pytest.approx(d.error.mean(), rel=0.05)
    assert set(s.planes()) == {"", "ERR", "SUM"}
    assert s.planes()["SUM"].shape == (21, 21)
    assert "750-50" in repr(s)


def test_narrowband_images_subtract_with_a_scale(toy):
    line, continuum = toy.Night(toy.IDEAL, toy.sky(21))(None, 1.0)[:2]
    continuum = replace(continuum, fields=("Ha-Cont",))
    with pytest.raises(PolarimetryError, match="line_minus_continuum"):
        single_difference(line, continuum)
    out = line_minus_continuum(line, continuum, 0.4)
    np.testing.assert_allclose(out.difference, line.data - np.float32(0.4) * continuum.data)
    np.testing.assert_allclose(out.error, np.sqrt(1 + 0.16))
    assert out.header["SDISCALE"] == 0.4
    with pytest.raises(PolarimetryError, match="cannot be differenced"):
        single_difference(line, replace(continuum, data=continuum.data[..., 1:]))


def test_cameras_pair_in_one_filter_or_a_line_and_its_continuum():
    def pairs(first, second):
        headers = [span(1, 0), span(2, 0)]
        for header, name in zip(headers, (first, second), strict=True):
            header["FILTER"] = name
        return pair_exposures(headers)

    assert pairs("Halpha", "Ha-Cont") == pairs("750-50", "750-50") == [(0, 1)]
    assert pairs("Halpha", "SII-Cont") == pairs("750-50", "725-50") == []
