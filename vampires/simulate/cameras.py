"""The two cameras set up for a night: fields on the detector, pixels, and their images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from vampires.simulate import constants as c
from vampires.simulate.bank import make_bank
from vampires.simulate.detector import (
    PixelMap,
    Sensor,
    Window,
    generator,
    illumination,
    make_pixels,
)
from vampires.simulate.headers import Crop
from vampires.simulate.optics import phase_screens, pupil_samples
from vampires.simulate.scene import FieldRenderer, Scene
from vampires.simulate.spec import NightSpec

Real = NDArray[np.float64]
RADII = (4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 30.0)  # px, apertures whose flux is recorded
FIELD_MARGIN = 4  # px rendered beyond a field on each side
FIELD_ROTATION = {1: 0.6, 2: -0.4}  # deg, of the field stops
LINES = ("Halpha", "SII")


@dataclass(frozen=True)
class Field:
    """One field of a camera, calibrated orientation, 0-based.

    Attributes
    ----------
    band
        Filter.
    hotspot
        Where a target should be, ``(y, x)``.
    corner
        Lower left pixel of the part that is rendered, ``(y, x)``.
    shape
        Of that part.
    renderer
        Makes its images.
    """

    band: str
    hotspot: tuple[float, float]
    corner: tuple[int, int]
    shape: tuple[int, int]
    renderer: FieldRenderer


@dataclass(frozen=True)
class CameraModel:
    """A camera with one set of filters."""

    number: int
    flipped: bool
    crop: Crop
    sensor: Sensor
    pixels: PixelMap
    fields: tuple[Field, ...]
    throughput: float

    def raw(self, image: Real) -> Real:
        """From calibrated to raw orientation (or back)."""
        return image[..., ::-1, :] if self.flipped else image

    def raw_rows(self, y: Real) -> Real:
        """Raw rows of calibrated ones."""
        return self.crop.shape[0] - 1 - y if self.flipped else y

    def raw_hotspots(self) -> list[tuple[str, float, float]]:
        """``(band, y, x)`` of each field's target position, raw orientation."""
        return [
            (f.band, float(self.raw_rows(np.array(f.hotspot[0]))), f.hotspot[1])
            for f in self.fields
        ]

    def frame(self, parts: list[Real]) -> Real:
        """Put the fields' images onto the detector; raw orientation."""
        image = np.zeros(self.crop.shape)
        for field, part in zip(self.fields, parts, strict=True):
            (y, x), (h, w) = field.corner, field.shape
            image[y : y + h, x : x + w] += part
        return self.raw(image)


def relative_fluxes(spec: NightSpec) -> dict[str, float]:
    """Star flux in each band over that in the brightest (zero points of L24)."""
    bands = {b for camera in (1, 2) for b in spec.filters(camera)}
    brightest = max(c.BANDS[b].zero_point for b in bands)
    return {b: c.BANDS[b].zero_point / brightest for b in sorted(bands)}


