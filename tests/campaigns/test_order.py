"""The order of the work, and where it runs, leave no trace in the products."""

import hashlib

import pytest
from fixtures.doit import doit
from fixtures.nights import digests, new_reduction

from vampires.simulate import NightSpec, simulate_night

pytestmark = pytest.mark.campaign

TEXTS = {f"f{i}": f"{i}" for i in range(6)}
PROCESSES = ("0", "1", "2", "4")


def bytes_of(project):
    files = sorted([*(project.folder / "coadd").glob("*"), project.folder / "stokes.dat"])
    return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


@pytest.mark.parametrize("processes", ["0", "4"])
def test_number_of_processes_and_hash_seed(project, processes):
    project.write(TEXTS)
    assert project.doit("-n", processes, PYTHONHASHSEED=processes)[0] == 0
    assert (project.folder / "stokes.dat").read_text() == "".join(t * 2 for t in TEXTS.values())


def test_tasks_one_by_one_in_random_order(project, trials, dice):
    project.write(TEXTS)
    project.doit()
    expected = bytes_of(project)
    for _ in range(trials(1)):
        project.doit("forget", "coadd", "stokes")
        for path in (project.folder / "coadd").glob("*"):
            path.unlink()
        names = [f"coadd:{name}" for name in TEXTS]
        dice.shuffle(names)
        for some in (names[:2], names[2:], ["stokes"]):
            assert project.doit(*some)[0] == 0
        assert bytes_of(project) == expected


@pytest.fixture(name="reduce")
def fixture_reduce(tmp_path):
    """Reduce a night in a folder of its own; digests of its products."""
    folders = iter(range(10_000))
    report = "products/night_report.html"  # it quotes the settings

    def reduce(night, *arguments, settings=(), **environment):
        folder = tmp_path / f"run{next(folders)}"
        folder.mkdir()
        new_reduction(folder, night)
        config = folder / "night.toml"
        text = config.read_text()
        for old, new in settings:
            assert old in text
            text = text.replace(old, new)
        config.write_text(text)
        run = doit(folder, *arguments, **environment)
        assert run.returncode == 0, run.stdout + run.stderr
        return {k: v for k, v in digests(folder).items() if not settings or k != report}

    return reduce


def test_a_night_however_it_is_run(stars_night, reduce, long_run, dice):
    expected = reduce(stars_night)
    for number in range(long_run):
        processes, seed = PROCESSES[number % len(PROCESSES)], str(dice.randrange(2**32))
        assert reduce(stars_night, "-n", processes, PYTHONHASHSEED=seed) == expected
    print(f"night: {long_run} runs of -n 0, 1, 2, 4 and hash seeds, all the same bytes")  # noqa: T201


def test_a_night_of_tasks_one_by_one_in_random_order(stars_night, tmp_path, reduce, long_run, dice):
    expected = reduce(stars_night)
    for number in range(long_run):
        folder = tmp_path / f"one{number}"
        folder.mkdir()
        new_reduction(folder, stars_night)
        names = doit(folder, "list", "--all", "--quiet").stdout.split()
        dice.shuffle(names)
        for name in names:
            run = doit(folder, name)
            assert run.returncode == 0, (name, run)
        assert digests(folder) == expected
    print(f"night: {long_run} times its {len(names)} tasks one by one, all the same bytes")  # noqa: T201


@pytest.mark.parametrize("method", ["mean", "median"])
def test_a_night_in_little_and_much_memory(tmp_path, reduce, long_run, method):
    """Frames of 32 MB a cube, 130 MB as floats with their variance."""
    del long_run
    spec = NightSpec.preset("qcmos", size=536, frames=56, cycles=1, calibration_frames=8)
    simulate_night(spec, tmp_path / "night")
    way = ('[coadd]\nmethod = "mean"', f'[coadd]\nmethod = "{method}"')
    made = [
        reduce(tmp_path / "night", "-n", "2",
               settings=[way, ('memory = "2 GB"', f'memory = "{memory}"')])
        for memory in ("64 MB", "200 MB", "1 GB", "4 GB")
    ]  # fmt: skip
    assert made == made[:1] * len(made)
    print(f"{method}: 64 MB, 200 MB, 1 GB, 4 GB give the same bytes")  # noqa: T201


@pytest.mark.filterwarnings("default")
def test_a_night_on_a_cluster_of_two_workers(stars_night, reduce, long_run):
    distributed = pytest.importorskip("distributed")
    nothing = ("[execution]", "[execution]")
    expected = reduce(stars_night, settings=[nothing])
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        there = ("[execution]", f'[execution]\nscheduler = "{cluster.scheduler_address}"')
        for _ in range(long_run):
            assert reduce(stars_night, "-n", "4", settings=[there]) == expected
    print(f"cluster of two workers: {long_run} runs, all the same bytes")  # noqa: T201
