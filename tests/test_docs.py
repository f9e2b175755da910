"""The documentation: links lead somewhere, code runs, names exist, tables are current."""

import ast
import importlib
import json
import re
import runpy
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vampires.config.option import options_of
from vampires.config.schema import SECTIONS, GeneralSettings
from vampires.io.products import TABLE_COLUMNS
from vampires.measure.metrics import COLUMNS
from vampires.simulate import NightSpec, simulate_night
from vampires.version import __version__

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    + [path for path in DOCS.rglob("*.md") if not path.relative_to(DOCS).parts[0].startswith("_")]
)
GENERATED = {"configuration.md", "instrument_tables.md"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="only a checkout has the documentation")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    found = FENCE.findall(path.read_text("utf-8"))
    return [code for kind, code in found if kind == language]


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    included = re.findall(r"```{include} (\S+)", path.read_text("utf-8"))
    more = [anchors(path.parent / name) for name in included]
    slugs = {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
    return slugs.union(*more)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"\w+://", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        assert other.is_file(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_is_valid_and_its_imports_exist(page: Path) -> None:
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.names[0].name != "*":
                module = importlib.import_module(node.module)
                assert [a.name for a in node.names if not hasattr(module, a.name)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_toml_is_valid(page: Path) -> None:
    for code in blocks(page, "toml"):
        tomllib.loads(code)


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in GENERATED], ids=named)
def test_settings_exist(page: Path) -> None:
    """Every ``[table] key`` is in the schema."""
    for table, key in re.findall(r"`\[(\w+)\] (\w+)", prose(page)):
        assert table in SECTIONS, f"[{table}]"
        assert key in options_of(SECTIONS[table]), f"[{table}] {key}"


def test_general_settings_are_documented() -> None:
    text = (DOCS / "configuration.md").read_text("utf-8")
    assert [key for key in options_of(GeneralSettings) if f"### `{key}`" not in text] == []


@pytest.mark.parametrize("name", [*COLUMNS, *TABLE_COLUMNS])
def test_formats_name_every_measurement_and_column(name: str) -> None:
    assert f"`{name}`" in (DOCS / "formats.md").read_text("utf-8")


def test_instrument_tables_are_current() -> None:
    render = runpy.run_path(str(DOCS / "instrument_tables.py"))["render"]
    assert (DOCS / "instrument_tables.md").read_text("utf-8") == render()


def test_the_map_is_the_import_contract() -> None:
    """The floors of docs/architecture.md, in order, are those that lint-imports checks."""
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    text = (DOCS / "architecture.md").read_text("utf-8").split("## The map")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    floors = [re.findall(r"`(\w+)`", row) for row in rows]
    assert floors == [layer.split(" | ") for layer in contract["layers"]]


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {__version__}\n" in text


@pytest.mark.parametrize("mark", ["demo", "test"])
def test_readme_has_the_commands_that_ci_runs(mark: str) -> None:
    after = (ROOT / "README.md").read_text("utf-8").split(f"<!-- {mark} -->\n")[1]
    assert after.splitlines()[1].startswith("python3 -m venv .venv && .venv/bin/pip install")


def test_notebook_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's and the quick start's blocks, but those that read what `doit` has made."""
    simulate_night(NightSpec.preset("stars", cycles=1, frames=2), tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for page in (ROOT / "README.md", DOCS / "quickstart.md"):
        for code in blocks(page, "python"):
            if "demo/pdi" not in code:
                exec(compile(code, str(page), "exec"), names)
    assert (tmp_path / "best.fits").is_file()


@pytest.fixture(name="pages")
def fixture_pages(tmp_path: Path) -> Any:
    """What makes the pages by question, in a folder where each was just made."""
    (tmp_path / "docs" / "questions").mkdir(parents=True)
    for name in ("questions.py", "questions_terminal.py", "questions/paper_figure.py"):
        shutil.copy(DOCS / name, tmp_path / "docs" / name)
    shutil.copytree(ROOT / "vampires" / "tasks", tmp_path / "vampires" / "tasks")
    pages = SimpleNamespace(**runpy.run_path(str(DOCS / "questions_made.py")))
    pages.folder = tmp_path / "docs"
    pages.now = lambda: pages.Made(pages.folder, tmp_path / "vampires")
    made = pages.now()
    for name in made.pages():
        made.write(name, {f"questions/output/{name}_x.txt": b"x\n"})
    pages.outdated = lambda: pages.now().outdated()
    return pages


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("docs/questions.py", "\n\n# The pages", "\n# Pages", []),
        ("docs/questions.py", 'NightSpec.preset("sdi")', 'NightSpec.preset("star")', ["halpha"]),
        ("docs/questions.py", "figsize=(4.6, 4)", "figsize=(5, 4)", ["binary"]),
        ("docs/questions.py", "IDEAL = ", "IDEAL = '' + ", ["coronagraph", "multiband"]),
        ("docs/questions/paper_figure.py", "dpi=140", "dpi=150", ["figure"]),
        ("vampires/tasks/images.py", "version=", "version=9", None),
        ("docs/questions_terminal.py", "quality=85", "quality=90", None),
    ],
)
def test_a_page_is_outdated_when_what_makes_it_changes(
    pages: Any, path: str, old: str, new: str, expected: list[str] | None
) -> None:
    changed = pages.folder.parent / path
    text = changed.read_text("utf-8")
    assert old in text
    changed.write_text(text.replace(old, new, 1), "utf-8")
    assert pages.outdated() == (pages.now().pages() if expected is None else expected)


def test_a_page_whose_file_is_gone_is_outdated_and_old_files_go(pages: Any) -> None:
    (pages.folder / "questions/output/binary_x.txt").unlink()
    assert pages.outdated() == ["binary"]
    pages.now().write("binary", {"questions/output/binary_y.txt": b"y\n"})
    pages.now().write("halpha", {"questions/output/halpha_y.txt": b"y\n"})
    assert pages.outdated() == []
    assert not (pages.folder / "questions/output/halpha_x.txt").exists()


def test_without_the_programs_a_page_stays_as_it_is(
    pages: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    pages.make(pages.now(), "first_night")
    said = capfd.readouterr().err
    assert said == (
        "pages by question: first_night stays as it was made before: "
        "no chromium, Xvfb, xdotool on this computer\n"
    )
    assert pages.outdated() == []
    pages.make(pages.now(), "outdated")
    pages.make(pages.now(), "none")
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="no page third_night"):
        pages.make(pages.now(), "halpha,third_night")


def test_what_was_made_for_the_pages_by_question_is_shown() -> None:
    record = json.loads((DOCS / "questions" / "made.json").read_text("utf-8"))
    made = {str((DOCS / name).resolve()) for entry in record.values() for name in entry["files"]}
    shown = set()
    for page in (DOCS / "questions").glob("*.md"):
        named = re.findall(r"(?:!\[[^\]]*\]\(|literalinclude} )([^)\s]+)", page.read_text("utf-8"))
        shown |= {str((page.parent / name).resolve()) for name in named if "paper_" not in name}
    assert made - shown == set()
    assert {name for name in shown - made if "/questions/" in name} == set()
    assert [name for name in made if not Path(name).is_file()] == []
