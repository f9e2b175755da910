"""CameraImage: one camera's coadd of one exposure group, every field, with its errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.header.fields import field_index
from vampires.images.units import ASTROPY_UNITS, RATE, FluxScale
from vampires.io.products import read_fits, write_fits
from vampires.sky.export import export_wcs
from vampires.utils.html import facts_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vampires.images.differences import DifferenceImage


@dataclasses.dataclass(frozen=True)
class CameraImage:
    """Images of one camera, one per field, in one orientation.

    Parameters
    ----------
    data : ndarray of float32, shape (nfields, ny, nx)
        e-/s, or the unit of BUNIT; NaN where no frame saw the sky. The star is at
        ``((ny-1)/2, (nx-1)/2)``.
    variance : ndarray of float32, same shape
        Variance of the independent noise (photons, read-out), (e-/s)^2.
    systematic : ndarray of float32, same shape
        Variance inherited from the master background and flat, (e-/s)^2. It is shared by all
        images calibrated with the same masters, so it cancels in differences between them.
    count : ndarray of int32, same shape
        Number of frames that contributed to each pixel.
    header : Header
        Canonical header with geometry.
    fields : tuple of str
        Name of each field: its filter.
    field_headers : mapping of str to Header
        What differs from field to field.
    """

    data: np.ndarray
    variance: np.ndarray
    systematic: np.ndarray
    count: np.ndarray
    header: Header
    fields: tuple[str, ...]
    field_headers: Mapping[str, Header] = dataclasses.field(default_factory=dict)

    @property
    def err(self) -> np.ndarray:
        """One-sigma error of each pixel, masters included, e-/s."""
        return np.sqrt(self.variance + self.systematic)

    def field(self, name: str) -> CameraImage:
        """One field as an image: views of the same pixels.

        Raises
        ------
        FileError
            There is no such field.
        """
        index = field_index(self.fields, name)
        part = slice(index, index + 1)
        header = self.header
        if self.scale.unit != RATE:
            header = header.copy()
            FluxScale.clear(header, len(self.fields))
            self.scale.part(index).stamp(header)
        return dataclasses.replace(
            self,
            header=header,
            data=self.data[part],
            variance=self.variance[part],
            systematic=self.systematic[part],
            count=self.count[part],
            fields=(name,),
            field_headers={k: v for k, v in self.field_headers.items() if k == name},
        )

    def ccddata(self, field_name: str | None = None) -> CCDData:
        """One field as `~astropy.nddata.CCDData`, so that anything of ``ccdproc`` applies.

        Parameters
        ----------
        field_name : str, optional
            Default: the first field.

        Returns
        -------
        CCDData
                With standard-deviation uncertainty, mask (True where unseen), unit, header and WCS.
        """
        index = field_index(self.fields, field_name)
        return CCDData(
            self.data[index],
            unit=ASTROPY_UNITS[self.header.known(Header.unit, RATE)],
            uncertainty=StdDevUncertainty(self.err[index]),
            mask=~np.isfinite(self.data[index]),
            meta=self.header.to_fits(),
            wcs=export_wcs(self.header),
        )

    @property
    def scale(self) -> FluxScale:
        """Unit of the pixels and factors from e-/s."""
        return FluxScale.of_header(self.header, len(self.fields))

    def in_unit(self, scale: FluxScale) -> CameraImage:
        """Multiply an image in e-/s, and its errors, by the factors of a scale.

        The errors are those of the pixels; those of the scale are in the header alone.
        """
        if scale.unit == RATE:
            return self
        header = self.header.copy()
        scale.stamp(header)
        return dataclasses.replace(self._multiplied(np.array(scale.factors)), header=header)

    def in_rate(self) -> CameraImage:
        """Undo `in_unit`: the image in e-/s."""
        scale = self.scale
        if scale.unit == RATE:
            return self
        header = self.header.copy()
        FluxScale.clear(header, len(self.fields))
        return dataclasses.replace(self._multiplied(np.reciprocal(scale.factors)), header=header)

    def _multiplied(self, factors: np.ndarray) -> CameraImage:
        factors = factors[:, None, None]
        planes = (self.data * factors, self.variance * factors**2, self.systematic * factors**2)
        data, variance, systematic = (plane.astype(np.float32) for plane in planes)
        return dataclasses.replace(self, data=data, variance=variance, systematic=systematic)

    def derotate(self) -> CameraImage:
        """Turn counter-clockwise by DEROTANG: north up, east left, with the WCS that says so.

        Raises
        ------
        HeaderError
            DEROTANG is missing, or the image has been turned already.
        """
        from vampires.images.derotate import north_up_image

        return north_up_image(self)

    def difference(
        self, other: CameraImage, radius: float = 8.0, inner: float = 0.0
    ) -> DifferenceImage:
        """Subtract the simultaneous image of the other camera, or the continuum.

        Parameters
        ----------
        other : CameraImage
            Of the same filter: half the difference is taken. Of the continuum filter of this
            one's line: it is scaled to the star first.
        radius, inner : float
            Where the star's flux is compared in two filters, pixels: an aperture, or an annulus.

        Returns
        -------
        DifferenceImage

        Raises
        ------
        PolarimetryError
            The images differ in size or fields.
        """
        from vampires.images.sdi import StarRegion, subtract

        return subtract(self, other, StarRegion(radius, inner))

    def write(self, path: str | Path) -> None:
        """Write as FITS: data, ``ERR``, a header per field, ``SYS`` and ``COUNT`` planes."""
        header = self.header.copy()
        header.put(nfields=len(self.fields), field_names=self.fields)
        planes = {
            "SCI": self.data,
            "ERR": self.err,
            "SYS": np.sqrt(self.systematic),
            "COUNT": self.count,
        }
        fields = {name: self.field_headers.get(name, header) for name in self.fields}
        write_fits(path, {k: _squeeze(v) for k, v in planes.items()}, header, fields)

    @classmethod
    def read(cls, path: str | Path) -> CameraImage:
        """Read a coadd written by `write`."""
        planes, header, field_headers = read_fits(path)
        missing = [name for name in ("", "ERR", "SYS", "COUNT") if name not in planes]
        if missing or not header.has(Header.nfields):
            raise FileError(
                f"{path}: is no whole coadd (without {', '.join(missing) or 'NFIELDS'}); delete it "
                "and run doit again"
            )
        full = {name: _expand(plane) for name, plane in planes.items()}
        variance, systematic = full["ERR"], full["SYS"]
        np.square(systematic, out=systematic)
        np.square(variance, out=variance)
        variance -= systematic
        return cls(
            data=full[""],
            variance=variance,
            systematic=systematic,
            count=full["COUNT"],
            header=header,
            fields=header.field_names,
            field_headers=field_headers,
        )

    def plot(self, field_name: str | None = None) -> Figure:
        """Draw one field with an asinh stretch, in arcsec from the star."""
        from vampires.plotting.images import draw_image

        ccd = self.ccddata(field_name)
        title = f"{self.header.known(Header.object, '')} {field_name or self.fields[0]}"
        unit = self.header.known(Header.unit, RATE)
        return draw_image(ccd.data, self.header.pixel_scale / 1000, title.strip(), unit)

    def __repr__(self) -> str:
        nf, ny, nx = self.data.shape
        h = self.header
        return (
            f"<CameraImage {h.known(Header.object, '?')} cam{h.known(Header.camera, '?')} "
            f"FLC {h.known(Header.flc, '?')} HWP {h.known(Header.hwp, float('nan')):g} "
            f"{'+'.join(self.fields)} {nf} x {ny} x {nx}, {h.known(Header.ncoadd, '?')} frames>"
        )

    def _repr_html_(self) -> str:
        facts = {
            "object": self.header.known(Header.object),
            "camera": self.header.known(Header.camera),
            "FLC": self.header.known(Header.flc),
            "HWP [deg]": self.header.known(Header.hwp),
            "fields": ", ".join(self.fields),
            "shape": " x ".join(map(str, self.data.shape)),
            "unit": self.header.known(Header.unit),
            "frames": self.header.ncoadd,
            "derotation angle [deg]": self.header.derotation,
        }
        return facts_table("CameraImage", facts)


def _squeeze(plane: np.ndarray) -> np.ndarray:
    return plane[0] if plane.shape[0] == 1 else plane


def _expand(plane: np.ndarray) -> np.ndarray:
    return plane[None] if plane.ndim == 2 else plane
