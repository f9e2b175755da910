import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fixtures.doit import PATIENCE, eventually, is_running

from vampires.engine import executor
from vampires.engine.cluster import ClusterError, ClusterSettings
from vampires.errors import FileError
from vampires.log import bound, collected_warnings, configure_log, get_logger

ON_CLUSTER = """
from vampires.engine import executor
from vampires.engine.cluster import ClusterSettings

executor.set_cluster(ClusterSettings(open("address").read()))
"""


def add(a, b):
    return {"sum": a + b, "process": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def nothing():
    return None


def complain(path):
    raise FileError(f"{path} is truncated")


class AwkwardError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def awkward():
    raise AwkwardError("this", "that")


def unpicklable():
    return {"lock": threading.Lock()}


def die(number):
    os.kill(os.getpid(), number)
    time.sleep(10)


def warn():
    get_logger("work").warning("no flat", file="a.fits")
    return {"folder": str(Path.cwd())}


def sleep(seconds):
    time.sleep(seconds)


def look_around():
    return {
        "loaded": {"numba", "matplotlib", "vampires.engine.preloaded"} <= set(sys.modules),
        "deaf": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }


@pytest.fixture(name="workers", params=[1, 2])
def fixture_workers(request):
    executor.set_workers(request.param)
    yield request.param
    executor.shutdown()
    executor.set_workers(1)


@pytest.fixture(name="two")
def fixture_two():
    executor.set_workers(2)
    yield
    executor.shutdown()
    executor.set_workers(1)


def test_result_comes_back(workers):
    result = executor.run(add, 1, 2)
    assert result["sum"] == 3
    assert result["threads"] == "1"
    assert (result["process"] == os.getpid()) == (workers == 1)
    assert executor.run(nothing) == {}


def test_expected_error_comes_back_as_itself(workers):
    with pytest.raises(FileError) as caught:
        executor.run(complain, "a.fits")
    assert str(caught.value) == "a.fits is truncated"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker imports by itself")
@pytest.mark.usefixtures("two")
def test_workers_are_born_with_the_heavy_packages_and_deaf_to_interrupts():
    before = signal.getsignal(signal.SIGINT)
    assert executor.run(look_around) == {"loaded": True, "deaf": True}
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("two")
def test_traceback_of_the_worker_comes_along():
    with pytest.raises(FileError) as caught:
        executor.run(complain, "a.fits")
    assert "in complain" in caught.value.__notes__[0]


@pytest.mark.usefixtures("two")
def test_awkward_error_is_told_in_words():
    with pytest.raises(RuntimeError, match="AwkwardError: this and that"):
        executor.run(awkward)


@pytest.mark.usefixtures("two")
def test_result_that_cannot_travel_is_an_error_and_the_worker_goes_on():
    first = executor.run(add, 1, 1)["process"]
    with pytest.raises(TypeError, match="lock"):
        executor.run(unpicklable)
    with pytest.raises(TypeError, match="lock"):
        executor.run(add, threading.Lock(), 1)
    assert executor.run(add, 1, 1)["process"] == first


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, "out of memory"), (signal.SIGSEGV, "SIGSEGV")]
)
@pytest.mark.usefixtures("two")
def test_death_of_a_worker_is_an_error_and_another_takes_over(number, words):
    with pytest.raises(executor.WorkerError, match=words):
        executor.run(die, int(number))
    assert executor.run(add, 1, 2)["sum"] == 3


@pytest.mark.usefixtures("two")
def test_death_of_a_worker_leaves_the_other_alone():
    results = []
    thread = threading.Thread(target=lambda: results.append(executor.run(sleep, 0.8)))
    thread.start()
    with pytest.raises(executor.WorkerError):
        executor.run(die, int(signal.SIGKILL))
    thread.join()
    assert results == [{}]


def read(path):
    Path(path).read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="what a process does is told by /proc")
@pytest.mark.usefixtures("two")
def test_a_read_that_stalls_is_ended_and_named(tmp_path, monkeypatch):
    """A FIFO that nobody writes to stands for a file on a dead mount."""
    monkeypatch.setattr(executor, "STALLED", 1.0)
    monkeypatch.setattr(executor, "_LOOK", 0.2)
    os.mkfifo(tmp_path / "raw.fits")
    executor.run(nothing)  # the worker has started
    with pytest.raises(executor.WorkerError, match="a file that does not answer"):
        executor.run(read, str(tmp_path / "raw.fits"))
    assert executor.run(add, 1, 2)["sum"] == 3


@pytest.mark.usefixtures("two")
def test_log_and_warnings_of_a_worker_arrive(tmp_path):
    configure_log(tmp_path / "debug.log")
    try:
        with bound(task="coadd:a"), collected_warnings() as texts:
            result = executor.run(warn)
    finally:
        configure_log(None)
    assert texts == ["no flat (file=a.fits)"]
    assert '"task": "coadd:a"' in (tmp_path / "debug.log").read_text()
    assert result["folder"] == str(Path.cwd())


@pytest.mark.usefixtures("two")
def test_shutdown_ends_running_work():
    errors = []

    def wait():
        try:
            executor.run(sleep, PATIENCE)
        except KeyboardInterrupt as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.5)
    executor.shutdown()
    thread.join(timeout=PATIENCE / 10)  # the work itself would take longer
    assert not thread.is_alive()
    assert len(errors) == 1


