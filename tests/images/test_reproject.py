from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from vampires.canonical import Header
from vampires.errors import HeaderError
from vampires.images.image import CameraImage
from vampires.images.reproject import Similarity, camera_1, reproject, transform
from vampires.kernels.resample import rotate
from vampires.sky.wcs import celestial_wcs

SCALES = {1: (5.952, 129.44), 2: (5.938, 129.99)}  # qCMOS after the NBS installation
SKY = ((40.0, -120.0, 5.0), (-80.0, 260.0, 2.0), (0.0, 0.0, 20.0))  # x, y mas; e-/s


def camera_header(camera, derotang=30.0):
    scale, pupil = SCALES[camera]
    return Header(
        {
            "U_CAMERA": camera, "PXSCALE": scale, "PXAREA": (scale / 1e3) ** 2, "INST-PA": pupil,
            "PAOFFSET": pupil - 217, "DEROTANG": derotang + pupil - SCALES[1][1],
            "TARG-RA": 80.0, "TARG-DEC": 30.0,
        }
    )  # fmt: skip


def camera_image(camera, size=121, width=2.0, background=0.0, derotang=30.0):
    """Point sources at fixed places in the sky, as a camera sees them; Gaussians of 2 px."""
    header = camera_header(camera, derotang)
    turn = np.deg2rad(-header["DEROTANG"])
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    data = np.full((size, size), background)
    for sx, sy, flux in SKY:
        px = (sx * np.cos(turn) - sy * np.sin(turn)) / header["PXSCALE"]
        py = (sx * np.sin(turn) + sy * np.cos(turn)) / header["PXSCALE"]
        sigma = width * SCALES[1][0] / header["PXSCALE"]
        spot = np.exp(-((y - py) ** 2 + (x - px) ** 2) / (2 * sigma**2))
        data += flux * spot / (2 * np.pi * sigma**2)
    planes = [a[None].astype(np.float32) for a in (data, np.ones_like(data), 0.25 + 0 * data)]
    count = np.full((1, size, size), 7, np.int32)
    header.update(celestial_wcs(header, (size, size)))
    return CameraImage(*planes, count, header, ("750-50",), {"750-50": header.copy()})


@pytest.mark.parametrize("size", [120, 121])
def test_camera_2_falls_on_camera_1(size):
    one, two = camera_image(1, size), camera_image(2, size)
    mapped = reproject(two, one.header)
    peak = np.nanmax(one.data)
    raw = np.nanmax(np.abs(two.data - one.data)) / peak
    left = np.nanmax(np.abs(mapped.data - one.data)) / peak
    assert raw > 5e-3
    assert left < 5e-4
    np.testing.assert_allclose(np.nansum(mapped.data), np.nansum(two.data), rtol=1e-4)


def test_centroids_and_fluxes_of_every_source():
    one = camera_image(1)
    mapped = reproject(camera_image(2), one.header)
    y, x = np.indices(one.data.shape[1:])
    for _ in SKY:
        peak = np.unravel_index(np.nanargmax(one.data[0]), one.data.shape[1:])
        inside = np.hypot(y - peak[0], x - peak[1]) < 8
        moments = []
        for image in (one, mapped):
            values = image.data[0][inside].astype(float)
            total = values.sum()
            moments.append((total, (values * y[inside]).sum() / total,
                            (values * x[inside]).sum() / total))  # fmt: skip
        (f1, y1, x1), (f2, y2, x2) = moments
        assert f2 == pytest.approx(f1, rel=2e-4)
        assert np.hypot(y2 - y1, x2 - x1) < 2e-3
        one.data[0][inside] = 0


def test_header_says_what_the_pixels_are():
    one, two = camera_image(1), camera_image(2)
    mapped = reproject(two, one.header)
    for key in ("PXSCALE", "PXAREA", "INST-PA", "PAOFFSET", "DEROTANG"):
        assert mapped.header[key] == pytest.approx(one.header[key], abs=1e-9)
        assert mapped.field_headers["750-50"][key] == mapped.header[key]
    assert mapped.header["REPROJM"] == pytest.approx(5.938 / 5.952)
    assert mapped.header["REPROJR"] == pytest.approx(0.55)
    corner = (3.0, 110.0)
    np.testing.assert_allclose(
        WCS(mapped.header).all_pix2world(*corner, 0),
        WCS(one.header).all_pix2world(*corner, 0), atol=1e-10,
    )  # fmt: skip
    assert two.header["PXSCALE"] == SCALES[2][0]
    assert reproject(mapped, one.header) is mapped


def test_noise_keeps_its_meaning():
    rng = np.random.default_rng(3)
    image = camera_image(2, 61)
    onto = Similarity(1.05, 20.0)
    scatter = np.stack([
        transform(_with(image, rng.normal(0, 1, image.data.shape)), onto).data for _ in range(300)
    ]).std(axis=0)  # fmt: skip
    out = transform(image, onto)
    ratio = scatter / np.sqrt(out.variance)
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.02)
    seen = np.isfinite(out.data)
    np.testing.assert_allclose(out.systematic[seen] / out.variance[seen], 0.25, rtol=1e-3)


def test_surface_brightness_becomes_flux_per_pixel():
    image = _with(camera_image(1, 61), np.full((1, 61, 61), 3.0))
    out = transform(image, Similarity(1.1, 5.0))
    np.testing.assert_allclose(out.data[0, 20:41, 20:41], 3.0 / 1.21, rtol=1e-5)


def test_masked_pixels_stay_masked_and_do_not_spread():
    image = camera_image(2, 61, background=4.0)
    image.data[0, 10:14, 20:24] = np.nan
    image.count[0, 10:14, 20:24] = 0
    out = transform(image, Similarity(1.0, 0.55))
    holes = np.argwhere(np.isnan(out.data[0, 3:-3, 3:-3])) + 3
    assert 4 <= len(holes) <= 20
    assert (np.abs(holes - (11.5, 21.5)) < 3.5).all()
    assert (out.count[0, 11:13, 21:23] == 0).all()
    assert out.count.max() == 7


def test_rotation_has_the_sense_of_derotation():
    image = camera_image(1, 61)
    turned, _ = rotate(image.data[0], image.variance[0], 33.0)
    np.testing.assert_allclose(transform(image, Similarity(1, 33.0)).data[0], turned, atol=1e-7)


def test_measured_map_and_missing_keys():
    one, two = camera_image(1), camera_image(2)
    measured = Similarity(0.999, 0.4)
    mapped = reproject(two, one.header, measured)
    assert mapped.header["REPROJR"] == 0.4
    assert mapped.header["DEROTANG"] == pytest.approx(one.header["DEROTANG"])
    del two.header["INST-PA"]
    with pytest.raises(HeaderError, match=r"no INST-PA .* the cameras cannot be matched"):
        reproject(two, one.header)


def test_camera_1_needs_no_image():
    one, two = camera_image(1), camera_image(2)
    two.header["DETGEN"] = "QCMOS-NBS"
    mapped = reproject(two, camera_1(two.header))
    np.testing.assert_array_equal(mapped.data, reproject(two, one.header).data)
    assert mapped.header["PXAREA"] == pytest.approx(one.header["PXAREA"])


def _with(image, data):
    return replace(image, data=np.asarray(data, np.float32))
