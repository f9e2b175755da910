"""Fluxes of polarised flat-lamp files: what the light-path fit is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.header.fields import field_centers, field_size
from vampires.images.differences import pair_exposures
from vampires.images.image import CameraImage
from vampires.instrument.flc import flc_state
from vampires.io.frames import open_frames
from vampires.io.products import read_header
from vampires.log import get_logger
from vampires.mueller.measurements import LampMeasurements
from vampires.night.raw import raw_header

log = get_logger(__name__)

# Of a field's side, the central part that is averaged: clear of the edges of the field stop.
_PART = 0.7


@dataclass(frozen=True)
class LampFile:
    """Mean flux of one file.

    Parameters
    ----------
    header : Header
        Canonical.
    flux, error : dict of str to float
        Mean over the middle of each field and its photon and read-out noise, e-/s per pixel.
    """

    header: Header
    flux: dict[str, float]
    error: dict[str, float]


def read_lamp(paths: Sequence[Path]) -> dict[str, LampMeasurements]:
    """Normalised camera differences of a lamp sequence, per filter.

    Parameters
    ----------
    paths : sequence of Path
        Raw flats or coadds of both cameras. Raw darks among them are subtracted from the files
        of the same camera; without one, the nominal bias is.

    Returns
    -------
    dict of str to LampMeasurements
        By filter or multiband field; exposures without the other camera are left out.

    Raises
    ------
    PolarimetryError
        If no two files are a simultaneous pair of cameras.
    FileError, HeaderError
        A file cannot be used.
    """
    raw, files = [], []
    for path in paths:
        if read_header(path).has(Header.nfields):
            files.append(_coadd_flux(path))
        else:
            raw.append((path, raw_header(path)))
    darks = {_dark_key(h): _mean_frame(p) for p, h in raw if h.data_type == "DARK"}
    files += [_raw_flux(p, h, darks.get(_dark_key(h))) for p, h in raw if h.data_type != "DARK"]
    pairs = pair_exposures([file.header for file in files])
    if not pairs:
        raise PolarimetryError(
            f"none of {len(files)} lamp files is a simultaneous pair of cameras 1 and 2 with the "
            "same FLC state and HWP angle"
        )
    if 2 * len(pairs) < len(files):
        log.warning("lamp files without the other camera left out", n=len(files) - 2 * len(pairs))
    both = [(files[i], files[j]) for i, j in pairs]
    names = dict.fromkeys(name for one, two in both for name in one.flux if name in two.flux)
    return {name: _measurements(name, both) for name in names}


def _measurements(name: str, pairs: Sequence[tuple[LampFile, LampFile]]) -> LampMeasurements:
    own = [(one, two) for one, two in pairs if name in one.flux and name in two.flux]
    headers = [one.header for one, _ in own]
    return LampMeasurements.from_fluxes(
        hwp=[h.hwp for h in headers],
        imr=[_rotator_angle(h) for h in headers],
        flc=[flc_state(h.known(Header.flc), h.known(Header.flc_stage)) for h in headers],
        cam1=np.array([one.flux[name] for one, _ in own]),
        cam2=np.array([two.flux[name] for _, two in own]),
        cam1_err=np.array([one.error[name] for one, _ in own]),
        cam2_err=np.array([two.error[name] for _, two in own]),
    )


def _raw_flux(path: Path, header: Header, dark: NDArray[np.float64] | None) -> LampFile:
    mean = _mean_frame(path) - (header.bias if dark is None else dark)
    electrons = mean * header.effective_gain
    if header.flip:
        electrons = electrons[::-1]
    exptime, n = header.exptime, header.nframes
    flux, error = {}, {}
    for name, part in _field_parts(electrons, header).items():
        level = float(part.mean())
        variance = header.excess_noise**2 * max(level, 0.0) + header.read_noise**2
        flux[name] = level / exptime
        error[name] = float(np.sqrt(variance / (n * part.size))) / exptime
    return LampFile(header, flux, error)


def _coadd_flux(path: Path) -> LampFile:
    image = CameraImage.read(path)
    flux, error = {}, {}
    for name, data, variance in zip(image.fields, image.data, image.variance, strict=True):
        ny, nx = data.shape
        good = np.isfinite(data) & np.isfinite(variance) & _middle((ny, nx))
        if not good.any():
            raise PolarimetryError(f"{path}: no valid pixel in the middle of field {name}")
        flux[name] = float(data[good].mean(dtype=float))
        error[name] = float(np.sqrt(variance[good].sum(dtype=float)) / good.sum())
    return LampFile(image.header, flux, error)


def _mean_frame(path: Path) -> NDArray[np.float64]:
    """Mean of the frames of a raw file, adu."""
    source = open_frames([path])
    total = np.zeros((source.ny, source.nx))
    for start, stop in source.chunks():
        total += source.read(start, stop).native().sum(axis=0, dtype=float)
    return total / source.n


def _field_parts(image: NDArray[np.float64], header: Header) -> dict[str, NDArray[np.float64]]:
    """The middle of each field of a frame in calibrated orientation."""
    ny, nx = image.shape
    centers = field_centers(header, ny, nx)
    sides = field_size(np.array(list(centers.values())), ny, nx, max(ny, nx))
    half_y, half_x = (max(int(_PART * side / 2), 1) for side in sides)
    parts = {}
    for name, (y, x) in centers.items():
        rows = slice(max(round(y) - half_y, 0), round(y) + half_y)
        parts[name] = image[rows, max(round(x) - half_x, 0) : round(x) + half_x]
    return parts


def _middle(shape: tuple[int, int]) -> NDArray[np.bool_]:
    ny, nx = shape
    y, x = np.ogrid[:ny, :nx]
    inside = (abs(y - (ny - 1) / 2) < _PART * ny / 2) & (abs(x - (nx - 1) / 2) < _PART * nx / 2)
    return np.asarray(inside)


def _dark_key(header: Header) -> tuple[object, ...]:
    return (
        header.camera, round(header.exptime, 6), header.em_gain, header.known(Header.read_mode),
        header.nx, header.ny,
    )  # fmt: skip


def _rotator_angle(header: Header) -> float:
    """Image rotator angle as it stood: off the sky it does not track."""
    return header.need(Header.stated_rotator, "the fit needs the image-rotator angle")
