"""`doit centroid`: what is shown, prompts, flags, clicks; pixels of the raw frame."""

import subprocess
import time

import numpy as np
import pytest
from fixtures.doit import command, doit_here, surroundings
from fixtures.nights import spawn_doit
from fixtures.windows import needs_window, xdo

from vampires.commands.centroid import parse_pairs
from vampires.errors import ConfigError
from vampires.measure.centroid_files import read_centroids
from vampires.simulate import NightSpec, simulate_night


@pytest.fixture(scope="module", name="night")
def fixture_night(tmp_path_factory):
    """Two cameras of a qCMOS night without polarimetry; camera 1 is turned upside down."""
    folder = tmp_path_factory.mktemp("centroid")
    spec = NightSpec.preset("imaging", size=96, frames=4, calibration_frames=0, cycles=1)
    simulate_night(spec, folder)
    done = doit_here(folder, "new", "night.toml", "--yes", "--template", "speckle")
    assert done.returncode == 0, done.stderr
    return folder


def stars(folder):
    """0-based (y, x), calibrated orientation, by camera."""
    paths = sorted((folder / "aux").glob("*_centroids_cam?.toml"))
    return {int(p.stem[-1]): next(iter(read_centroids(p).values())).star for p in paths}


def regions(folder, what):
    found = {}
    for path in sorted((folder / "aux").glob(f"*_{what}.reg")):
        circle = next(x for x in path.read_text().splitlines() if x.startswith("circle"))
        x, y, _ = circle[len("circle(") :].partition(")")[0].split(",")
        found[path.stem[-len(what) - 2]] = (float(y) - 1, float(x) - 1)
    return found


def test_it_finds_shows_and_writes_regions_for_both_orientations(night):
    done = doit_here(night, "centroid")
    assert done.returncode == 0, done.stderr
    found = stars(night)
    raw, calibrated = regions(night, "raw"), regions(night, "calibrated")
    flipped = []
    for camera, (y, x) in found.items():
        assert calibrated[str(camera)] == pytest.approx((y, x), abs=2e-3)
        mirrored = raw[str(camera)][0] != pytest.approx(y, abs=2e-3)
        assert raw[str(camera)] == pytest.approx((95 - y if mirrored else y, x), abs=2e-3)
        flipped += [camera] * mirrored
        shown = f"star at x, y = {raw[str(camera)][1] + 1:.2f}, {raw[str(camera)][0] + 1:.2f}"
        assert shown in done.stdout
    assert flipped == [1]


def test_a_place_is_of_the_raw_frame_and_stays(night):
    done = doit_here(night, "centroid", "--place", "cam1:750-50:51,41.5")
    assert done.returncode == 0, done.stderr
    assert stars(night)[1] == pytest.approx((95 - 40.5, 50))
    assert regions(night, "raw")["1"] == pytest.approx((40.5, 50))
    again = doit_here(night, "centroid")
    assert "star at x, y = 51.00, 41.50" in again.stdout
    assert stars(night)[1] == pytest.approx((95 - 40.5, 50))


def test_prompts_take_pixels_of_the_raw_frame(night):
    child = spawn_doit(night, "centroid", "--manual")
    for camera, answers in ((1, ["wrong", "500, 3", "40.5, 30"]), (2, ["45, 60"])):
        child.expect(f"cam{camera}: x, y as DS9 shows")
        for answer in answers:
            child.expect("750-50.*: ")
            child.sendline(answer)
    child.expect("wrote")
    child.expect("wrote")
    child.wait()
    found = stars(night)
    assert found[1] == pytest.approx((95 - 29, 39.5))
    assert found[2] == pytest.approx((59, 44))


@pytest.mark.parametrize(
    ("place", "words"),
    [("cam3:750-50:1,2", "no camera 'cam3'"), ("cam1:Halpha:1,2", "no field 'Halpha'"),
     ("cam1:750-50:1", "expected x, y"), ("cam1:750-50:500,2", "the frame has 96 x 96")],
)  # fmt: skip
def test_wrong_places_are_one_line(night, place, words):
    done = doit_here(night, "centroid", "--place", place)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert words in done.stderr


def test_pairs_as_people_type_them():
    assert parse_pairs("131.2, 128") == parse_pairs("[131.2 128]") == [(127.0, 130.2)]
    assert len(parse_pairs("1,1 2,1 2,2 1,2")) == 4
    with pytest.raises(ConfigError, match="expected x, y"):
        parse_pairs("1,2,3")


@needs_window
def test_a_click_moves_the_mark_onto_the_star(night, display):
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    for path in (night / "aux").glob("*_centroids_*"):
        path.unlink()
    doit_here(night, "centroid")
    truth = stars(night)
    for camera in (1, 2):
        doit_here(night, "centroid", "--place", f"cam{camera}:750-50:20,20")
    surrounded = surroundings(DISPLAY=display)
    with subprocess.Popen(command("centroid"), cwd=night, env=surrounded) as process:
        click_both(process, truth, display)
    for camera, place in stars(night).items():
        assert np.hypot(*np.subtract(place, truth[camera])) < 1.0


def click_both(process, truth, display):
    """Click on the star of each camera in turn, where the truth has it."""
    for camera in (1, 2):
        y, x = truth[camera]
        y = 95 - y if camera == 1 else y
        window = xdo(display, "search", "--sync", "--onlyvisible", "--name", "vampires centroid")
        # The axes of a default figure: 0.125 to 0.9 across, 0.11 to 0.88 up; 900 px a side,
        # of which a square of the smaller extent is used.
        side = 900 * min(0.775, 0.77)
        across = 900 * (0.125 + 0.775 / 2) + side * ((x + 0.5) / 96 - 0.5)
        down = 900 * (1 - (0.11 + 0.77 / 2)) - side * ((y + 0.5) / 96 - 0.5)
        time.sleep(1)
        xdo(display, "mousemove", "--window", window.split()[0], round(across), round(down))
        xdo(display, "click", 1)
        time.sleep(1)
        xdo(display, "key", "w")
        for _ in range(200):  # until this window is gone
            names = xdo(display, "search", "--name", "vampires centroid", check=False)
            if window.split()[0] not in names.split():
                break
            time.sleep(0.1)
    assert process.wait(timeout=120) == 0
