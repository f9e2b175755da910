"""Long argument lists are bundled, or the docstring says why not."""

from __future__ import annotations

import ast
from pathlib import Path

import vampires

MOST = 6


def long_signatures() -> dict[str, str]:
    """Docstrings of public functions with more parameters than `MOST`, by place."""
    found = {}
    for path in Path(vampires.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if len([a for a in arguments if a.arg not in {"self", "cls"}]) > MOST:
                found[f"{path.name}:{node.name}"] = ast.get_docstring(node) or ""
    return found


def test_long_argument_lists_have_a_reason():
    found = long_signatures()
    assert "option.py:option" in found
    assert [place for place, text in found.items() if "Many arguments, because" not in text] == []
