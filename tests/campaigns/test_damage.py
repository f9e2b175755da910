"""Random damage of raw files, products, state, index and configuration: one clear line each."""

import time

import numpy as np
import pytest
from astropy.io import fits

from vampires.config import load_config
from vampires.cube import CameraCube
from vampires.engine.database import CommittingSqliteDB
from vampires.engine.products import TargetsUnchanged, fingerprints
from vampires.errors import VampiresError
from vampires.images.image import CameraImage
from vampires.measure.metrics import FrameMetrics
from vampires.night.index import build_index
from vampires.night.scan import scan_file

pytestmark = pytest.mark.campaign

LIMIT = 300.0  # s; a trial that takes longer hangs


def complaint(function, *args):
    """The line of an expected error; None when all went well. Any other error goes on."""
    try:
        function(*args)
    except VampiresError as error:
        return str(error)
    return None


def reduce_file(path):
    cube = CameraCube.open([path]).measure().register()
    image = cube.coadd("mean", 64, pad=False, recenter=None)
    assert np.isfinite(image.data).any()


def truncated(content, dice):
    return content[: dice.randrange(len(content))]


def flipped(content, dice):
    out = bytearray(content)
    for _ in range(dice.choice((1, 3, 100))):
        out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def flipped_in_header(content, dice):
    out = bytearray(content)
    for _ in range(dice.choice((1, 2, 5))):
        out[dice.randrange(min(len(out), 20000))] ^= 1 << dice.randrange(7)
    return bytes(out)


def randomised(content, dice):
    out = bytearray(content)
    start = dice.randrange(len(out))
    stop = min(len(out), start + dice.choice((100, 5000, 200_000)))
    out[start:stop] = dice.randbytes(stop - start)
    return bytes(out)


def zeroed(content, dice):
    start = dice.randrange(len(content))
    stop = min(len(content), start + dice.choice((100, 5000, 200_000)))
    return content[:start] + bytes(stop - start) + content[stop:]


def extended(content, dice):
    return content + dice.randbytes(dice.choice((1, 2879, 10_000)))


def another_value(content, dice):
    """A card that says something else, of another type or size."""
    cards = [i for i in range(0, min(len(content), 14400), 80) if content[i + 8 : i + 10] == b"= "]
    start = dice.choice(cards)
    value = dice.choice(
        ["'NaN'", "'FOO'", "''", "-1", "0", "99999999999", "1E400", "T", "'2023-02-31'", "", "NaN"]
    )
    card = content[start : start + 10] + value.encode().rjust(20)
    return content[:start] + card.ljust(80) + content[start + 80 :]


DAMAGES = (truncated, flipped, flipped_in_header, randomised, zeroed, extended, another_value)


@pytest.fixture(name="raw_files")
def fixture_raw_files(stars_night, tmp_path):
    """A plain raw file and the same in Rice tiles."""
    plain = sorted((stars_night / "raw").glob("*.fits"))[0]
    tiled = tmp_path / "tiled.fits.fz"
    with fits.open(plain) as hdus:
        image = fits.CompImageHDU(
            hdus[0].data, hdus[0].header, compression_type="RICE_1", tile_shape=(1, 1, 128)
        )
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(tiled, output_verify="silentfix")
    return plain, tiled


@pytest.mark.filterwarnings("default")
def test_damaged_raw_files(raw_files, tmp_path, trials, dice):
    """Each is refused with a line that names it, or reduced to finite pixels."""
    held = {"refused by the scan": 0, "refused when read": 0, "reduced": 0}
    for number in range(trials(25)):
        source = dice.choice(raw_files)
        damage = dice.choice(DAMAGES)
        path = tmp_path / f"trial{number}{''.join(source.suffixes)}"
        path.write_bytes(damage(source.read_bytes(), dice))
        begun = time.monotonic()
        record = scan_file(path).record
        if not record["ok"]:
            held["refused by the scan"] += 1
            assert str(path) in record["reason"], (damage.__name__, record["reason"])
            assert "\n" not in record["reason"]
        else:
            print(damage.__name__, source.name, path)  # noqa: T201 - for when the next line fails
            line = complaint(reduce_file, path)
            held["reduced" if line is None else "refused when read"] += 1
            assert line != ""
        assert time.monotonic() - begun < LIMIT
        path.unlink()
    print(f"damaged raw files: {held}")  # noqa: T201


