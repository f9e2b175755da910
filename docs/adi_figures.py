"""Reduce the simulated night of the ADI example and draw its image and contrast curves.

``python docs/adi_figures.py`` writes ``docs/adi_example.md`` and two pictures in ``docs/images``.
Run it when ADI images or curves change; it needs the extra adi.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from vampires.config import config_from_dict
from vampires.flux.adi import place
from vampires.flux.product_curves import limits
from vampires.kernels.aperture import circle_sum
from vampires.observation import Observation
from vampires.plotting.adi import draw_residuals
from vampires.plotting.contrast import draw_curves
from vampires.plotting.figures import save_figure
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion
from vampires.steps.contrast import curves_of_adi

HERE = Path(__file__).parent
COMPANION = Companion(contrast=0.02, separation=0.17, position_angle=70.0)
NIGHT = NightSpec(
    mode="qcmos", polarimetry="none", frames=3, cycles=10, size=96, exptime=0.05, dwell=60.0,
    overhead=400.0, start="2024-01-15T07:10:00", flux=1.5e6, strehl=0.7, speckles=12,
    speckles_per_frame=6, ring=None, mueller="ideal", calibration_frames=4, companion=COMPANION,
)  # fmt: skip


def main() -> None:
    """Write figures and numbers."""
    tables = {"adi": {"method": "median"}, "contrast": {}}
    with tempfile.TemporaryDirectory() as folder:
        simulate_night(NIGHT, folder)
        config = config_from_dict({"name": "demo", **tables})
        observation = Observation.from_directory(Path(folder) / "raw", config=config)
        (found,) = observation.adi_images()
    header, planes = found.header, found.planes
    header.put(adi_method="median")
    single = {"": planes["SCI"][0], "MEAN": planes["MEAN"][0]}
    curves = curves_of_adi(single, header, config, found.throughput)
    figure = draw_residuals(
        planes["SCI"], planes["SNR"], found.fields, header.pixel_scale / 1000,
        "10 exposures, both cameras, median", "e-/s",
    )  # fmt: skip
    save_figure(figure, HERE / "images" / "adi_image.png", 90)
    save_figure(draw_curves(curves, "5 sigma"), HERE / "images" / "adi_contrast.png", 90)
    image = planes["SCI"][0].astype(float)
    radius = COMPANION.separation / header.pixel_scale * 1000
    y, x = place(len(image), radius, COMPANION.position_angle)
    flux = circle_sum(image, image, y, x, header["FWHM0"] / 2)[0]
    assert found.throughput is not None
    passed = np.interp(radius, found.throughput["radius"], found.throughput["throughput"])
    snr = planes["SNR"][0][round(y), round(x)]
    lines = [
        "| | |",
        "|---|---|",
        f"| field rotation | {header['ADISPAN']:.0f} deg |",
        f"| S/N of the companion | {snr:.0f} |",
        f"| throughput at its distance | {passed:.2f} |",
        f"| its contrast | {flux / passed / header['STARCOR0']:.4f} (true: 0.0200) |",
        *(
            f"| 5 sigma limit at {row['separation']:g} arcsec, {row['image']} | "
            f"{row['contrast']:.1e} |"
            for row in limits(curves, (0.1, 0.25))
        ),
    ]
    (HERE / "adi_example.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
