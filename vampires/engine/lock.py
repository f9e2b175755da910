"""One `doit` at a time in a folder: a lock that says who holds it.

The lock is the kernel's (``flock``) on the file ``.doit.lock``, so that a killed process holds
nothing. It holds between machines on NFS (version 4, or 3 with its lock service), Lustre mounted
with ``flock``, GPFS, CephFS and SMB. On sshfs and on Lustre with ``localflock`` it holds on one
machine only. Where a file system has no locks, or the folder cannot be written to, there is none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from doit.exceptions import InvalidCommand

from vampires.log import get_logger

log = get_logger(__name__)

LOCK_NAME = ".doit.lock"

_POLL = 0.5  # s


class LockedError(InvalidCommand):
    """Another process works in this folder."""


@contextlib.contextmanager
def only_one(folder: Path | str, *, wait: bool = False, records: bool = False) -> Iterator[None]:
    """Within the block, this process is the only one that works in a folder.

    Parameters
    ----------
    folder : Path or str
        The reduction directory.
    wait : bool
        Wait for another process to end instead of refusing.
    records : bool
        Whether all that is to be done is to change the records in the folder.

    Raises
    ------
    LockedError
        Another process works there; the message names it, its machine and since when.
    OSError
        Records are to be changed in a folder that cannot be written to.
    """
    path = Path(folder) / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:  # read-only: nothing will be written here anyway
        if records:
            raise
        log.info("no lock", file=str(path), reason=error.strerror)
        yield
        return
    try:
        _acquire(descriptor, path, wait)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait: bool) -> None:
    said = False
    while not _try(descriptor, path):
        holder = _holder(descriptor)
        if not wait:
            raise LockedError(
                f"{path.parent}: another doit works in this folder ({holder}); let it end, or "
                "wait for it with: doit run --wait"
            )
        if not said:
            sys.stderr.write(f"waiting for another doit in this folder ({holder})\n")
            said = True
        time.sleep(_POLL)
    _sign(descriptor)


def _try(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        log.info("no lock: the file system has none", file=str(path), reason=error.strerror)
    return True


def _sign(descriptor: int) -> None:
    """Write who holds the lock, for whoever meets it."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = f"process {os.getpid()} on {socket.gethostname()} since {since} UTC"
    with contextlib.suppress(OSError):  # a full disk does not unlock
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _holder(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return os.pread(descriptor, 300, 0).decode("utf-8", "replace") or "just started"
    return "unknown"
