"""Sphinx settings."""

import subprocess
import sys
from pathlib import Path

import vampires

project = "vampires"
author = "the vampires developers"
copyright = "2026, the vampires developers"
release = vampires.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_use_rtype = False
html_theme = "alabaster"
html_theme_options = {"description": "SCExAO/VAMPIRES data reduction", "fixed_sidebar": True}
html_static_path: list[str] = []

# The configuration reference is written from the schema, so that it cannot drift from it.
subprocess.run(
    [sys.executable, "-m", "vampires.config.reference", str(Path(__file__).parent / "configuration.md")],
    check=True,
)
