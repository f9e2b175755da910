"""Measure code of our own against the libraries that could stand in for it.

``python docs/own_code.py`` prints processor time, the least of several runs; the figures of the
page on performance are from it. What is compared gives the same result, which is asserted.
"""

import concurrent.futures
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np


def cpu(work: Callable[[], object], runs: int = 5) -> float:
    """Processor seconds of this process, the least of some runs."""
    best = np.inf
    for _ in range(runs):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def children(command: list[str], runs: int = 5) -> float:
    """Processor seconds of a process, the least of some runs."""
    best = np.inf
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def moffat() -> str:
    """Fit 25 x 25 windows."""
    from astropy.modeling import fitting, models
    from scipy.optimize import least_squares

    from vampires.kernels.moffat import fit_windows

    rng = np.random.default_rng(1)
    y, x = np.indices((25, 25), float)

    def model(p: np.ndarray) -> np.ndarray:
        return p[5] + p[0] * (1 + ((y - p[1]) ** 2 + (x - p[2]) ** 2) / p[3] ** 2) ** -p[4]

    truth = np.array([500.0, 12.3, 11.8, 3.0, 2.5, 10.0])
    stamps = rng.normal(model(truth), 3.0, (200, 25, 25)).astype(np.float32)
    middle, nowhere = np.full((200, 2), 12), np.full((200, 2), np.nan)
    ours = fit_windows(stamps, middle, 12, nowhere)
    time_ours = cpu(lambda: fit_windows(stamps, middle, 12, nowhere)) / 200
    start = np.array([480.0, 12.0, 12.0, 2.5, 3.0, 10.0])

    def by_scipy() -> np.ndarray:
        return least_squares(lambda p: (model(p) - stamps[0]).ravel(), start).x

    def by_astropy() -> np.ndarray:
        guess = models.Moffat2D(480, 12, 12, 2.5, 3) + models.Const2D(10)
        found = fitting.TRFLSQFitter()(guess, x, y, stamps[0])
        return np.array([found.y_0_0.value, found.x_0_0.value])

    assert np.allclose(by_scipy()[1:3], ours[0, 1:3], atol=1e-3)
    assert np.allclose(by_astropy(), ours[0, 1:3], atol=1e-3)
    return (
        f"Moffat fit of a window: ours {time_ours * 1e6:.0f} us, scipy.optimize.least_squares "
        f"{cpu(by_scipy) * 1e6:.0f} us, astropy.modeling {cpu(by_astropy) * 1e6:.0f} us"
    )


def angle() -> str:
    """Parallactic angle at 60 instants of a cube."""
    from astropy import units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time

    from vampires.instrument.telescope import SUBARU
    from vampires.sky.geometry import parallactic_angles

    mjd = 60000.3 + np.linspace(0, 60 / 86400, 60)
    site = EarthLocation(SUBARU.longitude * u.deg, SUBARU.latitude * u.deg, SUBARU.height * u.m)
    star = SkyCoord(73.941 * u.deg, 30.551 * u.deg)

    def by_astropy() -> np.ndarray:
        frame = AltAz(obstime=Time(mjd, format="mjd"), location=site)
        there = star.transform_to(frame)
        up = SkyCoord(there.az, there.alt + 0.01 * u.deg, frame=frame).icrs
        return np.asarray(star.position_angle(up).wrap_at(180 * u.deg).deg)

    ours = parallactic_angles(mjd, 73.941, 30.551)
    assert np.abs(ours - by_astropy()).max() < 2e-3
    time_ours = cpu(lambda: parallactic_angles(mjd, 73.941, 30.551))
    return (
        f"parallactic angle at 60 instants: ours {time_ours * 1e3:.2f} ms, "
        f"astropy.coordinates {cpu(by_astropy) * 1e3:.1f} ms"
    )


def index() -> str:
    """Headers of 40 files, known already."""
    from astropy.io import fits
    from ccdproc import ImageFileCollection

    from vampires.night.index import build_index
    from vampires.night.raw import HeaderIndex
    from vampires.simulate import NightSpec, simulate_night

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = Path(folder) / "raw"
        simulate_night(NightSpec(size=64, frames=4), folder)
        store = Path(folder) / "index.sqlite"
        first = cpu(lambda: build_index([str(raw / "*.fits")], folder, (), store), 1)
        again = cpu(lambda: build_index([str(raw / "*.fits")], folder, (), store))
        paths = sorted(raw.glob("*.fits"))
        known = HeaderIndex(store)
        one = cpu(lambda: [known.file(path) for path in paths]) / len(paths)
        read = cpu(lambda: [dict(fits.getheader(path)) for path in paths]) / len(paths)
        table = cpu(lambda: ImageFileCollection(str(raw)).summary, 2) / len(paths)
        n = len(paths)
    return (
        f"{n} headers: first time {first / n * 1e3:.1f} ms a file, again {again / n * 1e3:.2f} ms; "
        f"one header of the index {one * 1e3:.2f} ms; astropy.io.fits {read * 1e3:.1f} ms, "
        f"ccdproc.ImageFileCollection {table * 1e3:.1f} ms a file, each time and as it stands"
    )


def pool() -> str:
    """Start a process that can reduce."""
    from vampires.engine import executor

    heavy = "import vampires.cube, vampires.steps.images"
    spawned = children([sys.executable, "-c", heavy]) - children([sys.executable, "-c", "pass"])
    executor.set_workers(2)
    executor.run(_nothing)
    start = time.perf_counter()
    executor.run(_nothing)
    ask = time.perf_counter() - start
    executor.shutdown()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as standard:
        standard.submit(_nothing).result()
        start = time.perf_counter()
        standard.submit(_nothing).result()
        submit = time.perf_counter() - start
    return (
        f"a worker that imports for itself: {spawned:.2f} s of processor time; a call of ours "
        f"{ask * 1e3:.2f} ms, of concurrent.futures {submit * 1e3:.2f} ms"
    )


def imports() -> str:
    """What loading a library costs a command that does not use it."""
    bare = children([sys.executable, "-c", "pass"])
    names = ("rich.progress", "structlog", "tomlkit", "astropy.stats", "ccdproc", "vampires.log")
    costs = {name: children([sys.executable, "-c", f"import {name}"]) - bare for name in names}
    return "imports, ms: " + ", ".join(f"{name} {1e3 * cost:.0f}" for name, cost in costs.items())


def robust() -> str:
    """Scatter of 100 000 values about a known centre."""
    from astropy.stats import mad_std

    from vampires.utils.robust import robust_std

    values = np.random.default_rng(1).normal(size=100_000)
    centre = float(np.median(values))
    assert np.isclose(mad_std(values), robust_std(values, centre), rtol=1e-5)
    return (
        f"robust scatter of 1e5 values: ours {cpu(lambda: robust_std(values)) * 1e3:.1f} ms, about "
        f"a known centre {cpu(lambda: robust_std(values, centre)) * 1e3:.1f} ms, "
        f"astropy.stats.mad_std {cpu(lambda: mad_std(values)) * 1e3:.1f} ms"
    )


def _nothing() -> dict[str, int]:
    return {}


if __name__ == "__main__":
    for measure in (moffat, angle, index, robust, imports, pool):
        sys.stdout.write(f"{measure()}\n")
