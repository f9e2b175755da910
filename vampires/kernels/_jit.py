"""One decorator for every compiled kernel.

Kernels release the interpreter lock, so that threads run them side by side, and are cached
on disk in a per-user folder: an installed package may be read-only, and the first compilation
takes seconds.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "vampires" / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        folder = Path(tempfile.gettempdir()) / f"vampires-numba-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache_folder()))

import numba  # noqa: E402  (the cache folder must be set before numba is imported)


def kernel(function: _F) -> _F:
    """Compile a function of arrays, without the interpreter lock and cached on disk."""
    compiled: _F = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled
