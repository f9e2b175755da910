"""How fast whole simulated nights are reduced, and what the time goes into.

A night is reduced by ``doit`` as a person would, as often as asked; the median counts. One more
reduction, in one process under the profiler, tells where the processor's time goes and how much
memory it takes at most. The profiler slows small functions more than large ones: its shares
overstate everything but the kernels.
"""

from __future__ import annotations

import json
import pstats
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vampires.bench.long import lengthen, repeat_cycle
from vampires.config.load import nearest
from vampires.config.write import Setting, apply_settings, read_template, write_config
from vampires.errors import ConfigError
from vampires.simulate.night import simulate_night
from vampires.simulate.spec import NightSpec

__all__ = ["NIGHTS", "BenchNight", "NightTimes", "nights_as_text", "time_night"]


@dataclass(frozen=True)
class BenchNight:
    """A night to be timed.

    Parameters
    ----------
    spec : NightSpec
        What is simulated.
    template : str
        Configuration template.
    method : str
        ``[polarimetry] method``.
    title : str
    times, cycles : int
        How often the frames of each file, and the one cycle of the half-wave plate, are repeated;
        see `vampires.bench.long`.
    """

    spec: NightSpec
    template: str
    method: str
    title: str
    times: int = 1
    cycles: int = 1


NIGHTS: Mapping[str, BenchNight] = {
    "emccd": BenchNight(
        NightSpec.preset("stars", frames=50, size=256), "pdi", "triplediff",
        "EMCCD, 32 x 50 x 256 x 256, fast polarimetry",
    ),
    "qcmos": BenchNight(
        NightSpec.preset("qcmos", frames=50, size=536, cycles=1), "pdi", "triplediff",
        "qCMOS, 16 x 50 x 536 x 536, fast polarimetry",
    ),
    "mbi": BenchNight(
        NightSpec.preset("mbi", frames=20, size=536, cycles=1, polarimetry="slow"), "pdi-mbi",
        "doublediff", "multiband, 8 x 20 x 2236 x 1096, slow polarimetry",
    ),
    "long": BenchNight(
        NightSpec.preset("qcmos", frames=50, size=536, cycles=1, speckles=4), "pdi", "triplediff",
        "qCMOS, 208 x 300 x 536 x 536, fast polarimetry", times=6, cycles=13,
    ),
}  # fmt: skip
"""The nights of the table in the documentation."""

_KINDS: Sequence[tuple[str, str]] = (
    ("waiting", r"(acquire|poll|select|sleep)'? of|time\.sleep|posix\.poll"),
    ("start-up", r"importlib|marshal|builtins\.(compile|exec|__build_class__)|_imp\.|numba[/\\]|"
                 r"llvmlite|inspect\.py"),
    ("kernels", r"vampires[/\\]kernels"),
    ("pictures", r"matplotlib|PIL[/\\]|mpl_toolkits|ImagingEnc|plotting[/\\]|ft2font|pyparsing"),
    ("headers", r"astropy[/\\]io[/\\]fits|astropy[/\\](wcs|config|time|coordinates)|"
                r"vampires[/\\](header|canonical|sky)|cards\.py|copy\.py|erfa"),
    ("writing", r"fsync|BufferedWriter|rename|replace' of 'posix|ljust"),
    ("reading", r"fromfile|preadv|BufferedReader|h5py|blake2|posix\.(stat|open|read)"),
    ("tasks", r"doit[/\\]|vampires[/\\](engine|tasks|night|commands)|json|sqlite|pathlib|re\.py"),
)  # fmt: skip


@dataclass(frozen=True)
class NightTimes:
    """What one night took.

    Attributes
    ----------
    name, title : str
    workers : int
    wall : float
        Seconds of ``doit -n workers``, median of the runs.
    idle : float
        Seconds of ``doit`` when everything is up to date, median.
    processor : float
        Seconds of the processor in one process, profiler included.
    split : dict
        Share of it, by kind of work.
    tasks : dict
        Seconds between start and end of the tasks of each step, summed, in the last run.
    peak_mb : float
        Most resident memory of one process that did all tasks one after the other.
    """

    name: str
    title: str
    workers: int
    wall: float
    idle: float
    processor: float
    split: dict[str, float]
    tasks: dict[str, float]
    peak_mb: float


def time_night(name: str, folder: Path, *, workers: int = 2, runs: int = 3) -> NightTimes:
    """Simulate a night and reduce it several times.

    Parameters
    ----------
    name : str
        One of `NIGHTS`.
    folder : Path
        For the raw files and the products.
    workers : int
        Of ``doit -n``.
    runs : int
        Reductions of which the median is taken.

    Returns
    -------
    NightTimes

    Raises
    ------
    ConfigError
        There is no such night, or its reduction failed.
    """
    if name not in NIGHTS:
        raise ConfigError(f"no night {name!r} to time{nearest(name, NIGHTS)}")
    night = NIGHTS[name]
    prepare(night, folder)
    reduce_once(folder, workers)  # compiles what is not compiled yet
    walls, idles = [], []
    for _ in range(runs):
        _clear(folder)
        walls.append(reduce_once(folder, workers))
        idles.append(reduce_once(folder, workers))
    tasks = _task_seconds(folder / "debug.log")
    _clear(folder)
    seconds, split, peak = _profiled(folder)
    return NightTimes(
        name, night.title, workers, round(statistics.median(walls), 2),
        round(statistics.median(idles), 2), round(seconds, 2), split, tasks, peak,
    )  # fmt: skip


