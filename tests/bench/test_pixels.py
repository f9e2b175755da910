"""The benchmark measures everything it names, and its command says what it wants."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from vampires.bench import as_text, run_bench
from vampires.commands.bench import Bench


@pytest.fixture(name="result", scope="module")
def fixture_result(tmp_path_factory):
    return run_bench(tmp_path_factory.mktemp("bench"), frames=16, size=96)


def test_everything_is_timed(result):
    assert result.copy_gb_per_s > 0
    assert len({kernel.name for kernel in result.kernels}) == len(result.kernels) >= 14
    assert all(kernel.ns_per_pixel > 0 and kernel.copies > 0 for kernel in result.kernels)
    assert {"mean, 1 thread", "median, 1 thread"} <= set(result.chain)
    for run in result.chain.values():
        assert set(run["steps"]) == {"open", "measure", "select and register", "coadd", "write"}
        assert run["seconds"] == pytest.approx(sum(run["steps"].values()), abs=1e-3)
    assert set(result.scaling) == {"2", "8", "16"}
    assert result.peak_mb > 0


def test_tables_and_json_say_the_same(result):
    text = as_text(result)
    assert all(kernel.name in text for kernel in result.kernels)
    assert json.loads(json.dumps(asdict(result)))["frames"] == 16


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({"frames": 2, "size": 96}, [], "--frames: found 2, at least 8"),
        ({"frames": 8, "size": 8}, [], "--size: found 8, at least 64"),
        ({"frames": 8, "size": 96}, ["fast"], "no argument expected, found 'fast'"),
        ({"frames": 8, "size": 96, "runs": 0}, [], "--runs: found 0, at least 1"),
        ({"frames": 8, "size": 96, "plot": "a.png"}, [], "--plot is the picture of --growth"),
        ({"frames": 8, "size": 96, "night": "emcd"}, [], 'did you mean "emccd"'),
    ],
)
def test_mistakes_are_one_line(options, arguments, message, capsys):
    plain = {"json": False, "night": "", "runs": 1, "workers": 1, "growth": False, "plot": ""}
    assert Bench().execute(plain | options, arguments) == 3
    assert message in capsys.readouterr().err
