"""The order of the work, and where it runs, leave no trace in the products."""

import hashlib

import pytest

TEXTS = {f"f{i}": f"{i}" for i in range(6)}


def bytes_of(project):
    files = sorted([*(project.folder / "coadd").glob("*"), project.folder / "stokes.dat"])
    return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


@pytest.mark.parametrize("processes", ["0", "1", "2", "4"])
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
