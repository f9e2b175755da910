"""How many threads a step may use.

A reduction of one process at a time (``doit``, a notebook) has the machine to itself and
uses all its cores within each step. Worker processes (``doit -n 4``, a cluster) are already
as many as the user wants, so each of them uses one thread. Results do not depend on it.
"""

from __future__ import annotations

import os
from multiprocessing import parent_process

__all__ = ["available_threads"]


def available_threads() -> int:
    """Number of threads for the work of this process.

    Returns
    -------
    int
        1 in a worker process, otherwise the cores this process may run on; the environment
        variable ``VAMPIRES_THREADS`` sets another number.

    Examples
    --------
    >>> available_threads() >= 1
    True
    """
    wanted = os.environ.get("VAMPIRES_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if parent_process() is not None:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
