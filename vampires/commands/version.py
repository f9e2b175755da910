"""``doit version``: of this package, of doit and of what the results depend on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from doit.version import VERSION

from vampires.commands.base import PersonCommand, say
from vampires.version import __version__

LIBRARIES = ("numpy", "scipy", "astropy", "numba", "ccdproc", "photutils")


def version_line() -> str:
    """Name and version of this package and of doit."""
    return f"vampires {__version__} (doit {'.'.join(map(str, VERSION))})"


class Version(PersonCommand):
    """Print versions."""

    name = "version"
    doc_purpose = "versions of vampires, doit and what the results depend on"
    doc_usage = ""
    doc_description = "Example: doit version"

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:  # noqa: ARG002
        """Print a line each."""
        say(version_line())
        say(f"Python {platform.python_version()}")
        for name in LIBRARIES:
            say(f"{name} {metadata.version(name)}")
        return 0
