"""Where the work of tasks runs: in this process, in worker processes, or on a cluster.

doit keeps the books in one process; each action hands a module-level function and plain
arguments (paths, numbers, text, dictionaries of them) to `run` and waits. The result does
not depend on where it ran.

* one task at a time (``doit``): in this process, which saves starting another;
* several (``doit -n 4``): in worker processes, started when first needed, each serving one
  task after another. A worker that is killed takes only its own task with it. On Linux they
  are forked off a process that does nothing but import the heavy packages once for all;
* with a cluster: on its workers (`vampires.engine.cluster`).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from vampires.engine.cluster import ClusterConnection, ClusterSettings, WorkerLostError, at_home
from vampires.log import (
    bound,
    bound_fields,
    collected_warnings,
    configure_log,
    log_path,
    pass_on_warnings,
)
from vampires.utils.threads import share_cores

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext, SpawnContext
    from multiprocessing.process import BaseProcess

Function = Callable[..., dict[str, Any] | None]

STALLED = 900.0  # s without a byte read or written nor any computing: a read that hangs
_LOOK = 15.0  # s between looks at a worker
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGE_ARRAY, _KEPT = 32 * 2**20, 192 * 2**20  # bytes; the first is the most that glibc takes
_GRACE = 2.0  # s that a worker has to remove its temporary files
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


WorkerError = WorkerLostError
"""The process that ran a task died, as when the machine is out of memory."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end; ``signal`` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


def set_workers(number: int) -> None:
    """Choose how many tasks run at once on this machine; 1 runs them in this process."""
    _engine.workers = max(1, number)


def set_cluster(settings: ClusterSettings) -> None:
    """Choose a cluster to run tasks on; settings that are false: this machine."""
    _engine.cluster = ClusterConnection(settings) if settings else None


def prepare() -> None:
    """Make ready for tasks in threads; called in the main thread."""
    if _engine.cluster is not None:
        _engine.cluster.prepare()


def cluster_progress() -> str:
    """What the cluster does, for the progress bar; empty on this machine."""
    return "" if _engine.cluster is None else _engine.cluster.progress


def run(function: Function, /, *args: object) -> dict[str, Any]:
    """Run a function where work runs, and wait for it.

    Parameters
    ----------
    function : callable
        A function at the top level of an importable module.
    *args
        Its arguments; anything that can be pickled, but pass paths, not arrays.

    Returns
    -------
    dict
        What the function returned (empty for None): a few plain values.

    Raises
    ------
    WorkerError
        The process died.
    Exception
        What the function raised, with the worker's traceback as a note.
    """
    _one_thread_each()
    if _engine.cluster is not None:
        call = _call(function, args)
        reply: _Reply = _engine.cluster.run(at_home, call.folder, call)
        return reply.unpack()
    if _engine.workers == 1:
        return function(*args) or {}
    return _in_worker(function, args)


def start_early() -> None:
    """Begin to import what workers need while this process is still planning.

    For a run that is sure to have work for worker processes: it saves about a second.
    """
    if sys.platform != "linux":
        return
    from multiprocessing import forkserver

    _one_thread_each()
    _context()
    forkserver.ensure_running()


def shutdown() -> None:
    """End workers and running tasks now; the next `run` starts afresh."""
    workers = _engine.clear()
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_GRACE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()
    if _engine.cluster is not None:
        _engine.cluster.close()


