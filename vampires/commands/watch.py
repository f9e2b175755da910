"""``doit watch``: at the telescope, new files are reduced as they arrive."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from doit import get_var

from vampires.commands.base import PersonCommand, say
from vampires.errors import ConfigError, FileError, VampiresError, os_error_line

if TYPE_CHECKING:
    from vampires.config import Config
    from vampires.night.arrivals import Arrivals, Stamp


class Watch(PersonCommand):
    """Look for new files and run doit when there are some."""

    name = "watch"
    doc_purpose = "reduce new files as they arrive, at the telescope"
    doc_usage = "[-n N] [--every SECONDS]"
    doc_description = (
        "Looks at the raw files of the configuration again and again. When there are new ones, "
        "whole and at rest, it runs `doit`, report included, and says of every new Stokes set: "
        "S/N of Q_phi, Strehl ratio, flux, saturation; then what is missing for the next one. A "
        "half-written file is waited for. A change of the configuration counts as well. Ctrl-C "
        "stops it at any time; nothing differs from what a later `doit` makes.\n\n"
        "Example: doit watch -n 2"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "workers", "short": "n", "long": "process", "type": int, "default": 1,
            "help": "tasks at once, as `doit -n`",
        },
        {
            "name": "every", "short": "e", "long": "every", "type": float, "default": 5.0,
            "help": "seconds between looks; a file that stays as it is for so long is at rest",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Watch until somebody says stop."""
        # Imported here: every doit command loads this module.
        from vampires.engine.executor import Interrupted, graceful_termination

        if arguments:
            raise ConfigError(f"{' '.join(arguments)}: watch takes the files of the configuration")
        every, workers = options["every"], options["workers"]
        if not (math.isfinite(every) and every > 0):
            raise ConfigError(f"--every {every:g}: a number of seconds above 0")
        if workers < 1:
            raise ConfigError(f"-n {workers}: a number of tasks from 1")
        try:
            with graceful_termination():
                _watch(every, workers)
        except KeyboardInterrupt as stop:
            _tell("stopped; `doit` or `doit watch` goes on from here")
            return 128 + stop.signal if isinstance(stop, Interrupted) else 0


@dataclass
class _Memory:
    """What has been reduced and said."""

    reduced: dict[str, Stamp] = field(default_factory=dict)
    lines: set[tuple[Path, int]] = field(default_factory=set)
    said: str = ""

    def once(self, text: str) -> None:
        """Say something, unless it was what was said last."""
        if text != self.said:
            self.said = text
            _tell(text)


def _watch(every: float, workers: int) -> NoReturn:
    from vampires.commands.night import night_config
    from vampires.night.arrivals import Arrivals

    config = night_config()
    _tell(f"watching {', '.join(config.data.raw)} every {every:g} s; Ctrl-C stops")
    memory, arrivals = _Memory(), Arrivals()
    while True:
        try:
            config = night_config()
            own = _stamp(config)
            arrivals = arrivals.look(_files(config), time.monotonic())
        except (
            VampiresError,
            OSError,
        ) as error:  # no file yet, a disk away, a configuration half edited
            memory.once(str(error))
        else:
            _look(memory, arrivals, own, workers)
        time.sleep(every)


def _files(config: Config) -> list[str]:
    """Raw files there are now."""
    from vampires.night.index import LISTING, find_files
    from vampires.utils.patience import within

    try:
        return within(LISTING, find_files, config.data.raw, config.folder)
    except TimeoutError:
        raise FileError(
            f"{', '.join(config.data.raw)}: not listed within {LISTING:g} s; is the disk there?"
        ) from None


def _look(memory: _Memory, arrivals: Arrivals, own: dict[str, Stamp], workers: int) -> None:
    """Reduce if there is something new; else say what is waited for."""
    rested = arrivals.rested | own
    gone = memory.reduced.keys() - arrivals.stamps.keys() - rested.keys()
    new = [path for path, stamp in rested.items() if memory.reduced.get(path) != stamp]
    if arrivals.rested and (new or gone):
        memory.reduced = rested
        raw = sum(path in arrivals.rested for path in new)
        _tell(f"{_now()} reducing: {raw} new files of {len(arrivals.rested)}")
        _reduce(arrivals.moving, workers)
        _say_news(memory, arrivals.moving)
    elif arrivals.moving:
        names = sorted(Path(path).name for path in arrivals.moving)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        memory.once(f"waiting until whole and at rest: {', '.join(names[:3])}{more}")
    elif arrivals.rested:
        memory.once(f"all {len(arrivals.rested)} files are reduced; waiting for new ones")


def _stamp(config: Config) -> dict[str, Stamp]:
    """Stamp of the configuration itself."""
    if config.path is None:
        return {}
    status = config.path.stat()
    return {str(config.path): (status.st_size, status.st_mtime_ns)}


def _reduce(moving: Collection[str], workers: int) -> None:
    """Run doit without the files that are waited for; when told to stop, let it end well."""
    with tempfile.TemporaryDirectory(prefix="vampires-watch-") as folder:
        words = [sys.executable, "-m", "doit", "run", "--wait", "-n", str(workers)]
        if config := get_var("config"):
            words.append(f"config={config}")
        if moving:
            listed = Path(folder) / "moving.txt"
            listed.write_text("\n".join(sorted(moving)) + "\n", encoding="utf-8")
            words.append(f"exclude=@{listed}")
        # A session of its own: a Ctrl-C of the terminal reaches it once, by way of us.
        with subprocess.Popen(words, start_new_session=True) as process:
            try:
                status = process.wait()
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                raise
    if status:
        _tell(f"doit ended with status {status}: see above, and debug.log; going on")


def _say_news(memory: _Memory, moving: Collection[str]) -> None:
    """Say what is new of each set, and what the next one needs."""
    from vampires.commands.missing import of_plan
    from vampires.commands.night import night_config
    from vampires.commands.set_lines import lines
    from vampires.night.plan import make_plan
    from vampires.tasks.plan import without_files

    try:
        config = night_config()
        for name in moving:
            config = without_files(config, name)
        plan = make_plan(config)
        for path, line in lines(plan):
            known = (path, path.stat().st_mtime_ns)
            if known not in memory.lines:
                memory.lines.add(known)
                _tell(f"  {line}")
        for need in of_plan(plan):
            _tell(f"  missing for the next: {need}")
        if plan.layout.report().exists():
            _tell(f"  report: {os.path.relpath(plan.layout.report())}")
    except OSError as error:  # doit has said it too, and goes on
        _tell(f"  {os_error_line(error)}")
    except VampiresError as error:
        _tell(f"  {error}")


def _tell(text: str) -> None:
    """Say something at once, though the output may be a file."""
    say(text)
    sys.stdout.flush()


def _now() -> str:
    return time.strftime("%H:%M:%S", time.gmtime()) + " UTC"
