"""Noise and contrast curves of coadds, ADI images and Stokes products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from astropy.table import QTable, Table, vstack

from vampires.canonical import Header
from vampires.config import Config, ContrastSettings
from vampires.errors import ConfigError
from vampires.flux.curves import CurveSettings
from vampires.flux.product_curves import FluxUnit, Plane, curves, median_curve, settings_of, star_of
from vampires.images.image import CameraImage
from vampires.instrument.field_stops import is_unocculted
from vampires.polarimetry.stokes import StokesFrame

POLARISED = ("Q", "U", "Q_PHI", "U_PHI")


def contrast_settings(config: Config) -> ContrastSettings:
    """The [contrast] table, in steps that exist only with it."""
    if config.contrast is None:
        raise ConfigError(f"{config.path}: no [contrast] table; add it")
    return config.contrast


def curves_of_coadds(images: Iterable[CameraImage], config: Config) -> QTable:
    """Median over the coadds of their curves, for each field.

    Parameters
    ----------
    images : iterable of CameraImage
        Of one camera and filter.
    config : Config
        Settings.

    Returns
    -------
    QTable
        See `vampires.flux.product_curves.curves`; ``image`` is ``coadd``.
    """
    sigma = contrast_settings(config).sigma
    found: dict[str, list[QTable]] = {}
    for image in images:
        unit, hidden = FluxUnit.of_header(image.header), covered(image.header, config)
        for index, name in enumerate(image.fields):
            data = image.data[index]
            star = star_of(data, image.header, image.fields, index, covered=hidden)
            plane = Plane("coadd", name, data, settings_of(image.header, name, star, sigma))
            found.setdefault(name, []).append(curves([plane], unit))
    return vstack([median_curve(own) for own in found.values()], metadata_conflicts="silent")


def curves_of_adi(
    planes: Mapping[str, np.ndarray], header: Header, config: Config, passed: Table | None
) -> QTable:
    """Curves of an ADI image: of the turned frames, and after the subtraction.

    Parameters
    ----------
    planes : mapping of str to ndarray
        Of a product: the residuals under the empty name, and ``MEAN``.
    header : Header
        Its header.
    config : Config
        Settings.
    passed : Table or None
        Throughput of the subtraction: columns ``field``, ``radius``, ``throughput``.
    """
    sigma = contrast_settings(config).sigma
    made = []
    for index, name in enumerate(header.field_names):
        settings = CurveSettings(
            header.need(Header.fwhm.of(index)), header.pixel_scale / 1000,
            header.known(Header.star_core.of(index), np.nan), sigma,
        )  # fmt: skip
        own = None if passed is None else passed[passed["field"] == name]
        what = f"ADI {header.adi_method}"
        for key, label, table in (("MEAN", "derotated mean", None), ("", what, own)):
            data = planes[key] if planes[key].ndim == 2 else planes[key][index]
            made.append(Plane(label, name, data, settings, table))
    return curves(made, FluxUnit.of_header(header))


def curves_of_stokes(frame: StokesFrame, config: Config) -> QTable:
    """Curves of Q, U, Q_phi and U_phi in each field, and of the total intensity.

    Parameters
    ----------
    frame : StokesFrame
        Of a night, north up.
    config : Config
        Settings.

    Returns
    -------
    QTable
        The contrast is polarised flux over the flux of the star.
    """
    sigma, hidden = contrast_settings(config).sigma, covered(frame.header, config)
    products = frame.products()
    made = []
    for index, name in enumerate(frame.fields):
        total = products["I_Q"][index]
        star = star_of(total, frame.header, frame.fields, index, covered=hidden)
        settings = settings_of(frame.header, name, star, sigma)
        for key in ("I_Q", *POLARISED):
            made.append(Plane(key, name, products[key][index], settings))
    return curves(made, FluxUnit.of_header(frame.header))


def covered(header: Header, config: Config) -> bool:
    """Whether the star of an image is behind a coronagraph."""
    return config.coronagraphic and not is_unocculted(header.field_stop)
