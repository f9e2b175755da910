"""Time and memory of planning against the number of raw files: linear, with figures.

``VAMPIRES_TRIALS=5000`` makes the long run.
"""

import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits

from vampires.night.index import build_index


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
    took = {}
    for number in (most // 4, most):
        folder = files(number)
        index = folder / "index.sqlite"
        begun = time.process_time()
        records = build_index("*.fits", folder, cache_path=index)
        first = time.process_time() - begun
        begun = time.process_time()
        assert build_index("*.fits", folder, cache_path=index) == records
        again = time.process_time() - begun
        took[number] = first / number, again / number
        print(f"{number} files: {1e3 * first / number:.1f} ms each,", end=" ")  # noqa: T201
        print(f"again {1e3 * again / number:.2f} ms")  # noqa: T201
    few, many = took.values()
    assert many[0] < 3 * few[0] + 0.005  # as long for each: linear, on a busy machine
    assert many[1] < 3 * few[1] + 0.002


def test_memory_of_planning():
    """What planning imports stays small."""
    code = (
        "import resource, vampires.tasks.plan, vampires.engine.reporter\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100_000  # kB
