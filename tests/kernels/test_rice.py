"""Rice decoding against astropy's coder."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.io.frames import open_frames
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


@pytest.mark.parametrize("split", [0, 3, 13])
def test_long_runs_of_zeros(split):
    """A coder chooses splits that keep the unary parts short; the format allows any length."""
    steps = np.random.default_rng(1).integers(-400, 400, 40) if split < 13 else np.full(40, 8000)
    pixels = (3000 + np.append(0, np.cumsum(steps * (-1) ** np.arange(40)))[1:]) % 65536
    bits, last = f"{int(pixels[0]):016b}", int(pixels[0])
    for first in (0, 32):
        bits += f"{split + 1:04b}"
        for pixel in pixels[first : first + 32]:
            difference, last = int(pixel) - last, int(pixel)
            mapped = 2 * difference if difference >= 0 else -2 * difference - 1
            bits += "0" * (mapped >> split) + "1"
            bits += f"{mapped % 2**split:0{split}b}" if split else ""
    bits += "0" * (-len(bits) % 8)
    code = np.frombuffer(int(bits, 2).to_bytes(len(bits) // 8, "big"), np.uint8)
    out = np.zeros((1, 40), np.uint16)
    where = np.array([0]), np.array([code.size])
    assert rice_decode(code, *where, 32, 0, out) == -1
    np.testing.assert_array_equal(out[0], pixels)
    assert rice_decode(code[:-2], where[0], where[1] - 2, 32, 0, out) == 0
