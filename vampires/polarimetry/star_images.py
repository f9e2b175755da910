"""Stars' fluxes from coadds: what their differences and the half-wave plate's mode are told by."""

from __future__ import annotations

import numpy as np

from vampires.canonical import Header
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
    exptime = header.known(Header.exptime)
    weights = region_weights(image.data.shape[1:], radius, radius2)
    out = []
    for name, data, variance in zip(image.fields, image.data, image.variance, strict=True):
        seen = np.isfinite(data) & np.isfinite(variance) & (weights > 0)
        flux = float(np.sum(data[seen] * weights[seen], dtype=float))
        if not flux > 0:
            continue
        out.append(
            StarExposure(
                star=star_name(header.known(Header.object, "star")), filter=name,
                generation=header.generation, camera=angles.camera,
                flc=angles.flc if angles.flc_in else "NA", hwp=angles.hwp,
                mjd=header.mjd, pa=angles.pa, altitude=angles.altitude,
                sync=header.need(Header.hwp_sync_angle), imr=angles.imr, flux=flux,
                error=float(np.sqrt(np.sum(variance[seen] * weights[seen] ** 2, dtype=float))),
                setting=f"{header.em_gain} {exptime}",
            )
        )  # fmt: skip
    return out
