"""Rice decoding against astropy's coder."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.frames import open_frames
from vampires.kernels.rice import rice_decode


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    width=st.integers(1, 130),
    spread=st.floats(0, 20000),
)
def test_agrees_with_astropy(tmp_path_factory, seed, width, spread):
    rng = np.random.default_rng(seed)
    values = rng.normal(3000, spread, (2, 3, width)).clip(0, 65535).astype(np.uint16)
    path = tmp_path_factory.mktemp("rice") / "raw.fits.fz"
    hdu = fits.CompImageHDU(values, compression_type="RICE_1", tile_shape=(1, 1, width))
    hdu.writeto(path)
    np.testing.assert_array_equal(open_frames(path).read(0, 2).native(), values)


@pytest.mark.parametrize("code", [b"", b"\x01", b"\x01\x02", b"\x01\x02\xf0", b"\x01\x02\x20\x00"])
def test_code_that_ends_early_is_reported(code):
    heap = np.frombuffer(code, np.uint8)
    out = np.zeros((1, 64), np.uint16)
    assert rice_decode(heap, np.array([0]), np.array([len(code)]), 32, 0x8000, out) == 0


def test_random_bytes_never_read_past_the_end():
    rng = np.random.default_rng(0)
    out = np.zeros((1, 500), np.uint16)
    for _ in range(200):
        heap = rng.integers(0, 256, 40, dtype=np.uint8)
        assert rice_decode(heap, np.array([0]), np.array([40]), 32, 0, out) in (-1, 0)
