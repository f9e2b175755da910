"""Shared fixtures: simulated nights are made once a session."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure; CI draws the same examples every time.
settings.register_profile(
    "vampires",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("vampires")

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"


# A shell that is not interactive lets its background jobs ignore Ctrl-C, which their children
# inherit; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


pytest_plugins = ["fixtures.nights", "fixtures.project", "fixtures.toy", "fixtures.windows"]


@pytest.fixture(scope="session")
def stars_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small EMCCD night in the archive's format: raw/, truth.json, truth FITS."""
    from vampires.simulate import NightSpec, simulate_night

    folder = tmp_path_factory.mktemp("nights") / "stars"
    simulate_night(NightSpec.preset("stars"), folder)
    return folder
