"""`doit missing`, and the warnings of `doit new` before the night ends."""

import pytest
from fixtures.doit import doit_here
from fixtures.nights import spawn_doit

from vampires.commands.conversation import complete_path
from vampires.config import load_config


def test_it_tells_what_a_night_lacks_alone_and_in_a_reduction(spotty_night):
    done = doit_here(spotty_night, "missing", "raw")
    assert done.returncode == 1
    assert "dark: 0.25 s, camera 1" in done.stdout
    assert "flat: 750-50, camera 1" in done.stdout
    assert "camera 2" in done.stdout  # its half of every cycle
    done = doit_here(spotty_night, "missing")
    assert done.returncode == 1
    assert "flat: 750-50" in done.stdout
    config = spotty_night / "night.toml"
    config.write_text(config.read_text().replace("flat_correct = true", "flat_correct = false"))
    assert "flat:" not in doit_here(spotty_night, "missing").stdout
    done = doit_here(spotty_night, "missing", "aux")
    assert done.returncode == 3


def test_new_is_led_by_the_headers_and_gives_the_flags(spotty_night):
    child = spawn_doit(spotty_night, "new", "second.toml")
    child.expect("raw files")
    child.sendline("")
    child.expect("16 files: 16 science")
    child.expect("still missing:")
    child.expect("dark: 0.25 s")
    child.expect(r"template \[pdi\]")
    child.sendline("")
    child.expect("target name")
    child.sendline("AB Aur")
    child.expect("editor")
    child.sendline("")
    child.expect("without questions: (doit new second.toml .* --yes)")
    flags = child.match[1]
    child.expect("16 raw files match")
    child.wait()
    asked = (spotty_night / "second.toml").read_text()
    assert load_config(spotty_night / "second.toml").target.name == "AB Aur"
    import shlex

    (spotty_night / "second.toml").unlink()
    done = doit_here(spotty_night, *shlex.split(flags)[1:])
    assert done.returncode == 0, done.stderr
    assert (spotty_night / "second.toml").read_text() == asked


@pytest.mark.parametrize(("begun", "whole"), [("ra", "raw/"), ("raw/b", "raw/b.fits")])
def test_paths_are_completed(tmp_path, monkeypatch, begun, whole):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "b.fits").touch()
    monkeypatch.chdir(tmp_path)
    assert complete_path(begun, 0) == whole
    assert complete_path(begun, 1) is None
