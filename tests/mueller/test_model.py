import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.errors import HeaderError, PolarimetryError
from vampires.mueller.files import read_hdf5, write_hdf5
from vampires.mueller.model import LightPathAngles, MuellerModel, check_hwp_sync, models_for

angles = st.floats(-180, 180)


def header(**cards):
    h = fits.Header()
    h.update(
        {
            "U_CAMERA": 1, "U_FLC": "B", "U_FLCST": "IN", "RET-ANG1": 22.5, "HWPSYNC": True,
            "HWPSYNCA": 10.0, "IMRANG": 95.0, "ALT_MID": 60.0, "PA": 30.0,
        }
    )  # fmt: skip
    h.update({k.replace("_ANG1", "-ANG1").replace("_MOD1", "-MOD1"): v for k, v in cards.items()})
    return h


@settings(deadline=None)
@given(
    st.sampled_from([1, 2]), angles, angles, st.floats(20, 89), angles, st.sampled_from(["A", "B"])
)
def test_rows_are_those_of_the_chain_written_by_hand(toy, camera, hwp, imr, altitude, pa, flc):
    at = LightPathAngles(camera, hwp, imr, altitude, pa, flc)
    model = MuellerModel.from_table("750-50", "EMCCD")
    expected = toy.light_path_row(toy.REAL, camera, hwp, imr, altitude, pa, flc)
    np.testing.assert_allclose(model.row(at), expected, atol=1e-12)
    ideal = MuellerModel.from_table("750-50", "QCMOS")
    expected = toy.light_path_row(toy.IDEAL, camera, hwp, imr, altitude, pa, flc, 43.0)
    np.testing.assert_allclose(ideal.row(at), expected, atol=1e-12)


# Worked out once with another program; HWP 30 deg ahead of its nominal angle, IMR 100, altitude
# 70, parallactic angle -25 deg.
@pytest.mark.parametrize(
    ("camera", "flc", "hwp", "expected"),
    [
        (1, "A", 0.0, [1.003046, 0.560700, 0.639893, 0.531275]),
        (2, "B", 45.0, [1.000906, -0.955792, -0.086157, -0.284343]),
        (1, "B", 67.5, [0.999094, 0.110579, -0.925155, 0.360624]),
    ],
)
def test_golden_rows(camera, flc, hwp, expected):
    at = LightPathAngles(camera, hwp + 30, 100.0, 70.0, -25.0, flc)
    row = MuellerModel.from_table("750-50", "EMCCD").row(at)
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_ideal_cameras_see_all_polarisation():
    at = LightPathAngles(1, 20.0, 90.0, 50.0, 10.0, "A")
    assert MuellerModel().efficiency(at) == pytest.approx(1)
    assert MuellerModel.from_table("675-50", "EMCCD").efficiency(at) < 1


def test_tables_say_where_they_come_from():
    get = MuellerModel.from_table
    assert get("750-50", "EMCCD").source == "tabulated 750-50 (public calibration May 2023)"
    assert get("Open", "EMCCD").source.startswith("tabulated 675-50 for Open")
    assert get("Open", "EMCCD").optics.diattenuation == 0.05
    assert get("Halpha", "EMCCD").source == "ideal: no public table for Halpha with EMCCD detectors"
    assert get("750-50", "QCMOS").is_ideal
    assert get("750-50", "QCMOS").flc_switch == 43
    assert get("750-50", "EMCCD", ideal=True).is_ideal
    assert "750-50" in repr(get("750-50", "EMCCD"))


def test_all_tabulated_paths_are_real_optics():
    filters = ("775-50", "750-50", "725-50", "675-50", "625-50", "Open", "F610", "F760")
    models = models_for(filters, "EMCCD")
    assert [m.is_ideal for m in models] == [False] * len(filters)


def test_a_users_table(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'source = "fit of June"\n[filters."F720"]\nhwp_retardance = 0.48\n'
        "dichroic_diattenuation = 0.05\nflc_switch = 44.0\n"
    )
    model = MuellerModel.from_table("F720", "QCMOS", table=path)
    assert (model.hwp.retardance, model.flc_switch) == (0.48, 44.0)
    assert model.dichroic is not None
    assert model.imr.retardance == 0.5
    assert model.source == "tabulated F720 (fit of June)"
    with pytest.raises(PolarimetryError, match="no entry for filter 'F610'"):
        MuellerModel.from_table("F610", "QCMOS", table=path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[filters.X]\nhwp_retardanse = 0.4", "unknown light-path parameter 'hwp_retardanse'"),
        ("[filters.X]\nhwp_retardance = 'a'", "must be a number"),
        ("[filters.X]\noptics_diattenuation = 2", "diattenuation"),
        ("a = 1", "needs"),
        ("[filters", "cannot be read"),
    ],
)
def test_a_bad_table_is_told(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PolarimetryError, match=message) as error:
        MuellerModel.from_table("X", "QCMOS", table=path)
    assert "mine.toml" in str(error.value)


def test_angles_come_from_the_header():
    at = LightPathAngles.from_header(header())
    assert (at.camera, at.hwp, at.flc, at.flc_in) == (1, 32.5, "B", True)
    assert LightPathAngles.from_header(header(HWPSYNC=False)).hwp == 22.5
    assert LightPathAngles.from_header(header(), hwp_sync=False).hwp == 22.5
    bad = header()
    del bad["IMRANG"]
    with pytest.raises(HeaderError, match="IMRANG"):
        MuellerModel().row(bad)


def test_an_flc_out_of_the_beam_does_nothing():
    model = MuellerModel.from_table("750-50", "EMCCD")
    out = model.row(header(U_FLCST="OUT"))
    np.testing.assert_array_equal(out, model.row(header(U_FLC="NA")))
    np.testing.assert_array_equal(out, model.row(header(U_FLC="A", U_FLCST="OUT")))


def test_the_configured_hwp_mode_must_fit_the_header():
    synchronised = header(RET_MOD1="SYNCHRO_ADI")
    check_hwp_sync([synchronised, header()], True)
    check_hwp_sync([header()], False)  # EMCCD headers do not say
    with pytest.raises(PolarimetryError, match="set hwp_adi_sync = true"):
        check_hwp_sync([synchronised], False)
    with pytest.raises(PolarimetryError, match="set hwp_adi_sync = false"):
        check_hwp_sync([header(RET_MOD1="SYNCHRO_OFF", HWPSYNC=False)], True)


def test_matrices_on_disk(tmp_path):
    models = models_for(("750-50", "Open"), "EMCCD")
    at = LightPathAngles.from_header(header())
    for name in ("a.h5", "b.h5"):
        write_hdf5(tmp_path / name, models, ("one", "two"), at)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    record = read_hdf5(tmp_path / "a.h5")
    assert record.fields == ("one", "two")
    assert record.angles == at
    assert record.sources[1].startswith("tabulated 675-50 for Open")
    np.testing.assert_array_equal(record.matrix[1], models[1].matrix(at))
    np.testing.assert_array_equal(record.parameters["hwp_retardance"], [0.476, 0.451])
    assert record.models[0].source == models[0].source
    for again, model in zip(record.models, models, strict=True):
        np.testing.assert_array_equal(again.row(at), model.row(at))
