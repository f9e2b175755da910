"""``doit forget``, taking wildcards and targets as well as names."""

from __future__ import annotations

from doit.cmd_forget import Forget as DoitForget

from vampires.engine.selection import expand


class Forget(DoitForget):
    """Forget that tasks were done; replaces doit's command of the same name."""

    name = "forget"
    sel_tasks: list[str]
    doc_usage = "[TASK|GROUP|'WILDCARD'|TARGET ...]"

    def _execute(
        self, forget_sub: bool, forget_disable_default: bool, forget_all: bool
    ) -> int | None:
        if not self.sel_default_tasks and not forget_all:
            tasks = {task.name: task for task in self.task_list}
            self.sel_tasks = expand(self.sel_tasks, tasks)
        result: int | None = super()._execute(forget_sub, forget_disable_default, forget_all)
        return result
