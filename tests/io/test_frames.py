"""Raw frames: every form a file can take, and every way it can be broken."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from vampires.errors import FileError
from vampires.io.frames import open_frames
from vampires.kernels.block import RawBlock

SHAPE = (7, 12, 20)


@pytest.fixture(name="cube")
def fixture_cube():
    rng = np.random.default_rng(3)
    cube = rng.integers(0, 65536, SHAPE, dtype=np.uint16)
    cube[1] = 250  # a frame without differences, which Rice stores as empty blocks
    cube[2] = rng.poisson(300, SHAPE[1:])
    return cube


def write(path, data, **compression):
    if compression:
        fits.CompImageHDU(data, **compression).writeto(path)
    else:
        fits.PrimaryHDU(data).writeto(path)
    return path


@pytest.fixture(
    name="path",
    params=[
        None,
        {"compression_type": "RICE_1", "tile_shape": (1, 1, 20)},
        {"compression_type": "RICE_1", "tile_shape": (1, 12, 20)},
        {"compression_type": "GZIP_1", "tile_shape": (1, 1, 20)},
    ],
    ids=["plain", "rice-rows", "rice-frames", "gzip-rows"],
)
def fixture_path(request, tmp_path, cube):
    if request.param is None:
        return write(tmp_path / "raw.fits", cube)
    return write(tmp_path / "raw.fits.fz", cube, **request.param)


def test_reads_what_was_written(path, cube):
    source = open_frames(path, threads=2)
    assert (source.n, source.ny, source.nx) == SHAPE
    np.testing.assert_array_equal(source.read(0, 7).native(), cube)
    np.testing.assert_array_equal(source.read(2, 5, slice(3, 9)).native(), cube[2:5, 3:9])
    np.testing.assert_array_equal(source.read(6, 7, slice(11, 12)).native(), cube[6:, 11:])


@pytest.mark.parametrize(
    "rows", [slice(1, None, 4), np.array([0, 1, 5, 7, 8, 11]), np.array([6]), np.arange(12)],
    ids=["steps", "runs", "one", "all"],
)  # fmt: skip
def test_reads_separate_rows(path, cube, rows):
    source = open_frames(path, threads=2)
    np.testing.assert_array_equal(source.read(1, 6, rows).native(), cube[1:6, rows])
    np.testing.assert_array_equal(source.read(3, 4, rows).native(), cube[3:4, rows])


def test_selected_frames_keep_their_origin(path, cube, tmp_path):
    other = write(tmp_path / "second.fits", cube[:3] // 2)
    keep = np.array([0, 1, 1, 0, 1, 0, 1, 1, 0, 1], bool)
    source = open_frames([path, other], keep)
    both = np.concatenate([cube, cube[:3] // 2])
    np.testing.assert_array_equal(source.read(0, source.n).native(), both[keep])
    np.testing.assert_array_equal(source.read(1, 5, slice(4, 6)).native(), both[keep][1:5, 4:6])
    np.testing.assert_array_equal(source.file_index, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(source.frame_index, [1, 2, 4, 6, 0, 2])
    np.testing.assert_array_equal(source.select(source.file_index == 1).frame_index, [0, 2])


def test_chunks_cover_each_frame_once_and_fit_in_memory(tmp_path, cube):
    paths = [write(tmp_path / f"{i}.fits", cube) for i in range(2)]
    source = open_frames(paths)
    memory = 3 * SHAPE[1] * SHAPE[2] * 10
    ranges = list(source.chunks(memory))
    assert ranges == [(0, 3), (3, 6), (6, 7), (7, 10), (10, 13), (13, 14)]
    assert list(source.chunks(1)) == [(i, i + 1) for i in range(14)]


def test_image_is_one_frame(tmp_path, cube):
    source = open_frames(write(tmp_path / "image.fits", cube[0]))
    assert source.n == 1
    np.testing.assert_array_equal(source.read(0, 1, slice(2, 5)).native(), cube[:1, 2:5])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("ndim", [2, 3])
def test_other_numbers_come_as_float(tmp_path, dtype, ndim):
    values = (np.arange(120).reshape(2, 6, 10) - (0 if dtype == np.uint8 else 60)).astype(dtype)
    path = write(tmp_path / "odd.fits", values if ndim == 3 else values[0])
    block = open_frames(path).read(0, 1, slice(1, 4))
    assert block.data.dtype == np.float32
    np.testing.assert_array_equal(block.native(), values[:1, 1:4])


def test_image_in_a_later_hdu_is_found(tmp_path, cube):
    path = tmp_path / "later.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=np.arange(5))])
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(cube)]).writeto(path)
    np.testing.assert_array_equal(open_frames(path).read(0, 7).native(), cube)


def test_block_outlives_the_file(tmp_path, cube):
    path = write(tmp_path / "gone.fits", cube)
    block = open_frames(path).read(0, 7)
    path.unlink()
    np.testing.assert_array_equal(block.native(), cube)


def test_file_that_shrinks_after_opening(tmp_path, cube):
    path = write(tmp_path / "raw.fits", cube)
    source = open_frames(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(FileError, match="changed while being read"):
        source.read(0, 7)
    with pytest.raises(FileError, match="changed while being read"):
        source.read(0, 7, slice(2, 4))


def test_file_that_shrinks_once_it_is_read(tmp_path, cube):
    """A map of it would be a bus error, which ends the process."""
    path = write(tmp_path / "a.fits", cube)
    source = open_frames(path)
    block = source.read(0, source.n)
    path.write_bytes(path.read_bytes()[:2880])
    assert np.array_equal(block.native(), cube)


def test_native_swaps_and_adds_bzero():
    stored = np.array([-32768, 0, 32767], ">i2").view(np.uint16)
    np.testing.assert_array_equal(RawBlock(stored, big_endian=True).native(), [0, 32768, 65535])


def header_cards(**cards):
    header = fits.PrimaryHDU(np.zeros(SHAPE, np.uint16)).header
    for key, value in cards.items():
        header[key] = value
    return header.tostring().encode() + bytes(5760)


def broken_files():
    whole = fits.PrimaryHDU(np.zeros(SHAPE, np.uint16))
    return {
        "empty": (b"", "is empty"),
        "text": (b"not a fits file at all" * 300, "not FITS"),
        "gzip": (b"\x1f\x8b" + bytes(100), "truncated or damaged"),
        "half a header": (whole.header.tostring().encode()[:1000], "truncated"),
        "no data": (whole.header.tostring().encode(), "announces 6240 bytes, the file has 2880"),
        "huge": (header_cards(NAXIS1=2_000_000_000, NAXIS2=2_000_000_000), "truncated"),
        "bitpix": (header_cards(BITPIX=17), "BITPIX is 17"),
        "negative": (header_cards(NAXIS2=-12), "NAXIS2 is -12"),
        "word": (header_cards(NAXIS3="many"), "NAXIS3 is 'many'"),
        "no frames": (header_cards(NAXIS3=0), "0 frames"),
        "no image": (fits.PrimaryHDU().header.tostring().encode(), "no 2-D or 3-D image"),
    }


@pytest.mark.parametrize("kind", list(broken_files()))
def test_broken_file_is_named_with_the_reason(tmp_path, kind):
    content, reason = broken_files()[kind]
    path = tmp_path / "broken.fits"
    path.write_bytes(content)
    with pytest.raises(FileError, match=reason) as caught:
        open_frames(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileError, match="cannot be opened"):
        open_frames(tmp_path / "absent.fits")
    with pytest.raises(FileError, match="is a folder"):
        open_frames(tmp_path)
    with pytest.raises(FileError, match="no raw file"):
        open_frames([])


def test_frames_that_do_not_go_together(tmp_path, cube):
    first = write(tmp_path / "a.fits", cube)
    second = write(tmp_path / "b.fits", cube[:, :6])
    with pytest.raises(FileError, match=r"b\.fits.*20 x 6.*20 x 12"):
        open_frames([first, second])
    with pytest.raises(FileError, match="3 frames are flagged but the files hold 7"):
        open_frames(first, [True, False, True])
    with pytest.raises(FileError, match="no frame is left"):
        open_frames(first, np.zeros(7, bool))


@pytest.mark.parametrize("damage", ["code", "descriptor"])
def test_damaged_compressed_row_is_an_error(tmp_path, cube, damage):
    path = write(tmp_path / "raw.fits.fz", cube, compression_type="RICE_1", tile_shape=(1, 1, 20))
    with fits.open(path, disable_image_compression=True) as hdus:
        table = hdus[1].fileinfo()["datLoc"]
    content = bytearray(path.read_bytes())
    if damage == "code":
        content[table : table + 4] = (3).to_bytes(4, "big")  # three bytes cannot hold the row
    else:
        content[table + 4 : table + 8] = (2**31 - 9).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(FileError, match="compressed row 0 cannot be decoded"):
        open_frames(path).read(0, 2)


def test_damaged_row_among_separate_ones_is_named(tmp_path, cube):
    path = write(tmp_path / "raw.fits.fz", cube, compression_type="RICE_1", tile_shape=(1, 1, 20))
    with fits.open(path, disable_image_compression=True) as hdus:
        table = hdus[1].fileinfo()["datLoc"]
    content = bytearray(path.read_bytes())
    place = table + 8 * (2 * 12 + 7)  # row 7 of the third frame
    content[place : place + 4] = (3).to_bytes(4, "big")
    path.write_bytes(content)
    source = open_frames(path)
    source.read(0, 3, np.array([2, 6, 9]))
    with pytest.raises(FileError, match="compressed row 7 cannot be decoded"):
        source.read(0, 3, np.array([2, 7, 9]))