@pytest.mark.filterwarnings("default")
def test_damaged_products(stars_night, tmp_path, trials, dice):
    """The damage is found, and whoever reads the product nevertheless says so in a line."""
    cube = CameraCube.open(sorted((stars_night / "raw").glob("*.fits"))[:1]).measure()
    whole = {tmp_path / "metrics.h5": cube.measured.write, tmp_path / "coadd.fits": None}
    cube.measured.write(tmp_path / "metrics.h5")
    image = cube.register().coadd("mean", 64, pad=False, recenter=None)
    image.write(tmp_path / "coadd.fits")
    contents = {path: path.read_bytes() for path in whole}
    prints = {path: fingerprints([str(path)]) for path in whole}
    readers = {".h5": FrameMetrics.read, ".fits": CameraImage.read}
    found = refused = 0
    number = trials(10)
    for _ in range(number):
        path, damage = dice.choice(list(contents)), dice.choice(DAMAGES[:-1])
        damaged = damage(contents[path], dice)
        path.write_bytes(damaged)
        task = type("Task", (), {"targets": [str(path)], "name": "a"})
        lines = TargetsUnchanged().damaged(task, {"_targets": prints[path]})
        assert bool(lines) == (damaged != contents[path]), damage.__name__
        found += len(lines)
        line = complaint(readers[path.suffix], path)
        refused += line is not None
        assert line is None or str(path) in line
        path.write_bytes(contents[path])
    print(f"damaged products: {number} tried, {found} found, {refused} cannot be read")  # noqa: T201


def test_damaged_state(project, tmp_path, trials, dice):
    project.doit()
    state = project.folder / ".doit.db"
    content = state.read_bytes()
    from doit.dependency import JSONCodec

    for number in range(trials(30)):
        folder = tmp_path / f"state{number}"
        folder.mkdir()
        path = folder / ".doit.db"
        path.write_bytes(dice.choice(DAMAGES[:-1])(content, dice))
        database = CommittingSqliteDB(str(path), JSONCodec())
        for task in ("coadd:a", "coadd:b", "stokes"):
            assert isinstance(database.get(task, "deps:"), list | None)
        database.set("coadd:a", "deps:", [])
        database.dump()
        assert CommittingSqliteDB(str(path), JSONCodec()).get("coadd:a", "deps:") == []


def test_damaged_index(stars_night, tmp_path, trials, dice):
    raw = tmp_path / "raw"
    raw.mkdir()
    for path in sorted((stars_night / "raw").glob("*.fits"))[:2]:
        (raw / path.name).symlink_to(path)
    index = tmp_path / "index.sqlite"
    expected = build_index("*.fits", raw, cache_path=index)
    content = index.read_bytes()
    for _ in range(trials(15)):
        for suffix in ("-wal", "-shm", "-journal"):
            index.with_name(index.name + suffix).unlink(missing_ok=True)
        index.write_bytes(dice.choice((truncated, randomised, zeroed))(content, dice))
        assert build_index("*.fits", raw, cache_path=index) == expected


def test_damaged_configuration(tmp_path, trials, dice):
    from vampires.config.write import template_folder

    templates = [path.read_bytes() for path in sorted(template_folder().glob("*.toml"))]
    path = tmp_path / "night.toml"
    refused = 0
    number = trials(40)
    for _ in range(number):
        damage, template = dice.choice((truncated, flipped, randomised)), dice.choice(templates)
        path.write_bytes(damage(template, dice))
        line = complaint(load_config, path)
        refused += line is not None
        assert line is None or "night.toml" in line
    print(f"damaged configurations: {number} tried, {refused} refused with a line")  # noqa: T201
