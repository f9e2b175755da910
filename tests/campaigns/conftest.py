"""Campaigns: random trials, a few in every run of the tests, many by hand.

``VAMPIRES_TRIALS=300 VAMPIRES_SEED=7 pytest -m campaign -s -k damage`` makes the long runs whose
figures are in docs/reliability.md. A trial that falls short prints what it did.
"""

import os
import random

import pytest


@pytest.fixture
def trials():
    """Number of trials: given by hand, or the least that still says something."""
    return lambda few: int(os.environ.get("VAMPIRES_TRIALS", few))


@pytest.fixture
def long_run():
    """Leaves a test out of the daily runs; gives the number of trials asked for by hand."""
    if "VAMPIRES_TRIALS" not in os.environ:
        pytest.skip("a long run: set VAMPIRES_TRIALS")
    return int(os.environ["VAMPIRES_TRIALS"])


@pytest.fixture
def dice():
    """The same throws each time, unless another seed is given."""
    return random.Random(int(os.environ.get("VAMPIRES_SEED", "2023")))
