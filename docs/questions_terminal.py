"""A terminal whose sessions, pictures and screenshots are kept for a page of the documentation."""

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
import pexpect
from PIL import Image, ImageGrab

LARGEST = 150_000  # bytes of a picture
WIDEST = 1000  # px


class Terminal:
    """A shell in a reduction directory.

    What is kept waits in memory, by its place under ``docs/``, until the whole page is made.
    """

    def __init__(self, page: str, folder: Path) -> None:
        self.page, self.folder = page, folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "DISPLAY": "", "TERM": "dumb"}
        self.kept: dict[str, bytes] = {}

    def do(self, command: str) -> list[str]:
        """Run a command; return the lines of its output."""
        done = subprocess.run(
            shlex.split(command), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{self.page}: `{command}` failed:\n{done.stdout}")
        return done.stdout.splitlines()

    def run(self, block: str, command: str, keep: Callable[[list[str]], list[str]] = list) -> None:
        """Run a command and show it; `keep` chooses which lines of its output."""
        self.show(block, command, keep(self.do(command)))

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
        child.close()
        if child.exitstatus:
            raise SystemExit(f"{self.page}: `{command}` failed:\n{said.getvalue()}")
        self.show(block, command, said.getvalue().replace("\r", "").splitlines())

    def show(self, block: str, command: str, lines: list[str]) -> None:
        """Keep a session; several commands of one block follow each other."""
        self.text(block, [f"$ {command}", *(line.rstrip() for line in lines)])

    def text(self, block: str, lines: list[str]) -> None:
        """Keep lines at the end of a block."""
        text = "\n".join(lines).replace(f"{self.folder}/", "") + "\n"
        place = f"questions/output/{self.page}_{block}.txt"
        self.kept[place] = self.kept.get(place, b"") + text.encode()

    def picture(self, path: str, name: str) -> None:
        """Keep a picture that the reduction has made."""
        self.image(Image.open(self.folder / path), name)

    def figure(self, name: str) -> None:
        """Keep the current figure."""
        stream = io.BytesIO()
        plt.savefig(stream, format="png", dpi=110)
        plt.close()
        self.image(Image.open(stream), name)

    def image(self, image: Image.Image, name: str) -> None:
        """Keep a picture, made small enough for a page."""
        image = image.convert("RGB")
        if image.width > WIDEST:
            size = (WIDEST, round(image.height * WIDEST / image.width))
            image = image.resize(size, Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, format="webp", quality=85, method=6)
        if stream.tell() > LARGEST:
            raise SystemExit(f"{self.page}_{name}: {stream.tell()} bytes, allowed are {LARGEST}")
        self.kept[f"images/questions/{self.page}_{name}.webp"] = stream.getvalue()

    def browser(self, path: str, name: str) -> None:
        """Keep the top of a page as a browser shows it."""
        with tempfile.TemporaryDirectory() as folder:
            shot = Path(folder) / "shot.png"
            subprocess.run(
                ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                 "--hide-scrollbars", f"--user-data-dir={folder}/profile",
                 "--window-size=1100,1000", f"--screenshot={shot}", (self.folder / path).as_uri()],
                check=True, capture_output=True, timeout=300,
            )  # fmt: skip
            self.image(Image.open(shot), name)

    def window(self, command: str, name: str, *keys: str) -> None:
        """Keep what the window of a command shows after some keys; `q` closes each window."""
        with display() as number:
            environment = {**self.environment, "DISPLAY": number}
            with subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            ) as process:  # fmt: skip
                press("search", "--sync", "--onlyvisible", "--name", "^vampires ", display=number)
                image = after(b"", number)
                for key in keys:
                    press("key", key, display=number)
                    image = after(image.tobytes(), number)
                while process.poll() is None:
                    press("key", "q", display=number)
                    time.sleep(0.5)
        self.image(image.crop(image.getbbox()), name)  # the display itself is black


def press(*words: str, display: str) -> None:
    """Act on a display as a person would."""
    environment = {**os.environ, "DISPLAY": display}
    subprocess.run(["xdotool", *words], env=environment, capture_output=True, check=False)


def after(before: bytes, display: str) -> Image.Image:
    """What a display shows once it is another picture than before, and rests for two seconds."""
    last, same = b"", 0
    for _ in range(240):
        time.sleep(0.5)
        image = ImageGrab.grab(xdisplay=display).convert("RGB")
        shown = image.tobytes()
        same = same + 1 if shown == last and shown != before and any(shown) else 0
        if same == 4:
            return image
        last = shown
    raise SystemExit("the window does not answer")


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


def summary(lines: list[str]) -> list[str]:
    """First task, warnings, and what ends a run."""
    timed = [line for line in lines if re.search(r"  ([\d.]+ s|\d+:\d\d)$", line)]
    others = [line for line in lines if line not in timed]
    return [*timed[:3], "...", *timed[-2:], *others]
