"""The few numbers of the instrument the simulator needs, with their sources.

They are written down here a second time on purpose: the simulator shares nothing with the
reduction, so that a wrong number in one of them shows up as a disagreement.

Sources: *L24* is Lucas et al. 2024, PASP 136 (the instrument paper); *DPP* the values used by the
public pipeline ``vampires_dpp`` 0.14; *Z23* Zhang et al. 2023 (polarisation calibration).
"""

from __future__ import annotations

from dataclasses import dataclass

SUBARU_LONGITUDE = -155.4760187  # deg east, DPP
SUBARU_LATITUDE = 19.825504  # deg north, DPP
SUBARU_HEIGHT = 4139.0  # m

#: First night of the qCMOS cameras (L24).
QCMOS_START_MJD = 60096.0  # 2023-06-01
#: Until then every frame was written as DATA-TYP = ACQUISITION.
DATA_TYPE_START_MJD = 59977.0  # 2023-02-02
#: Until then a saving error of the new cameras halved the range (L24, DPP).
HALF_RANGE_END_MJD = 60150.0  # 2023-07-25


@dataclass(frozen=True)
class Band:
    """A filter: 50 % wavelengths (nm) and the zero point's electrons per second (L24, table 5)."""

    minimum: float
    maximum: float
    zero_point: float

    @property
    def wavelength(self) -> float:
        """Middle of the band in nm."""
        return 0.5 * (self.minimum + self.maximum)


BANDS = {
    "Open": Band(580.0, 776.0, 2.2e10),
    "625-50": Band(601.0, 649.0, 5.3e9),
    "675-50": Band(651.0, 699.0, 7.0e9),
    "725-50": Band(700.0, 749.0, 7.9e9),
    "750-50": Band(724.0, 776.0, 7.7e9),
    "775-50": Band(750.0, 776.0, 2.1e9),
    "F610": Band(580.0, 645.0, 3.9e9),
    "F670": Band(646.0, 695.0, 5.2e9),
    "F720": Band(696.0, 745.0, 6.7e9),
    "F760": Band(746.0, 776.0, 2.7e9),
    "Halpha": Band(655.9, 656.7, 7.2e7),
    "Ha-Cont": Band(646.7, 648.6, 2.3e8),
    "SII": Band(671.2, 674.1, 5.5e8),
    "SII-Cont": Band(680.0, 683.0, 4.3e8),
}


@dataclass(frozen=True)
class Camera:
    """One camera: pixel scale (mas), pupil offset (deg), and whether its rows are mirrored."""

    pixel_scale: float
    pupil_offset: float
    flipped: bool
    read_noise: dict[str, float]  # e- by read mode


@dataclass(frozen=True)
class Generation:
    """A generation of detectors and its two cameras (L24 with DPP's newer values)."""

    name: str
    cameras: dict[int, Camera]
    gain: dict[str, float]  # e-/adu by read mode
    full_well: dict[str, float]  # e- by read mode
    bias: float  # adu
    dark_current: float  # e-/s/px
    chip: tuple[int, int]  # full detector (ny, nx)
    image_rotator_pupil_angle: float  # D_IMRPAP, deg


_CMOS_GAIN = {"fast": 0.103, "slow": 0.105}
_CMOS_WELL = {"fast": min(7000.0, 65536 * 0.103), "slow": min(7000.0, 65536 * 0.105)}
_CMOS_NOISE = {1: {"fast": 0.403, "slow": 0.245}, 2: {"fast": 0.399, "slow": 0.220}}
# "em": read-out through the multiplication register, "noem": the conventional amplifier
_EMCCD_NOISE = {"em": 89.0, "noem": 9.6}

EMCCD = Generation(
    name="EMCCD",
    cameras={
        1: Camera(6.24, 140.4, True, _EMCCD_NOISE),
        2: Camera(6.24, 140.4, False, _EMCCD_NOISE),
    },
    gain={"em": 4.5, "noem": 4.5},
    full_well={"em": 800_000.0, "noem": 180_000.0},
    bias=150.0,
    dark_current=1.5e-4,
    chip=(512, 512),
    image_rotator_pupil_angle=-39.0,
)
QCMOS = Generation(
    name="QCMOS",
    cameras={
        1: Camera(5.91, -38.90, True, _CMOS_NOISE[1]),
        2: Camera(5.895, -38.58, False, _CMOS_NOISE[2]),
    },
    gain=_CMOS_GAIN,
    full_well=_CMOS_WELL,
    bias=200.0,
    dark_current=3.6e-3,
    chip=(2304, 4096),
    image_rotator_pupil_angle=-39.0,
)
QCMOS_NBS = Generation(
    name="QCMOS-NBS",
    cameras={
        1: Camera(5.952, 129.44, False, _CMOS_NOISE[1]),
        2: Camera(5.938, 129.99, True, _CMOS_NOISE[2]),
    },
    gain=_CMOS_GAIN,
    full_well=_CMOS_WELL,
    bias=200.0,
    dark_current=3.6e-3,
    chip=(2304, 4096),
    image_rotator_pupil_angle=-37.0,
)

# Subaru's pupil as the instrument sees it, metres and degrees (L24, DPP).
PUPIL_DIAMETER = 7.92
CENTRAL_OBSTRUCTION = 2.403
SPIDER_WIDTH = 0.1735
SPIDER_OFFSET = 0.639
SPIDER_ANGLE = 51.75
ACTUATOR_DIAMETER = 0.632
ACTUATORS = ((1.765, 1.431), (-0.498, -2.331))
ACTUATOR_ARM_WIDTH = 0.089
ACTUATOR_ARM_START = (0.521, -1.045)

#: Satellite spot flux / star flux = c0 (A/lambda) + c1 (A/lambda)^2, (separation, c0, c1), L24.
ASTROGRID = ((10.3, -0.111, 14.217), (15.5, -0.043, 7.634), (31.0, -0.002, 0.561))

#: Hotspots of the multiband fields in a 2240 x 1096 crop, camera 2 before the NBS, as fractions
#: of the field size (536 px) from the lower left corner of the crop: (x, y).  From OPS positions.
MBI_LAYOUT = {
    "F760": (3.678, 0.529),
    "F720": (1.587, 0.511),
    "F670": (0.529, 0.507),
    "F610": (0.506, 1.544),
}
MBI_CROP = (4.179, 2.045)  # (x, y) in field sizes
MBIR_CROP = (4.157, 1.030)
#: Header WCS suffix of each field (OPS): the primary WCS belongs to F760.
MBI_SUFFIX = {"F760": "", "F720": "B", "F670": "C", "F610": "D"}

#: Fitted light path of the 750-50 filter, EMCCD era (public calibration of May 2023, after Z23):
#: retardances in waves, angles in degrees.
MUELLER_750_50 = {
    "hwp_phi": 0.476,
    "hwp_off": 1.770,
    "imr_phi": 0.479,
    "imr_off": 4.441,
    "opt_diat": 0.004,
    "opt_phi": -0.205,
    "opt_theta": -27.460,
    "flc_phi": 0.261,
    "flc_off": -8.118,
    "m3_diat": 0.01764,  # tertiary mirror, standards of 2021-22 at 675-50, scaled to 750-50
}
