"""Workers asked of Slurm: its two commands are scripts that start and end processes here."""

import os
import stat
import sys

import pytest

from vampires.engine import executor
from vampires.engine.cluster import ClusterError, ClusterSettings

SBATCH = """#!/bin/sh
# The script is gone when this returns. The job is a session of its own, its output of no interest.
cp "$1" "$1.job"
setsid sh -c 'sh "$0"; rm "$0"' "$1.job" > /dev/null 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job in "$@"; do kill -- "-$job" 2> /dev/null; done
"""


def who():
    return {"process": os.getpid(), "folder": os.getcwd()}  # noqa: PTH109


@pytest.fixture(name="slurm")
def fixture_slurm(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    executor.shutdown()
    executor.set_cluster(ClusterSettings())


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_task_runs_in_a_job_and_the_job_ends_with_the_run(slurm):
    options = {"interface": "lo", "memory": "1 GB", "walltime": "00:10:00"}
    executor.set_cluster(ClusterSettings(kind="slurm", options=options, workers=(1, 1)))
    found = executor.run(who)
    assert found["process"] != os.getpid()
    assert found["folder"] == str(slurm)
    assert (slurm / "slurm_logs").is_dir()


@pytest.mark.filterwarnings("default")
def test_a_wrong_option_is_an_error_that_names_it(slurm):
    executor.set_cluster(ClusterSettings(kind="slurm", options={"walltme": "1"}))
    with pytest.raises(ClusterError, match="walltme"):
        executor.run(who)
