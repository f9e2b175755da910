"""Stars' fluxes from coadds: what their differences and the half-wave plate's mode are told by."""

from __future__ import annotations

import numpy as np

from vampires.images.image import CameraImage
from vampires.mueller.model import LightPathAngles
from vampires.polarimetry.photometry import region_weights
from vampires.polarimetry.standards import StarExposure, star_name


def star_exposures(
    image: CameraImage, radius: float, radius2: float | None = None
) -> list[StarExposure]:
    """Flux within an aperture or annulus of a coadd, one exposure per field.

    Parameters
    ----------
    image : CameraImage
        Coadd, the star in its centre.
    radius, radius2 : float
        As in `vampires.polarimetry.photometry.region_weights`.

    Returns
    -------
    list of StarExposure
        Fields without light in the region are left out.
    """
    header = image.header
    angles = LightPathAngles.from_header(header, hwp_sync=False)
    weights = region_weights(image.data.shape[1:], radius, radius2)
    out = []
    for name, data, variance in zip(image.fields, image.data, image.variance, strict=True):
        seen = np.isfinite(data) & np.isfinite(variance) & (weights > 0)
        flux = float(np.sum(data[seen] * weights[seen], dtype=float))
        if not flux > 0:
            continue
        out.append(
            StarExposure(
                star=star_name(str(header.get("OBJECT", "star"))), filter=name,
                generation=str(header["DETGEN"]), camera=angles.camera,
                flc=angles.flc if angles.flc_in else "NA", hwp=angles.hwp,
                mjd=float(header["MJD"]), pa=angles.pa, altitude=angles.altitude,
                sync=float(header["HWPSYNCA"]), imr=angles.imr, flux=flux,
                error=float(np.sqrt(np.sum(variance[seen] * weights[seen] ** 2, dtype=float))),
                setting=f"{header.get('DETGAIN')} {header.get('EXPTIME')}",
            )
        )  # fmt: skip
    return out
