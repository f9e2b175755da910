"""Commands as people type them: versions, pipes, help, lists of files, completion."""

import shutil
import subprocess
import sys

import pytest
from fixtures.doit import command, doit, doit_here, surroundings
from fixtures.nights import spawn_doit

from vampires.commands.version import version_line
from vampires.config import load_config
from vampires.errors import ConfigError
from vampires.night.plan import make_plan
from vampires.tasks.plan import only_files, without_files
from vampires.version import __version__

OURS = ("new", "upgrade", "sort", "table", "bench", "mueller_fit", "run", "redo", "why", "forget",
        "select", "centroid", "missing", "target", "watch", "list", "info", "version")  # fmt: skip


def test_our_version_is_told(tmp_path):
    done = doit_here(tmp_path, "version")
    assert done.stdout.splitlines()[0] == version_line() == f"vampires {__version__} (doit 0.37.0)"
    assert "numpy " in done.stdout
    ours = subprocess.run(
        [sys.executable, "-m", "vampires", "--version"], capture_output=True, text=True, check=True
    )
    assert ours.stdout.strip() == version_line()


def test_doit_itself_says_our_version_where_a_reduction_is(tmp_path):
    assert version_line() not in doit(tmp_path, "--version").stdout
    doit_here(tmp_path, "new", "night.toml", "--yes")
    said = doit(tmp_path, "--version").stdout.splitlines()
    assert said[:2] == [version_line(), "0.37.0"]
    there = subprocess.run(
        [sys.executable, "-m", "vampires", "--version"], cwd=tmp_path, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert there.stdout.splitlines() == [version_line()]


def test_settings_of_doit_that_are_there_stay(tmp_path):
    (tmp_path / "doit.cfg").write_text("[list]\nstatus = True\n")
    doit_here(tmp_path, "new", "night.toml", "--yes")
    assert (tmp_path / "doit.cfg").read_text() == "[list]\nstatus = True\n"


@pytest.mark.parametrize("words", ["help run", "table --help"])
def test_output_that_nobody_reads_is_no_traceback(tmp_path, words):
    """The reader is gone before anything is written."""
    with subprocess.Popen(
        command(*words.split()), cwd=tmp_path, env=surroundings(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        process.stdout.close()
        errors = process.stderr.read()
    assert errors in ("", "ERROR: option --help not recognized; see `doit help table`\n")
    assert process.returncode in (141, 3)


def test_ctrl_c_at_a_question_is_no_traceback(tmp_path):
    child = spawn_doit(tmp_path, "new", "night.toml")
    child.expect(": $")
    child.sendintr()
    said = child.read()
    child.close()
    assert "Traceback" not in said
    assert child.exitstatus == 130
    assert not list(tmp_path.glob("*.toml"))


def test_a_file_in_the_way_is_one_line(spotty_night):
    (spotty_night / "aux").write_text("not a folder")
    done = doit_here(spotty_night, "select", "--yes", "--frames", "4")
    assert done.returncode == 3
    assert done.stderr == f"ERROR: {spotty_night / 'aux' / 'select'}: Not a directory\n"


@pytest.mark.parametrize("name", OURS)
def test_every_command_has_help_with_an_example(tmp_path, name):
    done = doit_here(tmp_path, "help", name)
    assert done.returncode == 0, done.stderr
    assert "Example: " in done.stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [("info coad", "'coadd'"), ("clean coadd:b", "'coadd:a'"), ("list stoke", "'stokes'"),
     ("ignore stoke*", None), ("infos", "'info'")],
)  # fmt: skip
def test_a_name_of_nothing_is_refused_with_the_nearest(tmp_path, words, meant):
    tasks = "def task_coadd():\n    yield {'name': 'a', 'actions': None}\n"
    tasks += "def task_stokes():\n    return {'actions': None}\n"
    tasks += "from vampires.tasks import DOIT_CONFIG\n"
    (tmp_path / "dodo.py").write_text(tasks)
    done = doit(tmp_path, *words.split())
    if meant is None:
        assert (done.stdout, done.returncode) == ("ignoring stokes\n", 0)
    else:
        assert f"did you mean {meant}" in done.stderr
        assert done.returncode == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run -n two", "--process 'two': expected a whole number; see `doit help run`"),
        ("--stats", "option --stats not recognized; see `doit help run`"),
        ("list --status=x", "option --status must not have an argument; see `doit help list`"),
        ("profile --width wide", "--width 'wide': expected a number; see `doit help profile`"),
    ],
)
def test_a_mistyped_option_is_one_line(tmp_path, words, said):
    (tmp_path / "dodo.py").write_text("from vampires.tasks import *\n")
    done = doit(tmp_path, *words.split())
    assert (done.returncode, done.stderr) == (3, f"ERROR: {said}\n")


def test_completion_knows_our_commands(tmp_path):
    (tmp_path / "dodo.py").write_text("def task_a():\n    return {'actions': None}\n")
    done = doit_here(tmp_path, "tabcompletion")
    assert not done.returncode
    for name in ("select", "centroid", "missing", "new"):
        assert name in done.stdout


def test_a_list_of_files_on_the_command_line(spotty_night, monkeypatch):
    monkeypatch.chdir(spotty_night)
    config = load_config("night.toml")
    some = only_files(config, "raw/VMPA0002100[1-6].fits")
    names = [group.key for group in make_plan(some).groups]
    assert names == ["VMPA00021001", "VMPA00021002", "VMPA00021005", "VMPA00021006"]
    (spotty_night / "list.txt").write_text("raw/VMPA00021009.fits\n\nraw/VMPA00021010.fits\n")
    listed = only_files(config, "@list.txt")
    assert [group.key for group in make_plan(listed).groups] == ["VMPA00021009", "VMPA00021010"]
    assert listed.digest == config.digest  # what is chosen changes no product
    fewer = without_files(config, "@list.txt")
    keys = [group.key for group in make_plan(fewer).groups]
    assert len(keys) == len(make_plan(config).groups) - 2
    assert not {"VMPA00021009", "VMPA00021010"} & set(keys)
    assert fewer.digest == config.digest
    whole = make_plan(only_files(config, "raw")).groups
    assert [group.key for group in whole] == [group.key for group in make_plan(config).groups]
    with pytest.raises(ConfigError, match=r"files=@none\.txt: cannot be read"):
        only_files(config, "@none.txt")
    with pytest.raises(ConfigError, match=r"files=raw/none\*: no file matches .*/raw/none\*"):
        only_files(config, "raw/none*")


@pytest.mark.parametrize(
    ("word", "hint"), [("file=a.fits", ' (did you mean "files"?)'), ("a/b=c/d.fits", "")]
)
def test_a_word_that_would_reduce_everything_is_refused(tmp_path, word, hint):
    (tmp_path / "dodo.py").write_text("from vampires.tasks import *\n")
    done = doit(tmp_path, word)
    assert done.returncode == 3
    assert f"{word}: is taken for a variable, and none has that name{hint}; " in done.stderr


def test_a_file_whose_name_holds_an_equals_sign(stars_night, tmp_path):
    """doit takes such words for its variables."""
    shutil.copy(sorted((stars_night / "raw").iterdir())[0], tmp_path / "x=y.fits")
    assert doit_here(tmp_path, "sort", "x=y.fits", "-o", "out").returncode == 0
    assert len(list(tmp_path.glob("out/*/*/x=y.fits"))) == 1
    table = doit_here(tmp_path, "table", "x=y.fits")
    assert "1 files, 0 of them unusable" in table.stdout
