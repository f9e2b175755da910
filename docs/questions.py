"""Make the output and the pictures of the pages in ``questions/``: each command is run for real.

    python docs/questions.py [PAGE...]

Nights are simulated, reduced in a temporary folder and thrown away; what the commands print goes
to ``questions/output/``, pictures to ``images/questions/``. It takes some minutes, so it is run by
hand when commands or products change, and its results are kept. Screenshots need Linux with
``chromium``, ``Xvfb`` and ``xdotool``.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pexpect
from astropy.io import fits
from astropy.table import Table
from PIL import Image, ImageGrab

from vampires import StokesFrame
from vampires.simulate import NightSpec, simulate_night
from vampires.simulate.scene import Companion

HERE = Path(__file__).parent
TEXTS, PICTURES = HERE / "questions" / "output", HERE / "images" / "questions"
LARGEST = 150_000  # bytes of a picture
WIDEST = 1000  # px
IDEAL = "--set polarimetry.use_ideal_mm=true"  # of nights that are simulated with ideal optics


class Terminal:
    """A shell in a reduction directory whose session is kept, block by block."""

    def __init__(self, page: str, folder: Path) -> None:
        self.page, self.folder = page, folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "DISPLAY": "", "TERM": "dumb"}

    def run(self, block: str, command: str, keep: Callable[[list[str]], list[str]] = list) -> None:
        """Run a command; `keep` chooses which lines of its output are shown."""
        done = subprocess.run(
            shlex.split(command), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        self.write(block, command, keep(done.stdout.splitlines()))

    def talk(self, block: str, command: str, answers: list[tuple[str, str]]) -> None:
        """Run a command on a terminal; each answer follows its prompt."""
        program, *words = shlex.split(command)
        child = pexpect.spawn(
            program, words, cwd=str(self.folder), env=self.environment, encoding="utf-8",
            timeout=600, dimensions=(60, 110),
        )  # fmt: skip
        said = io.StringIO()
        child.logfile_read = said
        for prompt, answer in answers:
            child.expect(prompt)
            child.sendline(answer)
        child.expect(pexpect.EOF)
        self.write(block, command, said.getvalue().replace("\r", "").splitlines())

    def write(self, block: str, command: str, lines: list[str]) -> None:
        """Keep a block; several commands of one block follow each other."""
        text = "\n".join([f"$ {command}", *(line.rstrip() for line in lines)]) + "\n"
        text = text.replace(f"{self.folder}/", "")
        with (TEXTS / f"{self.page}_{block}.txt").open("a", encoding="utf-8") as stream:
            stream.write(text)

    def picture(self, path: str, name: str) -> None:
        """Keep a picture that the reduction has made."""
        keep_picture(Image.open(self.folder / path), f"{self.page}_{name}")


def keep_picture(image: Image.Image, name: str) -> None:
    """Write a picture small enough for a page."""
    image = image.convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.LANCZOS)
    path = PICTURES / f"{name}.png"
    for colours in (256, 128, 64, 32, 16):
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            return
    raise SystemExit(f"{path}: {path.stat().st_size} bytes, allowed are {LARGEST}")


def keep_figure(name: str) -> None:
    """Keep the current figure."""
    stream = io.BytesIO()
    plt.savefig(stream, format="png", dpi=110)
    plt.close()
    keep_picture(Image.open(stream), name)


def screenshot_of_page(path: Path, name: str) -> None:
    """Keep the top of a page as a browser shows it."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={folder}/profile", "--window-size=1100,1000",
             f"--screenshot={shot}", path.as_uri()],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        keep_picture(Image.open(shot), name)


@contextlib.contextmanager
def display() -> Iterator[str]:
    """A display nobody sees."""
    reader, writer = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x1000x24"], pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        os.close(writer)
        with os.fdopen(reader) as stream:
            yield f":{stream.readline().strip()}"
        server.terminate()


