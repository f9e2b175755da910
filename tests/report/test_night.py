import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from vampires.cube import CameraCube
from vampires.night.grouping import group_cubes
from vampires.night.index import build_index
from vampires.night.record import empty_record
from vampires.night.setups import find_setups
from vampires.report.groups import GroupReport, write_conditions
from vampires.report.night import NightReport
from vampires.report.stages import write_coadd_pictures
from vampires.simulate import NightSpec, simulate_night


class Page(HTMLParser):
    """Checks that tags nest, and gathers text, pictures and references."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.images, self.references = [], [], [], []
        self.alternatives, self.anchors = [], []
        self.drawings = {}  # what is drawn as paths, by its label

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "img":
            self.alternatives.append(found["alt"])
            if "src" in found:  # the enlarged one has none yet
                self.images.append(found["src"])
        elif tag != "meta":
            self.open.append(tag)
        if tag == "svg":
            self.drawings[found["aria-label"]] = []
        elif tag == "path":
            list(self.drawings.values())[-1].append(found["d"])
        self.references += [v for k, v in found.items() if k in {"href", "src"}]
        self.anchors += [found["id"]] if "id" in found else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page, " ".join(" ".join(page.text).split())


@pytest.fixture(scope="module", name="report")
def fixture_report(tmp_path_factory):
    """Report of a small night of two cameras, with one file that is not FITS."""
    folder = tmp_path_factory.mktemp("night")
    spec = NightSpec.preset("imaging", size=64, frames=4, calibration_frames=0, speckles=2)
    simulate_night(spec, folder / "sim")
    raw = folder / "sim" / "raw"
    (raw / "broken<&>.fits").write_bytes(b"no FITS at all")
    records = build_index(str(raw / "*.fits"))
    parts = []
    for group in group_cubes(records):
        cube = CameraCube.from_group(group)
        cube = cube.with_metrics(cube.measured)
        metrics, coadd = folder / f"{group.key}.h5", folder / f"{group.key}.fits"
        cube.measured.write(metrics)
        cube.coadd(pad=False).write(coadd)
        parts.append(
            GroupReport(
                group,
                metrics,
                coadd,
                ("background/dark_coll.fits",),
                ("background: gain",),
                ("flat: none",),
            )
        )
    settings = ("coadd.method = 'median'",)
    write_conditions(parts, folder / "conditions.png")
    firsts = {item.group.camera: item for item in reversed(parts)}
    stages = tuple(folder / f"cam{camera}.png" for camera in sorted(firsts))
    for (_, item), target in zip(sorted(firsts.items()), stages, strict=True):
        write_coadd_pictures(item.coadd, item.group.key, {item.group.fields[0]: target})
    return NightReport(
        "20240115_<test>", tuple(records), tuple(parts), settings, setups=find_setups(records),
        stages=stages, conditions=folder / "conditions.png",
    )  # fmt: skip


def test_the_page_is_whole_and_refers_to_nothing_outside(report):
    page, text = parsed(report.html())
    assert "20240115_<test>" in text
    links = [name for name in page.references if name not in page.images]
    assert all(name[0] == "#" and name[1:] in page.anchors for name in links)
    assert len(page.images) == 1 + 2  # conditions, the first coadds of two cameras
    assert all(page.alternatives[:-1])
    for source in page.images:
        kind, data = source.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")


def test_a_picture_of_rough_centroids_has_a_text_alternative(report, tmp_path):
    from matplotlib.figure import Figure

    Figure().savefig(tmp_path / "night_centroids_cam1.png")
    page, text = parsed(replace(report, stages=(tmp_path / "night_centroids_cam1.png",)).html())
    assert "Mean image with the star, or the satellite spots, marked" in page.alternatives
    assert "night_centroids_cam1.png" in text


def test_traces_show_every_frame_of_every_group_within_their_panels(report):
    page, _ = parsed(report.html())
    assert {text.split()[0] for text in page.drawings} == {i.group.key for i in report.groups}
    for _, *traces in page.drawings.values():
        for trace, panel in zip(traces, (0, 1, 2, 2), strict=True):
            dots = np.array(re.findall(r"M([\d.]+) ([\d.]+)h0", trace), dtype=float)
            assert len(dots) == 4
            assert (dots[:, 0] // 128 == panel).all()
            # The largest value is at the top, the smallest at the bottom.
            assert dots[:, 1].min() == 4
            assert dots[:, 1].max() == 44


def test_it_says_what_was_reduced_and_what_was_not(report):
    _, text = parsed(report.html())
    for item in report.groups:
        assert item.group.key in text
    assert "4 science, 1 unusable" in text
    assert "frames coadded 16" in text
    assert re.search(r"the only one ABAUR 750-50 .* 1, 2 NA .* 4 16 \d\d:", text)
    assert "0.4 s on one camera" in text
    assert re.search(r"broken<&> .*FITS", text)
    assert "background dark_coll.fits 4" in text
    assert "missing flat none 4" in text
    assert "relaxed background gain 4" in text
    assert "coadd.method = 'median'" in text
    strehl = float(re.search(r"Strehl ratio median ([\d.]+)", text)[1])
    assert 0.2 < strehl < 0.95


def test_the_same_night_gives_the_same_bytes(report, tmp_path):
    report.write(tmp_path / "a.html")
    report.write(tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_polarimetry_is_shown_where_there_is_some(report, tmp_path):
    picture = tmp_path / "night_qphi.png"
    png = re.search(r"base64,([^\"]+)", report.html())[1]
    picture.write_bytes(base64.b64decode(png))
    table = Table({"set": [0, 1], "q": [0.012345678, np.nan], "field": ["750-50", "750-50"],
                   "mjd": [59634.25, 59634.5]})  # fmt: skip
    table.write(tmp_path / "sets.ecsv", format="ascii.ecsv")
    _, without = parsed(report.html())
    page, text = parsed(
        replace(report, pictures=(picture,), stokes_tables=(tmp_path / "sets.ecsv",)).html()
    )
    assert "Polarimetry" in text
    assert "Polarimetry" not in without
    assert "set field UTC Q/I [%] 0 750-50 06:00:00 1.23 1 750-50 12:00:00 –" in text
    assert "Azimuthal Stokes parameters (night_qphi.png)" in text
    assert len(page.images) == 4


def test_unmeasured_numbers_are_dashes(report, tmp_path):
    from vampires.measure.metrics import FrameMetrics

    item = report.groups[0]
    metrics = FrameMetrics.read(item.metrics)
    blank = np.full_like(metrics.strehl, np.nan)
    replace(metrics, strehl=blank, photf=blank).write(tmp_path / "blank.h5")
    part = replace(item, metrics=tmp_path / "blank.h5")
    _, text = parsed(replace(report, groups=(part,)).html())
    assert "Strehl ratio median –" in text


def test_a_night_that_is_not_coadded(report):
    item = replace(report.groups[0], coadd=None)
    page, text = parsed(replace(report, groups=(item,), stages=()).html())
    assert re.search(r"cam1 750-50 \S+ \S+ 0 – 4 ", text)
    assert "frames coadded" not in text
    assert len(page.images) == 1


def test_a_night_without_science_still_has_a_page(tmp_path):
    records = (empty_record("raw/a.fits", "raw/a.fits: truncated"),)
    NightReport("nothing", records, ()).write(tmp_path / "r.html")
    page, text = parsed(Path(tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.images == []
    assert "raw/a.fits: truncated" in text
