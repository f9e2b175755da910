"""Only who makes, reads or writes headers knows their cards by keyword; all others know facts."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import vampires
from vampires.canonical import Header

PACKAGE = Path(vampires.__file__).parent
ROOMS = ("canonical", "header", "io", "simulate", "utils")
"""Rooms that make canonical headers, declare them, and bring them to bytes and back."""

REASONS = {
    "sky/wcs.py": "cards of the WCS standard",
    "sky/export.py": "cards of the WCS standard",
    "instrument/fields.py": "the WCS of each field in a raw header",
    "bench/long.py": "raw cards of links to one file",
    "night/raw.py": "raw cards, before there is a canonical header",
    "calibration/flats.py": "keywords that begin with the name of a field",
    "mueller/lamp_table.py": "columns of a table, named like cards",
    "polarimetry/star_table.py": "columns of a table, named like cards",
}
KEYWORD = re.compile(r"[A-Z#][A-Z0-9_#-]*")
HEADER = re.compile(r"(header|cards|raw|head)s?$|^h$")
FACTS = {
    fact.keyword
    for name in dir(Header)
    if hasattr(fact := getattr(Header, name), "keyword") and hasattr(fact, "meaning")
}


def _keyword(node: ast.expr) -> str | None:
    """Keyword that a literal spells, with # for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(
            str(part.value) if isinstance(part, ast.Constant) else "#" for part in node.values
        )
    else:
        return None
    return text if KEYWORD.fullmatch(text) else None


def _accesses(tree: ast.AST) -> list[tuple[int, str, str]]:
    """Line, object and keyword of each access by a literal keyword."""
    found: list[tuple[int, ast.expr, ast.expr]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            found.append((node.lineno, node.value, node.slice))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in {"get", "remove", "pop", "setdefault"}:
                found.append((node.lineno, node.func.value, node.args[0]))
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            found.append((node.lineno, node.comparators[0], node.left))
    return [
        (line, ast.unparse(owner), keyword)
        for line, owner, key in found
        if (keyword := _keyword(key)) is not None
    ]


def _by_keyword(source: str) -> list[str]:
    """Accesses to cards: keywords of facts anywhere, any keyword of what is called a header."""
    return [
        f"{line}: {owner}[{keyword}]"
        for line, owner, keyword in _accesses(ast.parse(source))
        if keyword.rstrip("#") in FACTS or HEADER.search(owner.partition("[")[0].split(".")[-1])
    ]


def test_cards_are_read_and_written_by_fact() -> None:
    found = {
        name: lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (name := path.relative_to(PACKAGE).as_posix()).split("/")[0] not in ROOMS
        and (lines := _by_keyword(path.read_text(encoding="utf-8")))
    }
    assert {name: lines for name, lines in found.items() if name not in REASONS} == {}
    assert set(REASONS) - set(found) == set(), "these need no exception any more"


def test_the_rule_sees_what_it_forbids() -> None:
    for line in (
        'x = header["EXPTIME"]', 'image.header.get("NEWCARD", 1)', '"PA" in one', 'h[f"FIELD{i}"]',
        'headers[0]["MJD"]', 'out["BUNIT"] = "adu"', 'raw.remove("U_FLC")',
    ):  # fmt: skip
        assert _by_keyword(line), line
    for line in ('planes["ERR"]', 'record["path"]', 'os.environ["EDITOR"]', '"A" in text'):
        assert not _by_keyword(line), line
