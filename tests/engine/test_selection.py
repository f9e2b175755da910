import pytest
from doit.exceptions import InvalidCommand
from doit.task import Task

from vampires.engine.selection import expand, followers, members, unknown


@pytest.fixture(name="tasks")
def fixture_tasks():
    listed = [
        Task("coadd", None, task_dep=["coadd:a", "coadd:b"], has_subtask=True),
        Task("coadd:a", ["true"], targets=["coadded/a.fits"], subtask_of="coadd"),
        Task("coadd:b", ["true"], subtask_of="coadd"),
        Task("stokes", ["true"], task_dep=["coadd:a"]),
        Task("table", ["true"], task_dep=["coadd"]),
        Task("report", ["true"], task_dep=["table"]),
    ]
    return {task.name: task for task in listed}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["stokes"], ["stokes"]),
        (["coadd"], ["coadd:a", "coadd:b"]),
        (["coadd:*b", "coadd"], ["coadd:b", "coadd:a"]),
        (["*t*", "coadded/a.fits"], ["stokes", "table", "report", "coadd:a"]),
    ],
)
def test_names_groups_wildcards_and_targets(tasks, names, expected):
    assert expand(names, tasks) == expected


@pytest.mark.parametrize("name", ["coadd:*c*", "coadd:c", "coadded/c.fits"])
def test_name_of_nothing_is_refused(tasks, name):
    with pytest.raises(InvalidCommand, match="coadd \\(2\\), stokes, table, report"):
        expand([name], tasks)


def test_close_names_are_suggested(tasks):
    assert "did you mean 'stokes'?" in unknown("stoke", tasks)
    assert "did you mean" not in unknown("xyz", tasks)


def test_followers_go_through_groups_without_naming_them(tasks):
    assert sorted(followers(["coadd:a"], tasks)) == ["report", "stokes", "table"]
    assert sorted(followers(["coadd:b"], tasks)) == ["report", "table"]
    assert followers(["report"], tasks) == []


def test_members(tasks):
    assert members(tasks["coadd"]) == ["coadd:a", "coadd:b"]
    assert members(tasks["table"]) == ["table"]
