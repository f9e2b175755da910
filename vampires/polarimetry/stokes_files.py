"""Stokes frames on disk, and the header of each of their fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.images.units import RATE, FluxScale
from vampires.io.products import read_fits, write_fits
from vampires.kernels.covariance import number_of_pairs, pair, places_of_variances
from vampires.mueller.components import FloatArray
from vampires.polarimetry.model_error import ModelError
from vampires.polarimetry.planes import PRODUCTS
from vampires.polarimetry.shares import MasterShares

if TYPE_CHECKING:
    from vampires.polarimetry.stokes import StokesFrame

_FIELD_FACTS = (
    Header.star_degree, Header.star_angle, Header.efficiency_q, Header.efficiency_u,
    Header.model_ip_q, Header.model_ip_u, Header.ip_q, Header.ip_u, Header.ip_q_error,
    Header.ip_u_error,
)  # fmt: skip
_NUMBERED = "|".join(fact.keyword for fact in (Header.field_names, *_FIELD_FACTS))
_OF_ALL_FIELDS = re.compile(rf"({Header.nfields.keyword}|({_NUMBERED})\d+)")


def field_header(header: Header, fields: tuple[str, ...], index: int) -> Header:
    """Header of one field of a Stokes frame.

    Parameters
    ----------
    header : Header
        Of the frame: north up, sums over all its exposures.
    fields : tuple of str
        Filter of each field.
    index : int
        Which field.

    Returns
    -------
    Header
        The same, with the field's filter as FILTER, its own efficiencies, polarisations and flux
        scale without a number, and without those of the other fields.
    """
    out = header.copy()
    own = [(fact, fact.of(index)) for fact in _FIELD_FACTS if header.has(fact.of(index))]
    for key in [key for key in out if _OF_ALL_FIELDS.fullmatch(key)]:
        del out[key]
    for fact, numbered in own:
        out.set(fact, header.need(numbered), header.comments[numbered.keyword])
    out.put(filter=fields[index])
    scale = FluxScale.of_header(header, len(fields))
    if scale.unit != RATE:
        FluxScale.clear(out, len(fields))
        scale.part(index).stamp(out)
    return out


def write_stokes(frame: StokesFrame, path: str | Path) -> None:
    """Write a Stokes frame; see `StokesFrame.write`."""
    if not frame.corrected:
        raise ValueError("a Stokes frame is corrected before it is written")
    header = frame.header.copy()
    names = sorted(set(frame.shares.masters))
    convention = "radial" if frame.radial else "azimuthal"
    header.put(
        unit=(header.known(Header.unit, RATE), "AOLP: deg"), stokes_planes=",".join(PRODUCTS),
        convention=(convention, "convention of Q_PHI, U_PHI"), nfields=len(frame.fields),
        field_names=frame.fields, nmasters=len(names),
    )  # fmt: skip
    for index, name in enumerate(names):
        header.set(Header.masters.of(index), name, "")
    planes = frame.planes() | {"MASTERS": _shares_plane(frame.shares, names)}
    fields = {
        name: field_header(header, frame.fields, index) for index, name in enumerate(frame.fields)
    }
    write_fits(path, planes, header, fields)


def read_stokes(path: str | Path) -> dict[str, Any]:
    """Read what a Stokes frame is made of, by name; see `StokesFrame.read`.

    Of the covariances, those of the planes with themselves and of Q with U are kept in the file.
    """
    stored, header, _ = read_fits(path)
    missing = {"", "ERR", "SYS", "COV", "MASTERS"} - set(stored)
    if missing or not header.has(Header.nfields):
        raise FileError(
            f"{path}: not a Stokes frame (no {', '.join(sorted(missing)) or 'NFIELDS'})"
        )
    several = header.nfields > 1
    shares = _shares(stored.pop("MASTERS"), header)
    full = {name: plane if several else plane[None] for name, plane in stored.items()}
    data = np.ascontiguousarray(full[""][:, :4], dtype=np.float32)
    nf, k, *shape = data.shape
    kept = nf, number_of_pairs(k), *shape
    covariance, systematic = np.zeros(kept, np.float32), np.zeros(kept, np.float32)
    for i, planes in enumerate(data):
        masters = full["SYS"][i] ** 2
        error = ModelError.from_header(header, str(i) if several else "")
        masters[2:] = np.maximum(masters[2:] - error.variance(planes), 0)
        for plane, place in enumerate(places_of_variances()):
            systematic[i, place] = masters[plane]
            covariance[i, place] = full["ERR"][i, plane] ** 2 - masters[plane]
        covariance[i, pair(2, 3)] = full["COV"][i]
    return {
        "data": data,
        "covariance": covariance,
        "systematic": systematic,
        "shares": shares,
        "header": header,
        "fields": header.field_names,
        "count": full.get("COUNT"),
    }


def _shares_plane(shares: MasterShares, names: Sequence[str]) -> FloatArray:
    """Table of the images as a plane: masters, angle, pixels, four weights per field."""
    index = [names.index(name) for name in shares.masters]
    weights = shares.weights.reshape(-1, len(index))
    return np.vstack([index, shares.angles, shares.pixels, weights]).T


def _shares(plane: FloatArray, header: Header) -> MasterShares:
    index, angles, pixels, *weights = plane.T
    return MasterShares(
        tuple(header.masters[int(i)] for i in index),
        angles,
        pixels,
        np.reshape(weights, (header.nfields, 4, len(index))),
    )
