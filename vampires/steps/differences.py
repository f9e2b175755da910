"""Difference images of simultaneous coadds."""

from __future__ import annotations

from vampires.config import Config
from vampires.images.differences import DifferenceImage, double_difference, single_difference
from vampires.images.image import CameraImage
from vampires.images.sdi import StarRegion, subtract_continuum, swapped_difference
from vampires.night.pairing import Pair

HALO = (60.0, 20.0)
"""Radii, pixels, between which a star behind a coronagraph is compared in two filters."""

Both = tuple[CameraImage, CameraImage]


def star_region(config: Config) -> StarRegion:
    """Where the flux of the star is compared in two filters."""
    return StarRegion(*(HALO if config.coronagraphic else (config.analysis.phot_aper_rad,)))


def difference(pair: Pair, images: Both, config: Config) -> DifferenceImage:
    """Camera 1 minus camera 2, or line minus continuum.

    Parameters
    ----------
    pair : Pair
        Which exposures of cameras 1 and 2.
    images : (CameraImage, CameraImage)
        Their coadds.
    config : Config
        Settings.
    """
    one, two = images
    if not pair.line_and_continuum:
        return single_difference(one, two)
    line, continuum = (two, one) if pair.swapped else (one, two)
    return subtract_continuum(line, continuum, star_region(config), one.header)


def double(pairs: tuple[Pair, Pair], images: tuple[Both, Both], config: Config) -> DifferenceImage:
    """Difference of two states, or mean of line minus continuum before and after the swap."""
    if pairs[0].line_and_continuum:
        states = [difference(p, both, config) for p, both in zip(pairs, images, strict=True)]
        return swapped_difference(*states)
    return double_difference(*images)
