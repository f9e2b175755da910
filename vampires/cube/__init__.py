"""`CameraCube`: the frames of one camera, one FLC state and one HWP angle, left on disk."""

from vampires.cube.camera import ROUGH_FRAMES, CameraCube
from vampires.cube.rough import find_in_cubes

__all__ = ["ROUGH_FRAMES", "CameraCube", "find_in_cubes"]
