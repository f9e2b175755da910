"""Stokes frames and Mueller matrices on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from vampires.errors import FileError
from vampires.files import atomic_path
from vampires.polarimetry.components import FloatArray
from vampires.polarimetry.mueller import LightPathAngles, MuellerModel
from vampires.polarimetry.shares import MasterShares
from vampires.polarimetry.stokes import PRODUCTS, StokesFrame
from vampires.products import read_fits, write_fits


def write_stokes(frame: StokesFrame, path: str | Path) -> None:
    """Write a Stokes frame; see `StokesFrame.write`."""
    if not frame.corrected:
        raise ValueError("a Stokes frame is corrected before it is written")
    header = frame.header.copy()
    header["BUNIT"] = ("e-/s", "AOLP: deg")
    header["STOKES"] = (",".join(PRODUCTS), "planes along axis 3")
    header["CYLSTOKS"] = ("radial" if frame.radial else "azimuthal", "convention of Q_PHI, U_PHI")
    header["NFIELDS"] = (len(frame.fields), "number of fields")
    for index, name in enumerate(frame.fields):
        header[f"FIELD{index}"] = (name, f"name of field {index}")
    names = sorted(set(frame.shares.masters))
    header["NMASTERS"] = (len(names), "sets of masters in plane MASTERS")
    for index, name in enumerate(names):
        header[f"MASTER{index}"] = name
    planes = frame.planes() | {"MASTERS": _shares_plane(frame.shares, names)}
    fields = {name: frame.field_headers.get(name, header) for name in frame.fields}
    write_fits(path, planes, header, fields)


def read_stokes(path: str | Path) -> StokesFrame:
    """Read a Stokes frame; see `StokesFrame.read`.

    Of the covariances, those of the planes with themselves and of Q with U are kept in the file.
    """
    stored, header, field_headers = read_fits(path)
    missing = {"", "ERR", "SYS", "COV", "MASTERS"} - set(stored)
    if missing or "NFIELDS" not in header:
        raise FileError(
            f"{path}: not a Stokes frame (no {', '.join(sorted(missing)) or 'NFIELDS'})"
        )
    several = header["NFIELDS"] > 1
    shares = _shares(stored.pop("MASTERS"), header)
    full = {name: plane if several else plane[None] for name, plane in stored.items()}
    data = np.ascontiguousarray(full[""][:, :4], dtype=np.float32)
    systematic = _diagonal(full["SYS"] ** 2)
    covariance = _diagonal(full["ERR"][:, :4] ** 2 - full["SYS"] ** 2)
    covariance[:, 2, 3] = covariance[:, 3, 2] = full["COV"]
    return StokesFrame(
        data=data,
        covariance=covariance,
        systematic=systematic,
        shares=shares,
        header=header,
        fields=tuple(str(header[f"FIELD{i}"]) for i in range(header["NFIELDS"])),
        count=full.get("COUNT"),
        field_headers=field_headers,
    )


@dataclass(frozen=True)
class MuellerRecord:
    """Mueller matrices of one exposure group as stored.

    Parameters
    ----------
    matrix : ndarray
        Shape (nfields, 4, 4).
    fields : tuple of str
    sources : tuple of str
        Where the components of each field come from.
    parameters : dict
        Component parameters by name, one value per field.
    angles : LightPathAngles
    """

    matrix: FloatArray
    fields: tuple[str, ...]
    sources: tuple[str, ...]
    parameters: Mapping[str, FloatArray]
    angles: LightPathAngles

    @property
    def models(self) -> tuple[MuellerModel, ...]:
        """The light path of each field, from its stored parameters."""
        return tuple(
            MuellerModel(name=name, source=source).with_parameters(
                {key: float(values[i]) for key, values in self.parameters.items()}
            )
            for i, (name, source) in enumerate(zip(self.fields, self.sources, strict=True))
        )


def write_hdf5(
    path: str | Path,
    models: Sequence[MuellerModel],
    fields: Sequence[str],
    angles: LightPathAngles,
) -> None:
    """Write the Mueller matrices of an exposure group; the same input gives the same bytes.

    Parameters
    ----------
    path : path
        Appears only when complete.
    models : sequence of MuellerModel
        One per field.
    fields : sequence of str
    angles : LightPathAngles
    """
    names = sorted({name for model in models for name in model.parameters})
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        matrix = file.create_dataset(
            "matrix", data=np.array([model.matrix(angles) for model in models]), track_times=False
        )
        matrix.attrs["description"] = "Mueller matrix from the sky (Q to the north) to the camera"
        text = h5py.string_dtype()
        file.create_dataset("fields", data=list(fields), dtype=text, track_times=False)
        file.create_dataset(
            "sources", data=[m.source for m in models], dtype=text, track_times=False
        )
        for name in names:
            file.attrs[name] = [model.parameters.get(name, 0.0) for model in models]
        for name, value in asdict(angles).items():
            file.attrs[f"angle_{name}"] = value


def read_hdf5(path: str | Path) -> MuellerRecord:
    """Read what `write_hdf5` wrote.

    Raises
    ------
    FileError
        If the file is missing or something else.
    """
    try:
        with h5py.File(path, "r") as file:
            attrs = dict(file.attrs.items())
            angles = {
                name.removeprefix("angle_"): value.item() if hasattr(value, "item") else value
                for name, value in attrs.items()
                if name.startswith("angle_")
            }
            return MuellerRecord(
                matrix=file["matrix"][:],
                fields=tuple(file["fields"].asstr()[:]),
                sources=tuple(file["sources"].asstr()[:]),
                parameters={n: v for n, v in attrs.items() if not n.startswith("angle_")},
                angles=LightPathAngles(**angles),
            )
    except (OSError, KeyError, TypeError) as error:
        raise FileError(
            f"{path}: not a file of Mueller matrices ({error}); delete it and run doit again"
        ) from error


def _shares_plane(shares: MasterShares, names: Sequence[str]) -> FloatArray:
    """Table of the images as a plane: masters, angle, pixels, four weights per field."""
    index = [names.index(name) for name in shares.masters]
    weights = shares.weights.reshape(-1, len(index))
    return np.vstack([index, shares.angles, shares.pixels, weights]).T


def _shares(plane: FloatArray, header: fits.Header) -> MasterShares:
    index, angles, pixels, *weights = plane.T
    return MasterShares(
        tuple(str(header[f"MASTER{int(i)}"]) for i in index),
        angles,
        pixels,
        np.reshape(weights, (header["NFIELDS"], 4, len(index))),
    )


def _diagonal(planes: np.ndarray) -> np.ndarray:
    """Covariance (nfields, k, k, ny, nx) with the variances (nfields, k, ny, nx)."""
    nf, k, ny, nx = planes.shape
    out = np.zeros((nf, k, k, ny, nx), dtype=np.float32)
    for i in range(k):
        out[:, i, i] = planes[:, i]
    return out
