"""From a cube of angular differential imaging to an image: by ``vip_hci`` (extra ``adi``).

The image of the star is modelled from the cube, by its median or its principal components, or from
the frames of a reference star, and subtracted; the residuals are turned north up and combined.
What the subtraction leaves of a companion is measured by injecting some.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
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
SpectralSubtract = Callable[[Float64], Float64]

METHODS = ("median", "pca")
_SEPARATION = 3.0  # FWHM between injected companions along a radius
_HALO = (2.0, 12.0)  # FWHM
_STRENGTH = 20.0  # times the noise, of injected companions
_CORE = 4.0  # pixels from the star within which a masked pixel is its core


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


def without_nan(cubes: list[NDArray]) -> tuple[list[Float64], float]:
    """Cut the largest centred square of odd side that has no NaN in any cube, but at the star.

    Parameters
    ----------
    cubes : list of ndarray (..., ny, nx)
        The star on the central pixel of each.

    Returns
    -------
    cubes : list of ndarray
        Zero within the masked core.
    core : float
        Radius about the star that is masked in some frame, by saturation for instance; 0: none.

    Raises
    ------
    FileError
        More than the inner half of the frames is masked.
    """
    most = min(min(cube.shape[-2:]) // 2 for cube in cubes)
    blank = np.zeros((2 * most + 1,) * 2, bool)
    for cube in cubes:
        blank |= ~np.isfinite(_central(cube, most)).reshape(-1, *blank.shape).all(axis=0)
    y, x = np.indices(blank.shape) - most
    radius = np.hypot(y, x)
    core = _core(blank, radius)
    outside = blank & (radius > core)
    reach = np.maximum(np.abs(y), np.abs(x))[outside]
    half = int(reach.min()) - 1 if reach.size else most
    if half < 2 * core + 2:
        raise FileError(
            f"ADI cube: pixels are masked from {core:.0f} px about the star on, {half} px from it "
            "others are; fix bad pixels, or exclude what is saturated"
        )
    cut = [np.ascontiguousarray(_central(cube, half), dtype=float) for cube in cubes]
    if core:
        hidden = _central(radius, half) <= core
        for part in cut:
            part[..., hidden] = 0.0
    return cut, core


def _core(blank: NDArray[np.bool_], radius: Float64) -> float:
    """Radius of the masked pixels that hang together with the star's; 0: there are none."""
    labels, _ = ndimage.label(ndimage.binary_dilation(blank, iterations=2))
    middle = labels[radius < _CORE]
    own = np.isin(labels, middle[middle > 0]) & blank
    return float(radius[own].max()) + 1.0 if own.any() else 0.0


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


def spectral_subtraction(
    method: str, cubes: Sequence[AdiCube], wavelengths: Float64, components: int = 5
) -> SpectralSubtract:
    """Make a function from multiband frames to the image of what neither turns nor scales.

    The frames of a moment are magnified to the longest wavelength, where speckles coincide and
    companions do not, and brought to one flux of the star; then those of a field through the night.

    Parameters
    ----------
    method : {'median', 'pca'}
        How the star is modelled.
    cubes : sequence of AdiCube
        Of each field, in order of wavelength.
    wavelengths : ndarray (nfields,)
        Any unit.
    components : int
        Of the second subtraction, along the rotation; of the first, along wavelength, one.

    Returns
    -------
    callable
        From (nfields, n, ny, nx) to (ny, nx): mean over the fields, north up, in the unit of the
        longest wavelength's flux.
    """
    vip = _vip()
    scale = wavelengths.max() / wavelengths
    level = spectral_levels(cubes)
    angles = cubes[0].angles

    def subtract(frames: Float64) -> Float64:
        even = frames * level[:, None, None, None]
        if method == "median":
            image = vip.psfsub.median_sub(
                even, angles, scale_list=scale, fwhm=cubes[-1].fwhm, verbose=False
            )
        else:
            image = vip.psfsub.pca(
                even, angles, scale_list=scale, ncomp=(1, min(components, len(angles) - 1)),
                adimsdi="double", crop_ifs=False, verbose=False,
            )  # fmt: skip
        return np.asarray(image)

    return subtract


