"""One decorator for every compiled kernel.

Kernels release the interpreter lock, so that threads run them side by side, and are cached
on disk in a per-user folder: an installed package may be read-only, and the first compilation
takes seconds. The folder is named by a digest of all kernels' sources, because a cached kernel
holds what it inlined from other modules, and numba looks for changes in its own file only.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

_F = TypeVar("_F", bound=Callable[..., Any])


def _sources_digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "vampires" / f"kernels-{_sources_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        folder = Path(tempfile.gettempdir()) / f"vampires-{os.getuid()}-{folder.name}"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


_CACHE_FOLDER = os.environ.get("NUMBA_CACHE_DIR") or str(_cache_folder())


def kernel(function: _F) -> _F:
    """Compile a function of arrays, without the interpreter lock and cached on disk."""
    # The place of the cache is fixed here; numba's own setting stays as the user has it.
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _CACHE_FOLDER
    try:
        compiled: _F = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


def inlined(function: _F) -> _F:
    """Make a function part of each kernel that calls it, for what is done pixel by pixel.

    An array is handed over as seven numbers: a call with six of them takes as long as the sum
    over 64 pixels.
    """
    part: _F = numba.njit(nogil=True, error_model="numpy", inline="always")(function)
    return part
