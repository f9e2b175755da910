"""`doit select` with and without a terminal, and in a window."""

import shutil
import signal
import subprocess
import time

import pytest
from fixtures.doit import command, doit_here, surroundings
from fixtures.nights import spawn_doit
from fixtures.windows import needs_window, wait_for, xdo

from vampires.config import load_config
from vampires.night.plan import make_plan

DIM, JUMPS = "VMPA00021005.fits", "VMPA00021010.fits"


def left_out(folder):
    data = load_config(folder / "night.toml").data
    return data.exclude, dict(data.exclude_frames)


def test_without_a_terminal_it_suggests_and_changes_nothing_unasked(spotty_night):
    before = (spotty_night / "night.toml").read_text()
    done = doit_here(spotty_night, "select")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(DIM in line and "of the usual" in line for line in lines)
    assert any(f"{JUMPS} 2-3" in line for line in lines)
    assert sum("of the usual" in line or "off the" in line for line in lines) == 2
    assert (spotty_night / "night.toml").read_text() == before
    assert len(list((spotty_night / "aux" / "select").glob("sheet_*.png"))) == 2

    done = doit_here(spotty_night, "select", "--yes")
    assert done.returncode == 0, done.stderr
    assert left_out(spotty_night) == ((DIM,), {JUMPS: (2, 3)})
    assert "# " in (spotty_night / "night.toml").read_text()
    selected = (spotty_night / "filelist_select.txt").read_text().splitlines()
    assert len(selected) == 15
    assert (spotty_night / "filelist_reject.txt").read_text().split() == [
        str(spotty_night / "raw" / DIM)
    ]
    groups = make_plan(load_config(spotty_night / "night.toml")).groups
    assert "VMPA00021005" not in [group.key for group in groups]

    # Others than these two are not touched by a look at a part of the night.
    done = doit_here(
        spotty_night, "select", f"raw/{DIM}", "raw/VMPA00021001.fits", "--keep", DIM,
        "--reject", "VMPA00021001:0-1", "--yes",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert left_out(spotty_night) == ((), {JUMPS: (2, 3), "VMPA00021001.fits": (0, 1)})


def test_the_conversation_edits_the_suggestions(spotty_night):
    child = spawn_doit(spotty_night, "select")
    child.expect("select: ")
    child.sendline("reject VMPA00021001 1-2")
    child.expect("will be left out")
    child.kill(signal.SIGKILL)  # as a line to the observatory does
    child.wait()
    assert left_out(spotty_night) == ((), {})
    child = spawn_doit(spotty_night, "select")
    child.expect("going on with what was decided before")
    child.expect("VMPA00021001.fits: 2 frames rejected")
    child.expect("Enter accepts")
    conversation = (
        ("drop one", "one: suggestions are numbered 1 to 2"),
        ("drop 1", "suggested to leave out"),
        ("reject VMPA00021002", "will be left out"),
        ("undo", "undone"),
        ("keep nobody", "is none of the 16 science files"),
        ("reject VMPA00021006 90", "it has frames 0 to 5"),
        ("?", "drop N"),
    )
    for line, answer in conversation:
        child.expect("select: ")
        child.sendline(line)
        child.expect(answer)
    child.expect("select: ")
    child.sendline("")
    child.expect("wrote night.toml")
    child.wait()
    assert not (spotty_night / ".vampires_select.json").exists()
    assert left_out(spotty_night) == ((), {JUMPS: (2, 3), "VMPA00021001.fits": (1, 2)})
    child = spawn_doit(spotty_night, "select")
    child.expect(f"{JUMPS}: 2 frames rejected")
    child.expect("select: ")
    child.sendline("quit")
    child.expect("nothing was changed")
    child.wait()


def test_mistakes_are_one_line(spotty_night, tmp_path_factory):
    done = doit_here(spotty_night, "select", "--reject", "nobody", "--yes")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "'nobody' is none of the 16" in done.stderr
    done = doit_here(spotty_night, "select", "--frames", "many")
    assert (
        done.stderr == "ERROR: --frames 'many': expected a whole number; see `doit help select`\n"
    )
    done = doit_here(tmp_path_factory.mktemp("empty"), "select")
    assert done.returncode == 3
    assert "no configuration here" in done.stderr
    if shutil.which("ds9") is None:
        done = doit_here(spotty_night, "select", "--ds9", "--yes")
        assert "DS9 is not installed" in done.stderr


@needs_window
def test_keys_and_drags_in_the_window(spotty_night, display, request):
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    journal = spotty_night / ".vampires_select.json"
    arguments = command("select", "raw/VMPA0002100[1-6].fits")
    environment = surroundings(DISPLAY=display)

    def start():
        process = subprocess.Popen(arguments, cwd=spotty_night, env=environment)
        request.addfinalizer(process.wait)
        request.addfinalizer(process.kill)  # before that: a failure leaves no window behind
        window = xdo(display, "search", "--sync", "--onlyvisible", "--name", "vampires select")
        xdo(display, "mousemove", "--window", window.split()[0], 300, 300)
        return process, window.split()[0]

    process, window = start()
    xdo(display, "key", "--delay", 50, "x", "Right", "x", "u", "Right", "x")
    wait_for(lambda: journal.exists() and journal.read_text().count("VMPA0002100") == 3, "keys")
    # From the left end of the curves to their middle: about the first half of six frames.
    # The display decides how large the window is; its canvas keeps 13 to 7.
    width = int(xdo(display, "getwindowgeometry", "--shell", window).split("WIDTH=")[1].split()[0])
    left, right, y = width * 0.545, width * 0.76, width * 7 / 13 * 0.5
    before = journal.read_text()
    xdo(display, "key", "Right")
    wait_for(lambda: journal.read_text() != before, "the next file")
    for what in (("mousemove", "--window", window, left, y), ("mousedown", 1),
                 ("mousemove", "--window", window, (left + right) / 2, y),
                 ("mousemove", "--window", window, right, y), ("mouseup", 1)):  # fmt: skip
        xdo(display, *what)
        time.sleep(0.2)
    wait_for(lambda: '"frames": {"VMPA' in journal.read_text(), "the drag")
    xdo(display, "key", "q")
    assert process.wait(timeout=60) == 0
    assert left_out(spotty_night) == ((), {})  # closed without writing

    process, _ = start()  # it goes on from there
    xdo(display, "key", "w")
    assert process.wait(timeout=60) == 0
    files, frames = left_out(spotty_night)
    assert len(files) == 2
    (numbers,) = frames.values()
    assert numbers[0] == 0
    assert 1 <= numbers[-1] <= 4
    assert not journal.exists()
