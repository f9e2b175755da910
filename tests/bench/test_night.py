"""A night is timed as a person would reduce it."""

from dataclasses import replace

import pytest

from vampires.bench import night
from vampires.bench.growth import GrowthPoint, draw_growth, growth_as_text, time_growth
from vampires.bench.night import NIGHTS, BenchNight, nights_as_text, prepare, time_night
from vampires.observation import Observation
from vampires.simulate.spec import NightSpec


def test_the_cycles_of_a_long_night_follow_each_other(tmp_path):
    spec = NightSpec.preset("stars", frames=2, size=48, cycles=1, calibration_frames=2)
    prepare(BenchNight(spec, "pdi", "triplediff", "long", times=3, cycles=3), tmp_path)
    night = Observation.from_config(tmp_path / "night.toml")
    groups = night.groups()
    assert len(groups) == 3 * 16
    assert {group.nframes for group in groups} == {6}
    cycles = [[int(g.key[-4:]) // 100 for g in groups[k : k + 16]] for k in (0, 16, 32)]
    assert all(len(set(numbers)) == 1 for numbers in cycles)  # one after the other


def test_growth_is_told_and_drawn(tmp_path):
    points = time_growth(tmp_path, cycles=(1,), workers=2)
    assert points[0].files == 16
    assert points[0].idle < points[0].wall
    more = [*points, GrowthPoint(64, points[0].wall + 4.8, 0.5)]
    assert " 100 " in growth_as_text(more)
    assert draw_growth(more).axes[0].get_xlabel() == "raw files"


def test_a_night_is_timed(tmp_path, monkeypatch):
    small = replace(NIGHTS["emccd"], spec=NightSpec.preset("stars", frames=3, cycles=1))
    monkeypatch.setattr(night, "NIGHTS", {"emccd": small})
    times = time_night("emccd", tmp_path, workers=2, runs=1)
    assert 0 < times.idle < times.wall
    assert sum(times.split.values()) == pytest.approx(1, abs=0.01)
    assert {"metrics", "coadd", "stokes", "pdi"} <= set(times.tasks)
    assert times.peak_mb > 50
    assert "wall clock" in nights_as_text([times])
