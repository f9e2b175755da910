"""Products are written and read as astropy would, card by card and byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from vampires.errors import FileError
from vampires.instrument.bandpass import bandpass_cards
from vampires.io.products import Parts, read_fits, write_fits
from vampires.utils.cards import Cards

HEADER = Cards(
    {
        "OBJECT": ("AB Aur", "target"), "EXPTIME": (0.25, "[s] exposure time of a frame"),
        "FLIPY": (True, "flipped"), "NCOADD": 12, "NAXIS": 3, "NAXIS1": 999, "DATE": "today",
        "BUNIT": ("e-/s", "unit of the pixels"), "NOTHING": None, "SMALL": 1.5e-7,
        "RELAXED": "x" * 100, "FLATFILE": ("VMPA00021035_coll.fits" * 2, "master flat " * 3),
    }
)  # fmt: skip


def by_astropy(path: Path, planes: dict[str, np.ndarray], header: fits.Header, field: str) -> None:
    """Write the product with astropy alone."""
    for key in ("NAXIS", "NAXIS1", "DATE"):
        del header[key]
    names = list(planes)
    hdus: list[fits.hdu.base.ExtensionHDU] = [fits.PrimaryHDU(planes[names[0]], header)]
    extensions = {name: fits.ImageHDU(planes[name], name=name) for name in names[1:]}
    for name in ("ERR", "SYS"):
        extensions[name].header["BUNIT"] = header["BUNIT"]
    own = header.copy()
    for key, value, comment in bandpass_cards(field):
        own[key] = (value, comment)
    hdus += [extensions.pop("ERR"), fits.ImageHDU(header=own, name=field)]
    hdus += extensions.values()
    fits.HDUList(hdus).writeto(path)


def planes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shape = (2, 7, 9)
    return {
        "": rng.normal(size=shape).astype(np.float32), "ERR": rng.random(shape, np.float32),
        "SYS": rng.random(shape), "COUNT": np.arange(126, dtype=np.int32).reshape(shape),
        "MASK": np.eye(5, dtype=np.uint8),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["cards", "astropy"])
def test_the_bytes_are_those_of_astropy(tmp_path: Path, kind: str) -> None:
    header = HEADER.copy()
    header.prose.append(("HISTORY", "made by a test"))
    theirs = header.to_fits()
    theirs["FLATFILE"] = theirs["FLATFILE"]
    theirs.comments["FLATFILE"] = ""  # too long for its value
    by_astropy(tmp_path / "theirs.fits", planes(), theirs.copy(), "F670")
    ours = header if kind == "cards" else header.to_fits()
    write_fits(tmp_path / "ours.fits", planes(), ours, {"F670": ours})
    with fits.open(tmp_path / "ours.fits") as a, fits.open(tmp_path / "theirs.fits") as b:
        for one, two in zip(a, b, strict=True):
            assert one.header.tostring(sep="\n") == two.header.tostring(sep="\n")
    assert (tmp_path / "ours.fits").read_bytes() == (tmp_path / "theirs.fits").read_bytes()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_fits(tmp_path / "a.fits", planes(), HEADER, {"F670": HEADER})
    found, header, fields = read_fits(tmp_path / "a.fits")
    for name, data in planes().items():
        np.testing.assert_array_equal(found[name], data)
    assert header["EXPTIME"] == 0.25
    assert fields["F670"]["OBJECT"] == "AB Aur"


def test_pixels_without_a_plain_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="uint16"):
        write_fits(tmp_path / "a.fits", {"": np.zeros(3, np.uint16)}, HEADER)
    assert not (tmp_path / "a.fits").exists()


@pytest.mark.parametrize(
    "make",
    [
        lambda data: fits.ImageHDU(data),
        lambda data: fits.ImageHDU(data.astype(np.uint16)),  # as BZERO = 32768
        lambda data: fits.CompImageHDU(data, compression_type="RICE_1"),
    ],
    ids=["plain", "scaled", "compressed"],
)
def test_files_of_other_programs_are_read_as_astropy_reads_them(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    data = np.arange(35, dtype=np.int16).reshape(5, 7)
    plane = make(data)
    plane.header["EXTNAME"] = "Halpha"
    fits.HDUList([fits.PrimaryHDU(data.astype(">f8")), plane]).writeto(tmp_path / "a.fits")
    found, _, fields = read_fits(tmp_path / "a.fits")
    assert not fields
    for name in ("", "Halpha"):
        np.testing.assert_array_equal(found[name], data)
        assert found[name].dtype.isnative


@pytest.mark.parametrize("kept", [0, 1000, 2880, 2900, 5000, -2880])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.fits"
    write_fits(path, planes(), HEADER, {"F670": HEADER})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(FileError, match=r"a\.fits: cannot be read .*; delete it"):
        read_fits(path)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_pixels_made_part_by_part_are_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    monkeypatch.setenv("VAMPIRES_THREADS", threads)
    planes = np.random.default_rng(1).normal(size=(3, 2, 17, 19)).astype(np.float32)
    write_fits(tmp_path / "whole.fits", {"": planes, "ERR": planes, "COV": planes[:, 0]}, HEADER)
    parts = Parts(planes.shape, 3, lambda field: planes[field])
    write_fits(tmp_path / "parts.fits", {"": parts, "ERR": parts, "COV": planes[:, 0]}, HEADER)
    assert (tmp_path / "parts.fits").read_bytes() == (tmp_path / "whole.fits").read_bytes()


def test_no_file_is_left_where_a_part_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAMPIRES_THREADS", "2")

    def part(field: int) -> np.ndarray:
        if field == 1:
            raise ValueError("no field 1")
        return np.zeros((17, 19), np.float32)

    with pytest.raises(ValueError, match="no field 1"):
        write_fits(tmp_path / "parts.fits", {"": Parts((3, 17, 19), 3, part)}, HEADER)
    assert not list(tmp_path.iterdir())
