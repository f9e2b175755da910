"""One decorator for every compiled kernel.

Kernels release the interpreter lock, so that threads run them side by side, and are cached
on disk in a per-user folder: an installed package may be read-only, and the first compilation
takes seconds. The folder is named by a digest of all kernels' sources, because a cached kernel
holds what it inlined from other modules, and numba looks for changes in its own file only.

Worker processes come to the same kernels at the same time. On the first run after an
installation one of them compiles each, while the others wait and then load it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import is_jitted

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
    return _compiled(function)


def reordered(function: _F) -> _F:
    """Compile as `kernel` does, and let sums of products go in the order quickest to add.

    That is several lanes side by side, as many as the processor has: the last digit may be
    another on another kind of processor, never in another run.
    """
    return _compiled(function, fastmath={"reassoc", "contract", "nsz"})


def _compiled(function: _F, **options: Any) -> _F:
    # The place of the cache is fixed here; numba's own setting stays as the user has it.
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _CACHE_FOLDER
    try:
        compiled: _F = numba.njit(nogil=True, cache=True, error_model="numpy", **options)(function)
    finally:
        numba.config.CACHE_DIR = before
    if is_jitted(compiled):  # with NUMBA_DISABLE_JIT it is the function itself
        _compile_once(compiled, f"{function.__module__}.{function.__name__}")
    return compiled


def _compile_once(compiled: Any, name: str) -> None:
    """Let one process at a time compile or load a kernel, and with it what it calls."""
    compile_or_load = compiled.compile

    # Numba's own lock, of the threads of this process, comes first: they could otherwise wait for
    # each other. Between processes no circle can be, as no kernel calls one that calls it.
    def alone(signature: Any) -> Any:
        with global_compiler_lock, _file_lock(Path(_CACHE_FOLDER) / f"{name}.lock"):
            return compile_or_load(signature)

    compiled.compile = alone


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Within the block this process alone holds a lock; none where there is no way to have one."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:  # as with a folder of kernels that somebody else has compiled
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def inlined(function: _F) -> _F:
    """Make a function part of each kernel that calls it, for what is done pixel by pixel.

    An array is handed over as seven numbers: a call with six of them takes as long as the sum
    over 64 pixels.
    """
    part: _F = numba.njit(nogil=True, error_model="numpy", inline="always")(function)
    return part
