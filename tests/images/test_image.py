import numpy as np
import pytest

from vampires.canonical import Header
from vampires.errors import FileError
from vampires.images.image import CameraImage


@pytest.fixture
def multiband():
    planes = [np.full((3, 5, 7), k, np.float32) for k in (0, 2, 3)]
    planes[0] += np.arange(3, dtype=np.float32)[:, None, None]
    names = ("F670", "F720", "F760")
    headers = {name: Header({"OWN": name}) for name in names}
    return CameraImage(
        *planes, np.full((3, 5, 7), 4, np.int32), Header({"NCOADD": 4}), names, headers
    )


def test_a_field_is_an_image_of_the_same_pixels(multiband):
    part = multiband.field("F720")
    assert part.fields == ("F720",)
    assert part.data.shape == part.err.shape == part.count.shape == (1, 5, 7)
    assert (part.data == 1).all()
    assert np.shares_memory(part.data, multiband.data)
    assert part.field_headers == {"F720": multiband.field_headers["F720"]}
    assert part.header == multiband.header


def test_a_field_that_is_not_there_is_named_with_those_that_are(multiband):
    for pick in (multiband.field, multiband.ccddata, multiband.plot):
        with pytest.raises(FileError, match="no field '750-50': the image has F670, F720, F760"):
            pick("750-50")
    assert (multiband.ccddata("F760").data == 2).all()
    assert (multiband.ccddata().data == 0).all()
