"""Files that are not plain raw files: gzipped ones, own products, those of the public pipeline."""

import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits

from vampires.calibration.masters import read_master
from vampires.errors import FileError
from vampires.header import normalize_header
from vampires.io.frames import open_frames
from vampires.io.products import stamp
from vampires.night.controller import normalized_outputs
from vampires.night.index import build_index, find_files
from vampires.night.matching import match_background, match_flat
from vampires.night.normalize import normalize_file
from vampires.night.raw import raw_header
from vampires.simulate import NightSpec, simulate_night


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign") / "stars"
    spec = NightSpec.preset("stars", frames=3, size=48, cycles=1, calibration_frames=4, speckles=2)
    simulate_night(spec, folder)
    return sorted((folder / "raw").iterdir())


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign") / "controller"
    spec = NightSpec.preset(
        "controller", frames=4, size=48, cycles=1, calibration_frames=0, speckles=2
    )
    simulate_night(spec, folder)
    return sorted((folder / "raw").iterdir())


def published(path):
    """Header as the public pipeline rewrites it: raw cards and facts of the detector, no DETGEN."""
    header = fits.getheader(path)
    facts = normalize_header(header, path)
    for key in ("BIAS", "GAIN", "EFFGAIN", "RN", "DC", "ENF", "PXSCALE", "EXPTIME", "DATA-TYP"):
        header[key] = facts[key]
    return header


def test_gzipped_files_are_read_as_plain_ones(stars, tmp_path):
    packed = tmp_path / f"{stars[0].name}.gz"
    packed.write_bytes(gzip.compress(stars[0].read_bytes()))
    (record,), (plain,) = build_index([packed]), build_index([stars[0]])
    assert record["ok"], record["reason"]
    own = ("path", "size", "mtime_ns")
    assert {k: v for k, v in record.items() if k not in own} == {
        k: v for k, v in plain.items() if k not in own
    }
    whole = slice(None)
    read, expected = (open_frames([path]).read(0, 3, whole).native() for path in (packed, stars[0]))
    np.testing.assert_array_equal(read, expected)


def test_a_truncated_gzipped_file_is_named(stars, tmp_path):
    packed = tmp_path / "cut.fits.gz"
    packed.write_bytes(gzip.compress(stars[0].read_bytes())[:-4000])
    with pytest.raises(FileError, match=r"cut.fits.gz: is truncated"):
        open_frames([packed])


def test_own_products_are_no_raw_files(stars, tmp_path):
    shutil.copy(stars[0], tmp_path)
    header = stamp(fits.getheader(stars[0]), "digest", [stars[0]]).to_fits()
    fits.writeto(tmp_path / "coadd.fits", np.zeros((9, 9), np.float32), header)
    fits.writeto(tmp_path / "combined.fits", np.zeros((2, 9, 9), np.uint16), header)
    assert [record["name"] for record in build_index(["*.fits"], tmp_path)] == [stars[0].stem]


@pytest.mark.parametrize("folder", ["[night] 1", "a?b", "x*", "a=b"])
def test_odd_names_of_folders_and_files(stars, tmp_path, folder):
    (tmp_path / folder).mkdir()
    shutil.copy(stars[0], tmp_path / folder / "u=v [1].fits")
    for patterns, start in (
        ([str(tmp_path / folder / "*.fits")], "/"),
        (["*.fits"], tmp_path / folder),
    ):
        (record,) = build_index(patterns, start)
        assert record["name"] == "u-v [1]"
    assert len(find_files([str(tmp_path / folder / "u=v [1].fits")])) == 1


def test_patterns_still_are_patterns(stars, tmp_path):
    for name in ("a1.fits", "a2.fits", "b1.fits"):
        shutil.copy(stars[0], tmp_path / name)
    assert len(find_files(["[a]?.fits"], tmp_path)) == 2


def test_masters_of_the_public_pipeline_are_used(stars, tmp_path):
    headers = {path: raw_header(path) for path in stars}
    dark = next(p for p in stars if headers[p]["DATA-TYP"] == "DARK")
    flat = next(p for p in stars if headers[p]["DATA-TYP"] == "FLAT")
    level = fits.getdata(dark).mean(axis=0).astype(np.float32)
    level[5, 7] = np.nan
    for path, data, kind in ((dark, level, "BACKGROUND"), (flat, level / level, "FLAT")):
        header = published(path)
        header["CALTYPE"] = kind
        fits.HDUList(
            [
                fits.PrimaryHDU(data, header),
                fits.ImageHDU(np.full_like(data, 0.5), name="ERR"),
                fits.ImageHDU(data / 0.5, name="SNR"),
            ]
        ).writeto(tmp_path / f"{path.stem}_coll.fits")
    masters = build_index([tmp_path])
    assert [record["format"] for record in masters] == ["master", "master"], masters
    (science,) = build_index([stars[0]])
    match = match_background(science, masters)
    assert match.record is not None, match.reason
    master = read_master(match.record["path"])
    assert master.mask.sum() == 1
    assert master.mask[5, 7]
    assert np.isfinite(master.data).all()
    assert master.data[0, 0] == level[0, 0]
    assert master.header["BIAS"] == 150
    assert match_flat(science, masters).record["name"] == f"{flat.stem}_coll"


def test_files_normalised_by_the_public_pipeline_lose_nothing_more(controller, tmp_path):
    raw = controller[0]
    fixed = tmp_path / f"{raw.stem}_fix.fits"
    frames = fits.getdata(raw)[2:]
    fits.writeto(fixed, frames[frames.any(axis=(1, 2))], published(raw))
    (record,) = build_index([fixed])
    assert record["format"] == "fixed"
    assert record["interleaved"]
    expected = normalize_file(raw, tmp_path / "ours").outputs
    made = normalize_file(fixed, tmp_path / "theirs").outputs
    assert list(made.values()) == list(expected.values())
    assert [item["nframes"] for item in normalized_outputs(record, tmp_path)] == [4, 4]
    for mine, other in zip(expected, made, strict=True):
        np.testing.assert_array_equal(fits.getdata(mine), fits.getdata(other))


def test_files_separated_by_the_public_pipeline_are_ready(controller, tmp_path):
    header = published(controller[0])
    header["U_FLCSTT"], header["U_FLC"] = 2, "B"
    path = tmp_path / "x_FLC2_fix.fits"
    fits.writeto(path, fits.getdata(controller[0])[3::2], header)
    (record,) = build_index([path])
    assert (record["format"], record["flc"], record["interleaved"]) == ("archive", "B", False)
