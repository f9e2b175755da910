"""Map camera 2 onto camera 1: the same pixel scale, the same orientation.

The cameras differ by about 0.3 % in scale and by up to half a degree in angle. In the
calibrated orientation one is a turned and magnified copy of the other, with the star at the
centre of both images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from vampires.canonical import Header
from vampires.images.image import CameraImage
from vampires.instrument.detectors import READ_MODES, Generation, detector
from vampires.kernels.resample import affine
from vampires.sky.wcs import turn_wcs
from vampires.utils.angles import wrap

_NEEDED = (Header.pixel_scale, Header.pupil_angle)
_SAME = 1e-9  # relative scale, or degrees


@dataclass(frozen=True)
class Similarity:
    """A magnification and a turn about the image centre.

    Parameters
    ----------
    magnification : float
        Factor by which distances from the centre grow.
    rotation : float
        Counter-clockwise, deg.

    Examples
    --------
    >>> Similarity(1.0, 0.0).identity
    True
    """

    magnification: float = 1.0
    rotation: float = 0.0

    @property
    def identity(self) -> bool:
        """Whether it changes nothing."""
        return abs(self.magnification - 1) < _SAME and abs(self.rotation) < _SAME

    @property
    def inverse_matrix(self) -> np.ndarray:
        """Matrix (2, 2) from output to input offsets (y, x), as resampling wants it."""
        turn = np.deg2rad(self.rotation)
        cosine, sine = np.cos(turn), np.sin(turn)
        return np.array([[cosine, -sine], [sine, cosine]]) / self.magnification

    @classmethod
    def between(cls, header: Header, reference: Header) -> Similarity:
        """Similarity that maps images of one camera onto another, from their headers.

        Parameters
        ----------
        header, reference : Header
            Canonical headers with PXSCALE (mas) and INST-PA (deg).

        Returns
        -------
        Similarity
            Magnified by the ratio of the pixel scales, turned by the difference of the pupil
            offsets: derotation by ``DEROTANG`` differs between the cameras by just that.

        Raises
        ------
        HeaderError
            A header lacks one of the two.
        """
        (scale, angle), (other_scale, other_angle) = (
            [one.need(fact, "the cameras cannot be matched") for fact in _NEEDED]
            for one in (header, reference)
        )
        return cls(scale / other_scale, wrap(angle - other_angle))

    def then(self, magnification: float) -> Similarity:
        """Magnify further."""
        return replace(self, magnification=self.magnification * magnification)


def transform(image: CameraImage, similarity: Similarity) -> CameraImage:
    """Turn and magnify an image about its centre; flux is conserved.

    Pixels hold flux, not surface brightness: where the image is magnified by m, values are
    divided by m^2, so that apertures of the same angular size hold the same e-/s as before.
    Masked pixels are left out and weights renormalised, as in any resampling here.

    Parameters
    ----------
    image : CameraImage
        Any coadd.
    similarity : Similarity
        The map.

    Returns
    -------
    CameraImage
        Of the same size; ``count`` is that of the nearest pixel. The header is not changed.
    """
    if similarity.identity:
        return image
    density = np.float32(similarity.magnification**-2)
    matrix = similarity.inverse_matrix
    center = (np.array(image.data.shape[-2:]) - 1) / 2
    offset = center - matrix @ center
    planes = [
        (
            *affine(image.data[i], image.variance[i], matrix, offset),
            affine(image.data[i], image.systematic[i], matrix, offset)[1],
        )
        for i in range(len(image.data))
    ]
    data, variance, systematic = (np.stack(plane) for plane in zip(*planes, strict=True))
    return replace(
        image, data=data * density, variance=variance * density**2,
        systematic=systematic * density**2, count=_nearest(image.count, matrix, offset),
    )  # fmt: skip


def reproject(
    image: CameraImage, reference: Header, similarity: Similarity | None = None
) -> CameraImage:
    """Map an image of one camera onto the pixels of the other.

    Parameters
    ----------
    image : CameraImage
        Coadd with the star at its centre.
    reference : Header
        Canonical header of the other camera.
    similarity : Similarity, optional
        The map, when it has been measured; default: from the headers of both.

    Returns
    -------
    CameraImage
        With the reference's PXSCALE, PXAREA and INST-PA, and with PAOFFSET, DEROTANG and any
        celestial WCS turned by what these differ; REPROJM and REPROJR hold the map. An image
        that is on the reference's pixels already is returned as it is.

    Examples
    --------
    >>> same_grid = reproject(cam2, cam1.header)  # doctest: +SKIP
    """
    nominal = Similarity.between(image.header, reference)
    applied = nominal if similarity is None else similarity
    if nominal.identity and applied.identity:
        return image
    header = _turned(image.header, reference, nominal)
    header.put(reprojection_scale=applied.magnification, reprojection_turn=applied.rotation)
    fields = {
        name: _turned(field_header, reference, nominal)
        for name, field_header in image.field_headers.items()
    }
    return replace(transform(image, applied), header=header, field_headers=fields)


def camera_1(header: Header) -> Header:
    """Geometry of camera 1 at the time of an image of camera 2.

    Parameters
    ----------
    header : Header
        Canonical header, with DETGEN.

    Returns
    -------
    Header
        PXSCALE, PXAREA and INST-PA of the instrument's table: a reference for `reproject` that
        needs no image of camera 1.

    Examples
    --------
    >>> camera_1(Header({"DETGEN": "QCMOS"})).pixel_scale
    5.91
    """
    generation = cast("Generation", header.generation)
    facts = detector(generation, 1, READ_MODES[generation][0])
    out = Header()
    out.put(
        pixel_scale=facts.pixel_scale, pixel_area=facts.pixel_area, pupil_angle=facts.pupil_offset
    )
    return out


def _turned(header: Header, reference: Header, similarity: Similarity) -> Header:
    """Copy of a header with the geometry after the map."""
    out = header.copy()
    for fact in (Header.pixel_scale, Header.pixel_area, Header.pupil_angle):
        if header.has(fact) and reference.has(fact):
            out.set(fact, reference.need(fact), out.comments[fact.keyword])
    for fact in (Header.pa_offset, Header.derotation):
        if header.has(fact):
            turned = wrap(header.need(fact) - similarity.rotation)
            out.set(fact, turned, out.comments[fact.keyword])
    turn_wcs(out, similarity.rotation, similarity.magnification)
    return out


def _nearest(count: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Take the number of frames of the input pixel nearest to each output pixel, 0 outside."""
    ny, nx = count.shape[-2:]
    grid = np.indices((ny, nx)).reshape(2, -1)
    y, x = np.rint(matrix @ grid + offset[:, None]).astype(int)
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    out = np.zeros_like(count)
    out.reshape(len(count), -1)[:, inside] = count[:, y[inside], x[inside]]
    return out
