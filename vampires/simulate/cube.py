"""One large raw file, for benchmarks: many frames in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vampires.io.rawfile import write_raw
from vampires.simulate.cameras import build_camera
from vampires.simulate.detector import generator
from vampires.simulate.frames import frame_truth, science_image
from vampires.simulate.geometry import sky_angles
from vampires.simulate.headers import file_header, header_mjd
from vampires.simulate.plan import plan_night
from vampires.simulate.spec import NightSpec
from vampires.simulate.writing import write_compressed

BLOCK_BYTES = 64_000_000


def simulate_cube(
    spec: NightSpec, path: Path | str, frames: int, *, scenes: int = 8, camera: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Write one science file of many frames.

    A few noise-free images take turns, so that the time goes into noise: some 20 ns per pixel.
    Plain files are written as they are made, in well under 1 GB; ``.fits.fz`` files are made in
    memory.

    Parameters
    ----------
    spec
        The night it belongs to; its ``frames``, ``cycles``, ``dwell`` and ``speckles`` give way.
    path
        File to write; ``.fz`` at the end means Rice compression.
    frames
        Number of frames.
    scenes
        Number of distinct images.
    camera
        1 or 2.

    Returns
    -------
    dict of ndarray
        For each band, the star ``(frames, 2)`` as ``(y, x)`` in raw 0-based pixels.

    Examples
    --------
    >>> spec = NightSpec.preset("qcmos", size=536)
    >>> places = simulate_cube(spec, "big.fits", 1000)  # doctest: +SKIP
    """
    target = Path(path)
    spec = replace(
        spec,
        frames=frames,
        cycles=1,
        dwell=max(spec.dwell, 2.2 * frames * spec.exptime),
        speckles=min(spec.speckles, scenes),
    )
    exposure = next(e for e in plan_night(spec) if e.camera == camera)
    angles = sky_angles(spec.ra, spec.dec, np.append(exposure.mids, header_mjd(spec, exposure)))
    model = build_camera(spec, camera)
    header = file_header(spec, exposure, angles[-1], model.crop, model.raw_hotspots())
    truth = frame_truth(spec, exposure, angles[:-1])
    turns = np.arange(frames) % scenes
    expected = np.stack(
        [
            (science_image(model, spec, truth, k) * model.pixels.flat + model.pixels.dark_rate)
            * exposure.exptime
            for k in range(min(scenes, frames))
        ]
    ).clip(0, None)
    ny, nx = model.crop.shape
    step = max(1, BLOCK_BYTES // (16 * ny * nx))
    rng = generator(spec.seed, "cube", camera)

    def blocks() -> Iterator[NDArray[np.uint16]]:
        for start in range(0, frames, step):
            electrons = rng.poisson(expected[turns[start : start + step]])
            yield model.sensor.digitise(electrons.astype(float), rng)

    if target.suffix == ".fz":
        write_compressed(target, header, np.concatenate(list(blocks())))
    else:
        write_raw(target, header, (frames, ny, nx), blocks())
    return {
        f.band: np.stack(
            [
                model.raw_rows(f.hotspot[0] + truth.offsets[turns, 0]),
                f.hotspot[1] + truth.offsets[turns, 1],
            ],
            axis=1,
        )
        for f in model.fields
    }
