import os
import subprocess
import sys
from pathlib import Path

import pytest

from vampires.io.atomic import atomic_path, clean_stale_temporaries


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_target_appears_whole_at_the_end(tmp_path):
    target = tmp_path / "new" / "image.fits"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"first half, ")
        assert not target.exists()
        with temporary.open("ab") as stream:
            stream.write(b"second half")
    assert target.read_bytes() == b"first half, second half"
    assert listing(target.parent) == ["image.fits"]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.fits", ".fits"), ("a.fits.fz", ".fits.fz"), ("v1.5_a.h5", ".h5"), ("plain", "")],
)
def test_temporary_is_a_hidden_sibling_with_the_same_suffix(tmp_path, name, suffix):
    with atomic_path(tmp_path / name) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".tmp" + suffix)
        temporary.touch()


def test_longest_file_name_is_writable(tmp_path):
    target = tmp_path / ("n" * 250 + ".fits")
    with atomic_path(target) as temporary:
        temporary.write_text("x")
    assert target.exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    target = tmp_path / "image.fits"
    target.write_text("old")

    def fail_half_way():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert target.read_text() == "old"
    assert listing(tmp_path) == ["image.fits"]


def test_an_error_names_the_file_and_not_its_temporary(tmp_path):
    target = tmp_path / "a.fits"
    target.mkdir()
    with pytest.raises(OSError, match="Is a directory") as caught, atomic_path(target) as path:
        path.write_text("x")
    assert caught.value.filename == str(target)


def test_writing_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "image.fits"):
        pass
    assert listing(tmp_path) == []


def killed_while_writing(target):
    """Let a process die, as by SIGKILL, in the middle of a file."""
    code = (
        "import os, sys\nfrom vampires.io.atomic import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path:\n    path.write_text('half')\n    os._exit(9)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert process.returncode == 9


def test_temporary_of_a_dead_process_is_removed_and_that_of_a_live_one_kept(tmp_path):
    killed_while_writing(tmp_path / "image.fits")
    (left,) = tmp_path.iterdir()
    with atomic_path(tmp_path / "other.fits") as alive:
        alive.touch()
        assert clean_stale_temporaries(tmp_path) == [left]
        assert alive.exists()
    assert listing(tmp_path) == ["other.fits"]


def test_temporary_of_another_machine_is_removed_after_a_day(tmp_path):
    fresh = tmp_path / ".a.node7-123-0123abcd.tmp.fits"
    old = tmp_path / ".b.node7-124-0123abcd.tmp.fits"
    for path in (fresh, old):
        path.touch()
    os.utime(old, (0, 0))
    assert clean_stale_temporaries(tmp_path) == [old]
    assert fresh.exists()


def test_other_hidden_files_are_left_alone(tmp_path):
    mine = tmp_path / ".notes.tmp"
    mine.touch()
    os.utime(mine, (0, 0))
    assert clean_stale_temporaries(tmp_path) == []
    assert clean_stale_temporaries(Path(tmp_path / "missing")) == []
    assert mine.exists()
