import numpy as np
import pytest

from vampires.canonical import Header
from vampires.images.derotate import derotate, turned_field
from vampires.images.image import CameraImage
from vampires.kernels.resample import rotate


def image(shape, angle, camera=1, dtype=np.float32):
    rng = np.random.default_rng(sum(shape))
    data = rng.normal(10, 1, (2, *shape)).astype(dtype)
    variance, systematic = (np.full((2, *shape), k, dtype) for k in (4, 1))
    header = Header({"U_CAMERA": camera, "DEROTANG": angle})
    return CameraImage(
        data, variance, systematic, np.ones((2, *shape), np.int32), header, ("F670", "F720")
    )


def test_each_image_is_turned_by_its_own_angle_in_its_own_size():
    images = [image((21, 25), 30.0), image((33, 17), -70.0, camera=2), image((21, 25), 35.0)]
    for own, turned in zip(images, derotate(images), strict=True):
        assert turned.data.shape == turned.systematic.shape == own.data.shape
        for field in range(2):
            data, variance = rotate(
                own.data[field], own.variance[field], own.header.need(Header.derotation)
            )
            np.testing.assert_array_equal(turned.data[field], data)
            np.testing.assert_array_equal(turned.variance[field], variance)


def test_a_field_of_many_is_that_of_the_whole_images():
    images = [image((21, 25), angle) for angle in (30.0, 35.0)]
    for field in range(2):
        data, variance = turned_field(images, field, [30.0, 35.0])
        for i, turned in enumerate(derotate(images)):
            np.testing.assert_array_equal(data[i], turned.data[field])
            np.testing.assert_array_equal(variance[i], turned.variance[field])


@pytest.mark.parametrize("dtype", [">f4", float])
def test_pixels_of_other_types_turn_as_their_float32(dtype):
    plain, other = (derotate([image((21, 25), 30.0, dtype=d)])[0] for d in (np.float32, dtype))
    assert other.data.dtype == np.float32
    np.testing.assert_allclose(other.data, plain.data, rtol=1e-5)
