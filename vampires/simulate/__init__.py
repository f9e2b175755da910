"""Simulated raw nights with known truth: for the tests, and for the demonstration.

Constants of the detectors, geometry and polarisation algebra are the simulator's own, so that an
error in one is not hidden by the same error in the other. Shared with the reduction are only the
angle of the FLC (``instrument/data/optics.toml``) and the writer of raw files.
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
