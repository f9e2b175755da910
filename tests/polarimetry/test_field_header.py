"""The header of each field's HDU in a Stokes product."""

from __future__ import annotations

from pathlib import Path

from astropy.io import fits

from vampires.canonical import Header
from vampires.mueller.model import MuellerModel
from vampires.polarimetry.inversion import reduce_set
from vampires.polarimetry.stokes_files import field_header

MODEL = MuellerModel.from_table("750-50", "EMCCD")


def test_it_is_that_of_the_product_not_of_a_coadd(toy, tmp_path: Path) -> None:
    images = toy.Night(toy.REAL, toy.sky(), derotang=(63.0, 60.5, 58.0, 55.5))()
    path = tmp_path / "stokes.fits"
    frame = reduce_set(images, MODEL)
    frame.write(path)
    with fits.open(path) as hdus:
        primary, own = hdus[0].header, hdus[frame.fields[0]].header
    for key in ("NIMAGES", "TINT", "NCOADD", "MMSOURCE", "DEROTATE", "EFFQ"):
        assert own[key] == primary[key]
    assert own["NIMAGES"] == len(images)
    assert "U_CAMERA" not in own
    assert own.get("CD1_2", 0) == primary.get("CD1_2", 0) == 0


def test_a_field_has_its_own_values_alone() -> None:
    header = Header({
        "NFIELDS": 2, "FIELD0": "F610", "FIELD1": "F670", "EFFQ0": 0.9, "EFFQ1": 0.8,
        "IPQERR1": 1e-4, "BUNIT": "Jy", "FLUXCON0": 2e-6, "FLUXCON1": 3e-6, "TINT": 5.0,
        "FILTER": "MBI",
    })  # fmt: skip
    own = field_header(header, ("F610", "F670"), 1)
    assert (own["FILTER"], own["EFFQ"], own["IPQERR"], own["TINT"]) == ("F670", 0.8, 1e-4, 5.0)
    assert own["FLUXCON0"] == 3e-6
    assert not {"NFIELDS", "FIELD0", "FIELD1", "EFFQ0", "EFFQ1", "FLUXCON1"} & set(own)
    assert header["EFFQ0"] == 0.9
