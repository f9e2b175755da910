"""`doit new` and `doit upgrade` as a person runs them."""

import pexpect
import pytest
from fixtures.doit import doit, doit_here
from fixtures.nights import spawn_doit

from vampires.config import load_config


def test_new_writes_a_commented_config_and_a_task_file(tmp_path):
    done = doit(
        tmp_path, "new", "20230101_ABAur.toml", "--template", "pdi", "--raw", "raw/*.fits",
        "--raw", "cals/*.fits", "--set", "coadd.method=median", "--set", 'name="x"',
        "--set=align.crop_width=256", "--set", "target.name=AB Aur", "--yes",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    config = load_config(tmp_path / "20230101_ABAur.toml")
    assert config.name == "x"
    assert config.data.raw == ("raw/*.fits", "cals/*.fits")
    assert config.coadd.method == "median"
    assert config.align.crop_width == 256
    assert config.target.name == "AB Aur"
    assert "# starts the name of every product" in config.path.read_text()
    lines = (tmp_path / "dodo.py").read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("from vampires.tasks import *")
    assert "0 raw files match" in done.stdout


def test_new_without_a_terminal_asks_nothing_and_has_defaults(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.fits.fz").touch()
    done = doit(tmp_path, "new", "night")
    assert done.returncode == 0, done.stderr
    config = load_config(tmp_path / "night.toml")
    assert config.name == "night"
    assert config.polarimetry.method == "triplediff"
    assert "1 raw files match" in done.stdout
    assert "then `doit list` and `doit -n 2`" in done.stdout
    again = doit(tmp_path, "new", "two nights")
    assert "then `doit list config='two nights.toml'` and" in again.stdout


def test_new_never_overwrites_unasked(tmp_path):
    (tmp_path / "a.toml").write_text("# mine\n")
    (tmp_path / "dodo.py").write_text("def task_mine(): ...\n")
    done = doit(tmp_path, "new", "a.toml")
    assert done.returncode == 3
    assert done.stderr == "ERROR: a.toml exists; choose another name, or --yes to replace it\n"
    assert (tmp_path / "a.toml").read_text() == "# mine\n"
    done = doit(tmp_path, "new", "a.toml", "--yes")
    assert done.returncode == 0
    assert load_config(tmp_path / "a.toml").name == "a"
    assert (tmp_path / "dodo.py").read_text() == "def task_mine(): ...\n"
    assert "stays as it is" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which file?"),
        (["a.toml", "--raw", "1.fits", "2.fits"], "quote the pattern"),
        (["a.toml", "--set", "coadd.method=meen"], 'must be one of "mean"'),
        (["a.toml", "--set", "coad.method=mean"], "did you mean"),
        (["a.toml", "--set", "align.method=model"], "fit_psf_model"),
        (["a.toml", "--template", "spekle"], 'did you mean "speckle"'),
        (["a.toml", "--set", "coadd.method"], "--set: NAME=VALUE is expected after it"),
        (["a.toml", "--bogus"], "--bogus not recognized"),
        (["a.toml", "--edit"], "needs a terminal"),
        (["none/a.toml"], "does not exist"),
    ],
)
def test_new_mistakes_are_one_line_and_leave_nothing(tmp_path, arguments, words):
    done = doit(tmp_path, "new", *arguments)
    assert done.returncode == 3
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_new_lists_templates_and_has_help(tmp_path):
    listed = doit(tmp_path, "new", "--template", "list")
    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == 9
    assert "--template" in doit(tmp_path, "help", "new").stdout
    assert list(tmp_path.iterdir()) == []


def test_new_in_another_folder_keeps_raw_patterns_true(tmp_path):
    (tmp_path / "night").mkdir()
    done = doit(tmp_path, "new", "night/a.toml", "--raw", "raw/*.fits")
    assert done.returncode == 0, done.stderr
    config = load_config(tmp_path / "night" / "a.toml")
    assert config.data.raw == ("../raw/*.fits",)
    assert (tmp_path / "night" / "dodo.py").exists()
    assert "next: in night: look through the file" in done.stdout