def spectral_levels(cubes: Sequence[AdiCube]) -> Float64:
    """Factors that bring the star in each field to its brightness in the last, by its halo."""
    halo = np.array([_halo(cube) for cube in cubes])
    return halo[-1] / halo if (halo > 0).all() else np.ones(len(cubes))


def _halo(cube: AdiCube) -> float:
    """Flux of the mean frame from two to twelve FWHM, or as far as the frame goes."""
    image = cube.frames.mean(axis=0)
    y, x = np.indices(image.shape) - cube.size // 2
    radius = np.hypot(y, x) / cube.fwhm
    return float(image[(radius > _HALO[0]) & (radius < _HALO[1])].sum())


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


def throughput(
    cubes: Sequence[AdiCube],
    subtract: Subtract,
    psfs: Sequence[Float64],
    noise: Table,
    star: float,
) -> Table:
    """Measure what the subtraction leaves of companions.

    Parameters
    ----------
    cubes : sequence of AdiCube
        Of each field that makes the image: one, or all of multiband data.
    subtract : callable
        From frames (nfields, n, ny, nx) to the image (ny, nx).
    psfs : sequence of ndarray (k, k)
        Image of the star in each field, odd side, centred: the shape of a companion.
    noise : Table
        Columns ``radius`` and ``noise`` of the image: companions are 20 times as bright.
    star : float
        Flux of the star in the image, had nothing been subtracted, in an aperture of one FWHM.

    Returns
    -------
    Table
        Columns ``radius`` [px] and ``throughput``, by companions three FWHM apart along three
        directions, the running median of three: one that meets a real source says less than the
        truth, as the model of the star holds both.
    """
    first = cubes[0]
    fwhm, size = max(cube.fwhm for cube in cubes), first.size
    image = subtract(np.stack([cube.frames for cube in cubes]))
    at, spread = np.asarray(noise["radius"]), np.asarray(noise["noise"])
    radii = np.arange(max(1.5 * fwhm, at[0]), size / 2 - 2 * fwhm, _SEPARATION * fwhm)
    level = np.interp(radii, at, spread)
    measured = []
    for branch in range(3):
        # shifted from branch to branch, so that radii between are sampled too
        shifted = radii + branch * fwhm
        shifted = shifted[shifted < size / 2 - fwhm]
        factor = _STRENGTH * level[: len(shifted)] / star
        companions = [
            (float(r), 120.0 * branch, float(f)) for r, f in zip(shifted, factor, strict=True)
        ]
        frames = [inject(cube, psf, companions) for cube, psf in zip(cubes, psfs, strict=True)]
        found = subtract(np.stack(frames)) - image
        for radius, position, scale in companions:
            flux = _flux(found, place(size, radius, position), cubes[-1].fwhm)
            measured.append((radius, flux / (scale * star)))
    measured.sort()
    columns = np.array(measured).T if measured else np.zeros((2, 0))
    smooth = ndimage.median_filter(columns[1], 3, mode="nearest")
    return Table({"radius": columns[0], "throughput": np.clip(smooth, 0, None)})


def place(size: int, radius: float, position: float) -> tuple[float, float]:
    """(y, x) in a north-up image of a source at a radius [px] and position angle [deg]."""
    direction = np.deg2rad(position + 90.0)
    y, x = radius * np.sin(direction), radius * np.cos(direction)
    return size // 2 + float(y), size // 2 + float(x)


def star_image(frames: Float64, fwhm: float) -> Float64:
    """Mean image of the star, cut out to four FWHM about it."""
    half = int(np.ceil(4 * fwhm))
    return np.asarray(_central(frames.mean(axis=0), min(half, frames.shape[-1] // 2)))


def star_flux(psf: Float64, fwhm: float, center: tuple[float, float] | None = None) -> float:
    """Flux of a star's image in an aperture of one FWHM diameter; default: at its central pixel."""
    return _flux(psf, center or (len(psf) // 2,) * 2, fwhm)


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
