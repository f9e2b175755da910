"""``doit sort FILES...``: sort raw files into folders that people can read."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from vampires.commands.base import PersonCommand, say
from vampires.errors import FileError
from vampires.night.index import find_files


class Sort(PersonCommand):
    """Copy, link or move raw files into one folder per target and setting."""

    name = "sort"
    doc_purpose = "sort raw files into folders by target, kind and settings"
    doc_usage = "FILES... [-o DIR] [--move | --link] [--decompress]"
    doc_description = (
        "FILES are raw files, patterns in quotes, or folders. Nothing is overwritten, and a "
        "file is removed only when its copy is complete; repeat an interrupted command to "
        "finish it. Files that are no VAMPIRES data stay where they are, and are named.\n\n"
        "Example: doit sort '/data/20230101/*.fits*' -o sorted --link"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "output", "long": "output", "short": "o", "default": ".",
            "help": "directory that holds the folders; made if it is not there",
        },
        {
            "name": "move", "long": "move", "type": bool, "default": False,
            "help": "move the files instead of copying them",
        },
        {
            "name": "link", "long": "link", "type": bool, "default": False,
            "help": "make hard links: no second copy on the disk",
        },
        {
            "name": "decompress", "long": "decompress", "type": bool, "default": False,
            "help": "write .fits.fz files as plain FITS (the pipeline reads both)",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Sort, say what went where and what was left."""
        # Imported here: every doit command loads this module, few sort.
        from vampires.night.sorting import sort_files

        if not arguments:
            raise FileError("which files? `doit sort FILES...` (see `doit help sort`)")
        if options["move"] and options["link"]:
            raise FileError("--move and --link exclude each other; give one of them")
        action = "move" if options["move"] else "link" if options["link"] else "copy"
        output = Path(options["output"]).expanduser()
        results = sort_files(
            find_files(arguments), output, action=action, decompress=options["decompress"]
        )
        folders = Counter(result.target.parent for result in results if result.target is not None)
        for folder, number in sorted(folders.items()):
            say(f"{number:6d}  {folder}")
        left = [result for result in results if result.target is None]
        for result in left:
            sys.stderr.write(f"left where it is: {result.reason}\n")
        say(f"{len(results) - len(left)} sorted, {len(left)} left where they are")
        return 1 if left else 0
