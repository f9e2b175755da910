"""Workers asked of Slurm: its two commands are scripts that start and end processes here."""

import os
import signal
import stat
import sys

import pytest
from fixtures.doit import PATIENCE, eventually, is_running

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


ON_SLURM = """
from vampires.engine import executor
from vampires.engine.cluster import ClusterSettings
executor.set_cluster(ClusterSettings(
    kind="slurm", workers=(1, 1),
    options={"interface": "lo", "memory": "1 GB", "walltime": "00:10:00"}))
"""


def who():
    return {"process": os.getpid()}


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
def test_tasks_run_in_a_job_and_the_job_ends_with_the_run(slurm, project):
    """Several at once: the cluster is asked for in a thread."""
    project.dodo = ON_SLURM + project.dodo
    project.write({"a": "1", "b": "2"})
    process = project.start("-n", "2", PYTHONPATH=os.pathsep.join([str(slurm), *sys.path]))
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert (slurm / "stokes.dat").read_text() == "1122"
    workers = {pid for _, pid in project.journal()}
    assert process.pid not in workers
    assert eventually(lambda: not any(map(is_running, workers)))
    assert (slurm / "slurm_logs").is_dir()


@pytest.mark.slow
def test_ctrl_c_stays_ours(slurm):
    before = signal.getsignal(signal.SIGINT)
    executor.set_cluster(ClusterSettings(kind="slurm"))
    executor.prepare()
    assert "dask_jobqueue" in sys.modules
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.filterwarnings("default")
def test_a_wrong_option_is_an_error_that_names_it(slurm):
    executor.set_cluster(ClusterSettings(kind="slurm", options={"walltme": "1"}))
    with pytest.raises(ClusterError, match="walltme"):
        executor.run(who)
