"""What a run shows: a progress bar on a terminal, plain lines elsewhere, and a summary."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from doit.exceptions import BaseFail, UnmetDependency
from doit.reporter import ConsoleReporter

from vampires.engine import executor
from vampires.engine.actions import NothingWorks, one_line
from vampires.log import get_logger
from vampires.utils.text import shown

if TYPE_CHECKING:
    import rich.progress

log = get_logger(__name__)

_REFRESH = 0.5  # s
_LONGEST_LIST = 12


class Progress:
    """Counts of a run and an estimate of what is left.

    Parameters
    ----------
    names : iterable of str
        Tasks of the run that do something.
    clock : callable
        Seconds, never going back.
    """

    def __init__(self, names: Iterable[str], clock: Any = time.monotonic) -> None:
        self._clock = clock
        self.start: float = clock()
        self.waiting = set(names)
        self.total = len(self.waiting)
        self.running: dict[str, float] = {}  # start of each, in order
        self.outcomes: dict[str, str] = {}
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return float(self._clock() - self.start)

    def begin(self, name: str) -> None:
        """Note that a task has started."""
        self.running[name] = self._clock()

    def end(self, name: str, outcome: str) -> float:
        """Note how a task ended; returns its seconds (0 for one that did not run)."""
        self.waiting.discard(name)
        self.outcomes[name] = outcome
        if name not in self.running:
            return 0.0
        seconds = float(self._clock() - self.running.pop(name))
        self._seconds[_kind(name)].append(seconds)
        return seconds

    def drop(self, name: str) -> None:
        """Note that a task was begun in vain: it is not reached."""
        self.running.pop(name, None)

    def named(self, outcome: str) -> list[str]:
        """Tasks that ended in a certain way, in order."""
        return [name for name, how in self.outcomes.items() if how == outcome]

    def running_words(self) -> str:
        """First of the tasks that run, and how many others do."""
        names = list(self.running)
        return f"{names[0]}{f' +{len(names) - 1}' if len(names) > 1 else ''}" if names else ""

    def remaining(self) -> float | None:
        """Seconds left, None before the first task has ended.

        Each waiting task is taken to last as long as its kind has so far (or as the average
        task), running ones less what they have had, and as much to run at once as now.
        Containers are copied before they are gone through: the bar asks from a thread of its own.
        """
        seconds = {kind: list(own) for kind, own in list(self._seconds.items())}
        running = list(self.running.items())
        known = [one for group in seconds.values() for one in group]
        if not known:
            return None
        average = sum(known) / len(known)
        kinds = Counter(_kind(name) for name in list(self.waiting))
        means = {k: sum(s) / len(s) for k, s in seconds.items() if s}
        work = sum(count * means.get(kind, average) for kind, count in kinds.items())
        now = self._clock()
        work -= sum(min(now - begun, means.get(_kind(name), average)) for name, begun in running)
        return max(0.0, work) / max(1, len(running))


class ProgressReporter(ConsoleReporter):
    """Reporter of reductions; set as ``DOIT_CONFIG["reporter"]``.

    On a terminal one line shows how far the run is; elsewhere each task that ran is a line.
    A failure is one line ``task: message`` at once, warnings likewise; the end is a summary
    of what was done, what failed and what could not be done because of that.
    """

    desc = "progress bar or plain lines, and a summary"

    def __init__(self, outstream: TextIO, options: dict[str, Any]) -> None:
        super().__init__(outstream, options)
        self._lock = threading.RLock()  # doit's threads report the start of tasks
        self._progress = Progress([])
        self._bar = _Bar(outstream)
        self._started = False
        self._said: set[str] = set()

    def initialize(self, tasks: dict[str, Any], selected_tasks: list[str]) -> None:
        """Count what the run may have to do."""
        self._progress = Progress(
            name for name in _closure(tasks, selected_tasks) if _is_work(tasks[name])
        )

    def execute_task(self, task: Any) -> None:
        """Show a task that starts; called from doit's threads."""
        if not _is_work(task):
            return
        with self._lock:
            if not self._started:
                log.info("run started", tasks=self._progress.total)
                self._started = True
            self._progress.begin(task.name)
            self._draw()

    def add_success(self, task: Any) -> None:
        """Count a task that is done, and show its warnings."""
        if not _is_work(task):
            return
        with self._lock:
            seconds = self._progress.end(task.name, "done")
            if not self._bar.live:
                self._line(f"{task.name}  {_duration(seconds)}")
            self._show_warnings(task)
            self._draw()

    def skip_uptodate(self, task: Any) -> None:
        """Count a task that has nothing to do."""
        if _is_work(task):
            with self._lock:
                self._progress.end(task.name, "up to date")

    def skip_ignore(self, task: Any) -> None:
        """Count a task that the user has told doit to ignore."""
        with self._lock:
            self._progress.end(task.name, "ignored")

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """Show a failure on one line; those that only follow from it wait for the summary."""
        if isinstance(fail, UnmetDependency):
            if _is_work(task):
                with self._lock:
                    self._progress.end(task.name, "not done")
            return
        with self._lock:
            if isinstance(fail, NothingWorks):
                self._lose(task, fail)
                return
            self._progress.end(task.name, "failed")
            self._show_warnings(task)
            self._line(f"{task.name}: {_message(task.name, fail)}")
            if fail.traceback and self.failure_verbosity:
                self._line("".join(fail.traceback).rstrip())
            self._draw()
        if fail.traceback:
            log.error("failed", task=task.name, exception="".join(fail.traceback))

    def _lose(self, task: Any, fail: BaseFail) -> None:
        """Show why no task can be done, once; they are left for another run."""
        self._progress.drop(task.name)
        if str(fail.message) not in self._said:
            self._said.add(str(fail.message))
            self._line(str(fail.message))

    def cleanup_error(self, exception: BaseFail) -> None:
        """Show an error of a teardown action."""
        with self._lock:
            self._line(one_line(exception.message))

    def complete_run(self) -> None:
        """Write the summary."""
        with self._lock:
            self._bar.end()
            for line in [*self.runtime_errors, *_summary(self._progress)]:
                self._line(line)
        if self._started:
            counts = dict(Counter(self._progress.outcomes.values()))
            log.info("run ended", seconds=round(self._progress.elapsed, 3), outcomes=counts)

    def _show_warnings(self, task: Any) -> None:
        for text in (task.meta or {}).get("warnings", ()):
            self._line(f"{task.name}: warning: {one_line(text)}")

    def _line(self, text: str) -> None:
        self._bar.line("\n".join(map(shown, text.splitlines())))

    def _draw(self) -> None:
        self._bar.draw(self._progress)


