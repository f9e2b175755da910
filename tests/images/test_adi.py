from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from vampires.canonical import Header
from vampires.errors import FileError, HeaderError
from vampires.images.adi import (
    AdiFrame,
    adi_cube,
    adi_frame,
    adi_size,
    combine_cameras,
    derotation_angles,
    write_adi,
)
from vampires.images.image import CameraImage
from vampires.images.recenter import pad_to_diagonal
from vampires.kernels.resample import rotate

SEPARATION, POSITION_ANGLE = 24.0, 65.0  # px of camera 1; deg, north through east
GEOMETRY = {1: (5.952, 129.44), 2: (5.938, 129.99)}
COMPANION, STAR, WIDTH = 40.0, 2e4, 1.6


def gaussian(size, y, x, width=WIDTH):
    grid = np.mgrid[:size, :size] - (size - 1) / 2
    spot = np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / (2 * width**2))
    return spot / (2 * np.pi * width**2)


def companion_at(angle, camera=1):
    """(y, x) from the star of the companion in the pupil frame: north is at -angle."""
    scale = GEOMETRY[1][0] / GEOMETRY[camera][0]
    turn = np.deg2rad(POSITION_ANGLE - angle)
    return SEPARATION * scale * np.cos(turn), -SEPARATION * scale * np.sin(turn)


def coadd(angle, camera=1, size=101, seed=None, mjd=59634.0, flux=COMPANION, fields=("750-50",)):
    """Star, fixed speckles and a companion; `angle` is the DEROTANG of camera 1."""
    speckles = np.random.default_rng(11)
    scale, pupil = GEOMETRY[camera]
    data = STAR * gaussian(size, 0, 0) + flux * gaussian(size, *companion_at(
        angle + pupil - GEOMETRY[1][1], camera))  # fmt: skip
    for y, x in speckles.uniform(-35, 35, (60, 2)):
        data += 60 * gaussian(size, y, x)
    if seed is not None:
        data += np.random.default_rng(seed).normal(0, 0.02, data.shape)
    header = Header(
        {
            "OBJECT": "TEST", "U_CAMERA": camera, "FILTER": fields[0], "PXSCALE": scale,
            "INST-PA": pupil, "DEROTANG": (angle + pupil - GEOMETRY[1][1] + 180) % 360 - 180,
            "MJD": mjd, "NCOADD": 10, "TINT": 5.0, "PA": angle,
        }
    )  # fmt: skip
    planes = [
        np.stack([plane] * len(fields)).astype(np.float32)
        for plane in (data, np.full(data.shape, 4e-4), np.zeros(data.shape))
    ]
    count = np.full(planes[0].shape, 10, np.int32)
    return CameraImage(*planes, count, header, fields)


def sequence(camera=1, n=16, span=80.0, **changes):
    """Coadds of a transit through the wrap at 180 deg."""
    return [
        coadd(150 + span * k / (n - 1), camera, seed=100 * camera + k, mjd=59634 + k / 500,
              **changes)
        for k in range(n)
    ]  # fmt: skip


def median_subtracted(cube, angles):
    """Classical ADI (Marois et al. 2006) with this package's own rotation."""
    residual = cube - np.median(cube, axis=0)
    turned = [
        rotate(frame, frame, float(angle))[0] for frame, angle in zip(residual, angles, strict=True)
    ]
    return np.median(turned, axis=0)


def found(image):
    """Separation (px) and position angle (deg) of the brightest point, by its local centroid."""
    center = (np.array(image.shape) - 1) / 2
    grid = np.indices(image.shape) - center[:, None, None]
    searched = np.where((np.hypot(*grid) > 10) & np.isfinite(image), image, -np.inf)
    peak = np.array(np.unravel_index(np.argmax(searched), image.shape)) - center
    near = np.hypot(grid[0] - peak[0], grid[1] - peak[1]) < 3
    weights = np.clip(image[near], 0, None)
    y, x = (np.sum(weights * axis[near]) / weights.sum() for axis in grid)
    return np.hypot(y, x), np.degrees(np.arctan2(-x, y)) % 360


