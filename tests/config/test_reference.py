"""The generated reference page."""

import subprocess
import sys
from pathlib import Path

from vampires.config import SECTIONS
from vampires.config.option import options_of
from vampires.config.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_in_docs_is_the_one_the_schema_gives():
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m vampires.config.reference docs/configuration.md"
    )


def test_every_key_and_choice_is_explained():
    page = render()
    for section, kind in SECTIONS.items():
        assert f"## `[{section}]`" in page
        for key, field in options_of(kind).items():
            about = field.metadata["option"]
            assert f"### `{key}`" in page
            assert about.help in page
            assert bool(about.public) == bool(about.why)
            for choice, meaning in about.choices.items():
                assert f'- `"{choice}"`: {meaning}' in page


def test_importing_the_configuration_imports_no_array_package():
    code = (
        "import sys, vampires.config\n"
        "heavy = {'numpy', 'astropy', 'scipy', 'tomlkit', 'matplotlib', 'numba', 'doit'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
