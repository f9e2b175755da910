import numpy as np
import pytest

from vampires.kernels.covariance import pair
from vampires.kernels.resample import rotate, shift
from vampires.polarimetry.photometry import measure_polarisation, region_weights
from vampires.polarimetry.propagation import sum_variance_gain


@pytest.mark.parametrize(("radius", "radius2"), [(6.0, None), (12.0, None), (8.0, 14.0)])
def test_sums_of_interpolated_noise(radius, radius2):
    """Shifted and turned noise, 250 draws: the error of a sum to 12 % (4 % is chance)."""
    rng = np.random.default_rng(1)
    region = region_weights((41, 41), radius, radius2)
    ones = np.ones((41, 41), np.float32)
    sums, stated = [], []
    for _ in range(250):
        noise = rng.normal(size=(41, 41)).astype(np.float32)
        moved, variance = shift(noise, ones, *rng.uniform(-0.5, 0.5, 2))
        turned, variance = rotate(moved, variance, rng.uniform(20, 70))
        inside = region > 0
        sums.append((turned * region)[inside].sum())
        stated.append((variance * region**2)[inside].sum() * sum_variance_gain(2))
    assert np.std(sums) == pytest.approx(np.sqrt(np.mean(stated)), rel=0.12)


def test_gain_of_no_interpolation_is_one():
    assert sum_variance_gain(0) == 1
    assert sum_variance_gain(1) == pytest.approx(1.2376, abs=1e-3)


def test_covariance_scales_the_error_of_a_polarisation():
    planes = np.ones((4, 21, 21))
    covariance = np.zeros((10, 21, 21))
    covariance[pair(2, 2)] = covariance[pair(3, 3)] = 1e-4
    one = measure_polarisation(planes, covariance, 5.0)
    two = measure_polarisation(planes, covariance * sum_variance_gain(2), 5.0)
    assert two.q_err / one.q_err == pytest.approx(np.sqrt(sum_variance_gain(2)))
