"""Stokes frames and Mueller matrices on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np

from vampires.errors import FileError
from vampires.io.atomic import atomic_path
from vampires.io.provenance import KEY, task_attribute
from vampires.mueller.components import FloatArray
from vampires.mueller.model import LightPathAngles, MuellerModel
from vampires.mueller.tables import Uncertainty


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
    uncertainties : tuple of Uncertainty
        Errors of the parameters, one per field.
    """

    matrix: FloatArray
    fields: tuple[str, ...]
    sources: tuple[str, ...]
    parameters: Mapping[str, FloatArray]
    angles: LightPathAngles
    uncertainties: tuple[Uncertainty, ...] = ()

    @property
    def models(self) -> tuple[MuellerModel, ...]:
        """The light path of each field, from its stored parameters."""
        return tuple(
            MuellerModel(name=name, source=source, uncertainty=known).with_parameters(
                {key: float(values[i]) for key, values in self.parameters.items()}
            )
            for i, (name, source, known) in enumerate(
                zip(self.fields, self.sources, self.uncertainties, strict=True)
            )
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
        for number, model in enumerate(models):
            known = model.uncertainty
            group = file.create_group(f"uncertainty{number}")
            group.create_dataset("names", data=list(known.names), dtype=text, track_times=False)
            group.create_dataset("covariance", data=known.covariance, track_times=False)
            group.attrs["scale"], group.attrs["angle"] = known.scale, known.angle
        attrs = file.attrs
        for name in names:
            attrs[name] = [model.parameters.get(name, 0.0) for model in models]
        for name, value in asdict(angles).items():
            attrs[f"angle_{name}"] = value
        attrs.update(task_attribute())


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
                parameters={
                    name: value
                    for name, value in attrs.items()
                    if not name.startswith("angle_") and name != KEY
                },
                angles=LightPathAngles(**angles),
                uncertainties=tuple(
                    _uncertainty(file[f"uncertainty{i}"]) for i in range(len(file["fields"]))
                ),
            )
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FileError(
            f"{path}: not a file of Mueller matrices ({error}); delete it and run doit again"
        ) from error


def _uncertainty(group: h5py.Group) -> Uncertainty:
    return Uncertainty(
        tuple(group["names"].asstr()[:]),
        group["covariance"][:],
        float(group.attrs["scale"]),
        float(group.attrs["angle"]),
    )
