"""The log: what the software did, for whoever has to find out later.

Modules write events with a few keys::

    log = get_logger(__name__)
    log.info("matched background", file="VMPA00021001.fits", master="VMPA00021500_coll.fits")

A command line calls `configure_log` and the events become lines of JSON in ``debug.log``.
Without that, as in a notebook, they go to the standard `logging` module, which shows
warnings and keeps quiet about the rest unless told otherwise. Loading this module is
cheap: structlog is imported with the first event.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_warnings: ContextVar[list[str] | None] = ContextVar("vampires_warnings", default=None)


@dataclass
class _Destination:
    """Where this process writes: the file asked for, and the one that is open."""

    wanted: Path | None = None
    opened: Path | None = None
    cleanup: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    lock: threading.Lock = field(default_factory=threading.Lock)


_destination = _Destination()


class Logger:
    """Writes events of one module; made by `get_logger`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **fields: object) -> None:
        """Record a detail that only a programmer wants."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Record something that was done."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Record something the user should look at; the command line shows it as well."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Record a failure."""
        self._write("error", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Record a failure with the traceback of the exception being handled."""
        self._write("error", event, {**fields, "exc_info": True})

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if _is_structured():
            import structlog

            getattr(structlog.get_logger(), level)(event, logger=self._name, **fields)
            return
        import logging

        exc_info = bool(fields.pop("exc_info", False))
        if level == "warning":
            _collect(describe(event, fields))
        number = getattr(logging, level.upper())
        logging.getLogger(self._name).log(number, describe(event, fields), exc_info=exc_info)


def get_logger(name: str) -> Logger:
    """Logger of a module.

    Parameters
    ----------
    name : str
        The module's ``__name__``.

    Returns
    -------
    Logger
        With ``debug``, ``info``, ``warning``, ``error`` and ``exception``, each taking an
        event in words and keys of plain values.
    """
    return Logger(name)


def configure_log(path: Path | str | None) -> None:
    """Send all events to a file of JSON lines, or back to standard `logging`.

    Parameters
    ----------
    path : Path, str or None
        The log file, appended to; None ends the recording.

    Notes
    -----
    For command lines and worker processes only. Nothing is opened before the first event.
    Each record is one ``write`` to a file opened for appending, so that records of several
    threads and processes do not mix. Keys: ``timestamp`` (UTC, ISO 8601), ``level``,
    ``event``, ``logger``, those bound by `bound` and those of the event; an exception is
    its traceback under ``exception``. Python warnings are recorded instead of printed.
    """
    with _destination.lock:
        _destination.wanted = None if path is None else Path(path).absolute()
        if path is None:
            _close()


def log_path() -> Path | None:
    """Where events go, None when no command line has chosen a file."""
    return _destination.wanted


@contextlib.contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add keys to every event written within the block, in this thread.

    Examples
    --------
    >>> with bound(task="coadd:VMPA00021001"):
    ...     get_logger(__name__).debug("reading")
    """
    if not _is_structured():
        yield
        return
    from structlog.contextvars import bound_contextvars

    with bound_contextvars(**fields):
        yield


def bound_fields() -> dict[str, Any]:
    """Keys that `bound` has added in this thread, to be handed to another process."""
    if not _is_structured():
        return {}
    from structlog.contextvars import get_contextvars

    return dict(get_contextvars())


@contextlib.contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Gather the warnings written within the block, as sentences for the terminal.

    Yields
    ------
    list of str
        Filled as warnings are written in this thread; each text once.
    """
    texts: list[str] = []
    token = _warnings.set(texts)
    try:
        yield texts
    finally:
        _warnings.reset(token)


def pass_on_warnings(texts: list[str]) -> None:
    """Hand warnings that another process has collected to this thread's collector."""
    for text in texts:
        _collect(text)


def describe(event: str, fields: MutableMapping[str, Any]) -> str:
    """Event and keys as one line: ``matched flat (file=a.fits, days=3)``."""
    keys = ", ".join(f"{key}={value}" for key, value in fields.items())
    return f"{event} ({keys})" if keys else event


def _collect(text: str) -> None:
    texts = _warnings.get()
    if texts is not None and text not in texts:
        texts.append(text)


def _is_structured() -> bool:
    """Whether events go through structlog: our file, or the user's own configuration."""
    if _destination.wanted is not None:
        _open(_destination.wanted)
        return True
    structlog = sys.modules.get("structlog")
    return structlog is not None and structlog.is_configured()


def _open(path: Path) -> None:
    """Open the log file and set structlog up, once per file."""
    with _destination.lock:
        if _destination.opened == path:
            return
        _close()
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_opened(path))
            stack.enter_context(_structlog_writing_to(stream))
            stack.enter_context(_recorded_python_warnings())
            _destination.cleanup = stack.pop_all()
        _destination.opened = path


class _LogFile(io.FileIO):
    """A file whose disk may be full: work goes on without its log."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _opened(path: Path) -> _LogFile:
    """Open the log file; where the folder cannot be written to, a log that keeps nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _LogFile(path, "ab")
    except OSError:
        return _LogFile(os.devnull, "ab")


def _close() -> None:
    """Undo `_open`; the caller holds the lock."""
    _destination.cleanup.close()
    _destination.opened = None


@contextlib.contextmanager
def _structlog_writing_to(stream: io.FileIO) -> Iterator[None]:
    """Structlog writing JSON, one unbuffered ``write`` a line, to a stream."""
    import structlog

    def to_bytes(record: dict[str, Any], default: Callable[[Any], Any]) -> bytes:
        import json

        return json.dumps(record, default=default, ensure_ascii=False).encode(
            "utf-8", "backslashreplace"
        )

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _keep_warning,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=to_bytes, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        logger_factory=structlog.BytesLoggerFactory(stream),
    )
    yield
    structlog.reset_defaults()


def _keep_warning(_: object, level: str, record: MutableMapping[str, Any]) -> Any:
    """Collect warnings on their way to the file (a structlog processor)."""
    if level == "warning" and record.get("logger") != "py.warnings":
        hidden = {"event", "logger", "task"}
        fields = {key: value for key, value in record.items() if key not in hidden}
        _collect(describe(str(record.get("event")), fields))
    return record


@contextlib.contextmanager
def _recorded_python_warnings() -> Iterator[None]:
    """Send `warnings.warn` to the log instead of the terminal."""

    def record(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: str | None = None,
    ) -> None:
        del file, line
        where = f"{filename}:{lineno}"
        get_logger("py.warnings").warning(str(message), category=category.__name__, at=where)

    show = warnings.showwarning
    warnings.showwarning = record
    yield
    warnings.showwarning = show
