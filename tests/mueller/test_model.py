import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.canonical import Header
from vampires.errors import HeaderError, PolarimetryError
from vampires.instrument.tables import load_table
from vampires.mueller.files import read_hdf5, write_hdf5
from vampires.mueller.model import LightPathAngles, MuellerModel, check_hwp_sync, models_for

angles = st.floats(-180, 180)


def header(**cards):
    h = Header()
    h.update(
        {
            "U_CAMERA": 1, "U_FLC": "B", "U_FLCST": "IN", "RET-ANG1": 22.5, "HWPSYNC": True,
            "HWPSYNCA": 10.0, "IMRANG": 95.0, "ALT_MID": 60.0, "PA": 30.0,
        }
    )  # fmt: skip
    h.update({k.replace("_ANG1", "-ANG1").replace("_MOD1", "-MOD1"): v for k, v in cards.items()})
    return h


# As fitted to lamps, which do not see the tertiary mirror.
LAMP = MuellerModel.from_table("750-50", "EMCCD").with_parameters({"m3_diattenuation": 0.0})


@settings(deadline=None)
@given(
    st.sampled_from([1, 2]), angles, angles, st.floats(20, 89), angles, st.sampled_from(["A", "B"])
)
def test_rows_are_those_of_the_chain_written_by_hand(toy, camera, hwp, imr, altitude, pa, flc):
    at = LightPathAngles(camera, hwp, imr, altitude, pa, flc)
    model = LAMP
    expected = toy.light_path_row(toy.REAL, camera, hwp, imr, altitude, pa, flc)
    np.testing.assert_allclose(model.row(at), expected, atol=1e-12)
    ideal = MuellerModel.from_table("750-50", "QCMOS", ideal=True)
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
    row = LAMP.row(at)
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_ideal_cameras_see_all_polarisation():
    at = LightPathAngles(1, 20.0, 90.0, 50.0, 10.0, "A")
    assert MuellerModel().efficiency(at) == pytest.approx(1)
    assert MuellerModel.from_table("675-50", "EMCCD").efficiency(at) < 1


def test_tables_say_where_they_come_from():
    get = MuellerModel.from_table
    assert get("675-50", "EMCCD").source == (
        "tabulated 675-50 (public calibration May 2023; M3 standards of 2021-22)"
    )
    assert get("750-50", "EMCCD").source.endswith("M3 scaled from 675-50)")
    assert get("Open", "EMCCD").source.startswith("tabulated 675-50 for Open")
    assert get("Open", "EMCCD").optics.diattenuation == 0.05
    assert get("Halpha", "EMCCD").source == "ideal: no public table for Halpha with EMCCD detectors"
    assert get("F720", "QCMOS").source.startswith("tabulated F720 (flat lamp of 2023-09-14")
    assert get("SII", "QCMOS").source.startswith("tabulated 675-50 for SII")
    assert "before the optics changed" in get("F720", "QCMOS-NBS").source
    assert get("F720", "QCMOS-NBS").imr == get("F720", "QCMOS").imr
    assert get("750-50", "QCMOS").flc_switch == 43
    assert get("750-50", "EMCCD", ideal=True).is_ideal
    assert "750-50" in repr(get("750-50", "EMCCD"))


def test_all_tabulated_paths_are_real_optics():
    filters = ("775-50", "750-50", "725-50", "675-50", "625-50", "Open", "F610", "F760")
    for generation in ("EMCCD", "QCMOS", "QCMOS-NBS"):
        models = models_for(filters, generation)
        assert [m.is_ideal for m in models] == [False] * len(filters)
        for model in models:
            covariance = model.uncertainty.covariance
            assert "m3_diattenuation" in model.uncertainty.names
            assert np.linalg.eigvalsh(covariance)[0] > -1e-2 * covariance.max()
            assert 0.012 < model.m3.diattenuation < 0.025


def test_retardances_are_those_published_from_the_same_lamp():
    """github.com/UCSB-Exoplanet-Polarimetry-Lab/pyPolCal: HWP and image rotator, waves."""
    published = {
        "F610": (0.457, 0.224), "625-50": (0.437, 0.216), "F670": (0.460, 0.316),
        "675-50": (0.464, 0.320), "F720": (0.475, 0.418), "725-50": (0.483, 0.460),
        "750-50": (0.474, 0.488), "F760": (0.500, 0.532), "775-50": (0.461, 0.504),
    }  # fmt: skip
    for name, (hwp, imr) in published.items():
        model = MuellerModel.from_table(name, "QCMOS")
        assert model.hwp.retardance == pytest.approx(hwp, abs=0.02), name
        assert model.imr.retardance == pytest.approx(imr, abs=0.03), name


def test_state_a_of_the_flc_stands_where_headers_have_it():
    """The sign of Q and U is that of an ideal light path, in every filter of both eras."""
    for era in ("EMCCD", "QCMOS"):
        for name in load_table("mueller")[era]["filters"]:
            assert abs(MuellerModel.from_table(name, era).parameters["flc_offset"]) < 30, (
                era,
                name,
            )


def test_data_from_before_a_table_are_told(tmp_path):
    (early,) = models_for(("675-50",), "QCMOS", mjd=60136.0)
    (later,) = models_for(("675-50",), "QCMOS", mjd=60300.0)
    assert early == later
    assert early.source.endswith("from MJD 60201 on, these data are of MJD 60136")
    assert early.doubt == "the table holds from MJD 60201 on, these data are of MJD 60136"
    assert (later.doubt, "MJD" in later.source) == ("", False)
    (odd,) = models_for(("775-50",), "EMCCD")
    assert "turned by 49 deg" in odd.doubt
    assert odd.uncertainty.angle == 45
    assert "MJD" not in models_for(("675-50",), "QCMOS", mjd=60136.0, ideal=True)[0].source
    path = tmp_path / "own.toml"
    path.write_text('last_mjd = 60100.0\n[filters."675-50"]\n')
    (late,) = models_for(("675-50",), "QCMOS", mjd=60136.0, table=path)
    assert "holds until MJD 60100" in late.source
    path.write_text('first_mjd = "2023"\n[filters."675-50"]\n')
    with pytest.raises(PolarimetryError, match="first_mjd must be a number"):
        models_for(("675-50",), "QCMOS", mjd=60136.0, table=path)


def test_the_mirror_elsewhere_has_the_error_of_not_knowing_its_coating():
    at = {n: MuellerModel.from_table(n, "QCMOS").uncertainty for n in ("675-50", "750-50")}
    errors = {n: np.sqrt(u.covariance[-1, -1]) for n, u in at.items()}
    assert errors["675-50"] == pytest.approx(4e-4)
    assert errors["750-50"] > 2e-3


def test_an_uncertainty_that_does_not_fit_its_names_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "[filters.X]\nhwp_retardance = 0.4\n[filters.X.uncertainty]\n"
        'names = ["hwp_retardance"]\nerrors = [0.1, 0.2]\n'
    )
    with pytest.raises(PolarimetryError, match="errors \\(one each\\)"):
        MuellerModel.from_table("X", "QCMOS", table=path)


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
