"""Small simulated nights, from raw frames to Stokes planes, in one process."""

from dataclasses import replace

import numpy as np
import pytest

from vampires.config import PolarimetrySettings
from vampires.cube import CameraCube
from vampires.io.frames import open_frames
from vampires.io.rawfile import write_raw
from vampires.mueller.model import MuellerModel
from vampires.polarimetry.inversion import reduce_set
from vampires.polarimetry.streaming import aligned_images, frame_times, reduce_cubes
from vampires.simulate import NightSpec
from vampires.simulate.cameras import build_camera
from vampires.simulate.detector import expose
from vampires.simulate.frames import frame_truth, science_image
from vampires.simulate.geometry import sky_angles
from vampires.simulate.headers import file_header, header_mjd
from vampires.simulate.plan import plan_night
from vampires.simulate.scene import Ring

MODEL = MuellerModel.from_table("750-50", "EMCCD")


class Scenes:
    """Noise-free frames of one HWP cycle on a detector without flaws, noised at will."""

    def __init__(self, folder):
        self.folder = folder
        self.opened = {}
        self.spec = NightSpec(
            frames=3, size=48, cycles=1, flux=3e4, jitter=0.7, calibration_frames=0,
            hot_fraction=0, dead_fraction=0, prnu=0, vignetting=0, seed=5, speckles=4,
            ring=Ring(contrast=1.0, radius=0.1, width=0.025, max_polarisation=0.8),
        )  # fmt: skip
        cameras = {number: build_camera(self.spec, number) for number in (1, 2)}
        self.items = [self._item(e, cameras[e.camera]) for e in plan_night(self.spec)]

    def _item(self, e, camera):
        spec = self.spec
        angles = sky_angles(spec.ra, spec.dec, np.append(e.mids, header_mjd(spec, e)))
        header = file_header(spec, e, angles[-1], camera.crop, camera.raw_hotspots())
        truth = frame_truth(spec, e, angles[:-1])
        rate = np.stack([science_image(camera, spec, truth, k) for k in range(e.frames)])
        return e, camera, header, rate

    def cubes(self, rng):
        return [self._cube(item, rng) for item in self.items]

    def _cube(self, item, rng):
        e, camera, header, rate = item
        path = self.folder / f"VMPA{e.number:08d}.fits"
        write_raw(
            path, header, rate.shape,
            [expose(rate, camera.sensor, camera.pixels, e.exptime, rng)],
        )  # fmt: skip
        if path not in self.opened:
            self.opened[path] = CameraCube.open([path])
        fresh = replace(self.opened[path], source=open_frames([path]))
        return fresh.measure().register()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return Scenes(tmp_path_factory.mktemp("scenes"))


def test_error_planes_are_the_scatter_of_nights(scenes):
    """12 nights of fresh noise; every plane to 12 %, away from the star.

    The relative error of the scatter itself is 2 % here. With 50 nights all ratios of scatter
    to error lie between 1.01 and 1.04.
    """
    rng = np.random.default_rng(1)
    frames = [
        reduce_set([cube.coadd("mean") for cube in scenes.cubes(rng)], MODEL) for _ in range(12)
    ]
    planes = {k: np.array([f.products()[k][0] for f in frames]) for k in frames[0].products()}
    errors = {k: np.array([f.errors()[k][0] for f in frames]) for k in planes}
    planes["AOLP"] = (planes["AOLP"] - planes["AOLP"][0] + 90) % 180 - 90
    ny, nx = frames[0].shape
    r = np.hypot(*(np.indices((ny, nx)) - np.array([(ny - 1) / 2, (nx - 1) / 2])[:, None, None]))
    strong = planes["LP_I"].mean(axis=0) > 4 * errors["LP_I"].mean(axis=0)
    for name, stack in planes.items():
        region = (r > 8) & (r < 20)
        if name in ("LP_I", "AOLP"):
            region &= strong
        assert region.sum() > 100
        scatter = np.sqrt(stack[:, region].var(axis=0, ddof=1).mean())
        assert scatter == pytest.approx(np.sqrt((errors[name][:, region] ** 2).mean()), rel=0.12)


def test_frame_by_frame_is_the_same_in_the_mean(scenes):
    cubes = scenes.cubes(np.random.default_rng(2))
    coadds = [cube.coadd("mean", recenter=None) for cube in cubes]
    streamed, whole = reduce_cubes(cubes, MODEL), reduce_set(coadds, MODEL)
    region = np.isfinite(whole.data[0]).all(axis=0) & np.isfinite(streamed.data[0]).all(axis=0)
    assert region.sum() > 1500
    # each frame is turned by its own angle: half a degree within a file
    difference = (streamed.data - whole.data)[0, 2:, region]
    assert np.std(difference) < 0.3 * np.median(whole.errors()["Q"][0, region])
    assert streamed.header["NSTREAM"] == 3
    for key in ("NCOADD", "TINT", "METHOD", "CD1_1"):
        assert streamed.header[key] == pytest.approx(whole.header[key]), key
    ratio = streamed.errors()["Q"][0, region] / whole.errors()["Q"][0, region]
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    assert streamed.shares.pixels.mean() == pytest.approx(whole.shares.pixels.mean(), rel=0.01)
    assert streamed.shares.pixels.min() > 1
    # a median of three is not the mean
    median = reduce_cubes(cubes, MODEL, PolarimetrySettings(collapse="median"))
    assert not np.allclose(median.data[0, 2, region], streamed.data[0, 2, region])


def test_every_frame_has_its_own_angle(scenes):
    cube = scenes.cubes(np.random.default_rng(3))[0]
    e = scenes.items[0][0]
    np.testing.assert_allclose(frame_times(cube), e.mids, atol=13 / 86400)
    images = list(aligned_images(cube))
    true = sky_angles(scenes.spec.ra, scenes.spec.dec, frame_times(cube)).parallactic
    got = [image.header["PA"] for image in images]
    np.testing.assert_allclose((np.array(got) - true + 180) % 360 - 180, 0, atol=2e-3)
    assert np.isfinite(images[0].data).any()


def test_cameras_stay_in_step(scenes):
    cubes = scenes.cubes(np.random.default_rng(4))
    dropped = replace(cubes[0], keep=np.array([False, True, True]))
    frame = reduce_cubes([dropped, *cubes[1:]], MODEL)
    assert frame.header["NSTREAM"] == 2
    assert frame.header["NCOADD"] == 2 * 8
