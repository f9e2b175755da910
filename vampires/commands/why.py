"""``doit why TASK...``: say why tasks would run, or that they would not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from doit.cmd_base import DoitCmdBase
from doit.control import TaskControl
from doit.dependency import Dependency

from vampires.commands.pipe import Explained
from vampires.engine.gathering import without_missing
from vampires.engine.products import TargetsUnchanged
from vampires.engine.recovery import recover_if_lost
from vampires.engine.selection import expand
from vampires.engine.state import SettingsUnchanged

_SENTENCES = {
    "missing_target": "{} is missing",
    "changed_file_dep": "{} has changed",
    "missing_file_dep": "{}, which it reads, does not exist",
    "added_file_dep": "{} is a new input",
    "removed_file_dep": "{} is no longer an input",
}


class Why(Explained, DoitCmdBase):
    """Explain what a run would do, without running anything."""

    name = "why"
    doc_purpose = "say why tasks would run"
    doc_usage = "[TASK|GROUP|'WILDCARD'|TARGET...]"
    sel_tasks: list[str]
    doc_description = (
        "Without arguments: every task that would run. A task that would run only because one "
        "before it does is said to follow from that one.\n\n"
        "Example: doit why coadd:VMPA00021001"
    )

    def _execute(self) -> int:
        recover_if_lost(self.task_list, self.dep_manager)
        tasks = TaskControl(self.task_list).tasks
        named = [] if self.sel_default_tasks else self.sel_tasks
        shown = expand(named, tasks) or [name for name in tasks if tasks[name].actions]
        reasons = explain(tasks, self.dep_manager)
        self.dep_manager.close()
        lines = [
            f"{name}: {'; '.join(reasons[name]) or 'up to date'}"
            for name in shown
            if reasons[name] or not self.sel_default_tasks
        ]
        self.outstream.write("\n".join(lines or ["everything is up to date"]) + "\n")
        return 0


def explain(tasks: Mapping[str, Any], state: Dependency) -> dict[str, list[str]]:
    """Why each task would run.

    Parameters
    ----------
    tasks : mapping of str to Task
        All tasks, with the dependencies that files imply.
    state : Dependency
        What doit remembers of them.

    Returns
    -------
    dict of str to list of str
        Reasons of each task, in words; none when it is up to date.
    """
    reasons: dict[str, list[str]] = {}

    def visit(name: str) -> list[str]:
        if name not in reasons:
            reasons[name] = []  # also ends a circle, which doit reports
            task = tasks[name]
            before = sorted(needed for needed in task.task_dep if visit(needed))
            if task.actions:
                own = _own_reasons(task, tasks, state, _targets(before, tasks))
                reasons[name] = [*own, *([_follows(before)] if before else [])]
            elif before:
                reasons[name] = [_follows(before)]
        return reasons[name]

    for name in tasks:
        visit(name)
    return reasons


def _own_reasons(
    task: Any, tasks: Mapping[str, Any], state: Dependency, to_come: set[str]
) -> list[str]:
    """Reasons of a task apart from the tasks before it, whose targets are `to_come`."""
    without_missing(task)
    found = state.get_status(task, tasks, get_log=True).reasons
    if not state.get_values(task.name):
        return ["it has not been done yet, has failed, or was forgotten"]
    texts = [
        text for check in found.get("uptodate_false", ()) for text in _check(task, check, state)
    ]
    if found.get("has_no_dependencies"):
        texts.append("it depends on nothing, so it always runs")
    for reason, sentence in _SENTENCES.items():
        items = [item for item in found.get(reason, ()) if item not in to_come]
        if items:
            texts.append(sentence.format(_some(items)))
    return texts


def _check(task: Any, check: tuple[Any, ...], state: Dependency) -> list[str]:
    """Explain a failed up-to-date test."""
    test = check[0]
    if isinstance(test, SettingsUnchanged):
        changes = test.changes(state.get_values(task.name))
        return [f"setting changed, {change}" for change in changes]
    if isinstance(test, TargetsUnchanged):
        return test.found
    return [f"{test!r} says so"]


def _targets(names: Iterable[str], tasks: Mapping[str, Any]) -> set[str]:
    return {target for name in names for target in tasks[name].targets}


def _follows(names: list[str]) -> str:
    return f"follows from {_some(names)}"


def _some(items: list[str]) -> str:
    """List of at most three."""
    rest = len(items) - 3
    return ", ".join(items[:3]) + (f" and {rest} more" if rest > 0 else "")
