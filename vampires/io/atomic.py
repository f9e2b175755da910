"""Write files so that a reader never meets half of one.

Every product is written under a hidden temporary name in its own folder and renamed when
it is complete. A run that is killed leaves the old product, or none, and at most a
temporary that the next run removes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

_DAY = 86400.0
_NAMELESS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}
_TEMPORARY = re.compile(r"\..+\.(?P<host>[^.]+)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp(\.[^.]+)*")


@contextlib.contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    r"""Give a temporary path that becomes `target` when the block ends well.

    Parameters
    ----------
    target : Path or str
        The file to make; its folder is created when missing.

    Yields
    ------
    Path
        A path in the same folder, hidden, with the suffixes of `target` (so that writers
        that choose a format or a compression by suffix do the same). Nothing is there yet.

    Raises
    ------
    FileNotFoundError
        When the block ends without having written the temporary file.

    Notes
    -----
    The bytes are on the disk (``fsync``) before the name changes, so `target` is the old
    file or the whole new one even after a power cut. On any error, Ctrl-C included, the
    temporary is removed and `target` is left as it was.

    Examples
    --------
    >>> with atomic_path("products/night_table.csv") as path:  # doctest: +SKIP
    ...     path.write_text("file,mjd\n")
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(target)
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
    except OSError as error:
        unnamed = error.filename is None and error.errno in _NAMELESS  # as of a full disk
        if unnamed or str(error.filename) == str(temporary):
            error.filename = str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def is_half_written(path: Path | str) -> bool:
    """Whether a text file was cut short: it is empty, holds zeros or has no last end of line.

    Parameters
    ----------
    path : Path or str
        A text that people edit; one that is not there is not half-written.
    """
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    return not content.endswith(b"\n") or b"\0" in content


def clean_stale_temporaries(folder: Path | str) -> list[Path]:
    """Remove temporaries that killed runs have left in a folder.

    Parameters
    ----------
    folder : Path or str
        Folder to look in (not below it); one that does not exist holds none.

    Returns
    -------
    list of Path
        What was removed, sorted.

    Notes
    -----
    A temporary is stale when the process that was writing it on this machine is gone, or,
    for one made by another machine of a cluster, when it is older than a day.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return []
    stale = sorted(path for path in folder.glob(".*.tmp*") if _is_stale(path))
    for path in stale:
        path.unlink(missing_ok=True)
    return stale


def flush_names(folder: Path) -> None:
    """Wait until the names of a folder's files are on the disk, where the file system can."""
    with contextlib.suppress(OSError):
        _flush_to_disk(folder)


def _temporary_name(target: Path) -> Path:
    """Hidden sibling of `target` that tells which process writes it."""
    suffix = "".join(target.suffixes[-2:] if target.suffix in {".fz", ".gz"} else [target.suffix])
    stem = target.name.removesuffix(suffix).encode()[:120].decode(errors="ignore")  # 255 at most
    tag = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{stem}.{tag}.tmp{suffix}")


def _host() -> str:
    """Short name of this machine, free of dots."""
    return socket.gethostname().split(".")[0][:40] or "localhost"


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_stale(path: Path) -> bool:
    match = _TEMPORARY.fullmatch(path.name)
    if match is None:
        return False
    if match["host"] == _host() and not _is_alive(int(match["pid"])):
        return True
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except FileNotFoundError:  # its writer has just finished
        return False


def _is_alive(pid: int) -> bool:
    """Whether a process of this machine is at work (a zombie is not)."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()  # "pid (name) state ..."
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process, or a system without /proc
        return True
    return status.rpartition(")")[2].split()[0] != "Z"
