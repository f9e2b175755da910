"""``doit forget``, taking wildcards and targets as well as names."""

from __future__ import annotations

from pathlib import Path

from doit.cmd_forget import Forget as DoitForget

from vampires.commands.pipe import Explained
from vampires.engine.lock import only_one
from vampires.engine.recovery import recover_if_lost
from vampires.engine.selection import expand


class Forget(Explained, DoitForget):
    """Forget that tasks were done; replaces doit's command of the same name."""

    name = "forget"
    sel_tasks: list[str]
    doc_usage = "[TASK|GROUP|'WILDCARD'|TARGET ...]"
    doc_description = "Example: doit forget 'coadd:*cam1*' && doit"

    def _execute(
        self, forget_sub: bool, forget_disable_default: bool, forget_all: bool
    ) -> int | None:
        recover_if_lost(self.task_list, self.dep_manager)
        if not self.sel_default_tasks and not forget_all:
            tasks = {task.name: task for task in self.task_list}
            self.sel_tasks = expand(self.sel_tasks, tasks)
        with only_one(Path.cwd(), records=True):
            result: int | None = super()._execute(forget_sub, forget_disable_default, forget_all)
        return result