def test_termination_is_an_interrupt_within_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), executor.graceful_termination():
        die(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("number", "processes"),
    [(signal.SIGTERM, "0"), (signal.SIGINT, "1"), (signal.SIGTERM, "2"), (signal.SIGINT, "2")],
)
def test_signal_ends_a_run_at_once_and_in_good_order(project, number, processes):
    project.write({"a": "1", "b": "slow"})
    process = project.start("-n", processes, "coadd:a", "coadd:b")
    project.wait_for(2)
    time.sleep(0.3)
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith("interrupted")
    assert [path.name for path in (project.folder / "coadd").iterdir()] == ["a.dat"]
    assert not [pid for _, pid in project.journal() if is_running(pid)]

    project.write({"a": "1", "b": "2"})
    os.utime(project.folder / "raw" / "a.raw", ns=(1, 1))
    assert project.doit("coadd:b")[0] == 0


def test_workers_leave_when_their_parent_is_killed(project):
    project.write({"a": "slow", "b": "slow"})
    process = project.start("-n", "2")
    project.wait_for(2)
    process.kill()
    process.communicate(timeout=PATIENCE)
    workers = [pid for _, pid in project.journal()]
    assert eventually(lambda: not any(map(is_running, workers)))


def test_worker_killed_for_memory_fails_one_task(project):
    project.write({"a": "1", "b": "killed", "c": "3"})
    status, lines = project.doit("-n", "2")
    assert status != 0
    (line,) = [line for line in lines if line.startswith("coadd:b: ")]
    assert "memory" in line
    assert "failed: coadd:b" in lines
    assert "not done because of that: stokes" in lines
    assert {path.name for path in (project.folder / "coadd").glob("[!.]*")} == {"a.dat", "c.dat"}


def test_a_number_of_processes_that_is_none_is_refused(project):
    status, output = project.doit("-n", "-3")
    assert status == 3
    assert "-n -3: a number of tasks at once, from 0" in "\n".join(output)


def test_products_do_not_depend_on_the_number_of_processes(project):
    products = []
    for processes in ("1", "2"):
        assert project.doit("-n", processes)[0] == 0
        products.append((project.folder / "stokes.dat").read_bytes())
        assert len({pid for _, pid in project.journal()}) <= int(processes)
        assert project.doit("forget", "*")[0] == 0
    assert products == [b"112233"] * 2


@pytest.fixture(name="cluster", scope="module")
def fixture_cluster():
    """Address of a scheduler with one worker, for `TestCluster`."""
    import distributed

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


class TestCluster:
    @pytest.fixture(autouse=True)
    def fixture_here_again(self):
        yield
        executor.shutdown()
        executor.set_cluster(ClusterSettings())

    @pytest.mark.filterwarnings("default")
    def test_same_contract_as_here(self, cluster):
        executor.set_cluster(ClusterSettings(cluster))
        result = executor.run(add, 1, 2)
        assert result["sum"] == 3
        assert result["process"] != os.getpid()
        with pytest.raises(FileError) as caught:
            executor.run(complain, "a.fits")
        assert str(caught.value) == "a.fits is truncated"
        with collected_warnings() as texts:
            assert executor.run(warn)["folder"] == str(Path.cwd())
        assert texts == ["no flat (file=a.fits)"]

    def test_no_scheduler_is_one_error_at_once(self):
        executor.set_cluster(ClusterSettings("tcp://127.0.0.1:9"))
        with pytest.raises(ClusterError, match="no dask scheduler answers"):
            executor.run(add, 1, 2)
        begun = time.monotonic()
        with pytest.raises(ClusterError, match="no dask scheduler answers"):
            executor.run(add, 1, 2)
        assert time.monotonic() - begun < 0.5

    @pytest.mark.filterwarnings("default")
    def test_workers_of_another_version_are_refused(self, cluster, monkeypatch):
        executor.set_cluster(ClusterSettings(cluster))
        monkeypatch.setattr("vampires.engine.cluster.__version__", "0.0.1")
        with pytest.raises(ClusterError, match=r"another version of vampires than 0\.0\.1 here"):
            executor.run(add, 1, 2)

    def test_lost_scheduler_ends_a_run_with_one_error(self, project):
        """A scheduler and a worker as people start them; the scheduler is killed in mid-run."""
        project.dodo = ON_CLUSTER + project.dodo
        project.write({f"f{i}": str(i) for i in range(8)})
        scheduler, worker = start_cluster(project.folder)
        try:
            process = project.start("-n", "2", PAUSE="0.3", PYTHONPATH=str(project.folder))
            project.wait_for(3)
            scheduler.kill()
            output = process.communicate(timeout=60)[0].splitlines()
            assert process.returncode == 2  # the last task was not done because of it
            assert not any("Traceback" in line for line in output), "\n".join(output)
            assert sum("was lost; what is done is kept" in line for line in output) == 1
            assert not [line for line in output if "internal error" in line]
            done = {
                line.split()[0].partition(":")[2] for line in output if line.startswith("coadd:f")
            }
            assert done
        finally:
            for each in (scheduler, worker):
                each.kill()
                each.wait()
        scheduler, worker = start_cluster(project.folder)
        project.journal()
        try:
            assert project.doit("-n", "2", PYTHONPATH=str(project.folder))[0] == 0
            assert not done & set(project.worked_on())
        finally:
            for each in (scheduler, worker):
                each.kill()
                each.wait()
        assert (project.folder / "stokes.dat").read_text() == "".join(f"{i}" * 2 for i in range(8))


def start_cluster(folder):
    """A scheduler on a free port and a worker of two threads; the address in ``address``."""
    (folder / "scheduler.json").unlink(missing_ok=True)
    common = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
         "--port", "0", "--no-dashboard", "--scheduler-file", "scheduler.json"], **common,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (folder / "scheduler.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    (folder / "address").write_text(json.loads((folder / "scheduler.json").read_text())["address"])
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", "scheduler.json",
         "--nthreads", "2", "--no-dashboard", "--no-nanny"], **common,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    return scheduler, worker
