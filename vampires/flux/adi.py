"""From a cube of angular differential imaging to an image: by ``vip_hci`` (extra ``adi``).

The image of the star is modelled from the cube, by its median or its principal components, or from
the frames of a reference star, and subtracted; the residuals are turned north up and combined.
What the subtraction leaves of a companion is measured by injecting some.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy import ndimage

from vampires.errors import ConfigError, FileError
from vampires.kernels.aperture import circle_sum

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Subtract = Callable[[Float64], Float64]

METHODS = ("median", "pca")
_SEPARATION = 3.0  # FWHM between injected companions along a radius
_STRENGTH = 20.0  # times the noise, of injected companions
_STEP = 4  # rows at a time that are tried when the NaN border is cut


@dataclass(frozen=True)
class AdiCube:
    """Frames in the pupil frame, the star on their central pixel, and their angles.

    Parameters
    ----------
    frames : ndarray (n, ny, nx)
        Odd and square, without NaN.
    angles : ndarray (n,)
        Deg; frame i turned counter-clockwise by angle i has north up.
    fwhm : float
        Pixels.
    """

    frames: Float64
    angles: Float64
    fwhm: float

    @property
    def size(self) -> int:
        """Side of a frame, pixels."""
        return int(self.frames.shape[-1])


def without_nan(cubes: list[NDArray]) -> list[Float64]:
    """Cut the largest centred square of odd side that has no NaN in any cube.

    Parameters
    ----------
    cubes : list of ndarray (..., ny, nx)
        The star on the central pixel of each.

    Raises
    ------
    FileError
        There are NaN at the star itself.
    """
    half = min(min(cube.shape[-2:]) // 2 for cube in cubes)
    while half > 0:
        cut = [_central(cube, half) for cube in cubes]
        if all(np.isfinite(part).all() for part in cut):
            return [np.ascontiguousarray(part, dtype=float) for part in cut]
        half -= _STEP if half > _STEP else 1
    raise FileError("ADI cube: the star itself is masked (saturated?) in some frames")


def subtraction(
    method: str, cube: AdiCube, components: int = 5, reference: Float64 | None = None
) -> Subtract:
    """Make a function from a cube of frames to the combined image of its residuals.

    Parameters
    ----------
    method : {'median', 'pca'}
        How the star is modelled.
    cube : AdiCube
        For the angles.
    components : int
        Principal components that are subtracted.
    reference : ndarray (m, ny, nx), optional
        Frames of a reference star of the same size: the model is made of these (RDI).

    Returns
    -------
    callable
        From (n, ny, nx) to (ny, nx), north up.
    """
    vip = _vip()
    angles, most = cube.angles, len(cube.frames if reference is None else reference)

    def by_median(frames: Float64) -> Float64:
        star = np.median(frames if reference is None else reference, axis=0)
        scale = 1.0
        if reference is not None:  # of another brightness
            scale = float(np.vdot(star, np.median(frames, axis=0)) / np.vdot(star, star))
        residuals = vip.preproc.cube_derotate(frames - scale * star, angles)
        return np.asarray(np.median(residuals, axis=0))

    def by_components(frames: Float64) -> Float64:
        return np.asarray(
            vip.psfsub.pca(
                frames, angles, cube_ref=reference, ncomp=min(components, most - 1), verbose=False
            )
        )

    return by_median if method == "median" else by_components


def derotated_mean(cube: AdiCube) -> Float64:
    """Mean of the frames turned north up, nothing subtracted."""
    return np.asarray(_vip().preproc.cube_derotate(cube.frames, cube.angles).mean(axis=0))


def spectral_pca(
    frames: Float64, cube: AdiCube, wavelengths: Float64, components: int = 5
) -> Float64:
    """Image of multiband frames (nfields, n, ny, nx), speckles told by rotation and wavelength.

    Parameters
    ----------
    frames : ndarray (nfields, n, ny, nx)
        In order of wavelength.
    cube : AdiCube
        For the angles.
    wavelengths : ndarray (nfields,)
        Any unit.
    components : int
        Of the second subtraction, along the rotation; of the first, along wavelength, one.

    Returns
    -------
    ndarray (ny, nx)
        Mean over the fields, north up.
    """
    second = min(components, len(cube.angles) - 1)
    scale = wavelengths.max() / wavelengths
    image = _vip().psfsub.pca(
        frames, cube.angles, scale_list=scale, ncomp=(1, second), adimsdi="double",
        crop_ifs=False, verbose=False,
    )  # fmt: skip
    return np.asarray(image)


def inject(cube: AdiCube, psf: Float64, companions: list[tuple[float, float, float]]) -> Float64:
    """Add point sources to the frames of a cube.

    Parameters
    ----------
    cube : AdiCube
        Frames to copy.
    psf : ndarray (k, k)
        Image of a star, odd side, centred.
    companions : list of (float, float, float)
        Radius [px], position angle [deg, north through east] and factor on `psf`.

    Returns
    -------
    ndarray (n, ny, nx)
    """
    out = cube.frames.copy()
    middle = cube.size // 2
    for radius, position, factor in companions:
        # north up, east left; frame i has to be turned by its angle to get there
        direction = np.deg2rad(position + 90.0 - cube.angles)
        for frame, y, x in zip(
            out, middle + radius * np.sin(direction), middle + radius * np.cos(direction),
            strict=True,
        ):  # fmt: skip
            _add(frame, psf * factor, y, x)
    return out


def throughput(cube: AdiCube, subtract: Subtract, psf: Float64, noise: Table) -> Table:
    """Measure what the subtraction leaves of companions.

    Parameters
    ----------
    cube : AdiCube
    subtract : callable
        From `subtraction`.
    psf : ndarray (k, k)
        Image of the star, odd side, centred: the shape of a companion.
    noise : Table
        Columns ``radius`` and ``noise``: companions are 20 times as bright.

    Returns
    -------
    Table
        Columns ``radius`` [px] and ``throughput``, by companions three FWHM apart along three
        directions.
    """
    image = subtract(cube.frames)
    own = _flux(psf, (len(psf) // 2,) * 2, cube.fwhm)
    radii = np.arange(1.5 * cube.fwhm, cube.size / 2 - 2 * cube.fwhm, _SEPARATION * cube.fwhm)
    level = np.interp(radii, np.asarray(noise["radius"]), np.asarray(noise["noise"]))
    measured = []
    for branch in range(3):
        # shifted from branch to branch, so that radii between are sampled too
        shifted = radii + branch * cube.fwhm
        shifted = shifted[shifted < cube.size / 2 - cube.fwhm]
        factor = _STRENGTH * level[: len(shifted)] / own
        companions = [
            (float(r), 120.0 * branch, float(f)) for r, f in zip(shifted, factor, strict=True)
        ]
        found = subtract(inject(cube, psf, companions)) - image
        for radius, position, scale in companions:
            flux = _flux(found, place(cube.size, radius, position), cube.fwhm)
            measured.append((radius, flux / (scale * own)))
    measured.sort()
    columns = np.array(measured).T if measured else np.zeros((2, 0))
    return Table({"radius": columns[0], "throughput": np.clip(columns[1], 0, None)})


def place(size: int, radius: float, position: float) -> tuple[float, float]:
    """(y, x) in a north-up image of a source at a radius [px] and position angle [deg]."""
    direction = np.deg2rad(position + 90.0)
    y, x = radius * np.sin(direction), radius * np.cos(direction)
    return size // 2 + float(y), size // 2 + float(x)


def star_image(frames: Float64, fwhm: float) -> Float64:
    """Mean image of the star, cut out to four FWHM about it."""
    half = int(np.ceil(4 * fwhm))
    return np.asarray(_central(frames.mean(axis=0), min(half, frames.shape[-1] // 2)))


def star_flux(psf: Float64, fwhm: float) -> float:
    """Flux of a star's centred image in an aperture of one FWHM diameter."""
    return _flux(psf, (len(psf) // 2,) * 2, fwhm)


def _flux(image: Float64, center: tuple[float, float], fwhm: float) -> float:
    return float(circle_sum(image, image, center[0], center[1], fwhm / 2)[0])


def _central(cube: NDArray, half: int) -> NDArray:
    y, x = cube.shape[-2] // 2, cube.shape[-1] // 2
    return cube[..., y - half : y + half + 1, x - half : x + half + 1]


def _add(frame: Float64, stamp: Float64, y: float, x: float) -> None:
    """Add a stamp centred at a fraction of a pixel; what falls off the frame is lost."""
    half = len(stamp) // 2 + 1
    y0, x0 = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    moved = ndimage.shift(np.pad(stamp, 1), (y - y0, x - x0), order=3)
    top, left = max(0, half - y0), max(0, half - x0)
    bottom = min(2 * half + 1, frame.shape[0] - y0 + half)
    right = min(2 * half + 1, frame.shape[1] - x0 + half)
    frame[y0 - half + top : y0 - half + bottom, x0 - half + left : x0 - half + right] += moved[
        top:bottom, left:right
    ]


def _vip() -> ModuleType:
    """Import VIP when it is needed: the import takes seconds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of VIP's own dependencies
            import vip_hci
            import vip_hci.preproc
            import vip_hci.psfsub
    except ImportError as error:
        raise ConfigError("[adi] method: needs vip_hci; pip install 'vampires[adi]'") from error
    return vip_hci
