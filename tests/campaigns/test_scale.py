"""Time and memory of planning against the number of raw files: linear, with figures.

``VAMPIRES_TRIALS=5000`` makes the long run.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from vampires.night.index import build_index

pytestmark = pytest.mark.campaign


@pytest.fixture(name="files")
def fixture_files(stars_night, tmp_path):
    """Make n raw files of one small frame, one after another."""
    source = sorted((stars_night / "raw").glob("*.fits"))[0]
    header = fits.getheader(source)

    def make(number):
        folder = tmp_path / f"n{number}"
        folder.mkdir()
        for k in range(number):
            header["MJD"] = header["MJD"] + 1e-4
            fits.PrimaryHDU(np.zeros((1, 32, 32), np.uint16), header).writeto(
                folder / f"VMPA{k:08d}.fits", output_verify="silentfix"
            )
        return folder

    return make


@pytest.mark.filterwarnings("default")
def test_index_of_many_files(files, trials):
    most = trials(80)
    for number in (most // 4, most):
        folder = files(number)
        index = folder / "index.sqlite"
        begun = time.process_time()
        records = build_index("*.fits", folder, cache_path=index)
        first = time.process_time() - begun
        begun = time.process_time()
        assert build_index("*.fits", folder, cache_path=index) == records
        again = time.process_time() - begun
        print(f"{number} files: {1e3 * first / number:.1f} ms each,", end=" ")  # noqa: T201
        print(f"again {1e3 * again / number:.2f} ms")  # noqa: T201


AS_IF_DONE = """
import vampires.engine.recovery as recovery
from pathlib import Path

recover = recovery.recover

def with_products(tasks, state):
    for task in tasks.values():
        for path in map(Path, task.targets):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text("x")
    return recover(tasks, state)

recovery.recover = with_products
recovery._is_done = lambda *_: True
"""

DOIT = """
import sys, time
from doit.doit_cmd import DoitMain

status = DoitMain().run(sys.argv[1:])
peak = next(x.split()[1] for x in open("/proc/self/status") if x.startswith("VmHWM"))
print(f"\\n# {time.process_time()} {peak}")
sys.exit(status)
"""


def long_night(stars_night, folder, number):
    """Raw files of tiny frames, with the headers of a small night again and again."""
    (folder / "raw").mkdir(parents=True)
    headers = [fits.getheader(path) for path in sorted((stars_night / "raw").glob("*.fits"))]
    science, others = headers[:32], headers[32:]
    frames = np.full((1, 32, 32), 500, np.uint16)
    for k in range(number + len(others)):
        header = (science[k % 32] if k < number else others[k - number]).copy()
        later = k // 32 * 600 / 86400 if k < number else 0.0
        for mjd, ut, dot in (
            ("MJD-STR", "UT-STR", ":"),
            ("MJD-END", "UT-END", ":"),
            ("MJD", "UT", "."),
        ):
            time = Time(header[mjd] + later, format="mjd", precision=3)
            header[mjd], header[ut] = round(time.mjd, 8), time.isot[11:].replace(".", dot)
            header["DATE-OBS"] = time.isot[:10]
        header["FRAMEID"] = f"VMPA{k:08d}"
        fits.PrimaryHDU(frames, header).writeto(
            folder / "raw" / f"VMPA{k:08d}.fits", output_verify="silentfix"
        )


def cost(folder, *words, code=DOIT):
    """Run doit there; its output, processor time and peak memory."""
    run = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said, _, figures = run.stdout.rpartition("\n# ")
    seconds, kilobytes = map(float, figures.split())
    return said, seconds, kilobytes / 1024


@pytest.mark.filterwarnings("default")
def test_planning_of_a_long_night(stars_night, tmp_path, long_run):
    """First index, list, a run with nothing to do; what stands for the products is none."""
    for number in (max(32, long_run // part) for part in (10, 5, 2, 1)):
        folder = tmp_path / f"n{number}"
        long_night(stars_night, folder, number)
        figures = {"begin": cost(folder, "new", "night.toml", "--yes")}
        figures["list"] = cost(folder, "list")
        cost(folder, "stokes:sets")
        for path in folder.glob(".doit.db*"):
            path.unlink()
        cost(folder, "why", code=AS_IF_DONE + DOIT)
        cost(folder, "ignore", "report", "flat_check")  # these look into products
        figures["nothing to do"] = cost(folder)
        assert "0 done, " in figures["nothing to do"][0]
        said = "; ".join(
            f"{what} {cpu:.1f} s {mb:.0f} MB" for what, (_, cpu, mb) in figures.items()
        )
        print(f"{number} files: {said}")  # noqa: T201


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
def test_memory_of_planning():
    """What planning imports stays small."""
    code = (
        "import vampires.tasks.plan, vampires.engine.reporter\n"
        # not resource.getrusage: its peak is that of the parent, before the program was loaded
        "print(next(x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100_000  # kB
