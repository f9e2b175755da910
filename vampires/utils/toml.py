"""Write TOML with tomlkit: digits and comments as wanted, names and texts quoted as needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to load for those who only plan, and files are written seldom
    from tomlkit.items import Item, Table
    from tomlkit.toml_document import TOMLDocument


def toml_document(*comments: str) -> TOMLDocument:
    """Document that begins with some comments."""
    import tomlkit

    document = tomlkit.document()
    for line in comments:
        document.add(tomlkit.comment(line))
    return document


def toml_table(document: TOMLDocument, *path: str) -> Table:
    """Add a table ``[a.b."c"]`` at the end of a document, after an empty line; return it.

    A last name that is no plain word is quoted: filters such as 750-50 look alike in all files.

    Examples
    --------
    >>> import tomlkit
    >>> document = toml_document("made by hand")
    >>> toml_table(document, "filters", "750-50").add("offset", toml_number("1.50", "+- 0.1"))
    {'offset': 1.5}
    >>> print(tomlkit.dumps(document).strip())
    # made by hand
    <BLANKLINE>
    [filters."750-50"]
    offset = 1.50  # +- 0.1
    """
    import tomlkit
    from tomlkit.items import KeyType, SingleKey

    holder: Any = document
    table, last = tomlkit.table(), path[-1]
    table.trivia.indent = "\n"
    for name in path[:-1]:
        if name not in holder:
            holder.add(name, tomlkit.table(is_super_table=True))
            table.trivia.indent = ""  # before the first of its kind tomlkit leaves a line itself
        holder = holder[name]
    plain = last.islower() and last.isidentifier()
    holder.add(last if plain else SingleKey(last, KeyType.Basic), table)
    added: Table = holder[last]
    return added


def toml_number(text: str, comment: str = "") -> Item:
    """Item with the digits that a text has, and a comment behind it."""
    import tomlkit

    item = tomlkit.value(text)
    if comment:
        item.comment(comment)
        item.trivia.comment_ws = "  "
    return item
