"""``doit bench``: how fast this machine reduces, and where the time goes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from vampires.commands.base import PersonCommand, say
from vampires.errors import ConfigError

_LEAST = 8


class Bench(PersonCommand):
    """Time every kernel and the whole chain on a simulated cube."""

    name = "bench"
    doc_purpose = "time the kernels and the chain on a simulated cube, or whole nights"
    doc_usage = "[--frames N] [--size N] [--night NAME | --growth] [--runs N] [--json]"
    doc_description = (
        "Writes a cube of N frames into a temporary folder ($TMPDIR), 0.6 MB per frame, and "
        "removes it. Processor seconds, the least of several runs, beside the bandwidth of "
        "memory measured in the same run.\n\n"
        "--night NAME reduces a simulated night instead (emccd, qcmos, mbi or all; some minutes "
        "and 0.5 to 2 GB; long: 208 files, 6 GB). It says how long doit took, with everything to "
        "do and with nothing, what the processor was busy with, and how much memory it needed.\n\n"
        "--growth reduces nights of 16 to 1024 small files: what each file costs. --plot FILE "
        "draws it.\n\n"
        "Example: doit bench --frames 1000\n"
        "Example: doit bench --night all --json"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "frames",
            "long": "frames",
            "short": "n",
            "type": int,
            "default": 200,
            "help": "frames of the cube; 1000 for figures to quote",
        },
        {
            "name": "size",
            "long": "size",
            "type": int,
            "default": 536,
            "help": "width and height of a frame, pixels",
        },
        {
            "name": "night",
            "long": "night",
            "type": str,
            "default": "",
            "help": "a night to reduce: emccd, qcmos, mbi, long or all (the first three)",
        },
        {
            "name": "growth",
            "long": "growth",
            "type": bool,
            "default": False,
            "help": "reduce nights of more and more files",
        },
        {
            "name": "plot",
            "long": "plot",
            "type": str,
            "default": "",
            "help": "picture of the growth (PNG)",
        },
        {
            "name": "runs",
            "long": "runs",
            "type": int,
            "default": 3,
            "help": "reductions of a night, of which the median is told",
        },
        {
            "name": "workers",
            "long": "workers",
            "type": int,
            "default": 2,
            "help": "worker processes that reduce a night",
        },
        {
            "name": "json",
            "long": "json",
            "type": bool,
            "default": False,
            "help": "print the figures as JSON",
        },
    )

    def run(self, options: dict[str, Any], arguments: Sequence[str]) -> int:
        """Measure and print."""
        if arguments:
            raise ConfigError(f"no argument expected, found {arguments[0]!r}: `doit help bench`")
        for name, least in (("frames", _LEAST), ("size", 64), ("runs", 1), ("workers", 1)):
            if options[name] < least:
                raise ConfigError(f"--{name}: found {options[name]}, at least {least} is needed")
        if options["plot"] and not options["growth"]:
            raise ConfigError("--plot is the picture of --growth, which is not asked for")
        if options["growth"]:
            return _growth(options)
        if options["night"]:
            return _nights(options)
        from dataclasses import asdict

        from vampires.bench import as_text, run_bench

        with tempfile.TemporaryDirectory(prefix="vampires-bench-") as folder:
            result = run_bench(Path(folder), frames=options["frames"], size=options["size"])
        _tell(asdict(result), as_text(result), options)
        return 0


def _nights(options: dict[str, Any]) -> int:
    """Reduce nights and print what it took."""
    from dataclasses import asdict

    from vampires.bench.night import NIGHTS, nights_as_text, time_nights

    every = [name for name in NIGHTS if name != "long"]
    names = every if options["night"] == "all" else [options["night"]]
    times = time_nights(names, workers=options["workers"], runs=options["runs"])
    _tell([asdict(night) for night in times], nights_as_text(times), options)
    return 0


def _growth(options: dict[str, Any]) -> int:
    """Reduce nights of more and more files and print what they took."""
    from dataclasses import asdict

    from vampires.bench.growth import draw_growth, growth_as_text, time_growth

    with tempfile.TemporaryDirectory(prefix="vampires-bench-") as folder:
        points = time_growth(Path(folder), workers=options["workers"])
    if options["plot"]:
        from vampires.plotting.figures import save_figure

        save_figure(draw_growth(points), options["plot"], dpi=100)
    _tell([asdict(point) for point in points], growth_as_text(points), options)
    return 0


def _tell(figures: object, text: str, options: dict[str, Any]) -> None:
    """Print figures as JSON, or as text for people."""
    say(json.dumps(figures, indent=2) if options["json"] else text)