def crop_of(spec: NightSpec, camera: int) -> Crop:
    """Window read out: centred, or for multiband data where the fields fall."""
    chip = spec.generation.chip
    if spec.multiband:
        wx, wy = c.MBI_CROP if spec.bands == "mbi" else c.MBIR_CROP
        shape = (round(wy * spec.size), round(wx * spec.size))
        return Crop({1: (920, 596), 2: (916, 692)}[camera], shape)
    corner = ((chip[1] - spec.size) // 2, (chip[0] - spec.size) // 2)
    return Crop(corner, (spec.size, spec.size))


def hotspots(spec: NightSpec, camera: int, swapped: bool) -> dict[str, tuple[float, float]]:
    """Calibrated ``(y, x)`` of each band's target position."""
    bands = spec.filters(camera, swapped)
    if not spec.multiband:
        return {bands[0]: ((spec.size - 1) / 2, (spec.size - 1) / 2)}
    left = c.MBI_CROP[0] - c.MBIR_CROP[0] if spec.bands == "mbir" else 0.0
    size = spec.size
    places = {}
    for band in bands:
        x, y = c.MBI_LAYOUT[band]
        # the second camera's fields sit a little differently
        shift = 0.4 if camera == 2 else 0.0
        places[band] = (y * size - 0.5 + shift, (x - left) * size - 0.5 - shift)
    return places


def build_camera(
    spec: NightSpec, number: int, swapped: bool = False, light: Real | None = None
) -> CameraModel:
    """Set a camera up: detector pixels (independent of the filters), fields, images of a point.

    Parameters
    ----------
    spec
        The night.
    number
        1 or 2.
    swapped
        Whether the differential filters are exchanged.
    light
        Illumination in calibrated orientation instead of that of the field stops.
    """
    crop = crop_of(spec, number)
    facts = spec.generation.cameras[number]
    places = hotspots(spec, number, swapped)
    windows = [_window(spec, number, place) for place in places.values()]
    if light is None:
        light = illumination(crop.shape, windows, spec.vignetting)
    sensor = spec.sensor(number)
    pixels = make_pixels(
        light[::-1] if facts.flipped else light,
        sensor,
        generator(spec.seed, "pixels", number),
        prnu=spec.prnu,
        hot_fraction=spec.hot_fraction,
        dead_fraction=spec.dead_fraction,
        hot_rate=15 / spec.exptime,
    )
    fields = tuple(_field(spec, number, band, place, crop.shape) for band, place in places.items())
    throughput = spec.throughput[number - 1]
    return CameraModel(number, facts.flipped, crop, sensor, pixels, fields, throughput)


def _window(spec: NightSpec, camera: int, place: tuple[float, float]) -> Window:
    if spec.multiband:
        return Window(place, 0.97 * spec.size, FIELD_ROTATION[camera], 1.5)
    return Window(place, spec.field_stop, FIELD_ROTATION[camera], 1.5)


def _field(
    spec: NightSpec,
    camera: int,
    band: str,
    place: tuple[float, float],
    frame: tuple[int, int],
) -> Field:
    half = spec.size / 2 + (FIELD_MARGIN if spec.multiband else 0)
    corner = (max(0, round(place[0] + 0.5 - half)), max(0, round(place[1] + 0.5 - half)))
    end = (
        min(frame[0], round(place[0] + 0.5 + half)),
        min(frame[1], round(place[1] + 0.5 + half)),
    )
    shape = (end[0] - corner[0], end[1] - corner[1])
    grid = int(next_fast_len(int(1.25 * max(shape)), real=True))
    return Field(band, place, corner, shape, make_renderer(spec, camera, band, grid))


@lru_cache(maxsize=2)
def _screens(seed: int, samples: int, strehl: float, wavelength: float, count: int) -> Real:
    """Phase screens common to all fields and cameras."""
    screens = phase_screens(samples, strehl, wavelength, count, generator(seed, "screens"))
    screens.flags.writeable = False
    return screens


def make_renderer(spec: NightSpec, camera: int, band: str, grid: int) -> FieldRenderer:
    """Images of a point and of the scene in one band, on a periodic grid of ``grid`` px."""
    facts = spec.generation.cameras[camera]
    bluest = min(c.BANDS[b].wavelength for b in relative_fluxes(spec))
    bluest_band = min(relative_fluxes(spec), key=lambda b: c.BANDS[b].minimum)
    samples = pupil_samples(grid, 6.24, bluest_band)
    screens = _screens(spec.seed, samples, spec.strehl, bluest, spec.speckles)
    bank = make_bank(
        band,
        facts.pixel_scale,
        facts.pupil_offset,
        grid,
        screens,
        radii=RADII,
        coronagraph=spec.coronagraph,
        spots=spec.spots,
    )
    degree, angle = spec.star_polarisation
    stokes = (1.0, degree * np.cos(2 * np.deg2rad(angle)), degree * np.sin(2 * np.deg2rad(angle)))
    scene = Scene((1.0, float(stokes[1]), float(stokes[2])), spec.ring, spec.companion, spec.planet)
    flux = spec.flux * relative_fluxes(spec)[band]
    return FieldRenderer(scene, bank, facts.pixel_scale, flux, band in LINES)
