"""Make the output and the pictures of the pages in ``questions/``: each command is run for real.

    python docs/questions.py [PAGE...]

Nights are simulated, reduced in a temporary folder and thrown away; what the commands print goes
to ``questions/output/``, pictures to ``images/questions/``. A build of the documentation does it
for pages that are out of date (`questions_made.py`). Screenshots need Linux with ``chromium``,
``Xvfb`` and ``xdotool``.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import Table
from questions_made import Made
from questions_terminal import Terminal, summary

from vampires import StokesFrame
from vampires.images.image import CameraImage
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion

HERE = Path(__file__).parent
IDEAL = "--set polarimetry.use_ideal_mm=true"  # of nights that are simulated with ideal optics


def first_night(terminal: Terminal) -> None:
    """A bright disk, EMCCD, nothing special."""
    simulate_night(NightSpec(seed=2022), terminal.folder)
    terminal.run("new", "doit new 20220224_ABAur.toml --raw 'raw/*.fits' --yes")
    terminal.run("new", "doit missing")
    terminal.run("list", "doit list")
    terminal.run("run", "doit run -n 2", summary)
    terminal.run("again", "doit why")
    terminal.run("look", "doit profile")
    terminal.picture("pdi/20220224_ABAur_qphi.png", "qphi")
    terminal.picture("pdi/20220224_ABAur_profile.png", "profile")
    terminal.browser("products/20220224_ABAur_report.html", "report")
    terminal.window("doit select", "select", "Right")


def coronagraph(terminal: Terminal) -> None:
    """The star behind a mask, four satellite spots."""
    simulate_night(NightSpec.preset("coronagraph", cycles=2), terminal.folder)
    terminal.run("new", f"doit new night.toml --template pdi-coronagraph --yes {IDEAL}")
    terminal.run("centroid", "doit centroid --no-window")
    terminal.run("run", "doit run -n 2", summary)
    terminal.picture("aux/night_centroids_cam1.png", "spots")
    terminal.picture("pdi/night_qphi.png", "qphi")
    terminal.window("doit centroid", "centroid")


def binary(terminal: Terminal) -> None:
    """Two stars, one of which is to be followed."""
    companion = Companion(contrast=0.6, separation=0.25, position_angle=110.0)
    spec = NightSpec.preset("stars", ring=None, cycles=1, companion=companion, frames=12)
    simulate_night(spec, terminal.folder)
    terminal.run("new", "doit new night.toml --yes")
    terminal.talk(
        "centroid", "doit centroid --binary", [("primary", "1"), ("primary", "1")]
    )  # fmt: skip
    terminal.run("run", "doit run -n 2", summary)
    terminal.run("star", "doit profile --radius 8")
    image, header = fits.getdata(terminal.folder / "pdi" / "night_stokes_coll.fits", header=True)
    total = np.asarray(image, dtype=float).reshape(-1, *image.shape[-2:])[0]
    _binary_figure(terminal, total, float(header["PXSCALE"]) / 1000)


def _binary_figure(terminal: Terminal, total: np.ndarray, scale: float) -> None:
    reach = total.shape[0] / 2 * scale
    canvas, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
    floor = max(float(np.nanpercentile(total, 50)), 1e-3)
    image = axes.imshow(
        np.maximum(total, floor), origin="lower", norm="log", cmap="inferno",
        extent=(reach, -reach, -reach, reach),
    )  # fmt: skip
    axes.set(xlabel="east offset [arcsec]", ylabel="north offset [arcsec]")
    axes.set_title("total intensity")
    canvas.colorbar(image, label="e-/s per pixel")
    terminal.figure("total")


def multiband(terminal: Terminal) -> None:
    """Four fields on each camera."""
    spec = NightSpec.preset("mbi", cycles=2, frames=8)
    simulate_night(spec, terminal.folder)
    terminal.run("new", f"doit new night.toml --template pdi-mbi --yes {IDEAL}")
    terminal.run("centroid", "doit centroid --no-window")
    terminal.run("run", "doit run -n 2", summary)
    terminal.run("profile", "doit profile pdi/night_stokes_cube.fits")
    terminal.picture("aux/night_centroids_cam1.png", "fields")
    frame = StokesFrame.read(terminal.folder / "pdi" / "night_stokes_cube.fits")
    canvas, panels = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
    q_phi = frame.products()["Q_PHI"]
    limit = float(np.nanpercentile(q_phi, 99))
    for panel, name, plane in zip(panels, frame.fields, q_phi, strict=True):
        panel.imshow(plane, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
        panel.set(title=name, xticks=[], yticks=[])
    canvas.suptitle(r"$Q_\phi$ of each field")
    terminal.figure("qphi")


def halpha(terminal: Terminal) -> None:
    """A companion that shines in the line; the filters change places half-way."""
    spec = NightSpec.preset("sdi")
    simulate_night(spec, terminal.folder)
    terminal.run("new", "doit new night.toml --template sdi-halpha --yes")
    terminal.run("run", "doit run -n 2", summary)
    terminal.run("diff", "ls diff/single products/adi")
    _halpha_figure(terminal)


def _halpha_figure(terminal: Terminal) -> None:
    table = Table.read(terminal.folder / "products" / "night_table.ecsv")
    found: dict[str, list[np.ndarray]] = {}
    for row in table:
        image = CameraImage.read(terminal.folder / "coadded" / row["file"]).derotate()
        found.setdefault(str(row["FILTER"]), []).append(image.data[0])
    line, continuum = (np.mean(found[name], axis=0) for name in ("Halpha", "Ha-Cont"))
    middle = tuple(slice(s // 2 - 8, s // 2 + 9) for s in line.shape)
    scaled = continuum * np.nansum(line[middle]) / np.nansum(continuum[middle])
    _, panels = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
    limit = float(np.nanpercentile(line, 99.5))
    for panel, plane, title in zip(
        panels, (line, scaled, line - scaled), (r"H$\alpha$", "continuum, scaled", "difference"),
        strict=True,
    ):  # fmt: skip
        panel.imshow(plane, origin="lower", cmap="RdBu_r", vmin=-limit / 4, vmax=limit / 4)
        panel.set(title=title, xticks=[], yticks=[])
    terminal.figure("difference")


def wrong_disk(terminal: Terminal) -> None:
    """One night, reduced right and in four wrong ways."""
    spec = NightSpec.preset("stars", star_polarisation=(0.06, 30.0), cycles=3, frames=12)
    simulate_night(spec, terminal.folder)
    terminal.do("doit new night.toml --yes")
    config = terminal.folder / "night.toml"
    text = config.read_text()
    ways = {
        "right": {"hwp_adi_sync": "true", "ip_correct": "true"},
        "star's polarisation left in": {"hwp_adi_sync": "true", "ip_correct": "false"},
        "no light path": {
            "hwp_adi_sync": "true", "ip_correct": "false", "mm_correct": "false",
        },
        "wave plate taken for fixed": {"hwp_adi_sync": "false", "ip_correct": "true"},
        "radial for azimuthal": {
            "hwp_adi_sync": "true", "ip_correct": "true", "cyl_stokes": '"radial"',
        },
    }  # fmt: skip
    frames = {}
    for name, settings in ways.items():
        changed = text
        for key, value in settings.items():
            changed = re.sub(rf"(?m)^{key} = \S+", f"{key} = {value}", changed)
        config.write_text(changed)
        terminal.do("doit run -n 2 pdi")
        frames[name] = StokesFrame.read(terminal.folder / "pdi" / "night_stokes_coll.fits")
    _wrong_figure(terminal, frames)


def _wrong_figure(terminal: Terminal, frames: dict[str, StokesFrame]) -> None:
    _, panels = plt.subplots(2, len(frames), figsize=(12, 5.2), layout="constrained")
    lines = []
    for column, (name, frame) in zip(panels.T, frames.items(), strict=True):
        planes = {key: frame.products()[key][0] for key in ("Q_PHI", "U_PHI")}
        size = planes["Q_PHI"].shape[0]
        y, x = np.mgrid[:size, :size] - (size - 1) / 2
        ring = (np.hypot(y, x) > 30) & (np.hypot(y, x) < 60) & np.isfinite(planes["Q_PHI"])
        q, u = (float(np.mean(planes[key][ring])) for key in ("Q_PHI", "U_PHI"))
        rms = float(np.sqrt(np.mean(planes["U_PHI"][ring] ** 2)))
        lines.append(f"{name:28s} {q:8.3f} {u:8.3f} {rms:9.3f}")
        for panel, (key, plane) in zip(column, planes.items(), strict=True):
            panel.imshow(plane, origin="lower", cmap="RdBu_r", vmin=-1.2, vmax=1.2)
            panel.set(xticks=[], yticks=[])
            panel.set_title(name if key == "Q_PHI" else "", fontsize="medium")
    for panel, name in zip(panels[:, 0], (r"$Q_\phi$", r"$U_\phi$"), strict=True):
        panel.set_ylabel(name, fontsize="x-large")
    terminal.figure("gallery")
    head = f"{'e-/s per pixel, 30 to 60 px':28s} {'<Q_phi>':>8s} {'<U_phi>':>8s} {'rms U_phi':>9s}"
    terminal.text("numbers", [head, *lines])


def figure(terminal: Terminal) -> None:
    """The program of the page, run on the product of the first night."""
    simulate_night(NightSpec(seed=2022), terminal.folder)
    terminal.do("doit new 20220224_ABAur.toml --raw 'raw/*.fits' --yes")
    terminal.do("doit run -n 2 pdi")
    program = "paper_figure.py"
    shutil.copy(HERE / "questions" / program, terminal.folder)
    terminal.run("run", f"python {program} pdi/20220224_ABAur_stokes_coll.fits")
    terminal.picture("figure.png", "paper")


# The pages, each with the programs that it needs besides.
PAGES = {
    first_night: ("chromium", "Xvfb", "xdotool"),
    coronagraph: ("Xvfb", "xdotool"),
    binary: (),
    multiband: (),
    halpha: (),
    wrong_disk: (),
    figure: (),
}


def main(names: list[str]) -> None:
    """Make all pages, or the named ones."""
    plt.switch_backend("Agg")
    made = Made(HERE, HERE.parent / "vampires")
    for page in PAGES:
        name = page.__name__
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="night-") as folder:
            terminal = Terminal(name, Path(folder))
            page(terminal)
            made.write(name, terminal.kept)


if __name__ == "__main__":
    main(sys.argv[1:])