@pytest.fixture(scope="module", name="files")
def fixture_files(tmp_path_factory):
    """Padded coadds of even size of both cameras: {camera: paths}."""
    folder = tmp_path_factory.mktemp("coadded")
    paths = {1: [], 2: []}
    for camera, found_paths in paths.items():
        for k, image in enumerate(sequence(camera, size=100)):
            path = folder / f"{k}_cam{camera}.fits"
            pad_to_diagonal(image).write(path)
            found_paths.append(path)
    return paths


@pytest.mark.parametrize("size", [100, 101])
def test_the_companion_is_found_where_it_is(size):
    cube, angles = adi_cube(sequence(size=size))
    separation, angle = found(median_subtracted(cube[0], angles))
    assert separation == pytest.approx(SEPARATION, abs=0.15)
    assert angle == pytest.approx(POSITION_ANGLE, abs=0.4)


def test_angles_do_not_wrap():
    images = sequence()
    angles = derotation_angles([image.header for image in images])
    assert angles.dtype == np.float32
    np.testing.assert_allclose(angles, np.linspace(150, 230, 16), rtol=1e-6)
    del images[3].header["DEROTANG"]
    with pytest.raises(HeaderError, match=r"no DEROTANG .* cannot be a frame of an ADI cube"):
        derotation_angles([image.header for image in images])


@pytest.mark.parametrize("size", [(40, 40), (41, 41), (40, 41)])
def test_the_star_is_on_the_central_pixel(size):
    grid = np.indices(size) - (np.array(size)[:, None, None] - 1) / 2
    star = np.exp(-(grid**2).sum(axis=0) / 8).astype(np.float32)
    out = adi_frame(star, (35, 35))
    assert out.shape == (35, 35)
    np.testing.assert_allclose(
        out, np.exp(-((np.indices((35, 35)) - 17) ** 2).sum(0) / 8), atol=4e-4
    )
    wide = adi_frame(star, (61, 61))
    assert np.unravel_index(np.nanargmax(wide), wide.shape) == (30, 30)
    assert np.isnan(wide[0]).all()


@pytest.mark.parametrize(("size", "kept"), [(100, 99), (101, 101)])
def test_padding_is_cut_off_again(size, kept):
    image = pad_to_diagonal(coadd(10, size=size))
    assert adi_size(image.data) == (kept, kept)
    cube, _ = adi_cube([image])
    assert np.isfinite(cube[0, 0, 1:, 1:]).all()


def test_files_hold_the_same_as_memory(files, tmp_path):
    shape = write_adi([AdiFrame.open(path) for path in reversed(files[1])],
                      tmp_path / "cube.fits", tmp_path / "angles.fits", "abc")  # fmt: skip
    expected, angles = adi_cube([CameraImage.read(path) for path in files[1]])
    with fits.open(tmp_path / "cube.fits") as hdus:
        hdus.verify("exception")
        assert hdus[0].data.dtype == np.dtype(">f4")
        np.testing.assert_array_equal(hdus[0].data, expected[0])
        header = hdus[0].header
    np.testing.assert_array_equal(fits.getdata(tmp_path / "angles.fits"), angles)
    assert shape == (16, 99, 99)
    assert header["PSFCENTX"] == header["PSFCENTY"] == 49
    assert header["WAVE0"] == pytest.approx(0.748)
    assert (header["NSOURCE"], header["CONFHASH"]) == (16, "abc")
    assert "angle_list of VIP" in str(fits.getheader(tmp_path / "angles.fits")["COMMENT"])
    first = (tmp_path / "cube.fits").read_bytes()
    write_adi([AdiFrame.open(path) for path in files[1]], tmp_path / "cube.fits",
              tmp_path / "angles.fits", "abc")  # fmt: skip
    assert (tmp_path / "cube.fits").read_bytes() == first