class _Bar:
    """The line at the bottom of a terminal, by rich; elsewhere lines are all there is.

    rich takes 60 ms of processor time to load, so it waits until there is something to show.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.live = _is_terminal(stream)
        self._shown: tuple[rich.progress.Progress, rich.progress.TaskID] | None = None

    def draw(self, progress: Progress) -> None:
        """Bring the bar up to date; its clock runs by itself."""
        if not self.live:
            return
        if self._shown is None:
            display = _display(self._stream, progress)
            self._shown = display, display.add_task("", total=progress.total)
            display.start()
        display, task = self._shown
        display.update(task, completed=progress.total - len(progress.waiting))

    def line(self, text: str) -> None:
        """Write a line, above the bar where there is one."""
        if self._shown is None:
            self._stream.write(text + "\n")
            self._stream.flush()
        else:
            console = self._shown[0].console
            console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def end(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown[0].stop()
        self._shown, self.live = None, False


def _display(stream: TextIO, progress: Progress) -> rich.progress.Progress:
    """Bar, counts and time, and in words what is left and what runs."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Display
    from rich.table import Column
    from rich.text import Text

    class Words(ProgressColumn):
        max_refresh = None

        def render(self, task: Task) -> Text:  # noqa: ARG002
            parts = [executor.cluster_progress(), progress.running_words()]
            left = progress.remaining()
            if left is not None:
                parts.insert(0, f"about {_duration(left, whole=True)} left")
            return Text("  ".join(part for part in parts if part))

    column = Column(no_wrap=True, overflow="ellipsis")
    return Display(
        BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), Words(column),
        console=Console(file=stream, force_terminal=True), transient=True,
        refresh_per_second=1 / _REFRESH, redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip


def _summary(progress: Progress) -> list[str]:
    """Lines that say what a run came to."""
    counts = Counter(progress.outcomes.values())
    if progress.total and counts["up to date"] == progress.total:
        return [f"everything is up to date ({_tasks(progress.total)})"]
    parts = [f"{counts['done']} done"]
    kinds = ("up to date", "ignored", "failed", "not done")
    parts += [f"{counts[kind]} {kind}" for kind in kinds if counts[kind]]
    unreached = len(progress.waiting) - len(progress.running)
    if progress.running:
        parts.append(f"{len(progress.running)} interrupted")
    if unreached:
        parts.append(f"{unreached} not reached")
    lines = [f"{', '.join(parts)}; {_duration(progress.elapsed)}"]
    if progress.running:
        lines.append("interrupted; run again to go on: what is done is kept")
    if counts["failed"]:
        lines.append(f"failed: {_listed(progress.named('failed'))}")
    if counts["not done"]:
        lines.append(f"not done because of that: {_listed(progress.named('not done'))}")
    return lines


def _message(name: str, fail: BaseFail) -> str:
    """Why a task failed, on one line and without what the line says already."""
    text = str(fail.message)
    if fail.traceback and text == "PythonAction Error":  # an action not made by `action`
        return f"internal error, see debug.log ({one_line(fail.traceback[-1])})"
    text = text.removeprefix(f"ERROR: Task '{name}' ").removeprefix("checking dependencies: ")
    return one_line(text)


def _closure(tasks: dict[str, Any], selected: Iterable[str]) -> set[str]:
    """Find the selected tasks and all they depend on."""
    found: set[str] = set()
    todo = list(selected)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            task = tasks[name]
            todo += [*task.task_dep, *task.setup_tasks, *task.calc_dep]
    return found


def _is_work(task: Any) -> bool:
    """Whether a task does something itself (groups do not)."""
    return bool(task.actions)


def _is_terminal(stream: Any) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and os.environ.get("TERM") != "dumb"


def _kind(name: str) -> str:
    return name.partition(":")[0]


def _tasks(number: int) -> str:
    return f"{number} task" if number == 1 else f"{number} tasks"


def _listed(names: list[str]) -> str:
    rest = len(names) - _LONGEST_LIST
    return ", ".join(names[:_LONGEST_LIST]) + (f" and {rest} more" if rest > 0 else "")


def _duration(seconds: float, *, whole: bool = False) -> str:
    """Duration as ``2.1 s``, or ``3:05`` and ``1:02:05`` (whole seconds) from a minute on."""
    if seconds < 60 and not whole:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
