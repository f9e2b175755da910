"""Which of several ready tasks comes first."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from vampires.engine.order import MostAwaited, chain_lengths

NIGHT = {
    "coadd:1": [],
    "coadd:2": [],
    "picture": [],
    "stokes": ["coadd:1", "coadd:2"],
    "table": ["coadd:1", "coadd:2"],
    "pdi": ["stokes"],
    "report": ["pdi", "picture", "table"],
}


def node(name):
    return SimpleNamespace(task=SimpleNamespace(name=name))


def order(entered, needs=NIGHT):
    queue = MostAwaited({n: SimpleNamespace(task_dep=deps) for n, deps in needs.items()})
    for name in entered:
        queue.append(node(name))
    return [queue.popleft().task.name for _ in range(len(queue))]


def test_what_the_longest_chain_waits_for_comes_first():
    assert order(["picture", "coadd:2", "coadd:1"]) == ["coadd:2", "coadd:1", "picture"]
    assert order(["picture", "table", "stokes"]) == ["stokes", "table", "picture"]


def test_of_equals_the_later_in_the_night_comes_first_then_the_one_that_entered_first():
    assert order(["picture", "table"]) == ["table", "picture"]
    assert order(["coadd:2", "coadd:1"]) == ["coadd:2", "coadd:1"]


def test_a_task_made_while_others_run_comes_last():
    assert order(["unheard of", "picture"]) == ["picture", "unheard of"]
    assert not MostAwaited({})


@given(st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[st.sets(st.integers(0, k - 1), max_size=4) if k else st.just(set())
                          for k in range(n)])
))  # fmt: skip
def test_a_chain_is_one_longer_than_the_longest_of_what_waits(graph):
    needs = {str(k): [str(d) for d in sorted(deps)] for k, deps in enumerate(graph)}
    lengths = chain_lengths(needs)
    assert lengths.keys() == needs.keys()
    for name in needs:
        waiting = [lengths[other] for other, deps in needs.items() if name in deps]
        assert lengths[name] == max(waiting, default=-1) + 1
