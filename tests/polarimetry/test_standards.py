"""Stars in tables: read as published, paired, fitted; the tertiary mirror; the HWP's mode."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from fixtures.stars import ETA_CRV, MODEL, START, exposures

from vampires.commands.mueller_fit import MuellerFit
from vampires.errors import PolarimetryError
from vampires.polarimetry.standards import (
    balance_cameras,
    compare_modes,
    fit_mirror,
    fit_star,
    star_differences,
)
from vampires.polarimetry.star_table import parallactic_angle, read_star_table, right_ascension
from vampires.sky.earth import Sky


def differences(seed=0, **changes):
    (one,) = star_differences([e for e, _ in exposures(seed, **changes)])
    return one


@pytest.mark.parametrize("synchronised", [True, False])
def test_a_star_comes_back_with_honest_errors(synchronised):
    pulls = []
    for seed in range(10):
        fit = fit_star(
            MODEL, differences(seed, q=0.03, u=-0.02, synchronised=synchronised),
            synchronised=synchronised,
        )  # fmt: skip
        pulls.append([(fit.q - 0.03), (fit.u + 0.02)] / np.sqrt(np.diagonal(fit.scatter)))
        assert fit.degree_error("photon") == pytest.approx(fit.degree_error("scatter"), rel=0.6)
        assert fit.degree_error("model") > 0
    assert np.abs(np.mean(pulls)) < 0.8
    assert 0.5 < np.std(pulls) < 1.6


@pytest.mark.parametrize("truth", [True, False])
def test_the_mode_of_the_half_wave_plate_shows_in_ten_nights_of_ten(truth):
    for seed in range(10):
        evidence = compare_modes(MODEL, differences(seed, q=0.002, u=0.001, synchronised=truth))
        assert evidence.better is truth, seed
        assert evidence.decisive, seed


def test_one_cycle_does_not_decide():
    evidence = compare_modes(MODEL, differences(cycles=1, noise=5e-3))
    assert not evidence.decisive
    assert "double differences" in str(evidence)


def test_the_mirror_comes_back_from_unpolarised_stars_beside_a_polarised_one():
    truth = MODEL.with_parameters({"m3_diattenuation": 0.0210})
    stars = [
        differences(1, model=truth, star="A"),
        differences(2, model=truth, star="B", place=(185.0, 5.0)),
        differences(3, model=truth, star="C", q=0.04, u=0.03, place=(200.0, 20.0)),
    ]
    fit = fit_mirror(MODEL, stars, [False] * 3, [False, False, True])
    error = fit.errors["m3_diattenuation"]
    assert fit.values["m3_diattenuation"] == pytest.approx(0.0210, abs=max(3 * error, 2e-4))
    assert error < 1e-3
    assert fit.stars["C 59607"].degree == pytest.approx(0.05, abs=2e-3)


def table(path, rows, **changes):
    out = []
    for k, (e, az) in enumerate(rows):
        out.append({
            "FILE_NAME": f"f{k}.fits", "OBJECT": "HD 1", "RA": "-11:27:55.99", "DEC": "-16:11:51",
            "MJD": e.mjd, "UT": "26:03.2", "ALTITUDE": e.altitude, "AZIMUTH": az % 360,
            "U_CAMERA": float(e.camera), "U_FLCSTT": "AB".index(e.flc) + 1.0, "U_HWPANG": e.hwp,
            "RET-ANG1": e.hwp, "D_IMRANG": e.imr, "D_IMRMOD": "ADI", "D_IMR": "TRACK",
            "U_FILTER": "675-50", "FILTER01": "", "U_EMGAIN": 300.0, "PA": 123.0,
            "R_15_TOTAL_COUNTS": e.flux, "R_15_TOTAL_COUNTS_PHOTON_NOISE": e.error,
        } | {key.replace("__", "-"): value for key, value in changes.items()})  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(out[0]))
        writer.writeheader()
        writer.writerows(out)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"RA": "32:04.0"},  # spoilt by a spreadsheet: the pointing is used
        {"RA": "12:32:04.01", "D_IMRANG": ""},
        {"RA": "3:00:00"},  # another star's: the pointing is used
        {"R_15_TOTAL_COUNTS_PHOTON_NOISE": ""},
    ],
)
def test_tables_are_read_whatever_happened_to_them(tmp_path, changes):
    rows = exposures(4, q=0.03, u=0.01)
    found = read_star_table(table(tmp_path / "t.csv", rows, **changes))
    assert len(found) == len(rows)
    (stars,) = star_differences(found)
    fit = fit_star(MODEL, stars, synchronised=False)
    assert (fit.q, fit.u) == (pytest.approx(0.03, abs=2e-3), pytest.approx(0.01, abs=2e-3))


def test_a_row_that_lacks_something_is_left_out_alone(tmp_path, caplog):
    rows = exposures(5)
    path = table(tmp_path / "t.csv", rows)
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace(str(rows[0][0].flux), "")
    lines[2] = lines[2].replace("675-50,,300.0", "675-50,,300.0").replace("1.0,1.0,", ",1.0,")
    path.write_text("\n".join(lines) + "\n")
    assert len(read_star_table(path)) >= len(rows) - 2
    with pytest.raises(PolarimetryError, match="no column with the flux"):
        read_star_table(path.with_name(write_plain(path.with_name("x.csv"))))


def write_plain(path):
    path.write_text("OBJECT,MJD\nX,59607\n")
    return path.name


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"U_CAMERA": "", "DETECTOR": "VCAM1 - Ultra 897"}, 0),
        ({"U_CAMERA": "3"}, 1),
        ({"U_FLCSTT": "D"}, 1),
        ({"U_FLCSTT": ""}, 0),  # no FLC: pairs with nothing where the others switch
        ({"MJD": "", "DATE-OBS": "2022-01-28", "UT": "12:00:00:250"}, 0),
        ({"MJD": "", "DATE-OBS": "1/28/22"}, 1),
        ({"R_15_TOTAL_COUNTS": "-5"}, 1),
        ({"RA": "", "DEC": "", "ALTITUDE": "", "AZIMUTH": ""}, 1),
        ({"U_HWPANG": "nan", "RET-ANG1": "nan"}, 1),
        ({"U_EMGAIN": "30.0"}, 0),  # another gain than its partners: another set
    ],
)
def test_an_odd_row_costs_its_own_set_and_no_more(tmp_path, changes, lost):
    rows = exposures(4, q=0.03, u=0.01)
    path = table(tmp_path / "t.csv", rows, DETECTOR="", DATE__OBS="")
    lines = list(csv.DictReader(path.read_text().splitlines()))
    lines[0] |= changes
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    found = read_star_table(path)
    assert len(found) == len(rows) - lost
    (stars,) = star_differences(found)
    assert len(rows) // 4 - 1 <= len(stars) <= len(rows) // 4
    fit = fit_star(MODEL, stars, synchronised=False)
    assert (fit.q, fit.u) == (pytest.approx(0.03, abs=2e-3), pytest.approx(0.01, abs=2e-3))


def test_tables_with_other_columns_names_and_filters(tmp_path, capsys):
    """Names as people write them, a filter without a path of its own, rows given twice."""
    rows = exposures(4, q=0.03, u=0.01)
    path = table(tmp_path / "t.csv", rows, OBJECT="hd 29333", U_FILTER="", FILTER01="656-3")
    text = path.read_text().replace("R_15_TOTAL_COUNTS", "FLUX").splitlines()
    path.write_text("\n".join([text[0], *text[1:], *text[1:]]) + "\n")
    (stars,) = star_differences(read_star_table(path))
    assert (stars.star, stars.filter, len(stars)) == ("HD29333", "656-3", len(rows) // 4)
    options = {o["name"]: o["default"] for o in MuellerFit.cmd_options}
    options |= {"output": str(tmp_path / "m3.toml"), "standards": True, "polarised": "HD_29333"}
    bad = tmp_path / "bad.csv"
    bad.write_text("OBJECT,MJD\nX,59607\n")
    assert MuellerFit().run(options, [str(bad), str(path)]) == 0
    text = capsys.readouterr().out
    assert "bad.csv: no column with the flux of the star" in text
    assert "ideal: no public table for 656-3" in text
    options |= {"output": str(tmp_path / "again.toml"), "polarised": "HD1"}
    with pytest.raises(PolarimetryError, match="no star 'HD1'; the files have HD29333"):
        MuellerFit().run(options, [str(path)])


def test_cameras_of_unequal_throughput_are_balanced():
    """Camera 1 has 0.5 of camera 2's: a difference over the sum loses a ninth."""
    uneven = [
        replace(e, flux=e.flux * (0.625 if e.camera == 1 else 1))
        for e, _ in exposures(0, q=0.04, u=0.0, noise=1e-5)
    ]
    degrees = []
    for own in (uneven, balance_cameras(uneven)):
        (stars,) = star_differences(own)
        degrees.append(fit_star(MODEL, stars, synchronised=False).q)
    assert degrees[0] == pytest.approx(0.04 * 8 / 9, rel=0.02)
    assert degrees[1] == pytest.approx(0.04, rel=2e-3)


def test_right_ascensions_and_parallactic_angles():
    assert right_ascension({"RA": "12:32:04.0"}) == pytest.approx(188.01667, abs=1e-4)
    assert right_ascension({"RA": "-171.98333"}) == pytest.approx(188.01667, abs=1e-4)
    for mjd in (START, START + 0.1, START + 0.2):
        pa, alt, az = Sky(mjd).horizontal(*ETA_CRV, 0.0, np.array([mjd]))
        assert parallactic_angle(float(alt[0]), float(az[0])) == pytest.approx(pa[0], abs=0.3)


def test_the_command_fits_stars_and_mirror(tmp_path, capsys):
    path = table(tmp_path / "star.csv", exposures(6))
    options = {o["name"]: o["default"] for o in MuellerFit.cmd_options}
    options |= {"output": str(tmp_path / "m3.toml"), "standards": True}
    assert MuellerFit().run(options, [str(path)]) == 0
    text = capsys.readouterr().out
    assert "M3 diattenuation 0.01" in text
    assert "unpolarised" in text
    assert (tmp_path / "m3_stars.ecsv").exists()
    assert "m3_diattenuation = 0.01" in (tmp_path / "m3.toml").read_text()
