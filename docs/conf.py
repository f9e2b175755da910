"""Sphinx settings."""

import subprocess
import sys
import urllib.request
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "vampires"
author = "the vampires developers"
copyright = "2026, the vampires developers"
release = metadata.version("vampires")

extensions = [
    "questions_made",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
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
exclude_patterns = [
    "_build",
    "instrument_tables.md",
    "strehl_table.md",
    "adi_example.md",
]  # included by others
suppress_warnings = ["ref.python"]  # words of types, such as "shape", that name several things
default_role = "py:obj"  # as the docstrings mean `name`

autosummary_generate = False  # the tables link to the docstrings below them

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = True
napoleon_use_rtype = False
napoleon_use_ivar = True  # a documented attribute is not a second object of the same name

html_theme = "alabaster"
html_theme_options = {"description": "SCExAO/VAMPIRES data reduction", "fixed_sidebar": True}
html_static_path: list[str] = []

# These pages are written from what the software itself reads, so that they cannot drift from it.
for command in (
    [str(HERE / "api_pages.py"), str(HERE / "_generated" / "api")],
    ["-m", "vampires.config.reference", str(HERE / "configuration.md")],
    [str(HERE / "instrument_tables.py"), str(HERE / "instrument_tables.md")],
):
    subprocess.run([sys.executable, *command], check=True)


def inventories() -> dict[str, tuple[str, str]]:
    """Names that other projects document, for links to them; none without a network."""
    folder = HERE / "_generated" / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, address in {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "astropy": "https://docs.astropy.org/en/stable/",
        "ccdproc": "https://ccdproc.readthedocs.io/en/latest/",
        "photutils": "https://photutils.readthedocs.io/en/stable/",
    }.items():
        path = folder / f"{name}.inv"
        try:
            if not path.exists():
                with urllib.request.urlopen(f"{address}objects.inv", timeout=3) as answer:
                    path.write_bytes(answer.read())
        except OSError:
            break
        found[name] = (address, str(path))
    return found


intersphinx_mapping = inventories()
