import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from fixtures.doit import PATIENCE, eventually, is_running

from vampires.engine import executor
from vampires.errors import FileError
from vampires.log import bound, collected_warnings, configure_log, get_logger


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


def test_products_do_not_depend_on_the_number_of_processes(project):
    products = []
    for processes in ("1", "2"):
        assert project.doit("-n", processes)[0] == 0
        products.append((project.folder / "stokes.dat").read_bytes())
        assert len({pid for _, pid in project.journal()}) <= int(processes)
        assert project.doit("forget", "*")[0] == 0
    assert products == [b"112233"] * 2


class TestCluster:
    @pytest.fixture(name="cluster")
    def fixture_cluster(self):
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None
        ) as cluster:
            executor.set_scheduler(cluster.scheduler_address)
            yield
            executor.shutdown()
            executor.set_scheduler(None)

    @pytest.mark.filterwarnings("default")
    @pytest.mark.usefixtures("cluster")
    def test_same_contract_as_here(self):
        result = executor.run(add, 1, 2)
        assert result["sum"] == 3
        assert result["process"] != os.getpid()
        with pytest.raises(FileError) as caught:
            executor.run(complain, "a.fits")
        assert str(caught.value) == "a.fits is truncated"
        with collected_warnings() as texts:
            assert executor.run(warn)["folder"] == str(Path.cwd())
        assert texts == ["no flat (file=a.fits)"]