def converse(folder, arguments, answers, **options):
    """Run doit on a pseudo-terminal, giving all answers at once as a fast typist does."""
    terminal = spawn_doit(folder, *arguments, **options)
    for answer in answers:
        terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus, terminal.before


def test_new_on_a_terminal_asks_what_matters(tmp_path):
    status, shown = converse(
        tmp_path,
        ["new", "a.toml"],
        ["x'", "x/*.fits y/*.fits", "", "spekle", "speckle", "Vega", "n"],
    )
    assert status == 0, shown
    assert "did you mean" in shown
    assert "x': No closing quotation" in shown
    assert "--template speckle --raw 'x/*.fits' --raw 'y/*.fits' --set target.name=Vega" in shown
    config = load_config(tmp_path / "a.toml")
    assert config.data.raw == ("x/*.fits", "y/*.fits")
    assert config.target.name == "Vega"
    assert config.frame_select.cutoff == 0.5
    status, shown = converse(tmp_path, ["new", "a.toml"], ["n"])
    assert status == 3
    assert "replace it?" in shown


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_a_person_who_leaves_a_conversation_leaves_nothing(tmp_path, key):
    terminal = spawn_doit(tmp_path, "new", "a.toml")
    terminal.expect("raw files.*: ")
    terminal.send(key)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert terminal.before.replace("^C", "").split() == ["stopped"]
    assert list(tmp_path.iterdir()) == []


def test_new_edits_until_the_file_is_valid(tmp_path):
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\n[ -e seen ] && sed -i "/bogus/d" "$1" || echo "bogus = 1" >> "$1"'
                      "\ntouch seen\n")  # fmt: skip
    editor.chmod(0o755)
    status, shown = converse(
        tmp_path,
        ["new", "a.toml", "--edit", "--template", "pdi"],
        ["raw/*.fits", "", "", "y"],
        EDITOR=str(editor),
    )
    assert status == 0, shown
    assert "bogus: unknown key" in shown
    assert load_config(tmp_path / "a.toml").name == "a"


def test_upgrade_writes_beside_and_reports(tmp_path):
    old = 'name = "a"\nversion = "0.8"\n[register]\nmethod = "com"  # mine\n[collapse]\n'
    (tmp_path / "old.toml").write_text(old)
    done = doit(tmp_path, "upgrade", "old.toml", "-o", "new.toml")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "old.toml").read_text() == old
    assert load_config(tmp_path / "new.toml").align.method == "com"
    assert "# mine" in (tmp_path / "new.toml").read_text()
    assert "[register] is now [align]" in done.stdout
    again = doit(tmp_path, "upgrade", "old.toml", "-o", "new.toml")
    assert again.returncode == 3
    assert "exists" in again.stderr


def test_upgrade_says_what_is_left_to_settle(tmp_path):
    (tmp_path / "old.toml").write_text('name = "a"\ndpp_version = "0.13"\n[coadd]\nmystery = 1\n')
    done = doit(tmp_path, "upgrade", "old.toml")
    assert done.returncode == 1
    assert "to settle by hand: old_upgraded.toml:5: [coadd] mystery: unknown key" in done.stdout


def test_upgrade_of_a_configuration_of_today_writes_nothing(tmp_path):
    doit_here(tmp_path, "new", "a.toml", "--yes")
    done = doit_here(tmp_path, "upgrade", "a.toml")
    assert (done.returncode, done.stdout) == (0, "a.toml is of today; nothing is written\n")
    assert not (tmp_path / "a_upgraded.toml").exists()


def test_upgrade_of_nothing(tmp_path):
    assert "one OLD.toml expected" in doit(tmp_path, "upgrade").stderr
    assert "cannot be read" in doit(tmp_path, "upgrade", "none.toml").stderr
