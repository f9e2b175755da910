"""Lamp sequences as raw files: measured, fitted, written as a table."""

import numpy as np
import pytest
from astropy.io import fits

from vampires.commands.mueller_fit import MuellerFit, _without_spoilt
from vampires.errors import PolarimetryError
from vampires.mueller.lamp import read_lamp
from vampires.mueller.model import MuellerModel
from vampires.night.raw import raw_header
from vampires.simulate import NightSpec, simulate_lamp

PATH = {
    "hwp_phi": 0.47, "hwp_off": 2.0, "imr_phi": 0.46, "imr_off": 1.0, "opt_phi": 0.1,
    "opt_theta": 20.0, "opt_diat": 0.01, "flc_phi": 0.4, "flc_off": -3.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def lamp(tmp_path_factory):
    spec = NightSpec(
        size=48, flat_level=300.0, calibration_frames=6, seed=7, throughput=(0.95, 1.0)
    )
    folder = tmp_path_factory.mktemp("lamp")
    return simulate_lamp(
        spec, folder, hwp=np.arange(0, 90, 22.5) + 3, imr=(45.0, 70.0, 95.0, 120.0), degree=0.98
    )


def options(tmp_path, **changes):
    defaults = {option["name"]: option["default"] for option in MuellerFit.cmd_options}
    return defaults | {"output": str(tmp_path / "table.toml")} | changes


def test_measurements_are_those_of_the_light_path(lamp):
    """Within the stated errors, for the path the files were made with."""
    (name,) = measured = read_lamp(lamp)
    assert name == "750-50"
    m = measured[name]
    assert len(m) == 4 * 4 * 2
    assert sorted(set(m.flc)) == ["A", "B"]
    model = MuellerModel.from_table("750-50", "EMCCD")
    from vampires.mueller.fit import lamp_difference

    nuisances = {"lamp_degree": 0.98, "lamp_angle": 0.0, "throughput": 0.95}
    pull = (m.difference - lamp_difference(model, m, nuisances)) / m.error
    assert 0.6 < np.std(pull - pull.mean()) < 1.4


def test_the_command_writes_a_table_that_brings_the_parameters_back(lamp, tmp_path, capsys):
    free = "hwp_retardance,hwp_offset,imr_retardance,imr_offset,flc_offset,throughput"
    status = MuellerFit().run(options(tmp_path, free=free, lamp_degree=0.98), [str(lamp[0].parent)])
    assert status == 0
    text = capsys.readouterr().out
    assert "32 pairs of cameras" in text
    model = MuellerModel.from_table("750-50", "EMCCD", table=tmp_path / "table.toml")
    truth = MuellerModel.from_table("750-50", "EMCCD").parameters
    for key, tolerance in {"hwp_retardance": 5e-4, "imr_retardance": 5e-4, "hwp_offset": 0.3,
                           "imr_offset": 0.5, "flc_offset": 0.5}.items():  # fmt: skip
        assert model.parameters[key] == pytest.approx(truth[key], abs=tolerance), key
    assert (tmp_path / "table_750-50.png").stat().st_size > 10_000


def test_cubes_of_the_controller_are_normalised_first(lamp, tmp_path):
    """Both FLC states in one cube behind two spoilt frames: the same fluxes as apart."""
    states = {}
    for path in lamp:
        header = fits.getheader(path)
        if raw_header(path)["DATA-TYP"] == "FLAT":
            key = (header["U_CAMERA"], header["U_HWPANG"], header["D_IMRANG"])
            states.setdefault(key, {})[header["U_FLCSTT"]] = path
    for number, (_, both) in enumerate(sorted(states.items())):
        a, b = (fits.getdata(both[state]) for state in (1, 2))
        cube = np.zeros((2 + 2 * len(a), *a.shape[1:]), np.uint16)
        cube[:2], cube[2::2], cube[3::2] = 60000, a, b
        header = fits.getheader(both[1])
        del header["U_FLCSTT"]
        times = [
            fits.getheader(both[state])[key] for state, key in ((1, "MJD-STR"), (2, "MJD-END"))
        ]
        header["MJD-STR"], header["MJD-END"] = times
        fits.writeto(tmp_path / f"lamp_{number:02d}_cam{header['U_CAMERA']:.0f}.fits", cube, header)
    paths = _without_spoilt(sorted(tmp_path.glob("*.fits")), tmp_path / "scratch")
    assert len(paths) == 2 * len(states) == len(lamp) - 2
    (measured,), (expected,) = read_lamp(paths).values(), read_lamp(lamp[:-2]).values()
    assert sorted(measured.flc) == sorted(expected.flc)
    np.testing.assert_allclose(
        np.sort(measured.difference), np.sort(expected.difference), atol=2e-3
    )


def test_slow_data_without_darks_and_a_start_of_ones_own(tmp_path):
    spec = NightSpec(
        mode="qcmos", polarimetry="slow", size=48, flat_level=3000.0, calibration_frames=3,
        mueller=PATH,
    )  # fmt: skip
    paths = simulate_lamp(spec, tmp_path / "raw", hwp=np.arange(0, 90, 22.5), imr=(50.0, 80.0))
    start = tmp_path / "start.toml"
    values = {"hwp_retardance": 0.48, "imr_retardance": 0.46, "imr_offset": 1.0,
              "optics_retardance": 0.1, "optics_offset": 20.0,
              "optics_diattenuation": 0.01}  # fmt: skip
    start.write_text(
        '[filters."750-50"]\n' + "".join(f"{key} = {value}\n" for key, value in values.items())
    )
    flats = [str(path) for path in paths[:-2]]
    chosen = options(
        tmp_path, start=str(start), free="hwp_retardance,hwp_offset,flc_offset,throughput",
        floor=1e-4,
    )  # fmt: skip
    assert MuellerFit().run(chosen, flats) == 0
    model = MuellerModel.from_table("750-50", "QCMOS", table=chosen["output"])
    assert model.hwp.retardance == pytest.approx(0.47, abs=2e-3)
    assert model.hwp.offset == pytest.approx(2.0, abs=0.2)


def test_user_errors(lamp, tmp_path, capsys):
    with pytest.raises(PolarimetryError, match="simultaneous pair"):
        read_lamp(lamp[::2])
    command = MuellerFit()
    assert command.execute(options(tmp_path), []) == 3
    (tmp_path / "table.toml").write_text("")
    assert command.execute(options(tmp_path), [str(lamp[0])]) == 3
    assert command.execute(options(tmp_path, output="x.toml", floor=-1.0), map(str, lamp)) == 3
    assert "choose another name" in capsys.readouterr().err
