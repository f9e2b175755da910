"""What takes the differences of a set to Q and U on the sky: matrices, and what headers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vampires.canonical import Header
from vampires.errors import PolarimetryError
from vampires.mueller.components import FloatArray
from vampires.mueller.model import LightPathAngles, MuellerModel
from vampires.polarimetry.model_error import ModelError
from vampires.polarimetry.modulation import efficiencies, invert_response, response_matrix

__all__ = ["GEOMETRY_ONLY", "Correction", "per_field", "set_response"]

GEOMETRY_ONLY = "geometry only; instrumental polarisation is left in"

Models = MuellerModel | Sequence[MuellerModel]
HeaderCards = dict[str, tuple[object, str]]


@dataclass(frozen=True)
class Correction:
    """Matrices that take (I_Q, I_U, Q, U) of the instrument to the sky, one per field.

    They follow from headers and models alone, before any pixel is read: the weights of the images
    in the planes on the sky are ``matrices @ weights``.

    Parameters
    ----------
    matrices : ndarray
        Shape (nfields, 4, 4).
    cards : dict
        What a header says of it: efficiencies, instrumental polarisation, errors, source.
    """

    matrices: FloatArray
    cards: HeaderCards

    @classmethod
    def of_set(
        cls,
        models: Sequence[MuellerModel],
        weights: FloatArray,
        angles: Sequence[LightPathAngles],
        *,
        instrumental: bool = True,
        errors: bool = True,
    ) -> Correction:
        """Invert the response of a set as a whole.

        It takes out the instrumental polarisation (Q and U from I), the cross-talk and the
        efficiency (Q and U among themselves), and the little of Q and U that leaks into I.

        Parameters
        ----------
        models : sequence of MuellerModel
            One per field.
        weights : ndarray
            What each image went into the differences with, shape (4, n).
        angles : sequence of LightPathAngles
            Of each image.
        instrumental : bool
            What the header is told: False when the models are only there for the geometry.
        errors : bool
            Propagate the errors of the models' parameters (`ModelError`).

        Raises
        ------
        PolarimetryError
            If the exposures do not tell Q from U.
        """
        response = set_response(models, weights, angles)
        inverse = np.array([invert_response(matrix) for matrix in response])
        suffixes = [str(i) if len(models) > 1 else "" for i in range(len(models))]
        cards: HeaderCards = {}
        for suffix, matrix in zip(suffixes, response, strict=True):
            cards.update(_response_cards(matrix, suffix))
        if instrumental and errors:
            for suffix, model, matrix in zip(suffixes, models, inverse, strict=True):
                error = ModelError.of_operator(model, matrix @ weights, angles)
                cards.update(error.cards(suffix))
        source = models[0].source if instrumental else GEOMETRY_ONLY
        cards.update(Header.declared(model_corrected=instrumental, model_source=(source, "")))
        return cls(inverse, cards)


def set_response(
    models: Sequence[MuellerModel], weights: FloatArray, angles: Sequence[LightPathAngles]
) -> FloatArray:
    """Matrices from (I_Q, I_U, Q, U) on the sky to the differences of a set, (nfields, 4, 4)."""
    rows = [[model.row(own) for own in angles] for model in models]
    return response_matrix(weights, np.array(rows))


def per_field(models: Models, fields: Sequence[str]) -> tuple[MuellerModel, ...]:
    """One model for each field.

    Parameters
    ----------
    models : MuellerModel or sequence of them
        One for all fields, or one per field.
    fields : sequence of str
        Names of the fields.

    Raises
    ------
    PolarimetryError
        Their numbers differ.
    """
    many = (models,) * len(fields) if isinstance(models, MuellerModel) else tuple(models)
    if len(many) != len(fields):
        raise PolarimetryError(
            f"{len(many)} Mueller models for {len(fields)} fields {tuple(fields)}"
        )
    return many


def _response_cards(response: FloatArray, suffix: str) -> HeaderCards:
    q, u = efficiencies(response)
    values = (
        (Header.efficiency_q, round(q, 6)),
        (Header.efficiency_u, round(u, 6)),
        (Header.model_ip_q, round(response[2, 0] / response[0, 0], 8)),
        (Header.model_ip_u, round(response[3, 1] / response[1, 1], 8)),
    )
    return {fact.of(suffix).keyword: (value, fact.comment) for fact, value in values}
