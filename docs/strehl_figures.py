"""Measure the Strehl ratio of six simulated nights and write table and plot of it against truth.

``python docs/strehl_figures.py`` writes ``docs/strehl_table.md`` and ``docs/images/strehl.png``.
Run it after a change of the halo's fit; it takes minutes, so that the build of the docs does not.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vampires.cube import CameraCube
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion

HERE = Path(__file__).parent
COMMON = {
    "polarimetry": "none", "cycles": 1, "frames": 8, "size": 160, "ring": None, "mode": "qcmos",
    "mueller": "ideal", "exptime": 0.05, "flux": 6e5, "calibration_frames": 0, "speckles": 24,
}  # fmt: skip
NIGHTS = {
    "qCMOS 750-50, 0.2": {"strehl": 0.2},
    "EMCCD 750-50, 0.35": {"strehl": 0.35, "mode": "emccd-stars", "flux": 6e4, "exptime": 0.25},
    "qCMOS F720, 0.5": {"strehl": 0.5, "filter": "F720"},
    "qCMOS MBI, 0.5 in F610": {"strehl": 0.5, "bands": "mbi"},
    "qCMOS 675-50 with a companion of 5 %, 0.7": {
        "strehl": 0.7, "filter": "675-50", "companion": Companion(),
    },
    "qCMOS Open, 0.9": {"strehl": 0.9, "filter": "Open"},
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One night and filter, mean over the frames of the first file of each camera."""

    night: str
    filter: str
    true: float
    measured: float
    error: float
    scatter: float
    sharpness: float

    @property
    def off(self) -> float:
        """Measured over true, less one, percent."""
        return 100 * (self.measured / self.true - 1)


def rows_of(name: str, folder: Path) -> list[Row]:
    """Simulate a night and measure it."""
    simulate_night(NightSpec(**{**COMMON, **NIGHTS[name]}), folder)
    truth = json.loads((folder / "truth.json").read_text())
    first = {entry["cam"]: entry for entry in reversed(truth["files"])}
    found: dict[str, list[np.ndarray]] = {}
    for _, entry in sorted(first.items()):
        metrics = CameraCube.open([folder / "raw" / entry["name"]]).measure().measured
        for index, band in enumerate(metrics.fields):
            true = np.array(entry["fields"][band]["strehl"])
            own = (metrics.strehl, metrics.strehl_err, metrics.sharpness)
            found.setdefault(band, []).append(
                np.stack([true, *(values[index, 0] for values in own)])
            )
    rows = []
    for band, parts in found.items():
        true, measured, error, sharpness = np.concatenate(parts, axis=1)
        scatter = 100 * float(np.std((measured / measured.mean()) / (true / true.mean())))
        rows.append(
            Row(name, band, *(float(v.mean()) for v in (true, measured, error)), scatter,
                float(sharpness.mean()))
        )  # fmt: skip
    return rows


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [
        "| night, Strehl ratio asked for | filter | true | measured | off by | rms by frame | "
        "sharpness |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.night} | {r.filter} | {r.true:.3f} | {r.measured:.3f} ± {r.error:.3f} | "
        f"{r.off:+.1f}% | {r.scatter:.1f}% | {r.sharpness:.2f} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def plot(rows: list[Row]) -> Figure:
    """Measured against true."""
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    panel = figure.subplots()
    line = np.array([0.15, 1.0])
    panel.fill_between(line, 0.9 * line, 1.1 * line, color="0.9")
    panel.plot(line, line, color="0.6", lw=1)
    for night in NIGHTS:
        own = [row for row in rows if row.night == night]
        true, measured, error = zip(*((r.true, r.measured, r.error) for r in own), strict=True)
        panel.errorbar(true, measured, error, fmt="o", ms=4, label=night)
    panel.set(xlabel="true Strehl ratio", ylabel="measured Strehl ratio")
    panel.legend(fontsize="x-small")
    return figure


def main() -> None:
    """Write table and plot."""
    rows = []
    for name in NIGHTS:
        with tempfile.TemporaryDirectory() as folder:
            rows += rows_of(name, Path(folder) / "night")
    (HERE / "strehl_table.md").write_text(table(rows), encoding="utf-8")
    plot(rows).savefig(HERE / "images" / "strehl.png", dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    main()
