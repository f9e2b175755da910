"""Difference images of two cameras, single and double, and line minus continuum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.typing import NDArray

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.header.fields import field_index
from vampires.header.merge import merge_headers
from vampires.images.image import CameraImage
from vampires.images.units import RATE, FluxScale
from vampires.instrument.flc import flc_state
from vampires.night.pairing import Span, pair_spans
from vampires.sky.export import export_wcs
from vampires.utils.html import facts_table


@dataclass(frozen=True)
class DifferenceImage:
    """Difference and sum of images, with the error both share.

    Parameters
    ----------
    difference, total : ndarray of float32
        Shape (nfields, ny, nx), e-/s of one camera, or the unit of BUNIT.
    error : ndarray of float32
        One sigma of the difference; the masters' errors included.
    header : Header
    fields : tuple of str
    """

    difference: NDArray[np.float32]
    total: NDArray[np.float32]
    error: NDArray[np.float32]
    header: Header
    fields: tuple[str, ...]

    def in_unit(self, scale: FluxScale) -> DifferenceImage:
        """Multiply a difference in e-/s, and its error, by one factor a field."""
        if scale.unit == RATE:
            return self
        header = self.header.copy()
        scale.stamp(header)
        factors = np.array(scale.factors, np.float32)[:, None, None]
        planes = (self.difference * factors, self.total * factors, self.error * factors)
        return DifferenceImage(*planes, header, self.fields)

    def planes(self) -> dict[str, NDArray[np.float32]]:
        """Planes as stored: difference, ERR, SUM; a single field has no field axis."""
        stored = {"": self.difference, "ERR": self.error, "SUM": self.total}
        return {k: v[0] if len(self.fields) == 1 else v for k, v in stored.items()}

    def ccddata(self, field_name: str | None = None) -> CCDData:
        """Difference in one field as `~astropy.nddata.CCDData` with error, mask, unit and WCS.

        Parameters
        ----------
        field_name : str, optional
            Default: the first field.
        """
        index = field_index(self.fields, field_name)
        return CCDData(
            self.difference[index],
            unit="electron / s",
            uncertainty=StdDevUncertainty(self.error[index]),
            mask=~np.isfinite(self.difference[index]),
            meta=self.header.to_fits(),
            wcs=export_wcs(self.header),
        )

    def __repr__(self) -> str:
        nf, ny, nx = self.difference.shape
        return f"<DifferenceImage {'+'.join(self.fields)} {nf} x {ny} x {nx}>"

    def _repr_html_(self) -> str:
        facts = {
            "object": self.header.known(Header.object),
            "fields": ", ".join(self.fields),
            "shape": " x ".join(map(str, self.difference.shape)),
            "unit": self.header.known(Header.unit),
            "images": self.header.nimages,
        }
        return facts_table("DifferenceImage", facts)


def pair_exposures(headers: Sequence[Header]) -> list[tuple[int, int]]:
    """Pair images of cameras 1 and 2 that were exposed at the same time.

    Parameters
    ----------
    headers : sequence of Header
        With MJD, U_CAMERA and, where present, U_FLC, RET-ANG1, FILTER, MJD-STR and MJD-END.

    Returns
    -------
    list of (int, int)
        Indices of the camera-1 and the camera-2 image, in time; see
        `vampires.night.pairing.pair_spans`.
    """
    return pair_spans([_span(header) for header in headers])


def single_difference(one: CameraImage, two: CameraImage) -> DifferenceImage:
    """Half the difference and half the sum of the two cameras.

    Parameters
    ----------
    one, two : CameraImage
        Cameras 1 and 2, simultaneous (see `pair_exposures`), in the same orientation.

    Returns
    -------
    DifferenceImage
        ``(cam1 - cam2) / 2`` of the e-/s, in the unit of the images; cam 1 and cam 2 have masters
        of their own, so all errors add.
    """
    _check_same(one, two)
    scale = FluxScale.mean([one.scale, two.scale])
    one, two = one.in_rate(), two.in_rate()
    variance = one.variance + two.variance + one.systematic + two.systematic
    return DifferenceImage(
        (one.data - two.data) / np.float32(2),
        (one.data + two.data) / np.float32(2),
        (np.sqrt(variance) / 2).astype(np.float32),
        _defined(merge_headers([one.header, two.header]), "(cam1 - cam2) / 2"),
        one.fields,
    ).in_unit(scale)


def _defined(header: Header, formula: str) -> Header:
    """Header that says what was subtracted, and by what it was divided."""
    header.put(difference_definition=formula)
    return header


def double_difference(
    first: tuple[CameraImage, CameraImage], second: tuple[CameraImage, CameraImage]
) -> DifferenceImage:
    """Half the difference of two single differences.

    Parameters
    ----------
    first, second : (CameraImage, CameraImage)
        Cameras 1 and 2 in two states close in time: FLC A and B, or HWP 0 and 45 deg, or before
        and after the swap of the narrowband filters.

    Returns
    -------
    DifferenceImage
        ``[(c1 - c2) - (c1' - c2')] / 4`` and the mean of the four. Masters' errors, common to
        the two images of a camera, cancel as far as they are equal.
    """
    for image in (*first, *second):
        _check_same(first[0], image)
    scale = FluxScale.mean([image.scale for image in (*first, *second)])
    first = first[0].in_rate(), first[1].in_rate()
    second = second[0].in_rate(), second[1].in_rate()
    images = (*first, *second)
    a1, a2, b1, b2 = (image.data for image in images)
    variance = sum(image.variance for image in images)
    for before, after in ((first[0], second[0]), (first[1], second[1])):
        variance = variance + (np.sqrt(before.systematic) - np.sqrt(after.systematic)) ** 2
    quarter = np.float32(0.25)
    return DifferenceImage(
        ((a1 - a2) - (b1 - b2)) * quarter,
        (a1 + a2 + b1 + b2) * quarter,
        (np.sqrt(variance) / 4).astype(np.float32),
        _defined(
            merge_headers([image.header for image in images]), "[(c1 - c2) - (c1' - c2')] / 4"
        ),
        images[0].fields,
    ).in_unit(scale)


def line_minus_continuum(
    line: CameraImage, continuum: CameraImage, scale: float, scale_err: float = 0.0
) -> DifferenceImage:
    """Subtract the scaled continuum from a narrowband image.

    Parameters
    ----------
    line, continuum : CameraImage
        Registered images through the line and the continuum filter.
    scale : float
        Stellar flux in the line filter over that in the continuum filter.
    scale_err : float
        Its error.

    Returns
    -------
    DifferenceImage
        ``line - scale * continuum`` and ``line + scale * continuum``.
    """
    _check_same(line, continuum, filters=False)
    scaled = np.float32(scale) * continuum.data
    variance = (
        line.variance + line.systematic
        + scale**2 * (continuum.variance + continuum.systematic)
        + (scale_err * continuum.data) ** 2
    )  # fmt: skip
    header = merge_headers([line.header, continuum.header])
    line.scale.stamp(header)
    header.put(sdi_scale=scale)
    return DifferenceImage(
        line.data - scaled, line.data + scaled, np.sqrt(variance).astype(np.float32), header,
        line.fields,
    )  # fmt: skip


def _span(header: Header) -> Span:
    return Span(
        camera=header.camera,
        flc=flc_state(header.known(Header.flc)),
        hwp=header.known(Header.hwp, 0.0),
        filter=header.known(Header.filter, "unknown"),
        middle=header.mjd,
        start=header.known(Header.mjd_start),
        end=header.known(Header.mjd_end),
    )


def _check_same(one: CameraImage, two: CameraImage, *, filters: bool = True) -> None:
    if one.data.shape != two.data.shape:
        raise PolarimetryError(
            f"images of {one.data.shape} and {two.data.shape} cannot be differenced"
        )
    if filters and one.fields != two.fields:
        raise PolarimetryError(
            f"filters {one.fields} and {two.fields} are not the same: use line_minus_continuum"
        )
