"""Files that arrive: at rest, half written, stalled, gone, changed again."""

import os

import numpy as np
from astropy.io import fits

from vampires.night.arrivals import STALLED, Arrivals


def test_a_file_is_at_rest_when_it_is_whole_and_stays_as_it_is(tmp_path):
    whole, half = tmp_path / "whole.fits", tmp_path / "half.fits"
    fits.PrimaryHDU(np.zeros((3, 20, 20), np.int16)).writeto(whole)
    content = whole.read_bytes()
    half.write_bytes(content[:3000])
    paths = [str(whole), str(half), str(tmp_path / "gone.fits")]

    first = Arrivals().look(paths, 0.0)
    assert set(first.moving) == {str(whole), str(half)}
    second = first.look(paths, 5.0)
    assert set(second.rested) == {str(whole)}
    assert "announces" in second.moving[str(half)]

    half.write_bytes(content[:4000])
    third = second.look(paths, 50.0)
    assert set(third.moving) == {str(half)}
    assert set(third.look(paths, 50.0 + STALLED).rested) == {str(whole), str(half)}

    half.write_bytes(content)
    os.utime(whole)  # touched: it may be written anew
    fourth = third.look(paths, 60.0)
    assert set(fourth.moving) == {str(whole), str(half)}
    assert set(fourth.look(paths, 65.0).rested) == {str(whole), str(half)}


def test_a_compressed_file_is_whole_at_its_end(tmp_path):
    path = tmp_path / "a.fits.gz"
    fits.PrimaryHDU(np.arange(30000, dtype=np.int16).reshape(3, 100, 100)).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content[:-2000])
    looked = Arrivals().look([str(path)], 0.0).look([str(path)], 5.0)
    assert "truncated or damaged" in looked.moving[str(path)]
    path.write_bytes(content)
    looked = looked.look([str(path)], 10.0).look([str(path)], 15.0)
    assert set(looked.rested) == {str(path)}
