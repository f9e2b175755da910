"""How the products of a night are named."""

from pathlib import Path

from vampires.io.paths import Layout
from vampires.tasks.sets import product_layout


def test_the_filter_is_in_the_name_only_where_it_must_be():
    layout = Layout(Path("night"), "ABAur")
    assert product_layout(layout, None).stokes_collapsed().name == "ABAur_stokes_coll.fits"
    assert product_layout(layout, "F720").stokes_collapsed().name == "ABAur_F720_stokes_coll.fits"
