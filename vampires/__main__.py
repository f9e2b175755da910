"""``vampires`` and ``python -m vampires``: doit, with a version of its own."""

from __future__ import annotations

import sys

from doit.cmd_base import DodoTaskLoader
from doit.doit_cmd import DoitMain

from vampires.commands.version import version_line


class Main(DoitMain):
    """The command line of doit, called by our name."""

    BIN_NAME = "vampires"

    @staticmethod
    def print_version() -> None:
        """Print our version beside doit's."""
        sys.stdout.write(version_line() + "\n")


def main() -> None:
    """Run the command line."""
    sys.exit(Main(DodoTaskLoader()).run(sys.argv[1:]))


if __name__ == "__main__":
    main()
