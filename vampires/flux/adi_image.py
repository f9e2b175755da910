"""The image that ends an ADI reduction: residuals, their noise, their signal-to-noise ratio.

Frames of each field are freed of the star by `vampires.flux.adi`; multiband data once more, with
all fields together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.config import AdiSettings
from vampires.errors import FileError
from vampires.flux.adi import (
    AdiCube,
    Float64,
    Subtract,
    derotated_mean,
    spectral_levels,
    spectral_subtraction,
    star_flux,
    star_image,
    subtraction,
    throughput,
    without_nan,
)
from vampires.flux.curves import CurveSettings, contrast_curve, fwhm_of, ring_noise, snr_map
from vampires.images.adi import AdiStack
from vampires.images.units import FluxScale
from vampires.instrument.filters import FILTERS
from vampires.measure.psf import header_psf
from vampires.sky.wcs import north_up

_SAME_SCALE = 2e-3  # relative, of the pixels of the reference star's frames
_MARGIN = 2.0  # pixels that interpolation spreads a masked core by
SDI = "SDI"


@dataclass(frozen=True)
class AdiImage:
    """Images of the surroundings of a star, north up.

    Parameters
    ----------
    planes : mapping of str to ndarray, shape (nfields, ny, nx)
        ``SCI``, its noise ``ERR`` (of the ring that a pixel is in), its signal-to-noise ratio
        ``SNR``, and ``MEAN``, the mean of the turned frames, nothing subtracted.
    header : Header
        With ``FWHM0`` [px] and ``STARCOR0``, the flux of the star in an aperture of one FWHM.
    fields : tuple of str
        Filter of each plane; ``SDI`` for all fields together.
    throughput : Table or None
        Columns ``field``, ``radius`` [px], ``throughput``.
    """

    planes: Mapping[str, NDArray[np.float32]]
    header: Header
    fields: tuple[str, ...]
    throughput: Table | None


@dataclass(frozen=True)
class _Field:
    """Frames of one field, and what a companion of the star's brightness would look like."""

    cube: AdiCube
    psf: Float64
    star: float
    """In an aperture of one FWHM; NaN: not known, the PSF is of any brightness."""
    reference: Float64 | None


@dataclass(frozen=True)
class _Residuals:
    """Planes of one image, and the throughput to it."""

    planes: dict[str, NDArray]
    throughput: Table | None


def adi_images(
    stack: AdiStack,
    settings: AdiSettings,
    reference: AdiStack | None = None,
    *,
    covered: bool = False,
) -> list[AdiImage]:
    """Make the image of each field, and that of all fields together.

    Parameters
    ----------
    stack : AdiStack
        Frames.
    settings : AdiSettings
        The [adi] table.
    reference : AdiStack, optional
        Frames of a reference star, of the same fields.
    covered : bool
        The star is behind a coronagraph: its flux is what the header says, or unknown.

    Returns
    -------
    list of AdiImage
        One with a plane a field; of multiband data one more, ``SDI`` (not with a reference star).

    Raises
    ------
    FileError
        There are too few frames, or those of the reference star do not fit.
    ConfigError
        vip_hci is not installed.
    """
    if len(stack.angles) < 2:
        raise FileError("an ADI image needs two coadds at least, found one")
    if reference is not None:
        _check_fit(stack, reference)
    cubes, core = without_nan([stack.cube, *([] if reference is None else [reference.cube])])
    hidden = core > 0 or covered
    found = [_field(stack, index, cubes, hidden) for index in range(len(stack.fields))]
    reach = core + _MARGIN if core else 0.0
    parts = [_of_field(field, settings, reach) for field in found]
    images = [_joined(stack, stack.fields, [field.star for field in found], parts)]
    if len(found) > 1 and reference is None:
        star, part = _of_all_fields(stack, found, settings, reach)
        images.append(_joined(stack, (SDI,), [star], [part]))
    return images


def _check_fit(stack: AdiStack, reference: AdiStack) -> None:
    if reference.fields != stack.fields:
        raise FileError(
            f"[adi] reference: its coadds are in {'+'.join(reference.fields)}, those of the target "
            f"in {'+'.join(stack.fields)}"
        )
    ratio = reference.header.pixel_scale / stack.header.pixel_scale
    if abs(ratio - 1) > _SAME_SCALE:
        raise FileError(
            f"[adi] reference: its pixels are {ratio:.4f} times those of the target; the optics "
            "were changed between them, take another star"
        )


def _field(stack: AdiStack, index: int, cubes: Sequence[Float64], hidden: bool) -> _Field:
    name, header = stack.fields[index], stack.header
    fwhm = fwhm_of(name, header.pixel_scale)
    cube = AdiCube(cubes[0][index], stack.angles.astype(float), fwhm)
    reference = cubes[1][index] if len(cubes) > 1 else None
    if not hidden:
        psf = star_image(cube.frames, fwhm)
        return _Field(cube, psf, star_flux(psf, fwhm), reference)
    shape = header_psf(header, name, 2 * int(np.ceil(4 * fwhm)) + 1).astype(float)
    shape /= star_flux(shape, fwhm)
    rate = header.known(Header.core_flux.of(index))
    if rate is None:
        return _Field(cube, shape, np.nan, reference)
    star = rate * FluxScale.of_header(header, len(stack.fields)).factors[index]
    return _Field(cube, shape * star, star, reference)


