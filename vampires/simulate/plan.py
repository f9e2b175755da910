"""The sequence of files of a night: states, times and names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vampires.simulate.spec import NightSpec

SECOND = 1 / 86400.0  # day
HWP_ANGLES = (0.0, 45.0, 22.5, 67.5)
FIRST_NUMBER = 21001
FRAME_GAP = 1e-4  # s, dead time between the frames of calibration files
CALIBRATION_DELAY = 600.0  # s after the last science frame


@dataclass(frozen=True)
class Exposure:
    """One raw file.

    Attributes
    ----------
    number
        Running number, from 1.
    kind
        OBJECT, DARK, FLAT, SKYFLAT or COMPARISON.
    camera
        1 or 2.
    flc
        FLC state: ``A``, ``B``, ``AB`` (alternating frame by frame) or ``NA``.
    hwp, hwp_index, cycle
        Nominal half-wave plate angle (deg), its place in the cycle, and the cycle.
    swapped
        Whether the differential filter wheel has exchanged the cameras' filters.
    exptime
        s.
    starts
        MJD at which each frame starts.
    """

    number: int
    kind: str
    camera: int
    flc: str
    hwp: float
    hwp_index: int
    cycle: int
    swapped: bool
    exptime: float
    starts: NDArray[np.float64]

    @property
    def frames(self) -> int:
        """Frames with an image."""
        return len(self.starts)

    @property
    def mids(self) -> NDArray[np.float64]:
        """MJD of the middle of each frame."""
        return self.starts + 0.5 * self.exptime * SECOND

    @property
    def start(self) -> float:
        """MJD of the start of the first frame."""
        return float(self.starts[0])

    @property
    def end(self) -> float:
        """MJD of the end of the last frame."""
        return float(self.starts[-1] + self.exptime * SECOND)

    @property
    def science(self) -> bool:
        """Whether this is no calibration."""
        return self.kind == "OBJECT"


def plan_night(spec: NightSpec) -> list[Exposure]:
    """All files of a night in the order they are numbered.

    Files of one half-wave plate angle are taken at the same time: the cameras in step, the FLC
    states interleaved frame by frame.
    """
    exposures: list[Exposure] = []
    clock = spec.start_mjd
    angles = HWP_ANGLES if spec.polarimetry != "none" else (0.0,)
    for cycle in range(spec.cycles):
        swapped = spec.bands == "sdi-halpha" and cycle % 2 == 1
        for k, angle in enumerate(angles):
            states = _states(spec, clock)
            for camera in (1, 2):
                for flc, starts in states:
                    exposures.append(
                        Exposure(
                            len(exposures) + 1, "OBJECT", camera, flc, angle, k, cycle,
                            swapped, spec.exptime, starts,
                        )
                    )  # fmt: skip
            clock += (spec.dwell + spec.overhead) * SECOND
    if spec.calibration_frames:
        exposures += _calibrations(spec, clock + CALIBRATION_DELAY * SECOND, len(exposures))
    return exposures


def _states(spec: NightSpec, clock: float) -> list[tuple[str, NDArray[np.float64]]]:
    """FLC states of one half-wave plate angle and the start times of their frames."""
    if not spec.fast:
        return [("NA", _spaced(clock, spec.frames, spec.dwell / spec.frames))]
    starts = _spaced(clock, 2 * spec.frames, spec.dwell / (2 * spec.frames))
    if spec.controller:
        return [("AB", starts)]
    return [("A", starts[0::2]), ("B", starts[1::2])]


def _spaced(clock: float, frames: int, spacing: float) -> NDArray[np.float64]:
    """MJD of frames ``spacing`` seconds apart."""
    return np.asarray(clock + np.arange(frames) * spacing * SECOND, dtype=np.float64)


def _calibrations(spec: NightSpec, clock: float, number: int) -> list[Exposure]:
    """Darks of every exposure time, flats of every filter, skies and pinholes."""
    n = spec.calibration_frames
    kinds = [("DARK", exptime, n, False) for exptime in sorted({spec.exptime, spec.flat_exptime})]
    swaps = (False, True) if spec.bands == "sdi-halpha" else (False,)
    kinds += [("FLAT", spec.flat_exptime, n, swap) for swap in swaps]
    kinds += [("SKYFLAT", spec.exptime, n, False), ("COMPARISON", spec.exptime, 3, False)]
    exposures = []
    for kind, exptime, frames, swapped in kinds:
        starts = _spaced(clock, frames, exptime + FRAME_GAP)
        for camera in (1, 2):
            number += 1
            exposures.append(
                Exposure(number, kind, camera, "NA", 0.0, 0, 0, swapped, exptime, starts)
            )
        clock += 30 * SECOND
    return exposures


def original_name(spec: NightSpec, exposure: Exposure) -> str:
    """Name given by the observer (``U_OGFNAM``); tells the type of ACQUISITION files."""
    band = spec.filters(exposure.camera, exposure.swapped)[0]
    gain = f"em{spec.em_gain:.0f}" if spec.emccd else spec.readmode
    prefix = {
        "OBJECT": f"{spec.object_name}_{exposure.cycle:02d}_{spec.night}_{band}_LyotStop_0",
        "DARK": f"darks_{spec.night}_{gain}_",
        "FLAT": f"flats_{spec.night}_{band}_",
        "SKYFLAT": f"skies_{spec.night}_{gain}_",
        "COMPARISON": f"pinholes_{spec.night}_{band}_",
    }
    return prefix[exposure.kind]


def file_name(spec: NightSpec, exposure: Exposure, time: str) -> str:
    """File name; ``time`` is the UT start as ``hh:mm:ss.sss``."""
    suffix = ".fits.fz" if spec.compress else ".fits"
    if spec.archive_names and not spec.controller:
        return f"VMPA{FIRST_NUMBER + exposure.number - 1:08d}{suffix}"
    if not spec.emccd:
        stamp = time.replace(":", "").replace(".", "")
        flc = f"_FLC{exposure.flc}" if exposure.flc in "AB" else ""
        return f"vcam{exposure.camera}_{spec.night}_{stamp}{flc}_{exposure.number:04d}{suffix}"
    stem = original_name(spec, exposure).split(f"_{spec.night}")[0]
    if exposure.science:
        stem += f"_{spec.filters(exposure.camera)[0]}_LyotStop_{exposure.hwp_index:02d}"
    else:
        stem += f"_{exposure.exptime * 1e3:05.0f}ms_00"
    return f"{stem}_cam{exposure.camera}{suffix}"