def screenshot_of_window(terminal: Terminal, command: str, name: str, *keys: str) -> None:
    """Keep what the window of a command shows after some keys; `q` closes each window of it."""
    with display() as number:
        environment = {**terminal.environment, "DISPLAY": number}
        with subprocess.Popen(
            shlex.split(command), cwd=terminal.folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        ) as process:  # fmt: skip

            def tool(*words: str) -> str:
                done = subprocess.run(
                    ["xdotool", *words], env=environment, text=True, capture_output=True,
                    check=False,
                )  # fmt: skip
                return done.stdout

            tool("search", "--sync", "--onlyvisible", "--name", "^vampires ")
            time.sleep(3)
            for key in keys:
                tool("key", key)
                time.sleep(1)
            image = ImageGrab.grab(xdisplay=number)
            while process.poll() is None:
                tool("key", "q")
                time.sleep(0.5)
    keep_picture(image.crop(image.convert("RGB").getbbox()), name)  # the display itself is black


def summary(lines: list[str]) -> list[str]:
    """First task, warnings, and what ends a run."""
    timed = [line for line in lines if re.search(r"  [\d.]+ s$", line)]
    others = [line for line in lines if line not in timed]
    return [*timed[:3], "...", *timed[-2:], *others]


def beginning(count: int) -> Callable[[list[str]], list[str]]:
    """The first lines only."""
    return lambda lines: [*lines[:count], *(["..."] if len(lines) > count else [])]


# ------------------------------------------------------------------------------------ the pages


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
    screenshot_of_page(terminal.folder / "products" / "20220224_ABAur_report.html", "report")
    screenshot_of_window(terminal, "doit select", "select", "Right")


def coronagraph(terminal: Terminal) -> None:
    """The star behind a mask, four satellite spots."""
    simulate_night(NightSpec.preset("coronagraph", cycles=2), terminal.folder)
    terminal.run("new", f"doit new night.toml --template pdi-coronagraph --yes {IDEAL}")
    terminal.run("centroid", "doit centroid --no-window")
    terminal.run("run", "doit run -n 2", summary)
    terminal.picture("aux/night_centroids_cam1.png", "spots")
    terminal.picture("pdi/night_qphi.png", "qphi")
    screenshot_of_window(terminal, "doit centroid", "centroid")


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
    terminal.picture("aux/night_centroids_cam1.png", "stars")
    image, header = fits.getdata(terminal.folder / "pdi" / "night_stokes_coll.fits", header=True)
    total = np.asarray(image, dtype=float).reshape(-1, *image.shape[-2:])[0]
    _binary_figure(total, float(header["PXSCALE"]) / 1000)


