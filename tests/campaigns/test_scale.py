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