@contextlib.contextmanager
def graceful_termination() -> Iterator[None]:
    """Within the block, SIGTERM and a closed terminal end the run as Ctrl-C does.

    The signals raise `Interrupted`, a `KeyboardInterrupt`, in the main thread, so that
    temporaries are removed and the state is saved. Does nothing in other threads, nor for a
    signal that is being ignored (``nohup``).
    """
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    old = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in names):
            if signal.getsignal(number) is not signal.SIG_IGN:
                old[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise Interrupted(number)


def _one_thread_each() -> None:
    """Parallelism is across tasks; libraries must not add threads, nor change sums by them."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"


# ---------------------------------------------------------------- state of this process


@dataclass
class _Engine:
    """Workers and connections of this process."""

    workers: int = 1
    cluster: ClusterConnection | None = None
    pool: list[_Worker] = field(default_factory=list)
    idle: list[_Worker] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: Any = None  # number of workers at work, in memory that they share

    def count(self) -> None:
        """Tell the workers how many of them are at work; called with the lock held."""
        self.busy.value = len(self.pool) - len(self.idle)

    def clear(self) -> list[_Worker]:
        """Give up all workers, returning them."""
        with self.lock:
            workers = self.pool
            self.pool, self.idle = [], []
        return workers


# ---------------------------------------------------------------- one call, anywhere


@dataclass(frozen=True)
class _Call:
    """What a worker needs to do one task as this process would."""

    function: Function
    args: tuple[object, ...]
    fields: dict[str, Any]
    log: str | None
    folder: str

    def __call__(self) -> _Reply:
        _one_thread_each()
        configure_log(self.log)
        with bound(**self.fields), collected_warnings() as warnings:
            try:
                return _Reply(self.function(*self.args) or {}, None, warnings)
            except Exception as error:  # noqa: BLE001 - raised again by the one who waits
                return _Reply({}, _portable(error), warnings)


@dataclass(frozen=True)
class _Reply:
    """What came of a call."""

    result: dict[str, Any]
    error: Exception | None
    warnings: list[str]

    def unpack(self) -> dict[str, Any]:
        """Return the result or raise the error, in the process that waited."""
        pass_on_warnings(self.warnings)
        if self.error is not None:
            raise self.error
        return self.result


def _call(function: Function, args: tuple[object, ...]) -> _Call:
    log = log_path()
    return _Call(function, args, bound_fields(), str(log) if log else None, str(Path.cwd()))


def _portable(error: Exception) -> Exception:
    """Error that can be sent, with its traceback as a note."""
    note = "In the worker:\n" + "".join(traceback.format_exception(error)).rstrip()
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an exception class may define anything
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(note)
    return copy


# ---------------------------------------------------------------- processes of this machine


class _Worker:
    """One process that serves calls, one at a time."""

    process: BaseProcess
    connection: Connection
    stalled = False

    def __init__(self) -> None:
        context = _context()
        if _engine.busy is None:
            _engine.busy = context.RawValue("i", 0)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, _engine.busy), daemon=True)
        self.process.start()
        theirs.close()  # so that reading ends when the process does

    def ask(self, call: _Call) -> _Reply:
        """Send a call and wait for the reply; EOFError or OSError when the process dies."""
        self.connection.send(call)
        activity, since = _activity(self.process.pid), time.monotonic()
        while not self.connection.poll(_LOOK):
            now = _activity(self.process.pid)
            if now != activity:
                activity, since = now, time.monotonic()
            elif now is not None and time.monotonic() - since > STALLED:
                self.stalled = True
                self.process.kill()
                raise EOFError
        reply: _Reply = self.connection.recv()
        return reply

    def cause_of_death(self) -> str:
        """Why the process ended, for people."""
        if self.stalled:
            return (
                f"its worker waited {STALLED / 60:.0f} min for a file that does not answer (see "
                "'doit info' for what it reads); is its disk or network mount there?"
            )
        self.process.join(_GRACE)
        code = self.process.exitcode
        if code is not None and -code == signal.SIGKILL:
            return (
                "the worker process was killed, most likely because the machine ran out of "
                "memory: set a smaller [execution] memory or use fewer processes (-n)"
            )
        if code is not None and -code == signal.SIGBUS:
            return (
                "the worker process lost a file that it was reading: it was cut short meanwhile, "
                "or its disk fails (see 'doit info' for what it reads); run doit again"
            )
        if code is not None and code < 0:
            return f"the worker process crashed ({signal.Signals(-code).name}), see debug.log"
        return f"the worker process ended unexpectedly (exit status {code}), see debug.log"


def _context() -> ForkServerContext | SpawnContext:
    """How processes start; where forking is not safe (macOS) or unknown, each afresh."""
    import multiprocessing

    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vampires.engine.preloaded"])
    return context


def _in_worker(function: Function, args: tuple[object, ...]) -> dict[str, Any]:
    with _engine.lock:
        worker = _engine.idle.pop() if _engine.idle else None
        if worker is None:
            worker = _Worker()
            _engine.pool.append(worker)
        _engine.count()
    try:
        reply = worker.ask(_call(function, args))
    except (EOFError, OSError):
        with _engine.lock:
            if worker not in _engine.pool:  # shutdown() ended it
                raise KeyboardInterrupt from None
            _engine.pool.remove(worker)
            _engine.count()
        raise WorkerError(worker.cause_of_death()) from None
    except Exception:  # the call or its reply could not be pickled; the worker is well
        _release(worker)
        raise
    _release(worker)
    return reply.unpack()


def _activity(pid: int | None) -> str | None:
    """What a process has computed, read and written so far; None where that is not told."""
    try:
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        moved = Path(f"/proc/{pid}/io").read_text().split("syscr")[0]
    except OSError:
        return None
    return f"{times} {moved}"


def _release(worker: _Worker) -> None:
    """Let a worker serve somebody else, unless `shutdown` has ended it."""
    with _engine.lock:
        if worker in _engine.pool:
            _engine.idle.append(worker)
            _engine.count()


def _serve(connection: Connection, busy: Any) -> None:
    """Serve calls until the other end closes (the main function of a worker)."""
    share_cores(lambda: int(busy.value))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal
    signal.signal(signal.SIGTERM, _interrupt)
    _keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(Interrupted, EOFError, BrokenPipeError):
        while True:
            connection.send(_answer(connection.recv_bytes()))


def _keep_freed_memory() -> None:
    """Let this process reuse what its arrays leave, where the C library is glibc.

    It gives each large array back to the system and asks for the next one anew: a tenth of a
    night was spent on pages that came and went.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE_ARRAY)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def _answer(message: bytes) -> _Reply:
    try:
        reply: _Reply = pickle.loads(message)()
        pickle.dumps(reply)
    except Exception as error:  # noqa: BLE001 - the function or its result cannot travel
        return _Reply({}, _portable(error), [])
    return reply


def _end_with_parent() -> None:
    """Leave when the parent is gone, even if SIGKILL took it while this process works."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


_engine = _Engine()
