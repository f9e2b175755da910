"""Lamp sequences as published tables: both forms are read, and a light path comes back."""

import csv

import numpy as np
import pytest

from vampires.commands.mueller_fit import MuellerFit
from vampires.errors import PolarimetryError
from vampires.mueller.lamp_table import PRIORS, read_lamp_table
from vampires.mueller.measurements import LampMeasurements, lamp_light
from vampires.mueller.model import MuellerModel

TRUTH = MuellerModel(flc_switch=43.0).with_parameters(
    {"hwp_retardance": 0.46, "hwp_offset": -1.0, "imr_retardance": 0.32, "imr_offset": 0.5,
     "imr_diattenuation": -0.02, "optics_retardance": 0.1, "optics_diattenuation": 0.05,
     "optics_offset": -20.0, "flc_retardance": 0.51, "flc_offset": 1.0}
)  # fmt: skip
LAMP = {"lamp_angle": 90.0, "lamp_degree": 0.97, "throughput": 0.85, "camera2_contrast": 0.95}
HWP, IMR = np.arange(0, 90, 22.5), np.array([45.0, 70.0, 95.0, 120.0])


def light():
    h, i, f = (a.ravel() for a in np.meshgrid(HWP, IMR, [0, 1], indexing="ij"))
    states = tuple("AB"[k] for k in f.astype(int))
    places = LampMeasurements(h, i, states, np.zeros(len(h)), np.ones(len(h)))
    rng = np.random.default_rng(5)
    one, two = (c * (1 + 0.003 * rng.standard_normal(len(h)))
                for c in lamp_light(TRUTH, places, LAMP))  # fmt: skip
    return places, 1e4 * one, 1e4 * two


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def qcmos(path):
    m, one, two = light()
    rows = []
    for k in range(len(m)):
        base = {"D_IMRANG": m.imr[k], "RET-POS1": m.hwp[k], "U_FLC": m.flc[k]}
        rows.append(base | {"FILTER01": "675-50", "OBS-MOD": "IPOL", "diff": one[k] - two[k],
                            "sum": one[k] + two[k]})  # fmt: skip
        many = np.array([4.0, 3.0, 2.0, 1.0])
        rows.append(base | {"FILTER01": "Open", "OBS-MOD": "IPOL_MBI",
                            "diff": str(many * (one[k] - two[k])),
                            "sum": str(many * (one[k] + two[k]))})  # fmt: skip
    return write(path, rows)


def emccd(path):
    m, one, two = light()
    rows = []
    for k in range(0, len(m), 2):
        for camera, flux in ((1, one), (2, two)):
            rows.append({
                "U_FILTER": "675-50", "U_CAMERA": camera, "MJD-STR": 59697.0 + 3e-4 * k,
                "U_HWPANG": m.hwp[k], "D_IMRANG": m.imr[k], "D_IMR": "STAND-BY",
                "RA": "30:36.5", "UT": "26:03.2", "EXPTIME": 0.01, "NAXIS1": 256,
                "DARK_TOTAL_MEDIAN_FLUX_FLC_1": flux[k],
                "DARK_TOTAL_MEDIAN_FLUX_FLC_2": flux[k + 1],
            })  # fmt: skip
    rows.append(rows[0] | {"DARK_TOTAL_MEDIAN_FLUX_FLC_1": "", "MJD-STR": 59690})
    return write(path, rows)


def test_both_forms_hold_the_same_measurements(tmp_path):
    m, one, two = light()
    generation, tables = read_lamp_table(qcmos(tmp_path / "q.csv"))
    assert generation == "QCMOS"
    assert list(tables) == ["675-50", "F760", "F720", "F670", "F610"]
    expected = np.sort((one - two) / (one + two))
    for table in tables.values():
        np.testing.assert_allclose(np.sort(table.difference), expected, atol=1e-6)
    assert tables["F760"].total.mean() == pytest.approx(4 * tables["F610"].total.mean(), rel=1e-6)
    generation, tables = read_lamp_table(emccd(tmp_path / "e.csv"))
    assert (generation, list(tables)) == ("EMCCD", ["675-50"])
    assert len(tables["675-50"]) == len(m)
    np.testing.assert_allclose(np.sort(tables["675-50"].difference), expected, atol=1e-6)


def test_the_command_brings_the_light_path_back_with_errors_and_correlations(tmp_path, capsys):
    table = emccd(tmp_path / "lamp.csv")
    options = {o["name"]: o["default"] for o in MuellerFit.cmd_options}
    start = tmp_path / "start.toml"
    start.write_text('[filters."675-50"]\nflc_switch = 43.0\nflc_retardance = 0.5\n')
    out = tmp_path / "fit.toml"
    options |= {"output": str(out), "start": str(start), "lamp_angle": LAMP["lamp_angle"]}
    assert MuellerFit().run(options, [str(table)]) == 0
    model = MuellerModel.from_table("675-50", "EMCCD", table=out)
    truth, found = TRUTH.parameters, model.parameters
    for name in ("hwp_retardance", "imr_retardance"):
        assert found[name] == pytest.approx(truth[name], abs=0.01), name
    assert abs(found["imr_diattenuation"] - truth["imr_diattenuation"]) < 0.01
    u = model.uncertainty
    assert set(PRIORS["EMCCD"]) - {"throughput_b", "camera2_contrast"} <= set(u.names)
    assert u.covariance.shape == (len(u.names),) * 2
    assert np.linalg.eigvalsh(u.covariance)[0] > -1e-3
    assert 1e-4 < np.sqrt(u.covariance[u.names.index("imr_retardance")].max()) < 0.5
    assert "residual rms" in capsys.readouterr().out


def test_other_tables_are_refused_with_the_columns_they_need(tmp_path):
    with pytest.raises(PolarimetryError, match="diff, sum, D_IMRANG"):
        read_lamp_table(write(tmp_path / "x.csv", [{"a": 1}]))
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(PolarimetryError, match="without rows"):
        read_lamp_table(tmp_path / "empty.csv")
    with pytest.raises(PolarimetryError, match="cannot be read"):
        read_lamp_table(tmp_path / "missing.csv")
