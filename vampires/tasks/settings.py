"""How doit runs reductions: its state, its test for changed files, its reports."""

from __future__ import annotations

from typing import Any

from vampires.engine.reporter import ProgressReporter
from vampires.engine.state import SizeMtimeChecker

DOIT_CONFIG: dict[str, Any] = {
    "dep_file": ".doit.db",
    "backend": "vampires",
    "check_file_uptodate": SizeMtimeChecker,
    "reporter": ProgressReporter,
    "par_type": "thread",
    "continue": True,
}
"""One failure does not stop what does not depend on it; work runs where the executor says."""
