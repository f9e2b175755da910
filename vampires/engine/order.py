"""Which of several ready tasks comes first: the one that the longest chain of others waits for.

doit takes ready tasks as they come. Then pictures, for which nothing waits but the report, keep
both workers from the Stokes frames, and at the end one worker does these alone. Of tasks that as
long a chain waits for, the one that comes after the longest chain is first.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

__all__ = ["MostAwaited", "chain_lengths"]


def chain_lengths(needs: Mapping[str, list[str]]) -> dict[str, int]:
    """Length of the longest chain of tasks that wait for each task, one after the other.

    Parameters
    ----------
    needs : mapping of str to list of str
        Names of the tasks that each task depends on; without circles.

    Returns
    -------
    dict
        0 where nothing waits.

    Examples
    --------
    >>> chain_lengths({"coadd": [], "stokes": ["coadd"], "pdi": ["stokes"], "picture": ["coadd"]})
    {'pdi': 0, 'picture': 0, 'stokes': 1, 'coadd': 2}
    """
    waiting: dict[str, int] = defaultdict(int)
    for names in needs.values():
        for name in names:
            waiting[name] += 1
    lengths: dict[str, int] = {}
    longest: dict[str, int] = defaultdict(int)
    free = [name for name in needs if not waiting[name]]
    for name in free:  # which grows: a task comes once all that wait for it have come
        lengths[name] = longest[name]
        for need in needs.get(name, ()):
            longest[need] = max(longest[need], lengths[name] + 1)
            waiting[need] -= 1
            if not waiting[need]:
                free.append(need)
    return lengths


class MostAwaited:
    """Queue of ready tasks in place of doit's, which is first in, first out.

    Parameters
    ----------
    tasks : mapping of str to Task
        All tasks by name.
    """

    def __init__(self, tasks: Mapping[str, Any]) -> None:
        needs = {name: task.task_dep for name, task in tasks.items()}
        needed: dict[str, list[str]] = {name: [] for name in tasks}
        for name, names in needs.items():
            for need in names:
                needed.setdefault(need, []).append(name)
        self._after, self._before = chain_lengths(needs), chain_lengths(needed)
        self._nodes: list[tuple[int, int, int, Any]] = []
        self._entered = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def append(self, node: Any) -> None:
        """Add the node of a ready task."""
        self._entered += 1
        name = node.task.name
        rank = -self._after.get(name, 0), -self._before.get(name, 0)
        heapq.heappush(self._nodes, (*rank, self._entered, node))

    def popleft(self) -> Any:
        """Take the node of the task that should come next."""
        return heapq.heappop(self._nodes)[-1]
