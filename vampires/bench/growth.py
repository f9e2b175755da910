"""What a night costs against the number of its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vampires.bench.night import BenchNight, prepare, reduce_once
from vampires.simulate.spec import NightSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GrowthPoint", "draw_growth", "growth_as_text", "time_growth"]

CYCLES = (1, 4, 16, 64)
"""Of the half-wave plate, 16 files each."""


@dataclass(frozen=True)
class GrowthPoint:
    """A night of some files.

    Attributes
    ----------
    files : int
        Of the star.
    wall : float
        Seconds of ``doit``.
    idle : float
        Seconds of ``doit`` when everything is up to date.
    """

    files: int
    wall: float
    idle: float


def time_growth(
    folder: Path, *, cycles: Sequence[int] = CYCLES, workers: int = 2
) -> list[GrowthPoint]:
    """Reduce nights of more and more small files (4 frames of 64 x 64): what a file itself costs.

    Parameters
    ----------
    folder : Path
        For the raw files and the products.
    cycles : sequence of int
        Length of each night, in cycles of the half-wave plate.
    workers : int
        Of ``doit -n``.

    Returns
    -------
    list of GrowthPoint
    """
    points = []
    for number in cycles:
        spec = NightSpec.preset("stars", frames=4, size=64, cycles=number, speckles=2)
        own = folder / f"{number}"
        own.mkdir()
        prepare(BenchNight(spec, "pdi", "triplediff", f"{number} cycles"), own)
        points.append(
            GrowthPoint(16 * number, round(reduce_once(own, workers), 2),
                        round(reduce_once(own, workers), 2))
        )  # fmt: skip
    return points


def growth_as_text(points: Sequence[GrowthPoint]) -> str:
    """Write a table for people."""
    lines = ["files   doit, s   a file more, ms   nothing to do, s"]
    before = None
    for point in points:
        more = "" if before is None else _slope(before, point)
        lines.append(f"{point.files:5d}   {point.wall:7.2f}   {more:>15}   {point.idle:16.2f}")
        before = point
    return "\n".join(lines)


def _slope(before: GrowthPoint, point: GrowthPoint) -> str:
    return f"{1e3 * (point.wall - before.wall) / (point.files - before.files):.0f}"


def draw_growth(points: Sequence[GrowthPoint]) -> Figure:
    """Draw the cost of a night against its files, with everything and with nothing to do."""
    from vampires.plotting.figures import new_figure

    figure = new_figure(7.0, 4.4)
    axes = figure.add_axes((0.11, 0.13, 0.85, 0.82))
    files = [point.files for point in points]
    axes.loglog(files, [point.wall for point in points], "o-", label="everything to do")
    axes.loglog(files, [point.idle for point in points], "s-", label="nothing to do")
    axes.set(xlabel="raw files", ylabel="seconds")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure
