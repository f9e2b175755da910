"""How fast the pixels go: every kernel and the whole chain, beside the speed of memory.

Times are processor seconds of this process (system calls included), the least of several
runs, so that other work on the machine disturbs them little; wall-clock times stand beside
them where threads take part. Ratios to the copy bandwidth of the same run travel between
machines, absolute times do not.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from vampires.calibration.pixels import pixel_calibration
from vampires.cube import CameraCube
from vampires.io.frames import open_frames
from vampires.kernels.aperture import measure_apertures
from vampires.kernels.block import RawBlock
from vampires.kernels.calibrate import PixelCalibration, calibrate, calibration_planes
from vampires.kernels.dft import register_windows, tables
from vampires.kernels.frame_statistics import frame_statistics
from vampires.kernels.reduce import biweight, mean, median
from vampires.kernels.register import RawBand, register_stack, register_sum
from vampires.kernels.resample import rotate, shift
from vampires.kernels.strehl import reference_spectrum
from vampires.kernels.windows import brightest, cut_stamps, measure_windows
from vampires.measure.psf import header_psf
from vampires.simulate.cube import simulate_cube
from vampires.simulate.spec import NightSpec
from vampires.utils.threads import available_threads

__all__ = ["BenchResult", "KernelTime", "run_bench"]

_BLOCK_FRAMES = 32  # enough to leave the cache, little enough to be quick
_BAND_ROWS = 128  # added up at a time, as coadds do
_REPEATS = 3
_HALF = 10  # of a window of 21 pixels
_RADIUS = 8.0


@dataclass(frozen=True)
class KernelTime:
    """Processor time of one kernel.

    Attributes
    ----------
    name : str
        What it does.
    ns_per_pixel : float
        Nanoseconds per pixel of what it works on.
    copies : float
        The same in units of copying a raw pixel of two bytes.
    """

    name: str
    ns_per_pixel: float
    copies: float


@dataclass(frozen=True)
class BenchResult:
    """Everything that one run measured.

    Attributes
    ----------
    machine : dict
        Processor, cores, Python, load while measuring.
    frames, size : int
        The simulated cube.
    copy_gb_per_s : float
        Bandwidth of copying memory, bytes copied per second.
    kernels : tuple of KernelTime
        On one core.
    chain : dict
        For each coadd method, number of threads and format: processor and wall-clock seconds per
        1000 frames, of every step and in all.
    scaling : dict
        Processor seconds per 1000 frames of metrics and mean coadd, by number of frames.
    peak_mb : float
        Largest resident memory of the process that ran the chain.
    """

    machine: dict[str, Any]
    frames: int
    size: int
    copy_gb_per_s: float
    kernels: tuple[KernelTime, ...]
    chain: dict[str, dict[str, Any]]
    scaling: dict[str, float]
    peak_mb: float


def run_bench(folder: Path, *, frames: int = 200, size: int = 536) -> BenchResult:
    """Simulate a cube and time everything on it.

    Parameters
    ----------
    folder : Path
        For the cube and the products; some 0.6 MB per frame of 536 x 536.
    frames : int
        Frames of the cube; at least 8.
    size : int
        Their width and height, pixels.

    Returns
    -------
    BenchResult

    Examples
    --------
    >>> result = run_bench(Path("/tmp/bench"), frames=1000)  # doctest: +SKIP
    >>> result.chain["mean, 1 thread"]["seconds"]            # doctest: +SKIP
    1.3
    """
    spec = NightSpec.preset("qcmos", size=size)
    path, packed = folder / "bench.fits", folder / "bench.fits.fz"
    simulate_cube(spec, path, frames)
    simulate_cube(spec, packed, frames)
    bandwidth = _copy_bandwidth()
    kernels = _time_kernels(path, packed, 2e9 / bandwidth)
    # A fresh process, whose peak memory is that of the chain and of nothing else.
    with get_context("spawn").Pool(1) as pool:
        chain, scaling, peak = pool.apply(_chain_figures, (path, packed, available_threads()))
    return BenchResult(
        _machine(), frames, size, bandwidth / 1e9, kernels, chain, scaling, round(peak, 1)
    )


def _machine() -> dict[str, Any]:
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":", 1)[1].strip() if names else processor
    return {
        "processor": processor,
        "cores": available_threads(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _least(work: Callable[[], object]) -> float:
    """Least processor time of several runs, after one that compiles and warms up."""
    work()
    times = []
    for _ in range(_REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def _copy_bandwidth() -> float:
    """Bytes copied per second, from memory to memory."""
    source = np.ones(1 << 26, np.uint8)
    target = np.empty_like(source)
    return source.size / _least(lambda: np.copyto(target, source))


# ---------------------------------------------------------------- kernels


def _time_kernels(path: Path, packed: Path, ns_of_copy: float) -> tuple[KernelTime, ...]:
    found = []
    for name, pixels, work in [*_frame_work(path), *_window_work(path), *_file_work(packed)]:
        ns = _least(work) / pixels * 1e9
        found.append(KernelTime(name, round(ns, 3), round(ns / ns_of_copy, 2)))
    return tuple(found)


Work = tuple[str, int, Callable[[], object]]


def _opened(path: Path) -> tuple[CameraCube, RawBlock]:
    cube = CameraCube.open([path])
    cube = replace(cube, calibration=_realistic(pixel_calibration(cube.header)))
    return cube, cube.source.read(0, min(cube.source.n, _BLOCK_FRAMES))


def _realistic(cal: PixelCalibration) -> PixelCalibration:
    """Flat, dark level and bad pixels as masters have them."""
    rng = np.random.default_rng(1)
    return replace(
        cal,
        scale=(cal.scale * rng.normal(1, 0.01, cal.shape)).astype(np.float32),
        background=(cal.background + rng.normal(0, 0.2, cal.shape)).astype(np.float32),
        bad=rng.random(cal.shape) < 6e-4,
        background_variance=np.full(cal.shape, 0.04, np.float32),
        flat_variance=np.full(cal.shape, 1e-6, np.float32),
    )


def _frame_work(path: Path) -> Iterator[Work]:
    """Work on whole frames."""
    cube, block = _opened(path)
    cal, n = cube.pixel_calibration, len(block.data)
    planes = calibration_planes(cal)
    shape = (n, cube.source.ny, cube.source.nx)
    centers = (np.array(shape[1:]) - 1) / 2 + np.random.default_rng(2).normal(0, 1, (n, 2))
    out = np.empty(shape, np.float32), np.empty(shape, np.float32)
    rows = min(_BAND_ROWS, shape[1])
    sums = [np.zeros((rows, shape[2]), kind) for kind in (float, float, float, np.int32)]
    band = RawBand(block.data, block.big_endian, 0, planes, False, shape[1], 0)
    pixels = block.data.size
    yield "swap bytes (numpy)", pixels, block.native
    yield "calibrate, with variance", pixels, lambda: calibrate(block, cal, flip=False, out=out)
    yield "calibrate and shift", pixels, lambda: register_stack(band, centers, *out)
    weights = np.ones(n)
    yield (
        "calibrate, shift and add", n * sums[0].size,
        lambda: register_sum(band, centers, weights, *sums),
    )  # fmt: skip
    register_stack(band, centers, *out)
    for average in (mean, median, biweight):
        yield f"{average.__name__} of {n} frames", pixels, partial(average, out[0])
    image = out[0][0].copy(), out[1][0].copy()
    yield "shift an image", image[0].size, lambda: shift(*image, 0.3, -0.4)
    yield "rotate an image", image[0].size, lambda: rotate(*image, 30.0)


def _window_work(path: Path) -> Iterator[Work]:
    """Work on windows about the star."""
    cube, block = _opened(path)
    planes, n, size = calibration_planes(cube.pixel_calibration), len(block.data), 4 * _HALF + 9
    y, x = (int(v) - size // 2 for v in cube.rough[0, 0])
    cut = partial(cut_stamps, block.data, block.big_endian, 0, planes, (y, x), size, False)
    data, variance = cut()
    centres = brightest(data[None], _HALF)
    length = 2 * _HALF + 1
    reference = reference_spectrum(header_psf(cube.header, cube.fields[0], 31), length)
    table = tables(length)
    stars = register_windows(data, centres, _HALF, *reference, table)[:, :2]
    inside = n * length**2
    rows = np.arange(block.data.shape[1])
    yield (
        "statistics of whole rows", block.data.size,
        lambda: frame_statistics(
            block.data, block.big_endian, rows, np.ones(rows.size), planes
        ),
    )  # fmt: skip
    yield "cut out and calibrate stamps", n * size**2, cut
    yield "find the star", n * size**2, lambda: brightest(data[None], _HALF)
    yield "statistics of windows", inside, lambda: measure_windows(data, centres, _HALF)
    yield (
        "centroid and Strehl peak", inside,
        lambda: register_windows(data, centres, _HALF, *reference, table),
    )  # fmt: skip
    yield (
        "aperture photometry", inside,
        lambda: measure_apertures(data, variance, stars, _RADIUS, 0.0, 0.0),
    )  # fmt: skip


def _file_work(packed: Path) -> Iterator[Work]:
    """Decompressing alone, beside the general decoder that astropy has."""
    source = open_frames(packed, threads=1)
    n = min(source.n, _BLOCK_FRAMES)
    pixels = n * source.ny * source.nx
    yield "decompress .fits.fz", pixels, lambda: source.read(0, n)
    yield "decompress .fits.fz by astropy", pixels, lambda: _astropy_frames(packed, n)


def _astropy_frames(path: Path, n: int) -> NDArray[np.uint16]:
    with fits.open(path) as hdus:
        frames: NDArray[np.uint16] = hdus[1].section[:n]
    return frames


# ---------------------------------------------------------------- chain


def _chain_figures(
    path: Path, packed: Path, threads: int
) -> tuple[dict[str, dict[str, Any]], dict[str, float], float]:
    """Time the chain with one thread and with all; peak memory [MB] of this process."""
    before = dict(os.environ)
    figures = {}
    try:
        for number in sorted({1, threads}):
            os.environ["VAMPIRES_THREADS"] = str(number)
            for method, file in product(("mean", "median"), (path, packed)):
                kind = ", .fits.fz" if file == packed else ""
                name = f"{method}, {number} thread{'s' if number > 1 else ''}{kind}"
                _chain(file, method)  # compiles, loads, and warms the page cache
                figures[name] = _best([_chain(file, method) for _ in range(_REPEATS)])
        os.environ["VAMPIRES_THREADS"] = "1"
        scaling = _scaling(path)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return figures, scaling, _peak_memory()


def _peak_memory() -> float:
    """Largest resident memory of this process so far, MB."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; the count of getrusage begins with its parent's
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Run of least processor time, with the least wall-clock time of all."""
    best = min(runs, key=lambda run: run["seconds"])
    return {**best, "wall": min(run["wall"] for run in runs)}


def _chain(path: Path, method: str) -> dict[str, Any]:
    """Processor seconds per 1000 frames of each step from the raw file to the products."""
    cube, _ = _opened(path)
    per_thousand = 1000 / cube.source.n
    steps: dict[str, float] = {}
    start = time.perf_counter()
    with _timed(steps, "open"):
        cube = replace(CameraCube.open([path]), calibration=cube.calibration)
    with _timed(steps, "measure"):
        cube = cube.measure()
        cube.measured.write(path.with_suffix(".h5"))
    with _timed(steps, "select and register"):
        cube = cube.select("strehl", 0.0).register("dft")
    with _timed(steps, "coadd"):
        image = cube.coadd(method)
    with _timed(steps, "write"):
        image.write(path.with_name("coadd.fits"))
    scaled = {name: round(value * per_thousand, 4) for name, value in steps.items()}
    return {
        "seconds": round(sum(scaled.values()), 4),
        "wall": round((time.perf_counter() - start) * per_thousand, 4),
        "steps": scaled,
    }


@contextmanager
def _timed(steps: dict[str, float], name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    steps[name] = time.process_time() - start


def _scaling(path: Path) -> dict[str, float]:
    """Cost per 1000 frames of an eighth, half and all of the frames."""
    whole, _ = _opened(path)
    n = whole.source.n
    costs = {}
    for part in sorted({max(n // 8, 1), max(n // 2, 1), n}):
        keep: NDArray[np.bool_] = np.arange(n) < part
        cube = replace(whole, source=whole.source.select(keep))
        costs[str(part)] = round(_least(partial(_measure_and_coadd, cube)) * 1000 / part, 4)
    return costs


def _measure_and_coadd(cube: CameraCube) -> None:
    cube.measure().coadd("mean", recenter=None, pad=False)


def as_text(result: BenchResult) -> str:
    """Tables for people.

    Parameters
    ----------
    result : BenchResult
        From `run_bench`.

    Returns
    -------
    str
        Several lines.
    """
    machine = ", ".join(f"{key} {value}" for key, value in result.machine.items())
    lines = [
        machine,
        f"{result.frames} frames of {result.size} x {result.size}; "
        f"copying memory {result.copy_gb_per_s:.1f} GB/s",
        "",
        f"{'kernel, one core':34s} {'ns/pixel':>9s} {'copies':>8s}",
        *(f"{k.name:34s} {k.ns_per_pixel:9.2f} {k.copies:8.1f}" for k in result.kernels),
        "",
        f"{'chain, s per 1000 frames':34s} {'CPU':>9s} {'wall':>8s}",
    ]
    for name, run in result.chain.items():
        lines.append(f"{name:34s} {run['seconds']:9.2f} {run['wall']:8.2f}")
        lines += [f"  {step:32s} {value:9.3f}" for step, value in _sorted(run["steps"])]
    lines += ["", "metrics and mean coadd, CPU s per 1000 frames, by number of frames:"]
    lines += ["  " + ", ".join(f"{n}: {cost:.2f}" for n, cost in result.scaling.items())]
    lines += [f"peak memory {result.peak_mb:.0f} MB"]
    return "\n".join(lines)


def _sorted(steps: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(steps.items(), key=lambda item: -item[1])
