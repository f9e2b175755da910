"""What a simulated night consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from astropy.time import Time

from vampires.errors import ConfigError
from vampires.simulate import constants as c
from vampires.simulate.bank import SatelliteSpots
from vampires.simulate.detector import Sensor
from vampires.simulate.scene import Companion, Planet, Ring

MODES = {
    "emccd-stars": (c.EMCCD, "2022-02-24T05:30:00"),
    "emccd-controller": (c.EMCCD, "2019-12-19T06:20:00"),
    "qcmos": (c.QCMOS, "2024-01-15T08:20:00"),
    "qcmos-nbs": (c.QCMOS_NBS, "2025-11-20T10:40:00"),
}
POLARIMETRY = ("fast", "slow", "none")
BANDS = {
    "single": (),
    "mbi": ("F610", "F670", "F720", "F760"),
    "mbir": ("F670", "F720", "F760"),
    "sdi-halpha": ("Halpha", "Ha-Cont"),
}


@dataclass(frozen=True)
class NightSpec:
    """A seeded recipe of a night; equal specs give equal bytes.

    Attributes
    ----------
    mode
        File format and generation: ``emccd-stars``, ``emccd-controller``, ``qcmos``, ``qcmos-nbs``.
    polarimetry
        ``fast`` (FLC and half-wave plate), ``slow`` (half-wave plate alone) or ``none``.
    bands
        ``single``, ``mbi``, ``mbir`` or ``sdi-halpha``.
    filter
        Filter of ``single`` data.
    seed
        Of all random numbers.
    frames
        Frames per file (per FLC state in interleaved controller files).
    cycles
        Half-wave plate cycles; without polarimetry, the number of cubes.
    size
        Side of the frame, px; for multiband data the side of one field.
    exptime
        s per frame.
    dwell, overhead
        s spent on one half-wave plate angle, and between two.
    start
        UTC of the first frame (ISO); each mode has a default.
    object_name, ra, dec
        Target; ICRS, ``hh:mm:ss`` and ``dd:mm:ss``.
    flux
        Star (or planet), e-/s per camera, in the brightest band.
    flux_scatter
        Relative rms of the transmission from frame to frame, common to the cameras.
    throughput
        Relative throughput of cameras 1 and 2.
    strehl
        Mean Strehl ratio in the bluest band.
    speckles, speckles_per_frame
        Wavefront realisations in the bank; how many one frame averages.
    jitter, drift
        px: rms of the frame-to-frame motion and total slow motion over the night.
    offset
        ``(x, y)`` px of the star from the frame centre (or hotspot), calibrated orientation.
    star_polarisation
        Degree (0 to 1) and angle (deg, north through east).
    ring, companion, planet
        Sources around, or instead of, the star.
    coronagraph
        Rejected fraction of the star's coherent amplitude; 0: no coronagraph.
    spots
        Satellite spots.
    em_gain
        EMCCD only; 1 reads through the conventional amplifier.
    readmode
        qCMOS only: ``fast`` or ``slow``.
    sky_rate
        e-/s/px.
    prnu, vignetting, hot_fraction, dead_fraction
        Of the detectors, see `vampires.simulate.detector.make_pixels`.
    field_stop
        Side of the field stop of one-field data, px.
    calibration_frames
        Frames of darks, flats and skies; 0: no calibrations.
    flat_exptime, flat_level
        s, and e- per frame and pixel.
    compress
        Write Rice-compressed ``.fits.fz`` with row tiles.
    archive_names
        ``VMPA...`` names; otherwise the names the instrument's computers give.
    mueller
        ``'ideal'``, ``'750-50'`` or parameters of `vampires.simulate.light_path.LightPath`.
    hwp_sync
        Whether the half-wave plate follows the field (SYNCHRO_ADI).
    aborted_frames
        All-zero frames that end the last controller cubes.
    """

    mode: str = "emccd-stars"
    polarimetry: str = "fast"
    bands: str = "single"
    filter: str = "750-50"
    seed: int = 1
    frames: int = 16
    cycles: int = 2
    size: int = 160
    exptime: float = 0.25
    dwell: float = 70.0
    overhead: float = 5.0
    start: str = ""
    object_name: str = "ABAUR"
    ra: str = "04:55:45.846"
    dec: str = "+30:33:04.29"
    flux: float = 6e4
    flux_scatter: float = 0.02
    throughput: tuple[float, float] = (1.0, 1.0)
    strehl: float = 0.5
    speckles: int = 24
    speckles_per_frame: int = 3
    jitter: float = 1.0
    drift: float = 1.0
    offset: tuple[float, float] = (3.3, -2.6)
    star_polarisation: tuple[float, float] = (0.0, 0.0)
    ring: Ring | None = field(default_factory=Ring)
    companion: Companion | None = None
    planet: Planet | None = None
    coronagraph: float = 0.0
    spots: SatelliteSpots | None = None
    em_gain: float = 300.0
    readmode: str = "fast"
    sky_rate: float = 0.5
    prnu: float = 0.01
    vignetting: float = 0.06
    hot_fraction: float = 5e-4
    dead_fraction: float = 1e-4
    field_stop: float = 520.0
    calibration_frames: int = 20
    flat_exptime: float = 0.25
    flat_level: float = 300.0
    compress: bool = False
    archive_names: bool = True
    mueller: str | Mapping[str, float] = "750-50"
    hwp_sync: bool = True
    aborted_frames: int = 4

    def __post_init__(self) -> None:
        _one_of("mode", self.mode, tuple(MODES))
        _one_of("polarimetry", self.polarimetry, POLARIMETRY)
        _one_of("bands", self.bands, tuple(BANDS))
        _one_of("filter", self.filter, tuple(c.BANDS))
        _one_of("readmode", self.readmode, ("fast", "slow"))
        if self.emccd and self.bands != "single":
            raise ConfigError(f"bands: found {self.bands!r}, EMCCD data are 'single' only")
        per_frame = self.dwell / (2 if self.fast else 1) / max(self.frames, 1)
        if self.frames < 1 or self.cycles < 1 or self.exptime > per_frame:
            raise ConfigError(
                f"frames, cycles, exptime: {self.frames} frames of {self.exptime} s do not fit "
                f"in a dwell of {self.dwell} s; lengthen dwell"
            )

    @property
    def emccd(self) -> bool:
        """Whether the detectors are the old ones."""
        return self.mode.startswith("emccd")

    @property
    def controller(self) -> bool:
        """Whether files are raw interleaved cubes of the camera controller."""
        return self.mode == "emccd-controller"

    @property
    def fast(self) -> bool:
        """Whether the FLC switches."""
        return self.polarimetry == "fast"

    @property
    def multiband(self) -> bool:
        """Whether several fields share the detector."""
        return self.bands in ("mbi", "mbir")

    @property
    def generation(self) -> c.Generation:
        """Detectors and optics of the time."""
        return MODES[self.mode][0]

    @property
    def start_mjd(self) -> float:
        """UTC of the first frame."""
        return float(Time(self.start or MODES[self.mode][1], scale="utc").mjd)

    @property
    def night(self) -> str:
        """UT date as ``yyyymmdd``."""
        return (self.start or MODES[self.mode][1])[:10].replace("-", "")

    @property
    def acquisition(self) -> bool:
        """Whether DATA-TYP is always ACQUISITION."""
        return self.start_mjd < c.DATA_TYPE_START_MJD

    def sensor(self, camera: int) -> Sensor:
        """Describe the detector of one camera."""
        g = self.generation
        multiplying = self.emccd and self.em_gain > 1
        key = ("em" if multiplying else "noem") if self.emccd else self.readmode
        well = g.full_well[key]
        if c.QCMOS_START_MJD <= self.start_mjd < c.HALF_RANGE_END_MJD:
            well /= 2
        return Sensor(
            bias=g.bias,
            gain=g.gain[key],
            read_noise=g.cameras[camera].read_noise[key],
            full_well=well,
            dark_current=g.dark_current,
            em_gain=self.em_gain if multiplying else None,
        )

    def filters(self, camera: int, swapped: bool = False) -> tuple[str, ...]:
        """Bands that reach a camera, in order of wavelength."""
        if self.bands == "single":
            return (self.filter,)
        if self.bands == "sdi-halpha":
            line, continuum = BANDS["sdi-halpha"]
            return (line,) if (camera == 1) != swapped else (continuum,)
        return BANDS[self.bands]

    def options(self) -> dict[str, Any]:
        """All parameters as plain values, for truth.json."""
        return asdict(self)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> NightSpec:
        """Make a small night of a kind, with some parameters changed.

        Parameters
        ----------
        name
            One of `PRESETS`.
        **changes
            Parameters of `NightSpec`.

        Raises
        ------
        ConfigError
            If there is no such preset.

        Examples
        --------
        >>> NightSpec.preset("qcmos", frames=4).frames
        4
        """
        _one_of("preset", name, tuple(PRESETS))
        return replace(cls(), **{**PRESETS[name], **changes})


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name}: found {value!r}, allowed are {', '.join(allowed)}")


_CMOS: dict[str, Any] = {
    "mode": "qcmos",
    "frames": 6,
    "size": 128,
    "exptime": 0.05,
    "flux": 6e5,
    "mueller": "ideal",
    "flat_exptime": 0.2,
    "flat_level": 3000.0,
}
_SMALL_RING = Ring(radius=0.18, width=0.035)
_MBI: dict[str, Any] = {
    **_CMOS,
    "size": 96,
    "frames": 4,
    "cycles": 1,
    "ring": _SMALL_RING,
    "offset": (1.3, -0.8),
}

#: Small nights for tests, by name.
PRESETS: dict[str, dict[str, Any]] = {
    "stars": {"frames": 6, "size": 128},
    "controller": {"mode": "emccd-controller", "frames": 5, "size": 128, "archive_names": False},
    "qcmos": {**_CMOS, "star_polarisation": (0.01, 30.0)},
    "fz": {**_CMOS, "compress": True, "star_polarisation": (0.01, 30.0)},
    "nbs": {**_CMOS, "mode": "qcmos-nbs"},
    "slow": {**_CMOS, "polarimetry": "slow"},
    "mbi": {**_MBI, "bands": "mbi"},
    "mbir": {**_MBI, "bands": "mbir"},
    "sdi": {
        **_CMOS,
        "bands": "sdi-halpha",
        "polarimetry": "none",
        "cycles": 4,
        "ring": None,
        "companion": Companion(contrast=0.02, line_excess=5.0),
    },
    "coronagraph": {
        **_CMOS,
        "flux": 2e6,
        "size": 160,
        "coronagraph": 0.97,
        "spots": SatelliteSpots(amplitude=0.028, separation=15.5, angle=-6.6),
        "strehl": 0.7,
        "jitter": 0.3,
    },
    "planet": {
        **_CMOS,
        "polarimetry": "slow",
        "object_name": "NEPTUNE",
        "ring": None,
        "planet": Planet(diameter=0.4),
    },
    "imaging": {**_CMOS, "polarimetry": "none", "cycles": 2, "ring": None},
}


def demo_spec() -> NightSpec:
    """Demonstration night: AB Aur's namesake with a bright ring, EMCCD, two cycles.

    Simulates in seconds; 32 science files of 16 frames of 160 x 160 px.
    """
    return NightSpec(seed=2022)
