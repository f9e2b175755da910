import pytest

GATHERING_DODO = '''
import work

def task_gather():
    """What there is of the coadds."""
    task = make_task(
        "gather", None, work.gather, [COADDS, "list.txt"], file_dep=COADDS, targets=["list.txt"],
        settings={}, version=1, doc="list the coadds", gathers=True)
    yield task
'''
GATHERING_WORK = """
def gather(coadds, target, missing=()):
    found = [path for path in coadds if path not in missing]
    with atomic_path(target) as path:
        path.write_text(" ".join(found))
"""


@pytest.fixture(name="gathering")
def fixture_gathering(project):
    project.dodo += GATHERING_DODO
    project.work += GATHERING_WORK
    return project


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_failure_does_not_stop_what_gathers(gathering, processes):
    gathering.write({"a": "bad", "b": "2", "c": "3"})
    status, output = gathering.doit("-n", processes)
    assert status != 0
    assert (gathering.folder / "list.txt").read_text() == "coadd/b.dat coadd/c.dat"
    assert "gather: warning: made without what failed (n=1, first=coadd/a.dat)" in output
    assert output[-1] == "not done because of that: stokes"

    gathering.write({"a": "1", "b": "2", "c": "3"})
    assert gathering.doit("-n", processes)[0] == 0
    assert (gathering.folder / "list.txt").read_text() == "coadd/a.dat coadd/b.dat coadd/c.dat"
    assert gathering.doit() == (0, ["everything is up to date (5 tasks)"])


def test_the_old_product_of_a_task_that_fails_is_left_out(gathering):
    gathering.write({"a": "1", "b": "2"})
    gathering.doit()
    gathering.write({"a": "bad", "b": "2"})
    assert gathering.doit()[0] != 0
    assert (gathering.folder / "coadd" / "a.dat").exists()
    assert (gathering.folder / "list.txt").read_text() == "coadd/b.dat"
