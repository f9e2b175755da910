"""Write one reference page per room: a table of what it offers, then the docstrings.

The rooms are those of the import contract in ``pyproject.toml``; what they offer is read from
their sources, so that a page cannot be forgotten. Nothing is imported here.
"""

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
SKIPPED = {"vampires.engine.preloaded"}  # importing it makes a process deaf to Ctrl-C


def rooms() -> list[str]:
    """Names of the rooms, from the top floor down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [room for layer in contract["layers"] for room in layer.split(" | ")]


def modules(room: str) -> list[Path]:
    """Source files of a room."""
    folder = ROOT / "vampires" / room
    return sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def dotted(path: Path) -> str:
    """Name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def offered(tree: ast.Module) -> list[str]:
    """Public functions and classes that have a docstring."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [
        node.name
        for node in tree.body
        if isinstance(node, kinds)
        and not node.name.startswith("_")
        and ast.get_docstring(node)
        and not any("overload" in ast.unparse(mark) for mark in node.decorator_list)
    ]


def page(room: str) -> str:
    """Markdown of the page of a room."""
    lines = [f"# vampires.{room}", ""]
    for path in modules(room):
        tree, name = ast.parse(path.read_text("utf-8")), dotted(path)
        names = offered(tree)
        if path.stem == "__init__" and name.count(".") == 1:
            lines += [(ast.get_docstring(tree) or "").partition("\n\n")[0], ""]
        if not names or name in SKIPPED:
            continue
        summary = (ast.get_docstring(tree) or "").partition("\n\n")[0].replace("``", "`")
        lines += [f"## {name}", "", summary, "", "```{eval-rst}"]
        lines += [f".. currentmodule:: {name}", "", ".. autosummary::", ""]
        lines += [f"   {item}" for item in names]
        lines += ["", f".. automodule:: {name}", f"   :members: {', '.join(names)}"]
        lines += ["", "```", ""]
    return "\n".join(lines)


def main(target: Path) -> None:
    """Write the pages into a folder; those of rooms that are gone are removed."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = {f"{room}.md": page(room) for room in rooms()}
    for old in target.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = target / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
