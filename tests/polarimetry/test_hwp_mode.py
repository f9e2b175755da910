"""The mode of the half-wave plate: headers first, then configuration and the star's evidence."""

import tomllib
from dataclasses import replace

import pytest
from astropy.table import Table
from fixtures.stars import MODEL, exposures, simulated_path

from vampires.canonical import Header
from vampires.commands.mueller_fit import MuellerFit
from vampires.errors import FileError, PolarimetryError
from vampires.io.products import write_table
from vampires.log import collected_warnings
from vampires.observation import Observation
from vampires.polarimetry.hwp_mode import HwpMode, mode_of_headers, mode_of_star
from vampires.simulate import NightSpec, simulate_night
from vampires.steps.hwp_mode import mode_of_night

MODELS = {"675-50": MODEL}


def star(seed, **changes):
    return [e for e, _ in exposures(seed, q=0.001, u=0.002, **changes)]


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_wrong_mode_is_doubted_and_the_right_one_is_not(truth, seed):
    own = star(seed, synchronised=truth)
    right = mode_of_star(own, MODELS, truth)
    wrong = mode_of_star(own, MODELS, not truth)
    assert (right.synchronised, right.reason, right.doubtful) == (truth, "configured", False)
    assert (wrong.synchronised, wrong.doubtful) == (not truth, True)
    chosen = mode_of_star(own, MODELS, "auto")
    assert (chosen.synchronised, chosen.reason, chosen.doubtful) == (truth, "evidence", False)


def test_without_evidence_it_is_assumed_and_said():
    few = mode_of_star(star(0, cycles=1)[:8], MODELS, "auto")
    assert (few.synchronised, few.reason, few.doubtful) == (True, "assumed", True)
    noisy = mode_of_star(star(0, cycles=2, noise=0.05), MODELS, "auto")
    assert noisy.reason == "assumed"
    assert noisy.cards()["HWPDOUBT"][0] is True


def test_a_mode_is_kept_in_a_file(tmp_path):
    for mode in (mode_of_star(star(1), MODELS, "auto"), HwpMode(True, "header")):
        write_table(tmp_path / "mode.ecsv", mode.to_table())
        again = HwpMode.read(tmp_path / "mode.ecsv")
        assert again == mode
        assert again.cards() == mode.cards()


@pytest.mark.parametrize("text", ["", "synchronised reason n\nperhaps header 0\n", "a b\n1 2\n"])
def test_a_damaged_file_is_one_line(tmp_path, text):
    (tmp_path / "mode.ecsv").write_text(text)
    with pytest.raises(FileError, match=r"mode\.ecsv: cannot be read .*; delete it"):
        HwpMode.read(tmp_path / "mode.ecsv")


def header(word, sync):
    return Header({"RET-MOD1": word, "HWPSYNC": sync, "FILENAME": "x.fits"})


def test_headers_that_say_decide():
    on, off = header("SYNCHRO_ADI", True), header("SYNCHRO_OFF", False)
    assert mode_of_headers([Header()], "auto") is None
    assert mode_of_headers([on, on], "auto") == HwpMode(True, "header")
    assert mode_of_headers([off], "auto") == HwpMode(False, "header")
    assert mode_of_headers([off], False) == HwpMode(False, "header")
    with pytest.raises(PolarimetryError, match="changes in the night"):
        mode_of_headers([on, off], "auto")
    with pytest.raises(PolarimetryError, match="set hwp_adi_sync = false"):
        mode_of_headers([off], True)


@pytest.fixture(scope="module", params=[True, False], ids=["synchronised", "standing"])
def raw_night(request, tmp_path_factory):
    """A bright unpolarised standard, three cycles in an hour and a half, unequal cameras."""
    folder = tmp_path_factory.mktemp("standard")
    spec = NightSpec.preset(
        "stars", seed=7, size=48, frames=2, cycles=3, overhead=400.0, flux=3e6, em_gain=1.0,
        exptime=0.1, ring=None, filter="675-50", speckles=2, strehl=0.98, jitter=0.2, drift=0.3,
        calibration_frames=20, flat_level=5000.0, start="2022-02-24T04:50:00",
        throughput=(0.7, 1.0), hwp_sync=request.param, mueller=simulated_path(MODEL),
    )  # fmt: skip
    simulate_night(spec, folder)
    night = Observation.from_directory(folder / "raw")
    return request.param, night, [night.coadd(group) for group in night.plan.groups]


def test_a_raw_night_in_the_wrong_mode_is_warned_about_and_in_the_right_one_is_not(raw_night):
    """Twenty other nights were tried by hand, see the docs."""
    truth, night, images = raw_night
    headers = [image.header for image in images]
    found = {}
    for configured in (True, False, "auto"):
        wanted = replace(night.config.polarimetry, hwp_adi_sync=configured)
        config = replace(night.config, polarimetry=wanted)
        found[configured] = mode_of_night(headers, lambda: images, config)
    assert not found[truth].doubtful
    assert found[not truth].doubtful
    assert (found["auto"].synchronised, found["auto"].reason) == (truth, "evidence")


def test_a_doubtful_light_path_is_warned_about_once(raw_night, tmp_path):
    _, night, images = raw_night
    table = tmp_path / "mine.toml"
    table.write_text('first_mjd = 60000.0\n[filters."675-50"]\ndoubt = "made up"\n')
    wanted = replace(night.config.polarimetry, hwp_adi_sync=True, mueller_table=str(table))
    config = replace(night.config, polarimetry=wanted)
    with collected_warnings() as warnings:
        mode_of_night([image.header for image in images], lambda: images[:4], config)
    told = [line for line in warnings if "polarisation response is doubtful" in line]
    assert len(told) == 1
    assert "made up; the table holds from MJD 60000 on, these data are of MJD 59634" in told[0]


def test_the_mirror_comes_back_from_our_own_coadds(raw_night, tmp_path, capsys):
    for number, image in enumerate(raw_night[2]):
        image.write(tmp_path / f"x{number:02d}_coll.fits")
    options = {o["name"]: o["default"] for o in MuellerFit.cmd_options}
    options |= {"output": str(tmp_path / "m3.toml"), "standards": True}
    assert MuellerFit().run(options, [str(tmp_path / "*_coll.fits")]) == 0
    (star,) = Table.read(tmp_path / "m3_stars.ecsv")
    assert (star["synchronised"], star["decisive"], star["n"]) == (raw_night[0], True, 12)
    assert star["degree"] < 1.5e-3
    assert star["residual"] < 2e-3
    found = tomllib.loads((tmp_path / "m3.toml").read_text())["filters"]["675-50"]
    assert found["m3_diattenuation"] == pytest.approx(MODEL.m3.diattenuation, abs=2e-3)
    assert "unpolarised" in capsys.readouterr().out
