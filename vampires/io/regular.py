"""Only regular files are opened: reading a FIFO or a device may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vampires.errors import FileError

_KINDS = {
    stat.S_IFDIR: "is a folder; give the FITS files in it",
    stat.S_IFIFO: "is a FIFO (named pipe), not a file; leave it out",
    stat.S_IFSOCK: "is a socket, not a file; leave it out",
    stat.S_IFCHR: "is a device, not a file; leave it out",
    stat.S_IFBLK: "is a device, not a file; leave it out",
}


def regular_file(path: str | Path) -> os.stat_result:
    """Status of a file, or why it is none; the file is not opened.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    os.stat_result

    Raises
    ------
    FileError
        There is nothing, a link to nothing, or something that is no file.
    """
    path = Path(path)
    try:
        status = path.stat()
    except OSError as error:
        if path.is_symlink():
            target = os.readlink(path)  # noqa: PTH115 - as it stands in the link
            reason = f"is a link to {target}, which is not there; restore that file"
        else:
            reason = f"cannot be opened ({error.strerror}); check the path"
        raise FileError(f"{path}: {reason}") from error
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is not None:
        raise FileError(f"{path}: {kind}")
    return status
