"""How the sets of a night become products."""

from pathlib import Path

from vampires.io.paths import Layout
from vampires.night.sets import Exposure, find_sets
from vampires.tasks.polarimetry import _numbered, product_layout, products_of

HWP = (0.0, 45.0, 22.5, 67.5)


def night(filter_name: str, start: float) -> list[Exposure]:
    return [
        Exposure(f"{filter_name}_{h}_{f}_{c}", c, f, h, start + i / 1000, filter_name, 10.0)
        for i, h in enumerate(HWP)
        for f in "AB"
        for c in (1, 2)
    ]


def two_filters():
    later = find_sets(night("675-50", 59000.5), "triplediff")
    earlier = find_sets(night("750-50", 59000.2), "triplediff")
    return _numbered([*later[0], *earlier[0]], [*later[1], *earlier[1]])


def test_sets_of_all_filters_are_numbered_in_time():
    sets, fates = two_filters()
    assert [(s.number, s.exposures[0].filter) for s in sets] == [(0, "750-50"), (1, "675-50")]
    for fate in fates:
        assert fate.exposure.key in sets[fate.set].keys
    assert [f.exposure.mjd for f in fates] == sorted(f.exposure.mjd for f in fates)


def test_each_filter_has_its_product():
    sets, _ = two_filters()
    products = products_of(sets)
    assert set(products) == {"675-50", "750-50"}
    assert [s.number for s in products["675-50"]] == [1]
    assert products_of(sets[:1]) == {None: [sets[0]]}


def test_the_filter_is_in_the_name_only_where_it_must_be():
    layout = Layout(Path("night"), "ABAur")
    assert product_layout(layout, None).stokes_collapsed().name == "ABAur_stokes_coll.fits"
    assert product_layout(layout, "F720").stokes_collapsed().name == "ABAur_F720_stokes_coll.fits"
