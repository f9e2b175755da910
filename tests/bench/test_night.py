"""A night is timed as a person would reduce it."""

from dataclasses import replace

import pytest

from vampires.bench import night
from vampires.bench.night import NIGHTS, nights_as_text, time_night
from vampires.simulate.spec import NightSpec


def test_a_night_is_timed(tmp_path, monkeypatch):
    small = replace(NIGHTS["emccd"], spec=NightSpec.preset("stars", frames=3, cycles=1))
    monkeypatch.setattr(night, "NIGHTS", {"emccd": small})
    times = time_night("emccd", tmp_path, workers=2, runs=1)
    assert 0 < times.idle < times.wall
    assert sum(times.split.values()) == pytest.approx(1, abs=0.01)
    assert {"metrics", "coadd", "stokes", "pdi"} <= set(times.tasks)
    assert times.peak_mb > 50
    assert "wall clock" in nights_as_text([times])