def prepare(night: BenchNight, folder: Path) -> None:
    """Raw files, configuration and task file of a night.

    Parameters
    ----------
    night : BenchNight
    folder : Path
    """
    simulate_night(night.spec, folder / "raw")
    if night.times > 1:
        lengthen(folder / "raw" / "raw", night.times)
    fixes = repeat_cycle(folder / "raw" / "raw", night.cycles) if night.cycles > 1 else ""
    text = apply_settings(read_template(night.template), [
        Setting("data", "raw", ["raw/raw/*.fits"]),
        Setting("polarimetry", "method", night.method),
    ])  # fmt: skip
    write_config(folder / "night.toml", f"{text}\n{fixes}")
    (folder / "dodo.py").write_text("from vampires.tasks import *\n")


def _clear(folder: Path) -> None:
    """Remove everything that a reduction made."""
    for path in folder.iterdir():
        if path.name in ("raw", "night.toml", "dodo.py"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def reduce_once(folder: Path, workers: int) -> float:
    """Reduce a night.

    Parameters
    ----------
    folder : Path
        Of the reduction.
    workers : int
        Of ``doit -n``.

    Returns
    -------
    float
        Seconds of wall clock.

    Raises
    ------
    ConfigError
        The reduction failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "vampires", "-n", str(workers)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ConfigError(f"{folder}: doit ended with status {done.returncode}: {' '.join(last)}")
    return time.perf_counter() - start


_PROFILED = """
import cProfile, json, resource, sys, time
from vampires.__main__ import main
sys.argv = ["vampires"]
profile = cProfile.Profile()
try:
    profile.runcall(main)
except SystemExit as end:
    status = end.code
profile.dump_stats("profile.out")
used = resource.getrusage(resource.RUSAGE_SELF)
kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
print(json.dumps([status, time.process_time(), kilobytes / 1024]))
"""


def _profiled(folder: Path) -> tuple[float, dict[str, float], float]:
    """Processor seconds, their split, and the peak of memory in MB, of one process."""
    done = subprocess.run(
        [sys.executable, "-c", _PROFILED], cwd=folder, capture_output=True, text=True, check=True
    )
    status, seconds, peak = json.loads(done.stdout.splitlines()[-1])
    if status:
        raise ConfigError(f"{folder}: doit ended with status {status} under the profiler")
    return seconds, _split(folder / "profile.out"), round(peak, 0)


def _split(path: Path) -> dict[str, float]:
    """Share of each kind of work, by the names of the functions that did it."""
    kinds = [(kind, re.compile(pattern)) for kind, pattern in _KINDS]
    total: dict[str, float] = {kind: 0.0 for kind, _ in kinds} | {"arrays and the rest": 0.0}
    stats: Any = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    for (file, _, function), (_, _, own, _, _) in stats.items():
        where = f"{file} {function}"
        found = next((kind for kind, sought in kinds if sought.search(where)), None)
        total[found or "arrays and the rest"] += own
    whole = sum(seconds for kind, seconds in total.items() if kind != "waiting")
    return {kind: round(s / whole, 3) for kind, s in total.items() if kind != "waiting"}


def _task_seconds(log: Path) -> dict[str, float]:
    """Seconds of the tasks of each step, from the log of the run."""
    found: dict[str, float] = {}
    for line in log.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("event") == "finished":
            step = str(entry["task"]).partition(":")[0]
            found[step] = round(found.get(step, 0.0) + entry["seconds"], 2)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def time_nights(names: Sequence[str], *, workers: int, runs: int) -> list[NightTimes]:
    """Time some nights, each in a temporary folder."""
    times = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="vampires-bench-") as folder:
            times.append(time_night(name, Path(folder), workers=workers, runs=runs))
    return times


def nights_as_text(times: Sequence[NightTimes]) -> str:
    """Write a table for people."""
    lines = []
    for night in times:
        lines += [
            night.title,
            f"  doit -n {night.workers}      {night.wall:6.2f} s wall clock",
            f"  nothing to do  {night.idle:6.2f} s",
            f"  one process    {night.processor:6.2f} s of the processor, profiler included",
            f"  peak memory    {night.peak_mb:6.0f} MB",
            "  of it          " + ", ".join(f"{k} {100 * v:.0f} %" for k, v in night.split.items()),
            "  tasks, s       " + ", ".join(f"{k} {v:.1f}" for k, v in night.tasks.items()),
            "",
        ]
    return "\n".join(lines).rstrip()
