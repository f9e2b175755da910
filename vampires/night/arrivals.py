"""Raw files while they arrive: which are whole and at rest, and which are waited for.

Folders are looked at again and again, which works on network disks too, where no event tells of a
new file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vampires.errors import FileError
from vampires.io.layout import headers_of

STALLED = 300.0
"""Seconds after which a half-written file that does not grow is no longer waited for."""

Stamp = tuple[int, int]
"""Size in bytes and time of modification in ns."""


@dataclass(frozen=True)
class Arrivals:
    """The files of a night at one look.

    Parameters
    ----------
    stamps : dict of str to tuple
        Size and time of modification, by path.
    since : dict of str to float
        Instant (s) since which a file is as it is.
    moving : dict of str to str
        Files that are waited for, and why.
    """

    stamps: dict[str, Stamp] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    moving: dict[str, str] = field(default_factory=dict)

    @property
    def rested(self) -> dict[str, Stamp]:
        """Stamps of the files that can be reduced."""
        return {path: stamp for path, stamp in self.stamps.items() if path not in self.moving}

    def look(self, paths: Iterable[str], now: float) -> Arrivals:
        """Look again.

        A file is at rest when it is as it was at the look before and as long as its headers
        announce, or when it has stalled: a copy that broke off is for a person to see.

        Parameters
        ----------
        paths : iterable of str
            The files there are now.
        now : float
            Instant, s.
        """
        stamps = {path: stamp for path in paths if (stamp := _stamp(path)) is not None}
        since = {
            path: self.since[path] if self.stamps.get(path) == stamp else now
            for path, stamp in stamps.items()
        }
        moving = {}
        for path in stamps:
            reason = self._unrest(path, now - since[path])
            if reason:
                moving[path] = reason
        return Arrivals(stamps, since, moving)

    def _unrest(self, path: str, still: float) -> str:
        """Why a file is waited for; empty when it is not."""
        if still <= 0:
            return "new, or still growing"
        known = path in self.stamps and path not in self.moving  # found whole, and not changed
        return "" if known or still >= STALLED else _lacking(path)


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116  (of thousands of files)
    except OSError:  # gone since the folder was listed
        return None
    return status.st_size, status.st_mtime_ns


def _lacking(path: str) -> str:
    """What a file lacks to be whole; empty when its headers and its size agree."""
    try:
        for _ in headers_of(Path(path)):
            pass
    except (FileError, OSError) as error:
        return str(error)
    return ""
