"""One-pass moments against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.kernels.block import RawBlock
from vampires.kernels.temporal import pooled_moments, split_halves


@settings(deadline=None)  # the first call compiles
@given(n=st.integers(2, 9), seed=st.integers(0, 1000), dtype=st.sampled_from(["u2", "f4"]))
def test_as_numpy(n: int, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 60000, (n, 3, 5)).astype(dtype)
    _, means, variances = split_halves(RawBlock(frames, big_endian=False))
    for half in range(2):
        part = frames[half::2].astype(float)
        assert means[half] == pytest.approx(part.mean(0), rel=1e-12)
        expected = part.var(0, ddof=1) if len(part) > 1 else np.zeros((3, 5))
        assert variances[half] == pytest.approx(expected, rel=1e-9, abs=1e-6)
    mean, variance = pooled_moments(means, variances, n)
    assert mean == pytest.approx(frames.astype(float).mean(0), rel=1e-12)
    assert variance == pytest.approx(frames.astype(float).var(0, ddof=1), rel=1e-9)


def test_small_scatter_on_a_high_level() -> None:
    """Sums of squares in single precision would lose this variance altogether."""
    frames = 60000 + np.random.default_rng(1).integers(0, 2, (1000, 4, 4)).astype(np.uint16)
    _, means, variances = split_halves(RawBlock(frames, big_endian=False))
    assert pooled_moments(means, variances, 1000)[1] == pytest.approx(0.25, rel=0.2)


def test_bytes_of_a_file_and_the_order_of_the_halves() -> None:
    frames = np.random.default_rng(2).integers(0, 65536, (5, 3, 4)).astype(np.uint16)
    stored = RawBlock((frames ^ 0x8000).byteswap(), big_endian=True)
    samples, means, _ = split_halves(stored)
    assert np.array_equal(samples, np.concatenate([frames[::2], frames[1::2]]).astype(np.float32))
    assert means[1] == pytest.approx(frames[1::2].mean(axis=0))


def test_a_single_frame() -> None:
    samples, means, variances = split_halves(
        RawBlock(np.full((1, 2, 2), 7, np.uint16), big_endian=False)
    )
    assert np.all(samples == 7)
    assert np.all(means == 7)
    assert np.all(variances == 0)
    mean, variance = pooled_moments(means, variances, 1)
    assert np.all(mean == 7)
    assert np.all(variance == 0)
