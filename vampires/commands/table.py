"""``doit table FILES...``: what the headers of raw files say, as ECSV and CSV."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from vampires.commands.base import PersonCommand, say
from vampires.errors import FileError
from vampires.night.index import find_files

SUFFIXES = {".ecsv", ".csv"}


class Table(PersonCommand):
    """Write the header table of raw files."""

    name = "table"
    doc_purpose = "write the header table of raw files"
    doc_usage = "[FILES...] [-o NAME.ecsv]"
    doc_description = (
        "One row a file, one column a keyword, in order of time; headers of every era in the "
        "same terms (see the documentation on headers). Files that cannot be used have their "
        "reason. Without files, in a reduction: the table of its coadds (the task coadd_table).\n\n"
        "Example: doit table raw/*.fits -o night.ecsv"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "output", "long": "output", "short": "o", "default": "header_table.ecsv",
            "help": "table to write; NAME.csv is written beside it",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Write the table and say what is in it."""
        # Imported here: every doit command loads this module, few make tables.
        from vampires.io.products import write_table
        from vampires.night.table import header_table

        target = Path(options["output"]).expanduser()
        if target.suffix not in SUFFIXES:
            raise FileError(f"--output {target}: end it with .ecsv (or .csv)")
        if not arguments:
            return subprocess.call([sys.executable, "-m", "doit", "run", "coadd_table"])
        table = header_table(find_files(arguments))
        write_table(target.with_suffix(".ecsv"), table)
        unusable = int((table["reason"] != "").sum())
        say(
            f"wrote {target.with_suffix('.ecsv')} and {target.with_suffix('.csv')}: "
            f"{len(table)} files, {unusable} of them unusable (column reason)"
        )
        return 0
