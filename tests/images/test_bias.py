import numpy as np
import pytest

from vampires.canonical import Header
from vampires.images.bias import coadd_is_biased, halo_level, median_bias
from vampires.simulate.detector import Sensor, generator


@pytest.mark.parametrize("electrons", [0.05, 0.3, 1.0, 5.0, 20.0])
def test_the_bias_is_that_of_the_simulated_detector(electrons):
    """To 2 % of the light."""
    em = Sensor(bias=150, gain=4.5, read_noise=89, full_well=800000, dark_current=0, em_gain=300)
    rng = generator(1, "bias")
    photons = rng.poisson(electrons, 60_000).astype(float)
    signal = (em.digitise(photons, rng).astype(float) - 150) * 4.5 / 300
    measured = (np.median(signal) - signal.mean()) / electrons
    noise = 0.02 + 0.02 / electrons * 0.3
    assert median_bias(electrons, 89 / 300, amplified=True) == pytest.approx(measured, abs=noise)


def test_who_is_warned():
    em = Header({"ENF": np.sqrt(2), "RN": 0.3, "EXPTIME": 0.1})
    cmos = Header({"ENF": 1.0, "RN": 0.4, "EXPTIME": 0.1})
    assert coadd_is_biased(em, "median", 5.0)
    assert coadd_is_biased(em, "biweight", 50.0)
    assert not coadd_is_biased(em, "mean", 5.0)
    assert not coadd_is_biased(em, "varmean", 5.0)
    assert not coadd_is_biased(em, "median", 1e4)
    assert not coadd_is_biased(cmos, "median", 1e3)
    assert coadd_is_biased(cmos, "median", 3.0)
    assert not coadd_is_biased(em, "median", 0.0)


def test_level_of_the_halo():
    image = np.full((2, 61, 61), 3.0, np.float32)
    image[:, 25:36, 25:36] = 1e5
    image[0, 0] = np.nan
    assert halo_level(image) == 3.0
    assert halo_level(np.full((5, 5), np.nan, np.float32)) == 0.0
