"""A whole night as a person does it on a terminal without a display, from `new` to the report."""

import json

import numpy as np
import pytest
from fixtures.nights import change_frames, spawn_doit

from vampires.config import load_config
from vampires.polarimetry.stokes import StokesFrame
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion

pytestmark = pytest.mark.slow

CLOUDED = "VMPA00021005.fits"
SPOTS = (15.5 * 750e-9 / 7.92 * 206264.8e3, 38.4)  # mas from the star, deg


class Person:
    """Types at doit in a folder, and reads what it says."""

    def __init__(self, folder):
        self.folder = folder

    def types(self, *command, answers=()):
        """Give each answer at its prompt; doit must end well."""
        import pexpect

        child = spawn_doit(self.folder, *command)
        said = ""
        for prompt, answer in answers:
            child.expect(prompt)
            said += child.before + child.after
            child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        said += child.before
        assert child.exitstatus == 0, said
        return said

    def begins(self, spec, template, *flags):
        """A night with a cloud in frame 2 of one file, a conversation with `new` and `select`."""
        simulate_night(spec, self.folder)
        change_frames(self.folder / "raw" / CLOUDED, cloud)
        said = self.types(
            "new", "night.toml", *flags,
            answers=[("raw files", ""), ("template", template), ("target name", "HD 1"),
                     ("editor", "")],
        )  # fmt: skip
        assert f"--template {template}" in said
        said = self.types("select", answers=[("Enter accepts.*select: ", "")])
        assert f"{CLOUDED} 2" in said
        assert dict(load_config(self.folder / "night.toml").data.exclude_frames) == {CLOUDED: (2,)}

    def reduces(self):
        """The run, the report, and what is up to date then."""
        said = self.types("run", "-n", "2")
        assert "failed" not in said
        self.types("report")
        page = (self.folder / "products" / "night_report.html").read_text()
        assert "exclude_frames" in page
        assert self.types("why").strip() == "everything is up to date"
        return StokesFrame.read(self.folder / "pdi" / "night_stokes_coll.fits")


def cloud(frames):
    """A tenth of the light in frame 2."""
    sky = np.median(frames)
    frames[2] = (sky + (frames[2] - sky) * 0.1).astype(frames.dtype)
    return frames


def on_raw_frames(folder, size):
    """Star of each camera as DS9 shows it on the first raw frame, and which way is up there."""
    files = json.loads((folder / "truth.json").read_text())["files"]
    found = {}
    for camera in (1, 2):
        first = next(f for f in files if f["cam"] == camera)
        place = first["fields"]["750-50"]
        x, y = np.mean(place["x"]) + 1, np.mean(place["y"]) + 1
        found[camera] = (x, size + 1 - y if first["flipped"] else y, -1 if first["flipped"] else 1)
    return found


def test_a_coronagraphic_night(tmp_path):
    spec = NightSpec.preset("coronagraph", cycles=1, frames=6, calibration_frames=6)
    person = Person(tmp_path)
    person.begins(spec, "pdi-coronagraph", "--set", "polarimetry.use_ideal_mm=true")
    answers = []
    for x, y, up in on_raw_frames(tmp_path, spec.size).values():
        for k in range(4):
            angle = np.radians(SPOTS[1] + 90 * k)
            dx, dy = SPOTS[0] / 5.9 * np.cos(angle), SPOTS[0] / 5.9 * np.sin(angle)
            answers.append((rf"spot {k + 1}.*: ", f"{x + dx:.1f}, {y + up * dy:.1f}"))
    person.types("centroid", "--manual", answers=answers)
    files = [tmp_path / "aux" / f"night_centroids_cam{camera}.toml" for camera in (1, 2)]
    typed = [path.read_text() for path in files]
    frame = person.reduces()
    assert [path.read_text() for path in files] == typed
    q_phi, noise = np.nanmean(ring_of(frame, "Q_PHI")), np.nanstd(ring_of(frame, "U_PHI"))
    assert q_phi > noise / 2
    assert abs(np.nanmean(ring_of(frame, "U_PHI"))) < 0.1 * q_phi


def ring_of(frame, plane):
    """Pixels of the simulated ring, whose radius is 0.3 arcsec."""
    data = frame.products()[plane][0]
    y, x = (
        np.mgrid[: data.shape[0], : data.shape[1]] - (np.array(data.shape)[:, None, None] - 1) / 2
    )
    radius = np.hypot(y, x) * frame.pixel_scale
    return data[(radius > 0.2) & (radius < 0.35)]


def test_a_binary_whose_fainter_star_is_meant(tmp_path):
    companion = Companion(contrast=1.6, separation=0.3, position_angle=110.0)
    spec = NightSpec.preset(
        "stars", ring=None, cycles=1, frames=6, calibration_frames=6, companion=companion
    )
    person = Person(tmp_path)
    person.begins(spec, "pdi")
    answers = [
        ("750-50.*: ", f"{x:.1f}, {y:.1f}") for x, y, _ in on_raw_frames(tmp_path, 128).values()
    ]
    person.types("centroid", "--manual", answers=answers)
    frame = person.reduces()
    total = frame.products()["I_Q"][0]
    middle = (np.array(total.shape) - 1) / 2
    y, x = np.unravel_index(np.nanargmax(total), total.shape) - middle
    east, north = -x * frame.pixel_scale, y * frame.pixel_scale
    assert np.hypot(east, north) == pytest.approx(0.3, abs=0.02)
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(110, abs=3)
