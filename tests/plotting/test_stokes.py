from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import AsinhNorm

from vampires.mueller.model import MuellerModel
from vampires.plotting.stokes import plot_ip, plot_readouts
from vampires.polarimetry.collapse import frame_row, stokes_table
from vampires.polarimetry.inversion import reduce_set


@pytest.fixture
def frame(toy):
    images = toy.Night(toy.IDEAL, toy.sky())(np.random.default_rng(1), 1.0)
    return reduce_set(images, MuellerModel())


def test_azimuthal_panels_share_one_scale_with_east_left(frame, tmp_path):
    figure = frame.plot()
    images = [a.images[0] for a in figure.axes if a.images]
    assert [a.get_title() for a in figure.axes[:2]] == ["Qᵩ", "Uᵩ"]
    assert images[0].norm is images[1].norm
    assert isinstance(images[0].norm, AsinhNorm)
    left, right, bottom, top = images[0].get_extent()
    assert left == pytest.approx(41 * 0.00624 / 2)
    assert left > right
    assert top > bottom
    figure.savefig(tmp_path / "a.png")


def test_overview_shows_all_planes(frame):
    figure = frame.plot_overview()
    assert sum(bool(a.images) for a in figure.axes) == 8


def test_ip_against_parallactic_angle(frame):
    table = stokes_table([row for i in range(3) for row in frame_row(frame, i, 6.0)])
    panels = plot_ip(table).axes
    assert [len(axes.containers) for axes in panels] == [2, 2]
    assert "parallactic" in panels[0].get_xlabel()
    assert "altitude" in panels[1].get_xlabel()


def test_a_noisy_annulus_does_not_set_the_scale_of_a_profile():
    values = {"q_phi": [-40.0, 1.0, 2.0, 1.0], "u_phi": [30.0, 0.0, 0.0, 0.0]}
    profile = Table({"r_arcsec": np.arange(4.0), **values, "noise": [50.0, 0.1, 0.1, 0.1]})
    plane = np.zeros((8, 8))
    low, high = plot_readouts(profile, plane, plane, 0.006, "750-50", "e-/s").axes[0].get_ylim()
    assert (low, high) == pytest.approx((-0.1 - 0.05 * 2.2, 2.1 + 0.05 * 2.2))
    profile["noise"] = np.nan
    plot_readouts(profile, plane, plane, 0.006, "nothing known", "e-/s").canvas.draw()


def test_a_frame_without_light_can_be_drawn(frame):
    from dataclasses import replace

    replace(frame, data=frame.data * np.nan).plot().canvas.draw()


def test_pictures_and_table_name_the_unit_of_the_product(frame):
    header = frame.header.copy()
    header.put(unit="Jy")
    calibrated = replace(frame, header=header)
    labels = [axes.get_ylabel() for axes in calibrated.plot().axes]
    assert "Jy per pixel" in labels
    assert not any("e-/s" in label for label in labels)
    assert stokes_table(frame_row(calibrated, 0, 6.0), calibrated.unit)["flux"].unit == "Jy"
    assert stokes_table(frame_row(frame, 0, 6.0), frame.unit)["flux"].unit == "electron / s"
