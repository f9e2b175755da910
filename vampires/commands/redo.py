"""``doit redo TASK...``: do tasks again, and everything that follows from them."""

from __future__ import annotations

from typing import Any

from doit.control import TaskControl
from doit.exceptions import InvalidCommand

from vampires.commands.run import Run
from vampires.engine.recovery import recover_if_lost
from vampires.engine.selection import expand, followers


class Redo(Run):
    """Forget the named tasks and what follows from them, then run just those."""

    name = "redo"
    doc_purpose = "do tasks again, and what follows from them"
    doc_usage = "TASK|GROUP|'WILDCARD'|TARGET..."
    doc_description = (
        "Tasks that these depend on run only if they are out of date. What is left undone by "
        "an interruption is done by the next run.\n\n"
        "Example: doit redo stokes"
    )

    def _alone(self, *args: Any, **options: Any) -> int:
        if self.sel_default_tasks:
            raise InvalidCommand("redo what? Name tasks, for example: doit redo coadd")
        recover_if_lost(self.task_list, self.dep_manager)
        tasks = TaskControl(self.task_list).tasks  # with the dependencies that files imply
        named = expand(self.sel_tasks, tasks)
        chain = list(dict.fromkeys([*named, *followers(named, tasks)]))
        for name in chain:
            self.dep_manager.remove(name)
        self.sel_tasks = chain
        return super()._alone(*args, **options)
