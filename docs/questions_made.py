"""What was made for the pages in ``questions/``, by which recipe: makes what is out of date.

It is an extension of Sphinx. When a build begins, the output and the pictures of a page are made
(`questions.py`) where a file lacks, or where the page's recipe or a step of the reduction has
another version than when they were made. The setting ``question_pages`` chooses:

* ``outdated`` (default);
* ``all`` makes all again, ``none`` takes what there is;
* names of pages, with commas, make these again and no others.
"""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypedDict

HERE = Path(__file__).parent


class Entry(TypedDict):
    """How the files of a page were made."""

    recipe: str
    files: list[str]


class Made:
    """The record of a folder of documentation.

    Parameters
    ----------
    docs : Path
        It has ``questions.py``, the pages and what was made for them.
    package : Path
        Sources of the package that makes them.
    """

    def __init__(self, docs: Path, package: Path) -> None:
        self.docs = docs
        self.path = docs / "questions" / "made.json"
        source = (docs / "questions.py").read_text("utf-8")
        self._lines = source.splitlines()
        self._parts = {name: node for node in ast.parse(source).body for name in names(node)}
        self._common = [(docs / "questions_terminal.py").read_text("utf-8"), *versions(package)]
        self.record: dict[str, Entry] = {}
        if self.path.exists():
            self.record = json.loads(self.path.read_text("utf-8"))

    def pages(self) -> list[str]:
        """Names of all pages."""
        return [*self._needs()]

    def recipe(self, page: str) -> str:
        """Digest of what makes a page: its function and what that uses, versions of the steps."""
        used, waiting = [], [page]
        while waiting:
            name = waiting.pop()
            if name in used:
                continue
            used.append(name)
            found = [n for n in ast.walk(self._parts[name]) if isinstance(n, ast.Name)]
            waiting += {n.id for n in found} & self._parts.keys()
        nodes = [self._parts[name] for name in sorted(used)]
        texts = ["\n".join(self._lines[node.lineno - 1 : node.end_lineno]) for node in nodes]
        beside = re.findall(r'"(\w+\.py)"', "".join(texts))
        texts += [(self.docs / "questions" / name).read_text("utf-8") for name in beside]
        return hashlib.sha256("\n".join([*texts, *self._common]).encode()).hexdigest()[:16]

    def is_outdated(self, page: str) -> bool:
        """Whether a file lacks, or would be made in another way today."""
        entry = self.record.get(page)
        if entry is None or entry["recipe"] != self.recipe(page):
            return True
        return not all((self.docs / name).is_file() for name in entry["files"])

    def outdated(self) -> list[str]:
        """Names of the pages that are."""
        return [page for page in self.pages() if self.is_outdated(page)]

    def lacking(self, page: str) -> list[str]:
        """Programs that making a page needs and this computer does not have."""
        return [name for name in self._needs()[page] if shutil.which(name) is None]

    def write(self, page: str, files: dict[str, bytes]) -> None:
        """Put the files of a page into their places, and say so in the record."""
        before = self.record.get(page, {"recipe": "", "files": []})["files"]
        for name in set(before) - files.keys():
            (self.docs / name).unlink(missing_ok=True)
        for name, content in files.items():
            path = self.docs / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.record[page] = {"recipe": self.recipe(page), "files": sorted(files)}
        text = json.dumps(self.record, indent=1, sort_keys=True)
        self.path.write_text(text + "\n", "utf-8")

    def _needs(self) -> dict[str, tuple[str, ...]]:
        table = self._parts["PAGES"]
        assert isinstance(table, ast.Assign)
        assert isinstance(table.value, ast.Dict)
        rows = zip(table.value.keys, table.value.values, strict=True)
        return {ast.unparse(page): ast.literal_eval(needs) for page, needs in rows if page}


def names(node: ast.stmt) -> list[str]:
    """Names that a statement of a module gives to something of its own."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def versions(package: Path) -> Iterable[str]:
    """Versions of the steps, each with the module that has it."""
    for path in sorted((package / "tasks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "version":
                yield f"{path.name} {ast.unparse(node.value)}"


def make(made: Made, choice: str) -> None:
    """Make what is chosen, where this computer has what that needs; say what is done and left."""
    every = {"outdated": made.outdated(), "all": made.pages()}
    chosen = every.get(choice, [p for p in choice.split(",") if p != "none"])
    if unknown := set(chosen) - set(made.pages()):
        raise ValueError(
            f"question_pages: no page {', '.join(sorted(unknown))}; "
            f"there are {', '.join(made.pages())}"
        )
    for page in chosen:
        if lacking := made.lacking(page):
            say(f"{page} stays as it was made before: no {', '.join(lacking)} on this computer")
            continue
        say(f"{page} is made, which takes a minute or so")
        subprocess.run([sys.executable, made.docs / "questions.py", page], check=True)


def say(text: str) -> None:
    """Write a line that is seen in a quiet build too."""
    sys.stderr.write(f"pages by question: {text}\n")


def setup(app: Any) -> dict[str, bool]:
    """Join a build."""
    app.add_config_value("question_pages", "outdated", "")
    app.connect(
        "builder-inited",
        lambda app: make(Made(HERE, HERE.parent / "vampires"), app.config.question_pages),
    )
    return {"parallel_read_safe": True}
