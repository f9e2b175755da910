"""Simulated raw nights with known truth: for the tests, and for the demonstration.

Nothing here is shared with the reduction: constants, geometry and polarisation algebra are the
simulator's own, so that an error in one is not hidden by the same error in the other.
"""

from vampires.simulate.cube import simulate_cube
from vampires.simulate.lamp import simulate_lamp
from vampires.simulate.night import NightTruth, simulate_night
from vampires.simulate.spec import PRESETS, NightSpec, demo_spec

__all__ = [
    "PRESETS",
    "NightSpec",
    "NightTruth",
    "demo_spec",
    "simulate_cube",
    "simulate_lamp",
    "simulate_night",
]
