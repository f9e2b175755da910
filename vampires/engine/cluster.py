"""Tasks on the workers of a dask cluster that sees the same files under the same paths.

The cluster is one that runs already (``[execution] scheduler = "tcp://host:8786"``), or one that
is asked of a queueing system for the time of the run (``cluster = "slurm"``). There is one try to
reach it; once it is lost every task fails at once with the same error, and the next run goes on.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vampires.config.load import nearest
from vampires.errors import VampiresError
from vampires.log import get_logger
from vampires.version import __version__

log = get_logger(__name__)

_PATIENCE = "5s"  # for a scheduler to answer
_WATCH = 3.0  # s between looks at the workers


class ClusterError(VampiresError):
    """The cluster cannot be reached, or is lost: no task can be done any more."""


class WorkerLostError(VampiresError):
    """The worker that ran a task died."""


@dataclass(frozen=True)
class ClusterSettings:
    """Where the cluster is, or of whom to ask for one.

    Parameters
    ----------
    scheduler : str
        Address of a scheduler that runs.
    kind : str
        ``slurm``: workers are jobs of that queueing system; empty: `scheduler` it is.
    options : mapping
        Of ``dask_jobqueue.SLURMCluster``: queue, cores, memory, walltime, local_directory ...
    workers : (int, int)
        Fewest and most workers that are asked for, as there is work.
    """

    scheduler: str = ""
    kind: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: tuple[int, int] = (1, 4)

    def __bool__(self) -> bool:
        return bool(self.scheduler or self.kind)

    @property
    def name(self) -> str:
        """The cluster in words."""
        return f"the {self.kind} cluster" if self.kind else f"the dask scheduler {self.scheduler}"


class ClusterConnection:
    """One connection, made when first needed; safe to use from several threads."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._cluster: Any = None
        self._lost: ClusterError | None = None
        self._progress = ""
        self._closed = threading.Event()

    def prepare(self) -> None:
        """Import, in the main thread, what can be imported only there.

        dask-jobqueue takes Ctrl-C for itself when it is imported; that is undone.
        """
        if not self._settings.kind:
            return
        handler = signal.getsignal(signal.SIGINT)
        with contextlib.suppress(ImportError):  # said when it is needed
            importlib.import_module("dask_jobqueue")
        signal.signal(signal.SIGINT, handler)

    def run(self, function: Callable[..., Any], *args: object) -> Any:
        """Run a function on a worker and wait for it.

        Raises
        ------
        ClusterError
            The cluster cannot be reached or was lost; the same error for every call after.
        WorkerLostError
            The worker died, more than once.
        """
        import asyncio
        import concurrent.futures

        from distributed import CancelledError, KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError

        client = self._connected()
        cancelled = (
            CancelledError, FutureCancelledError, asyncio.CancelledError,
            concurrent.futures.CancelledError, CommClosedError,
        )  # fmt: skip
        try:
            future = client.submit(function, *args, pure=False)
        except (OSError, RuntimeError, *cancelled) as error:  # the client is closed
            raise self._loss(error) from None
        try:
            return future.result()
        except KilledWorker:
            raise WorkerLostError(
                "the cluster's worker was killed, most likely for want of memory: set a smaller "
                "[execution] memory or give its workers more"
            ) from None
        except cancelled as error:
            raise self._loss(error) from None
        except RuntimeError as error:
            if "deserialization" not in str(error):
                raise
            log.info("not understood by the cluster", reason=str(error))
            raise ClusterError(
                f"{self._settings.name} does not understand what it is sent: its packages are "
                "others than here; install the same on all, and start it again"
            ) from None
        except BaseException:
            future.cancel()
            raise

    @property
    def progress(self) -> str:
        """Workers of the cluster, for the progress bar; empty before any is known."""
        return self._progress

    def _watch(self, client: Any) -> None:
        """Keep count of the workers, in a thread of its own: a lost scheduler answers late."""
        import asyncio
        import concurrent.futures

        lost = (asyncio.CancelledError, concurrent.futures.CancelledError)
        while client.status in ("running", "connecting"):
            with contextlib.suppress(OSError, TimeoutError, RuntimeError, *lost):
                threads = client.nthreads()
                self._progress = f"{len(threads)} workers, {sum(threads.values())} at once"
            if self._closed.wait(_WATCH):
                return

    def close(self) -> None:
        """Give the workers back."""
        self._closed.set()
        with self._lock:
            client, cluster = self._client, self._cluster
            self._client = self._cluster = None
        for part in (client, cluster):
            if part is not None:
                part.close()

    def _loss(self, error: BaseException) -> ClusterError:
        with self._lock:
            if self._lost is None:
                log.info("cluster lost", reason=f"{type(error).__name__}: {error}")
                self._lost = ClusterError(
                    f"{self._settings.name} was lost; what is done is kept: start it again, and "
                    "run doit again"
                )
            return self._lost

    def _connected(self) -> Any:
        with self._lock:
            if self._lost is not None:
                raise self._lost
            if self._client is None:
                try:
                    self._connect()
                except ClusterError as error:
                    self._lost = error
                    raise
            if self._client.status not in ("running", "connecting"):
                self._lost = ClusterError(
                    f"{self._settings.name} was lost; what is done is kept: start it again, and "
                    "run doit again"
                )
                raise self._lost
            return self._client

    def _connect(self) -> None:
        from distributed import Client

        # What they say we say, in one line. distributed.client has a level of its own.
        for name in ("distributed", "distributed.client", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        if self._settings.kind:
            self._cluster = _queue_cluster(self._settings)
        target = self._cluster or self._settings.scheduler
        try:
            self._client = Client(target, set_as_default=False, timeout=_PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"no dask scheduler answers at {self._settings.scheduler} ([execution] "
                f"scheduler): start one with 'dask scheduler', or remove the setting "
                f"({type(error).__name__})"
            ) from None
        _check_versions(self._client)
        self._client.register_plugin(_same_version_plugin())
        self._closed.clear()
        threading.Thread(target=self._watch, args=(self._client,), daemon=True).start()
        say(f"works on {self._settings.name}; dashboard: {self._client.dashboard_link}")


def say(text: str) -> None:
    """One line for the person."""
    sys.stderr.write(text + "\n")


def version_of_worker() -> str:
    """Version of this package; run on workers."""
    return __version__


def at_home(folder: str, call: Callable[[], Any]) -> Any:
    """Do a call in the folder it came from, as its paths may be relative.

    Raises
    ------
    ClusterError
        The worker does not see that folder.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise ClusterError(
            f"a worker does not see {folder} ({error.strerror}): all must see the same files "
            "under the same paths"
        ) from None
    return call()


def _check_versions(client: Any) -> None:
    """Refuse workers that run other software: their results might differ.

    Raises
    ------
    ClusterError
        Names the workers and their versions.
    """
    try:
        found = client.run(version_of_worker, on_error="return")
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"the cluster was lost ({type(error).__name__})") from None
    others = {
        name: version if isinstance(version, str) else f"none ({type(version).__name__})"
        for name, version in found.items()
        if version != __version__
    }
    if others:
        named = ", ".join(f"{name} has {version}" for name, version in sorted(others.items())[:3])
        raise ClusterError(
            f"{len(others)} workers have another version of vampires than {__version__} here: "
            f"{named}; install the same on all"
        )


def _same_version_plugin() -> Any:
    """Worker plugin that keeps workers of another version, which come later, from working."""
    from distributed import WorkerPlugin

    class SameVersion(WorkerPlugin):
        name = "vampires-version"
        wanted = __version__

        def setup(self, worker: Any) -> None:
            del worker
            from vampires.version import __version__ as found

            if found != self.wanted:
                raise RuntimeError(f"vampires {found} here, {self.wanted} is wanted")

    return SameVersion()


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that no part of dask-jobqueue knows, before it is half begun."""
    from dask_jobqueue import SLURMCluster
    from dask_jobqueue.core import Job
    from dask_jobqueue.slurm import SLURMJob

    known = {name for part in (SLURMCluster, SLURMJob, Job)
             for name in inspect.signature(part.__init__).parameters}  # fmt: skip
    for name in options:
        if name not in known:
            raise ClusterError(
                f"[execution] cluster_options: {name!r} is no option of "
                f"dask_jobqueue.SLURMCluster{nearest(name, known)}"
            )


def _queue_cluster(settings: ClusterSettings) -> Any:
    """Cluster of jobs in a queue, between the fewest and most workers as there is work.

    Raises
    ------
    ClusterError
        The package is not installed; an option is wrong.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise ClusterError(
            "[execution] cluster = \"slurm\" needs dask-jobqueue: pip install 'vampires[slurm]'"
        ) from None
    options: dict[str, Any] = {
        "cores": 1,
        "processes": 1,
        "memory": "4 GB",
        "log_directory": "slurm_logs",
    }
    options |= dict(settings.options)
    _check_options(options)
    log_directory = Path(str(options["log_directory"]))
    log_directory.mkdir(parents=True, exist_ok=True)
    try:
        cluster = SLURMCluster(**options)
    except (TypeError, ValueError) as error:
        raise ClusterError(f"[execution] cluster_options: {error}") from None
    cluster.adapt(minimum=settings.workers[0], maximum=settings.workers[1])
    return cluster