def _of_field(field: _Field, settings: AdiSettings, reach: float) -> _Residuals:
    one = subtraction(settings.method, field.cube, settings.components, field.reference)

    def subtract(frames: Float64) -> Float64:
        return one(frames[0])

    mean = derotated_mean(field.cube)
    return _measured(
        [field], subtract, star_flux(field.psf, field.cube.fwhm), mean, settings, reach
    )


def _of_all_fields(
    stack: AdiStack, fields: Sequence[_Field], settings: AdiSettings, reach: float
) -> tuple[float, _Residuals]:
    """Flux of the star and residuals of all fields together, in order of wavelength."""
    waves = np.array([FILTERS[name].mean for name in stack.fields])
    own = [fields[i] for i in np.argsort(waves)]
    cubes = [field.cube for field in own]
    subtract = spectral_subtraction(settings.method, cubes, np.sort(waves), settings.components)
    levels = spectral_levels(cubes)
    if any(np.isnan(field.star) for field in own):  # one brightness in all
        own = [
            replace(field, psf=field.psf / level) for field, level in zip(own, levels, strict=True)
        ]
    pairs = list(zip(own, levels, strict=True))
    bright = float(np.mean([star_flux(f.psf, f.cube.fwhm) * level for f, level in pairs]))
    mean = np.mean([derotated_mean(f.cube) * level for f, level in pairs], axis=0)
    part = _measured(own, subtract, bright, mean, settings, reach)
    return float(np.mean([field.star * level for field, level in pairs])), part


def _measured(
    fields: Sequence[_Field],
    subtract: Subtract,
    bright: float,
    mean: Float64,
    settings: AdiSettings,
    reach: float,
) -> _Residuals:
    """Subtract, and measure noise and throughput of the result; `bright` is the flux of the PSF.

    Six parameters: an image is known by all of them.
    """
    cubes = [field.cube for field in fields]
    fwhm = cubes[-1].fwhm

    def masked(frames: Float64) -> Float64:
        return _without_core(subtract(frames), reach)

    image = masked(np.stack([cube.frames for cube in cubes]))
    planes: dict[str, NDArray] = {
        "SCI": image, "ERR": ring_noise(image), "SNR": snr_map(image, fwhm),
        "MEAN": _without_core(mean, reach),
    }  # fmt: skip
    passed = None
    if settings.throughput:
        noise = contrast_curve(image, CurveSettings(fwhm, 1.0, bright))
        passed = throughput(cubes, masked, [field.psf for field in fields], noise, bright)
    return _Residuals(planes, passed)


def _without_core(image: Float64, reach: float) -> Float64:
    """NaN where frames were masked about the star."""
    if not reach:
        return image
    y, x = np.indices(image.shape) - len(image) // 2
    return np.where(np.hypot(y, x) <= reach, np.nan, image)


def _joined(
    stack: AdiStack, fields: Sequence[str], stars: Sequence[float], parts: Sequence[_Residuals]
) -> AdiImage:
    planes = {
        key: np.stack([part.planes[key] for part in parts]).astype(np.float32)
        for key in parts[0].planes
    }
    header = _header(stack, fields, planes["SCI"].shape[-2:])
    for index, star in enumerate(stars):
        name = fields[index] if fields[index] != SDI else _longest(stack.fields)
        fwhm = fwhm_of(name, stack.header.pixel_scale)
        header.set(Header.fwhm.of(index), round(fwhm, 4))
        if np.isfinite(star):
            header.set(Header.star_core.of(index), float(f"{star:.6g}"))
    tables = [_named(part.throughput, name) for part, name in zip(parts, fields, strict=True)]
    kept = [table for table in tables if table is not None]
    return AdiImage(planes, header, tuple(fields), vstack(kept) if kept else None)


def _header(stack: AdiStack, fields: Sequence[str], size: tuple[int, ...]) -> Header:
    header = north_up(stack.header, (size[0], size[1]))
    header.drop(Header.derotation)
    header.prose = []
    header.put(
        north_up=True, star_x=size[1] // 2, star_y=size[0] // 2, adi_frames=len(stack.angles),
        adi_span=round(float(np.ptp(stack.angles)), 3),
    )  # fmt: skip
    header.drop(*(Header.field_names.of(index) for index in range(len(stack.fields))))
    if fields[0] == SDI:
        scale = FluxScale.of_header(stack.header, len(stack.fields))
        header.drop(*(Header.wavelength.of(index) for index in range(len(stack.fields))))
        FluxScale.clear(header, len(stack.fields))
        scale.part(stack.fields.index(_longest(stack.fields))).stamp(header)
    header.put(nfields=len(fields), field_names=fields)
    return header


def _longest(fields: Sequence[str]) -> str:
    return max(fields, key=lambda name: FILTERS[name].mean)


def _named(table: Table | None, name: str) -> Table | None:
    if table is None:
        return None
    out = table.copy()
    out.add_column([name] * len(out), name="field", index=0)
    return out