def test_both_cameras_together(files, tmp_path):
    frames = [AdiFrame.open(*pair) for pair in zip(files[1], files[2], strict=True)]
    write_adi(frames, tmp_path / "cube.fits", tmp_path / "angles.fits")
    cube, angles = fits.getdata(tmp_path / "cube.fits"), fits.getdata(tmp_path / "angles.fits")
    np.testing.assert_allclose(angles, np.linspace(150, 230, 16), atol=1e-4)
    assert fits.getheader(tmp_path / "cube.fits")["PXSCALE"] == GEOMETRY[1][0]
    separation, angle = found(median_subtracted(cube.astype(np.float32), angles))
    assert separation == pytest.approx(SEPARATION, abs=0.15)
    assert angle == pytest.approx(POSITION_ANGLE, abs=0.4)


def test_the_mean_of_both_cameras():
    one, two = coadd(20, 1, seed=1), coadd(20, 2, seed=2)
    one.data[0, 50, 60] = np.nan
    both = combine_cameras(one, two)
    assert np.isnan(both.data[0, 50, 60])
    assert np.nansum(both.data[0, 20:80, 20:80]) == pytest.approx(
        np.nansum((one.data + two.data)[0, 20:80, 20:80]) / 2, rel=1e-2
    )
    assert np.nanmedian(both.variance) < 0.5 * np.nanmedian(one.variance) + 1e-8
    assert both.header["TINT"] == 5.0
    with pytest.raises(FileError, match="cannot be combined"):
        combine_cameras(one, coadd(20, 2, size=81))


def test_multiband_cubes_have_a_field_axis(tmp_path):
    for k in range(3):
        image = coadd(10 * k, fields=("F720", "F760"), mjd=59634 + k)
        replace(image, data=image.data * np.float32([[[1]], [[2]]])).write(tmp_path / f"{k}.fits")
    frames = [AdiFrame.open(tmp_path / f"{k}.fits") for k in range(3)]
    shape = write_adi(frames, tmp_path / "cube.fits", tmp_path / "angles.fits")
    assert shape == (2, 3, 101, 101)
    cube, header = fits.getdata(tmp_path / "cube.fits", header=True)
    np.testing.assert_allclose(cube[1], 2 * cube[0])
    assert [header[f"FIELD{i}"] for i in (0, 1)] == ["F720", "F760"]
    coadd(40).write(tmp_path / "other.fits")
    with pytest.raises(FileError, match="cannot be in one ADI cube"):
        write_adi([*frames, AdiFrame.open(tmp_path / "other.fits")],
                  tmp_path / "cube.fits", tmp_path / "angles.fits")  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cameras", [(1,), (2,), (1, 2)])
def test_vip_finds_the_companion(files, tmp_path, cameras):
    pytest.importorskip("vip_hci", reason="vip_hci is not installed")
    from vip_hci.psfsub import median_sub

    frames = [AdiFrame.open(*paths) for paths in zip(*(files[c] for c in cameras), strict=True)]
    write_adi(frames, tmp_path / "cube.fits", tmp_path / "angles.fits")
    cube, angles = fits.getdata(tmp_path / "cube.fits"), fits.getdata(tmp_path / "angles.fits")
    residual = median_sub(cube[:, 1:-1, 1:-1].astype(float), angles.astype(float), verbose=False)
    separation, angle = found(np.asarray(residual))
    scale = GEOMETRY[1][0] / GEOMETRY[cameras[0]][0]
    assert separation == pytest.approx(SEPARATION * scale, abs=0.3)
    assert angle == pytest.approx(POSITION_ANGLE, abs=0.6)


@pytest.mark.filterwarnings("ignore")
def test_pyklip_turns_frames_north_up(files):
    pytest.importorskip("pyklip", reason="pyklip is not installed")
    from pyklip.klip import rotate as klip_rotate

    cube, angles = adi_cube([CameraImage.read(path) for path in files[1]])
    center = cube.shape[-1] // 2
    residual = cube[0] - np.median(cube[0], axis=0)
    turned = [
        klip_rotate(frame, angle, [center, center], flipx=False)
        for frame, angle in zip(residual, angles, strict=True)
    ]
    separation, angle = found(np.nanmedian(turned, axis=0))
    assert separation == pytest.approx(SEPARATION, abs=0.3)
    assert angle == pytest.approx(POSITION_ANGLE, abs=0.6)
