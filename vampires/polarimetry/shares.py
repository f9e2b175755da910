"""What each image adds to the Stokes planes: the errors of its masters go the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vampires.canonical import Header
from vampires.images.image import CameraImage
from vampires.kernels.covariance import add_radial, number_of_pairs, pack
from vampires.mueller.components import FloatArray
from vampires.polarimetry.propagation import common_factor, radial_grid
from vampires.utils.threads import side_by_side

# Images of the same masters closer than this are taken for one when frames are joined, deg: it
# keeps the sums of frame-by-frame nights small, and is 0.2 px at the edge of the largest images.
_SAME_ANGLE = 0.03


@dataclass(frozen=True)
class MasterShares:
    """Weights with which images went into (I_Q, I_U, Q, U), and the masters they share.

    The errors of the masters add up as amplitudes, sign and all, over the images that share
    them; only the sum is squared. So Stokes frames pass on the weights, and their collapse
    knows what cancels between them (FLC states A and B in double differences).

    Parameters
    ----------
    masters : tuple of str
        Camera and masters of each image.
    angles : ndarray
        Angle each was turned by, deg, shape (n,).
    pixels : ndarray
        Detector pixels that each pixel of it averages, shape (n,).
    weights : ndarray
        Shape (nfields, 4, n).
    """

    masters: tuple[str, ...]
    angles: FloatArray
    pixels: FloatArray
    weights: FloatArray

    @classmethod
    def of_images(
        cls, images: Sequence[CameraImage], weights: ArrayLike, turn: bool
    ) -> MasterShares:
        """Describe images that were turned by their DEROTANG, or (``turn`` False) not at all.

        Without the card MASTNPIX an image is taken as one never interpolated, of one pixel.
        """
        headers = [image.header for image in images]
        return cls(
            tuple(
                f"cam{h.camera} {h.background_file or 'none'} {h.flat_file or 'none'}"
                for h in headers
            ),
            np.array([h.need(Header.derotation) if turn else 0.0 for h in headers]),
            np.array([h.known(Header.master_pixels, 1.0) for h in headers]),
            np.asarray(weights, dtype=float),
        )

    @classmethod
    def joined(cls, parts: Sequence[MasterShares]) -> MasterShares:
        """All images of several frames, those of the same masters and angle summed."""
        masters = tuple(name for part in parts for name in part.masters)
        angles = np.concatenate([part.angles for part in parts])
        pixels = np.concatenate([part.pixels for part in parts])
        weights = np.concatenate([part.weights for part in parts], axis=-1)
        steps = np.rint(angles / _SAME_ANGLE).astype(int).tolist()
        keys = list(zip(masters, steps, strict=True))
        index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        place = np.array([index[key] for key in keys])
        rows = [np.bincount(place, row) for row in weights.reshape(-1, len(place))]
        count = np.bincount(place)
        return cls(
            tuple(name for name, _ in index),
            np.bincount(place, angles) / count,
            np.bincount(place, pixels) / count,
            np.reshape(rows, (*weights.shape[:-1], len(index))),
        )

    def transformed(self, matrices: FloatArray) -> MasterShares:
        """Weights in planes that are ``matrix @ planes``, one matrix (4, 4) per field."""
        return replace(self, weights=matrices @ self.weights)

    def turned(self, angle: float) -> MasterShares:
        """The same images turned further by ``angle`` deg."""
        return replace(self, angles=self.angles + angle)

    def mean_field(self) -> MasterShares:
        """Weights in the mean of the fields, which have masters' errors of their own."""
        return replace(self, weights=self.weights.mean(axis=0, keepdims=True))

    def factor(self, radii: NDArray[np.floating], masters: str | None = None) -> FloatArray:
        """Covariance of the planes over the masters' variance in an image.

        Parameters
        ----------
        radii : ndarray
            Distances from the centre, pixels.
        masters : str, optional
            Of the images of these masters alone; default: the sum over all.

        Returns
        -------
        ndarray
            Shape ``(nfields, 4, 4) + radii.shape``.
        """
        out = np.zeros((*self.weights.shape[:2], 4, *radii.shape))
        for name in sorted(set(self.masters)) if masters is None else (masters,):
            own = np.array([m == name for m in self.masters])
            pixels = float(self.pixels[own].mean())
            for f, weights in enumerate(self.weights):
                out[f] += common_factor(weights[:, own], self.angles[own], radii, pixels)
        return out

    def covariance(self, variances: Mapping[str | None, NDArray]) -> NDArray[np.float32]:
        """Covariance of the planes from the masters' variance in their images.

        Parameters
        ----------
        variances : mapping
            For each masters' name, or for None (all alike), a map (nfields, ny, nx); 0 where
            unknown.

        Returns
        -------
        ndarray of float32
            Shape (nfields, 10, ny, nx), each pair once.
        """
        shape = next(iter(variances.values())).shape
        radii, place = radial_grid(shape[1:])
        out = np.zeros((shape[0], number_of_pairs(4), *shape[1:]), np.float32)
        factors = {name: [pack(own) for own in self.factor(radii, name)] for name in variances}

        def fill(field: int) -> None:
            for name, maps in variances.items():
                own = maps[field].astype(np.float32)
                add_radial(out[field], factors[name][field], place, own)

        side_by_side(fill, range(len(out)))
        return out
