"""How many threads a step may use.

A reduction of one process at a time (``doit``, a notebook) has the machine to itself and
uses all its cores within each step. Worker processes (``doit -n 4``, a cluster) are already
as many as the user wants, so each of them uses one thread, and the cores of those that have
nothing to do (`share_cores`). Results do not depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import parent_process
from typing import TypeVar

__all__ = ["available_threads", "cores", "one_ahead", "share_cores", "side_by_side"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_busy: Callable[[], int] | None = None  # workers that share the cores with this one


def share_cores(busy: Callable[[], int]) -> None:
    """Let this worker process use its part of the cores, whatever that is at the time.

    Parameters
    ----------
    busy : callable
        Number of worker processes that have something to do, this one among them.
    """
    global _busy  # noqa: PLW0603 - a process has one
    _busy = busy


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(function: Callable[[_In], _Out], items: Iterable[_In]) -> list[_Out]:
    """``[function(item) for item in items]`` in as many threads as there are.

    Parameters
    ----------
    function : callable
        It should spend its time in kernels, which do without the interpreter lock.
    items : iterable

    Returns
    -------
    list
        In the order of the items, whatever the number of threads.

    Examples
    --------
    >>> side_by_side(abs, [-2, 1])
    [2, 1]
    """
    threads = available_threads()
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def one_ahead(function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """``map(function, items)``; with a second thread, it makes the next while one is in use.

    Examples
    --------
    >>> list(one_ahead(abs, [-2, 1]))
    [2, 1]
    """
    if available_threads() == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(1) as pool:
        coming: Future[_Out] | None = None
        for item in items:
            ready, coming = coming, pool.submit(function, item)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()


def available_threads() -> int:
    """Number of threads for the work of this process.

    Returns
    -------
    int
        In a worker process its part of them, at least 1; otherwise the cores this process may
        run on. The environment variable ``VAMPIRES_THREADS`` sets another number.

    Examples
    --------
    >>> available_threads() >= 1
    True
    """
    wanted = os.environ.get("VAMPIRES_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if parent_process() is None:
        return cores()
    return 1 if _busy is None else max(1, cores() // max(1, _busy()))
