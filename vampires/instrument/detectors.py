"""The detectors of VAMPIRES: three generations, two cameras each.

========= ============================ =====================================================
EMCCD     before 2023-06               Andor iXon Ultra 897, with or without EM gain
QCMOS     2023-06 to MJD 60949         Hamamatsu ORCA-Quest, FAST or SLOW readout
QCMOS-NBS from MJD 60949 (2025-10-03)  the same cameras behind the new beamsplitter
========= ============================ =====================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from vampires.instrument.tables import load_table, value

Generation = Literal["EMCCD", "QCMOS", "QCMOS-NBS"]
GENERATIONS: tuple[Generation, ...] = get_args(Generation)
READ_MODES: dict[Generation, tuple[str, ...]] = {
    "EMCCD": ("EM", "NOEM"),
    "QCMOS": ("FAST", "SLOW"),
    "QCMOS-NBS": ("FAST", "SLOW"),
}


@dataclass(frozen=True, slots=True)
class Detector:
    """One camera as it was read out.

    Attributes
    ----------
    generation, camera, read_mode
        Which detector ('EMCCD', 'QCMOS', 'QCMOS-NBS'), camera 1 or 2, readout mode.
    full_frame : tuple of int
        Size of the whole detector (ny, nx), pixels.
    bias : float
        Offset of the analogue-to-digital converter, adu.
    gain : float
        e-/adu at the converter, after any electron multiplication.
    em_gain : float
        Electron multiplication; 1 without.
    read_noise : float
        Effective read noise, e- before multiplication, rms.
    dark_current : float
        e-/s/pixel.
    excess_noise : float
        Excess noise factor; multiplies the rms of the photon noise.
    full_well : float
        Largest charge that can be measured, e- at the converter.
    saturation : float
        Raw values at or above it are saturated, adu.
    pixel_scale : float
        mas/pixel.
    pupil_offset : float
        Angle between the pupil and the detector's axes, deg.
    flip : bool
        True for the camera whose frames are flipped in y to match the sky.
    rotator_pupil_angle : float
        Value of ``D_IMRPAP`` when a header has none, deg.
    """

    generation: Generation
    camera: int
    read_mode: str
    full_frame: tuple[int, int]
    bias: float
    gain: float
    em_gain: float
    read_noise: float
    dark_current: float
    excess_noise: float
    full_well: float
    saturation: float
    pixel_scale: float
    pupil_offset: float
    flip: bool
    rotator_pupil_angle: float

    @property
    def effective_gain(self) -> float:
        """Detected photo-electrons per adu: ``gain / em_gain``."""
        return self.gain / self.em_gain

    @property
    def pixel_area(self) -> float:
        """Solid angle of a pixel, arcsec^2."""
        return (self.pixel_scale / 1e3) ** 2

    def pa_offset(self, rotator_pupil_angle: float | None = None) -> float:
        """Angle to add to the parallactic angle to derotate a frame (``PAOFFSET``), deg.

        ``wrap(pupil_offset - 180 + D_IMRPAP)`` with the image rotator's pupil angle
        from the header, or this generation's default.
        """
        angle = self.rotator_pupil_angle if rotator_pupil_angle is None else rotator_pupil_angle
        return (self.pupil_offset + angle) % 360.0 - 180.0


def first_mjd(generation: Generation) -> float:
    """MJD (UTC) from which a generation was in use."""
    return float(value(load_table("detectors")[generation]["first_mjd"]))


@cache
def detector(
    generation: Generation,
    camera: int,
    read_mode: str,
    em_gain: float = 1.0,
    half_range: bool = False,
) -> Detector:
    """Describe a camera in a readout mode.

    Parameters
    ----------
    generation : {'EMCCD', 'QCMOS', 'QCMOS-NBS'}
    camera : {1, 2}
    read_mode : {'EM', 'NOEM', 'FAST', 'SLOW'}
        The first two for the EMCCD, the last two for the qCMOS.
    em_gain : float
        Electron multiplication, only for the EMCCD in mode 'EM'.
    half_range : bool
        The data were saved with half of the converter's range, see `saved_half_range`.

    Returns
    -------
    Detector

    Notes
    -----
    The full well is the smaller of the detector's and of what the converter can express.
    Saturation in adu follows from it and is never above what the file can hold, so that a
    saturated pixel is always found.

    Examples
    --------
    >>> detector("QCMOS", 1, "SLOW").read_noise
    0.245
    """
    if camera not in (1, 2) or read_mode not in READ_MODES[generation]:
        raise ValueError(f"{generation} has no camera {camera!r} in read mode {read_mode!r}")
    facts = _facts(generation)
    cam = facts["camera"][str(camera)]
    gain = _by_mode(facts["gain"], read_mode)
    bias = float(value(facts["bias"]))
    multiplication = max(em_gain, 1.0) if read_mode == "EM" else 1.0
    range_fraction = 0.5 if half_range else 1.0
    converter = int((value(facts["adc_maximum"]) + 1) * range_fraction)
    full_well = range_fraction * min(
        _by_mode(facts["full_well"], read_mode), (value(facts["adc_maximum"]) + 1) * gain
    )
    read_noise = _by_mode(cam.get("read_noise", facts.get("read_noise")), read_mode)
    ny, nx = value(facts["full_frame"])
    return Detector(
        generation=generation,
        camera=camera,
        read_mode=read_mode,
        full_frame=(ny, nx),
        bias=bias,
        gain=gain,
        em_gain=multiplication,
        read_noise=read_noise / multiplication,
        dark_current=float(value(facts["dark_current"])),
        excess_noise=_by_mode(facts["excess_noise"], read_mode),
        full_well=full_well,
        saturation=min(full_well / gain + bias, converter - 1.0),
        pixel_scale=float(value(cam["pixel_scale"])),
        pupil_offset=float(value(cam["pupil_offset"])),
        flip=is_flipped(generation, camera),
        rotator_pupil_angle=float(value(facts["rotator_pupil_angle"])),
    )


def is_flipped(generation: Generation, camera: int) -> bool:
    """Whether the frames of a camera are turned upside down to match the sky.

    Examples
    --------
    >>> is_flipped("QCMOS", 1), is_flipped("QCMOS", 2)
    (True, False)
    """
    return bool(value(_facts(generation)["flip_camera"]) == camera)


def saved_half_range(generation: Generation, mjd: float) -> bool:
    """Whether files of that time hold only half of the 16-bit range (2023-06-01 to -07-24)."""
    interval = _facts(generation).get("half_range")
    if interval is None:
        return False
    start, end = value(interval)
    return bool(start <= mjd < end)


@cache
def _facts(generation: Generation) -> dict[str, Any]:
    """Table of a generation, completed by that of the generation it derives from."""
    own = load_table("detectors")[generation]
    if "same_as" not in own:
        return own
    base = _facts(own["same_as"])
    cameras = {number: base["camera"][number] | own["camera"][number] for number in base["camera"]}
    return base | own | {"camera": cameras}


def _by_mode(fact: Any, read_mode: str) -> float:
    """Value of a fact that may be given per read mode."""
    per_mode = isinstance(fact, Mapping) and "value" not in fact
    return float(value(fact[read_mode] if per_mode else fact))