def _binary_figure(total: np.ndarray, scale: float) -> None:
    reach = total.shape[0] / 2 * scale
    figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
    floor = max(float(np.nanpercentile(total, 50)), 1e-3)
    image = axes.imshow(
        total, origin="lower", norm="log", vmin=floor, cmap="inferno",
        extent=(reach, -reach, -reach, reach),
    )  # fmt: skip
    axes.set(xlabel="east offset [arcsec]", ylabel="north offset [arcsec]", title="I")
    figure.colorbar(image, label="e-/s per pixel")
    keep_figure("binary_total")


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
    figure, panels = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
    q_phi = frame.products()["Q_PHI"]
    limit = float(np.nanpercentile(q_phi, 99))
    for panel, name, plane in zip(panels, frame.fields, q_phi, strict=True):
        panel.imshow(plane, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
        panel.set(title=name, xticks=[], yticks=[])
    figure.suptitle("Q_phi of each field")
    keep_figure("multiband_qphi")


def halpha(terminal: Terminal) -> None:
    """A companion that shines in the line; the filters change places half-way."""
    spec = NightSpec.preset("sdi")
    simulate_night(spec, terminal.folder)
    terminal.run("new", "doit new night.toml --template sdi-halpha --yes")
    terminal.run("run", "doit run -n 2", summary)
    terminal.run("diff", "ls diff/single products/adi")
    _halpha_figure(terminal.folder)


def _halpha_figure(folder: Path) -> None:
    from vampires.images.image import CameraImage

    table = Table.read(folder / "products" / "night_table.ecsv")
    found: dict[str, list[np.ndarray]] = {}
    for row in table:
        image = CameraImage.read(folder / "coadded" / row["file"]).derotate()
        found.setdefault(str(row["FILTER"]), []).append(image.data[0])
    line, continuum = (np.mean(found[name], axis=0) for name in ("Halpha", "Ha-Cont"))
    middle = tuple(slice(s // 2 - 8, s // 2 + 9) for s in line.shape)
    scaled = continuum * np.nansum(line[middle]) / np.nansum(continuum[middle])
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
    limit = float(np.nanpercentile(line, 99.5))
    for panel, plane, title in zip(
        panels, (line, scaled, line - scaled), ("H alpha", "continuum, scaled", "difference"),
        strict=True,
    ):  # fmt: skip
        panel.imshow(plane, origin="lower", cmap="RdBu_r", vmin=-limit / 4, vmax=limit / 4)
        panel.set(title=title, xticks=[], yticks=[])
    figure.suptitle("North up, mean of the night")
    keep_figure("halpha_difference")


def wrong_disk(terminal: Terminal) -> None:
    """One night, reduced right and in four wrong ways."""
    spec = NightSpec.preset("stars", star_polarisation=(0.06, 30.0), cycles=3, frames=12)
    simulate_night(spec, terminal.folder)
    terminal.run("new", "doit new night.toml --yes")
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
        quiet = replace_page(terminal, "scratch")
        quiet.run("scratch", "doit run -n 2 pdi")
        frames[name] = StokesFrame.read(terminal.folder / "pdi" / "night_stokes_coll.fits")
    (TEXTS / "scratch_scratch.txt").unlink()
    _wrong_figure(frames)


def replace_page(terminal: Terminal, page: str) -> Terminal:
    """The same terminal whose session goes elsewhere."""
    return Terminal(page, terminal.folder)


def _wrong_figure(frames: dict[str, StokesFrame]) -> None:
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
            panel.set_title(name if key == "Q_PHI" else "", fontsize="small")
    for panel, name in zip(panels[:, 0], ("Q_phi", "U_phi"), strict=True):
        panel.set_ylabel(name)
    keep_figure("wrong_disk_gallery")
    head = f"{'e-/s per pixel, 30 to 60 px':28s} {'<Q_phi>':>8s} {'<U_phi>':>8s} {'rms U_phi':>9s}"
    (TEXTS / "wrong_disk_numbers.txt").write_text("\n".join([head, *lines]) + "\n")


def figure(terminal: Terminal) -> None:
    """The program of the page, run on the product of the first night."""
    simulate_night(NightSpec(seed=2022), terminal.folder)
    terminal.run("new", "doit new 20220224_ABAur.toml --raw 'raw/*.fits' --yes")
    quiet = replace_page(terminal, "scratch")
    quiet.run("scratch", "doit run -n 2 pdi")
    (TEXTS / "scratch_scratch.txt").unlink()
    (TEXTS / "figure_new.txt").unlink()
    program = HERE / "questions" / "paper_figure.py"
    product = "pdi/20220224_ABAur_stokes_coll.fits"
    terminal.run("run", f"python {program} {product}")
    text = (TEXTS / "figure_run.txt").read_text().replace(f"{program.parent}/", "")
    (TEXTS / "figure_run.txt").write_text(text)
    terminal.picture("figure.png", "paper")


PAGES = (first_night, coronagraph, binary, multiband, halpha, wrong_disk, figure)


def main(names: list[str]) -> None:
    """Make all pages, or the named ones."""
    plt.switch_backend("Agg")
    for folder in (TEXTS, PICTURES):
        folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        name = page.__name__
        if names and name not in names:
            continue
        for old in TEXTS.glob(f"{name}_*.txt"):
            old.unlink()
        with tempfile.TemporaryDirectory(prefix="night-") as folder:
            page(Terminal(name, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
