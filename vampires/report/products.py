"""What the reduction has made, with what, and how it was told to."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from vampires.report.parts import Facts, Number, Section, Table, Text, size_of
from vampires.version import __version__

if TYPE_CHECKING:
    from vampires.report.night import NightReport

_LIBRARIES = ("numpy", "scipy", "astropy", "numba", "ccdproc", "photutils", "doit")


def products(report: NightReport) -> Section | None:
    """Files made, with their sizes."""
    sizes = {path: path.stat().st_size for path in report.products if path.exists()}
    if not sizes:
        return None
    rows = [
        [path.relative_to(report.folder).as_posix() if path.is_relative_to(report.folder)
         else str(path), Number(size / 1e6, 3)]
        for path, size in sorted(sizes.items())
    ]  # fmt: skip
    title = f"{len(rows)} files, {size_of(sum(sizes.values()))}"
    return Section("Products", (Table(("file", "MB"), rows, title, folded=True),))


def absent(report: NightReport) -> Section | None:
    """Products that are not there, since a task failed."""
    if not report.absent:
        return None
    rows = [
        [path.relative_to(report.folder).as_posix() if path.is_relative_to(report.folder)
         else str(path)]
        for path in report.absent
    ]  # fmt: skip
    remark = Text("A task failed; the last run says which. This page is of what there is.")
    return Section("Missing", (remark, Table(("file",), rows, f"{len(rows)} files not made")))


def software(report: NightReport) -> Section | None:
    """Versions, and the settings that are not the default."""
    versions: list[tuple[str, object]] = [
        ("vampires", __version__), ("Python", platform.python_version()),
    ]  # fmt: skip
    versions += [(name, metadata.version(name)) for name in _LIBRARIES]
    settings = "\n".join(report.settings) or "all defaults"
    return Section(
        "Configuration and versions",
        (Text("Settings that are not the default:"), Text(settings, code=True), Facts(versions)),
    )
