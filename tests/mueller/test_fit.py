import numpy as np
import pytest

from vampires.errors import PolarimetryError
from vampires.mueller.fit import LampMeasurements, fit_model
from vampires.mueller.model import MuellerModel

# The toy has no tertiary mirror.
REAL = MuellerModel.from_table("750-50", "EMCCD").with_parameters({"m3_diattenuation": 0.0})
FREE = (
    "hwp_retardance", "hwp_offset", "imr_retardance", "imr_offset", "optics_retardance",
    "optics_diattenuation", "optics_offset", "flc_retardance", "flc_offset", "throughput",
)  # fmt: skip


def lamp(toy, rng, sigma=1e-4, throughput=0.95):
    """A lamp sequence from the hand-written light path: no telescope, light polarised along Q."""
    hwp, imr, flc, values = [], [], [], []
    for h in np.arange(0, 90, 11.25):
        for i in (45.0, 60.0, 75.0, 90.0, 110.0, 130.0):
            for f in "AB":
                # M3 with the altitude and PA at zero only swaps U and V's sign: Q passes
                row1, row2 = (
                    toy.light_path_row(toy.REAL, c, h, i, 0.0, 0.0, f) @ [1, 1, 0, 0]
                    for c in (1, 2)
                )
                hwp.append(h)
                imr.append(i)
                flc.append(f)
                values.append((throughput * row1 - row2) / (throughput * row1 + row2))
    n = len(values)
    noisy = np.array(values) + rng.normal(0, sigma, n)
    return LampMeasurements(np.array(hwp), np.array(imr), tuple(flc), noisy, np.full(n, sigma))


def test_the_parameters_come_back_within_their_errors(toy):
    start = REAL.with_parameters(
        {"hwp_retardance": 0.5, "imr_retardance": 0.45, "hwp_offset": 0.0, "imr_offset": 2.0,
         "optics_retardance": -0.25, "optics_offset": -20.0, "flc_retardance": 0.3,
         "flc_offset": -4.0, "optics_diattenuation": 0.0}
    )  # fmt: skip
    result = fit_model(start, lamp(toy, np.random.default_rng(1)), FREE)
    truth = REAL.parameters | {"throughput": 0.95}
    pulls = (result.values - [truth[n] for n in FREE]) / result.errors
    assert np.abs(pulls).max() < 3.5
    assert abs(result.chi2 / result.dof - 1) < 3 * np.sqrt(2 / result.dof)
    assert result.errors[0] < 0.01


def test_stated_errors_are_the_scatter(toy):
    free = ("hwp_retardance", "flc_retardance")
    rng = np.random.default_rng(2)
    fits = [fit_model(REAL, lamp(toy, rng, throughput=1.0), free) for _ in range(12)]
    pulls = np.array([(f.values - [0.476, 0.261]) / f.errors for f in fits])
    assert 0.6 < pulls.std() < 1.5
    assert np.abs(pulls.mean(axis=0)).max() < 1.2


def test_the_result_can_be_kept_and_drawn(toy, tmp_path):
    result = fit_model(REAL, lamp(toy, np.random.default_rng(3)), ("hwp_offset", "throughput"))
    path = tmp_path / "table.toml"
    path.write_text(result.to_toml("fit of today"))
    model = MuellerModel.from_table("750-50", "QCMOS", table=path)
    assert model.hwp.offset == pytest.approx(result.model.hwp.offset, abs=1e-6)
    assert model.source == "tabulated 750-50 (fit of today)"
    assert "hwp_offset" in repr(result)
    assert list(result.table["parameter"]) == ["hwp_offset", "throughput"]
    upper, lower = result.plot().axes
    assert len(lower.containers) == 12
    assert "750-50" in upper.get_title()


def test_user_errors(toy):
    data = lamp(toy, np.random.default_rng(4))
    with pytest.raises(PolarimetryError, match="cannot fit 'hwp'"):
        fit_model(REAL, data, ("hwp",))
    with pytest.raises(PolarimetryError, match="do not depend on m3_offset"):
        fit_model(REAL, data, ("m3_offset",))
    with pytest.raises(PolarimetryError, match="apart"):
        fit_model(MuellerModel(), data, ("lamp_angle", "hwp_offset", "imr_offset", "flc_offset"))
    one = LampMeasurements(np.zeros(1), np.zeros(1), ("A",), np.zeros(1), np.ones(1))
    with pytest.raises(PolarimetryError, match="1 measurements for 1 parameters"):
        fit_model(REAL, one, ("hwp_offset",))
    with pytest.raises(PolarimetryError, match="lengths"):
        LampMeasurements(np.zeros(2), np.zeros(1), ("A",), np.zeros(1), np.ones(1))
    with pytest.raises(PolarimetryError, match="errors above zero"):
        LampMeasurements(np.zeros(1), np.zeros(1), ("A",), np.zeros(1), np.zeros(1))
