"""What a quick look tells of raw cubes."""

import numpy as np
import pytest
from astropy.io import fits
from matplotlib.figure import Figure

from vampires.errors import FileError
from vampires.measure.quicklook import look
from vampires.measure.quicklook_plot import contact_sheet, draw_curves


def gaussian(y, x, total, size=96):
    yy, xx = np.mgrid[:size, :size]
    spot = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * 1.5**2))
    return total * spot / spot.sum()


@pytest.fixture(name="cube")
def fixture_cube(tmp_path):
    """Twelve frames of a star that fades and moves, on a sky of 200, with a hot pixel."""
    rng = np.random.default_rng(1)
    frames = np.array([gaussian(40 + k / 4, 50 - k / 2, 1e5 * (1 - k / 24)) for k in range(12)])
    frames = rng.normal(200 + frames, 3)
    frames[:, 10, 80] = 50_000
    path = tmp_path / "cube.fits"
    fits.writeto(path, np.clip(frames, 0, 65535).astype(np.uint16))
    return path


def test_it_measures_flux_peak_and_place_of_every_frame(cube):
    seen = look(cube)
    assert seen.n == 12
    assert seen.frames.tolist() == list(range(12))
    k = np.arange(12)
    assert seen.flux == pytest.approx(1e5 * (1 - k / 24), rel=0.05)
    assert seen.sharpness == pytest.approx(np.full(12, 0.82), abs=0.05)  # of a box of 5 px
    assert seen.place[:, 0] == pytest.approx(40 + k / 4, abs=0.2)
    assert seen.place[:, 1] == pytest.approx(50 - k / 2, abs=0.2)
    assert seen.mean.max() < 20_000  # the hot pixel is no light


def test_it_samples_long_cubes_evenly(cube):
    seen = look(cube, frames=4, strip=2)
    assert seen.frames.tolist() == [0, 3, 7, 11]
    assert seen.strip_frames.tolist() == [0, 11]
    assert seen.strip.shape == (2, 81, 81)


def test_a_frame_without_light_is_not_measured(tmp_path):
    frames = np.random.default_rng(2).normal(200, 3, (4, 96, 96))
    frames[:3] += gaussian(48, 48, 1e5)
    fits.writeto(tmp_path / "a.fits", frames.astype(np.uint16))
    seen = look(tmp_path / "a.fits")
    assert np.isnan(seen.place[3]).all()
    assert np.isfinite(seen.place[:3]).all()


def test_what_is_no_fits_file_is_refused(tmp_path):
    (tmp_path / "a.fits").write_text("no")
    with pytest.raises(FileError, match=r"a\.fits"):
        look(tmp_path / "a.fits")


def test_rejected_frames_are_shaded_and_names_stand_on_the_sheet(cube):
    seen = look(cube)
    panels = Figure().subplots(2, 1)
    draw_curves(panels, seen, [2, 3, 7])
    spans = [tuple(patch.get_extents().get_points()[:, 0]) for patch in panels[0].patches]
    assert len(spans) == 2
    sheet = contact_sheet([seen, seen], ["too faint", ""], [(), (1,)])
    texts = [text.get_text() for row in sheet.subfigs for text in row.texts]
    assert texts == ["cube.fits, 12 of 12 frames: too faint", "cube.fits, 12 of 12 frames"]
