import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vampires.errors import MeasurementError
from vampires.utils.angles import circular_mean, sexagesimal, wrap

PERIODS = st.sampled_from([360.0, 180.0])
ANGLE = st.floats(-720, 720)
# Parts of a period that lie within less than half of one, with their weights.
CROWD = st.lists(st.tuples(st.floats(-0.24, 0.24), st.floats(0.5, 20)), min_size=1, max_size=12)


def distance(a, b, period):
    return abs(math.remainder(a - b, period))


@given(ANGLE, PERIODS, st.integers(-3, 3))
def test_wrapped_angles_lie_within_half_a_period_of_zero(angle, period, turns):
    wrapped = wrap(angle, period)
    assert -period / 2 <= wrapped < period / 2
    assert distance(wrapped, angle, period) < 1e-9
    assert distance(wrap(angle + turns * period, period), wrapped, period) < 1e-9


@given(CROWD, ANGLE, PERIODS)
def test_the_mean_turns_with_the_angles(crowd, turn, period):
    offsets = np.array([part for part, _ in crowd]) * period
    weights = [weight for _, weight in crowd]
    mean = circular_mean(turn + offsets, period, weights)
    assert distance(mean, turn + circular_mean(offsets, period, weights), period) < 1e-9
    # no wrap within half a period: the numbers' own mean
    assert distance(mean, turn + np.average(offsets, weights=weights), period) < 1e-9


@given(CROWD, ANGLE, PERIODS, st.data())
def test_whole_periods_and_the_order_do_not_matter(crowd, start, period, data):
    angles = [start + part * period for part, _ in crowd]
    other = data.draw(st.permutations([a + period * data.draw(st.integers(-3, 3)) for a in angles]))
    mean = circular_mean(angles, period)
    assert distance(mean, circular_mean(other, period), period) < 1e-9
    assert abs(mean - angles[0]) <= period / 2


@given(st.lists(st.floats(0, 360), min_size=1, max_size=8), st.floats(0, 360))
def test_the_mirror_image_has_the_mirrored_mean(angles, axis):
    try:
        mean = circular_mean(angles)
    except MeasurementError:
        return
    vector = np.exp(1j * np.deg2rad(angles)).sum()
    far = [distance(a, np.rad2deg(np.angle(vector)) + 180, 360) for a in angles]
    if abs(vector) < 1e-3 or min(far) < 1e-3:
        return  # which turn the farthest angle is in hangs on the last bit
    assert distance(circular_mean([2 * axis - a for a in angles]), 2 * axis - mean, 360) < 1e-6


@given(ANGLE, st.integers(1, 9), PERIODS)
def test_equal_angles_have_exactly_that_mean(angle, n, period):
    assert circular_mean([angle] * n, period) == angle


@given(ANGLE, PERIODS, st.integers(1, 5))
def test_opposite_angles_have_no_mean(angle, period, n):
    with pytest.raises(MeasurementError, match="opposite"):
        circular_mean([angle, angle + period / 2] * n, period)


def test_weights_tell_between_opposite_angles():
    assert circular_mean([10.0, 190.0, 11.0], weights=[1.0, 1e-3, 1.0]) == pytest.approx(
        10.5, abs=0.1
    )


def test_no_angles_have_no_mean_and_nan_stays():
    with pytest.raises(MeasurementError, match="no angles"):
        circular_mean([])
    assert math.isnan(circular_mean([1.0, math.nan]))


@pytest.mark.parametrize(
    ("text", "value"),
    [("04:30:00", 4.5), ("-00 30 00", -0.5), ("04.30.00.0", 4.5), ("4h30m0s", 4.5),
     ("+12:59:60", 13.0)],
)  # fmt: skip
def test_hours_and_degrees_are_read(text, value):
    assert sexagesimal(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "4.5", "04:60:00", "04:00:61", "4:5"])
def test_what_is_not_sexagesimal_is_refused(text):
    with pytest.raises(ValueError, match=r"minutes"):
        sexagesimal(text)
