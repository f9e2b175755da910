"""Sphinx settings."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent

project = "vampires"
author = "the vampires developers"
copyright = "2026, the vampires developers"
release = metadata.version("vampires")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
nb_execution_mode = "force"  # only pages that say they are notebooks have anything to run
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "instrument_tables.md"]  # the latter is included by another page
suppress_warnings = ["ref.python"]  # words of types, such as "shape", that name several things
default_role = "py:obj"  # as the docstrings mean `name`

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = True
napoleon_use_rtype = False
napoleon_use_ivar = True  # a documented attribute is not a second object of the same name

html_theme = "alabaster"
html_theme_options = {"description": "SCExAO/VAMPIRES data reduction", "fixed_sidebar": True}
html_static_path: list[str] = []

# Both pages are written from what the software itself reads, so that they cannot drift from it.
for command in (
    ["-m", "vampires.config.reference", str(HERE / "configuration.md")],
    [str(HERE / "instrument_tables.py"), str(HERE / "instrument_tables.md")],
):
    subprocess.run([sys.executable, *command], check=True)
