"""``doit select [FILES]``: look through the cubes of a night and leave out the bad ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vampires.commands.base import PersonCommand, ask, has_terminal, say
from vampires.errors import ConfigError, FileError
from vampires.io.atomic import atomic_path

if TYPE_CHECKING:
    from vampires.config import Config
    from vampires.measure.quicklook import QuickLook
    from vampires.night.record import Record
    from vampires.night.rejects import Reject, Selection

_PER_SHEET = 12
_JOURNAL = ".vampires_select.json"
_HELP = """\
  Enter           accept: leave out what is listed
  drop N [N...]   take suggestions off the list
  reject FILE [10-20]   leave out a file, or frames of it (counted from 0)
  keep FILE       keep a file with all of its frames
  undo            take the last of these back
  list            show the list again
  quit            leave; what you have decided waits for the next time"""


@dataclass
class Session:
    """A person's decisions on a night, with the way back; on disk until they are written."""

    folder: Path
    looks: list[QuickLook]
    suggestions: list[Reject]
    selection: Selection
    past: list[Selection] = field(default_factory=list)
    at: int = 0

    def decide(self, selection: Selection) -> None:
        """Take a decision."""
        self.past.append(self.selection)
        self.selection = selection
        self.store()

    def undo(self) -> bool:
        """Take the last decision back, if there is one."""
        if not self.past:
            return False
        self.selection = self.past.pop()
        self.store()
        return True

    def step(self, files: int) -> None:
        """Look at another file, so many further on; at either end it stays."""
        self.at = min(max(self.at + files, 0), len(self.looks) - 1)
        self.store()

    def store(self) -> None:
        """Keep the decisions, and the file looked at, for another time."""
        stored = {
            "files": sorted(self.selection.files),
            "frames": {name: list(numbers) for name, numbers in self.selection.frames.items()},
        }
        text = json.dumps({"selection": stored, "at": self.looks[self.at].name})
        with atomic_path(self.folder / _JOURNAL) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def resume(self) -> bool:
        """Take up decisions that were not written, if there are any."""
        from vampires.night.rejects import Selection

        path = self.folder / _JOURNAL
        if not path.exists():
            return False
        try:
            found = json.loads(path.read_text("utf-8"))
            files = frozenset(found["selection"]["files"])
            frames = {name: tuple(n) for name, n in found["selection"]["frames"].items()}
            at = found["at"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            say(f"{path.name} cannot be read; beginning anew")
            return False
        self.past.append(self.selection)
        self.selection = Selection(files, frames)
        names = [look.name for look in self.looks]
        self.at = names.index(at) if at in names else 0
        return True

    @property
    def sizes(self) -> dict[str, int]:
        """Number of frames of each file."""
        return {one.name: one.n for one in self.looks}


class Select(PersonCommand):
    """Quick look at cubes; keep or reject files and ranges of frames."""

    name = "select"
    doc_purpose = "look through the cubes and leave out the bad ones"
    doc_usage = "[FILES...] [--reject FILE[:10-20]]... [--keep FILE]... [--yes] [--no-window]"
    doc_description = (
        "Shows the mean image, a strip of frames, and peak, flux and place of the light against "
        "the frame, of every science file or of FILES. With a display in a window: the arrows "
        "step, x rejects a file or takes it back, a drag over a curve rejects those frames, u "
        "undoes, w writes and closes. Without: contact sheets in aux/select/ and suggestions, to "
        "be accepted or edited at the prompt. What was decided and not written waits for the "
        "next time.\n\n"
        "Writes [data] exclude and exclude_frames of the configuration, comments kept, and "
        "filelist_select.txt and filelist_reject.txt, one path a line: $(< filelist_select.txt). "
        "Run again, it goes on from there. Raw files are never touched.\n\n"
        "Example: doit select --reject VMPA00021007 --reject VMPA00021011:12-15 --yes"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "reject", "long": "reject", "short": "r", "type": list, "default": [],
            "help": "file to leave out, or FILE:10-20 for frames; repeatable",
        },
        {
            "name": "keep", "long": "keep", "short": "k", "type": list, "default": [],
            "help": "file to keep, with all of its frames; repeatable",
        },
        {
            "name": "yes", "long": "yes", "short": "y", "type": bool, "default": False,
            "help": "ask nothing: accept the suggestions, or only --reject and --keep if given",
        },
        {
            "name": "frames", "long": "frames", "type": int, "default": 48,
            "help": "frames of each file to look at",
        },
        {
            "name": "no_window", "long": "no-window", "type": bool, "default": False,
            "help": "contact sheets and the prompt, even with a display",
        },
        {
            "name": "ds9", "long": "ds9", "type": bool, "default": False,
            "help": "also open the files in SAOImage DS9, if it is installed",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Look, ask, write."""
        # Imported here: every doit command loads this module, few select.
        from vampires.commands.night import has_display, night_config
        from vampires.night.rejects import parse_reject, suggest

        if options["frames"] < 1:
            raise ConfigError(f"--frames {options['frames']}: at least 1")
        config = night_config()
        records = science_files(config, arguments)
        sizes = {Path(r["path"]).name: r["nframes"] for r in records}
        rejects = [parse_reject(text, sizes) for text in options["reject"]]
        keeps = [parse_reject(text, sizes).name for text in options["keep"]]
        if options["ds9"]:
            open_in_ds9([Path(r["path"]) for r in records])
        selection = _chosen_before(config, records)
        if rejects or keeps:
            for item in rejects:
                selection = selection.reject(item)
            for name in keeps:
                selection = selection.keep(name)
            if options["yes"]:
                return _write(config, records, selection)
        looks = _look_at(records, options["frames"], config)
        named = {Path(r["path"]).name: r for r in records}
        session = Session(config.folder, looks, suggest(looks, named), selection)
        if not options["yes"] and session.resume():
            say("going on with what was decided before; undo takes that back")
        if not options["no_window"] and not options["yes"] and has_display():
            from vampires.commands.select_window import SelectWindow

            accepted = SelectWindow(session).run()
        else:
            _sheets(session)
            accepted = _converse(session, options["yes"])
        if not accepted:
            say("nothing was changed")
            return 0
        return _write(config, records, session.selection)


def science_files(config: Config, wanted: Sequence[str]) -> list[Record]:
    """Science files of a night, those left out by name included.

    Raises
    ------
    FileError
        There are none, or a name in `wanted` is none of them.
    """
    from vampires.io.paths import index_path
    from vampires.night.choice import choose
    from vampires.night.fixes import load_fixes
    from vampires.night.grouping import science_records
    from vampires.night.index import build_index, find_files

    patterns = [name for name in config.data.exclude if set(name) & set("*?[")]
    folder = config.folder
    data = config.data
    fixes = load_fixes(data.fix, folder)
    records = build_index(data.raw, folder, patterns, index_path(folder), fixes)
    found = science_records(
        choose(records, include=data.include, objects=data.object, kinds=data.kinds)
    )
    if not found:
        raise FileError(f"{config.path}: no science file among {', '.join(config.data.raw)}")
    if not wanted:
        return found
    paths = {str(Path(path).absolute()) for path in find_files(wanted)}
    chosen = [record for record in found if str(Path(record["path"]).absolute()) in paths]
    if not chosen:
        raise FileError(f"{wanted[0]}: none of the {len(found)} science files of this night")
    return chosen


def open_in_ds9(paths: Sequence[Path]) -> None:
    """Open files in SAOImage DS9: the one that runs, if XPA reaches it, else a new one."""
    if shutil.which("xpaaccess") and shutil.which("xpaset"):
        found = subprocess.run(["xpaaccess", "ds9"], capture_output=True, text=True, check=False)
        if found.stdout.strip() == "yes":
            for path in paths:
                subprocess.run(["xpaset", "-p", "ds9", "frame", "new"], check=True)
                subprocess.run(["xpaset", "-p", "ds9", "file", str(path.absolute())], check=True)
            return
    if not shutil.which("ds9"):
        raise FileError("--ds9: SAOImage DS9 is not installed (no ds9 on the PATH); leave it out")
    subprocess.Popen(["ds9", *map(str, paths)], stdin=subprocess.DEVNULL, start_new_session=True)


def _chosen_before(config: Config, records: Sequence[Record]) -> Selection:
    """What the configuration leaves out already, of these files."""
    from vampires.night.rejects import Selection

    files, frames = set(), {}
    for record in records:
        name = Path(record["path"]).name
        if {name, record["name"]} & set(config.data.exclude):
            files.add(name)
        for key, numbers in config.data.exclude_frames.items():
            if name.startswith(key):
                frames[name] = tuple(numbers)
    return Selection(frozenset(files), frames)


def _look_at(records: Sequence[Record], frames: int, config: Config) -> list[QuickLook]:
    """Look at every file; one that cannot be read is named and passed over."""
    from vampires.measure.quicklook import look

    radius = 120.0 if config.coronagraphic or config.planetary else 40.0
    looks = []
    for number, record in enumerate(records, start=1):
        if sys.stdout.isatty():
            sys.stdout.write(f"\rlooking at {number} of {len(records)} files ")
            sys.stdout.flush()
        try:
            looks.append(look(record["path"], frames, radius))
        except FileError as error:
            say(f"{error}")
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    if not looks:
        raise FileError("none of the files can be read")
    return looks


def _sheets(session: Session) -> None:
    """Contact sheets of all files, twelve a page."""
    from vampires.measure.quicklook_plot import contact_sheet
    from vampires.plotting.figures import save_figure

    folder = session.folder / "aux" / "select"
    folder.mkdir(parents=True, exist_ok=True)
    remarks: dict[str, list[str]] = {}
    for item in session.suggestions:
        where = "" if item.frames is None else f"frames {item.frames[0]}-{item.frames[1]} "
        remarks.setdefault(item.name, []).append(where + item.why)
    pages = range(0, len(session.looks), _PER_SHEET)
    for number, start in enumerate(pages, start=1):
        looks = session.looks[start : start + _PER_SHEET]
        figure = contact_sheet(
            looks,
            [_remark(session, one.name, remarks) for one in looks],
            [session.selection.frames.get(one.name, ()) for one in looks],
        )
        save_figure(figure, folder / f"sheet_{number:02d}.png", dpi=80)
    say(f"{len(session.looks)} files; contact sheets: {os.path.relpath(folder)}/sheet_*.png")


def _remark(session: Session, name: str, remarks: dict[str, list[str]]) -> str:
    state = session.selection.describe(name)
    said = [] if state == "kept" else [state]
    return "; ".join([*said, *remarks.get(name, ())])


def _converse(session: Session, yes: bool) -> bool:
    """Show the suggestions; let a person accept or edit them. False: change nothing."""
    _list(session)
    if yes:
        _accept(session)
        return True
    if not has_terminal():
        say("not a terminal: `doit select --yes` accepts, --reject and --keep decide")
        return False
    say("Enter accepts, ? explains")
    while True:
        words = ask("select", "").split()
        if not words:
            _accept(session)
            return True
        if words[0] in ("quit", "q"):
            return False
        try:
            _edit(session, words)
        except (FileError, ValueError) as error:
            say(str(error))


def _edit(session: Session, words: Sequence[str]) -> None:
    """One line of the conversation."""
    from vampires.night.rejects import parse_reject

    verb, rest = words[0], list(words[1:])
    if verb == "undo":
        say("undone" if session.undo() else "nothing to undo")
    elif verb == "list":
        _list(session)
    elif verb == "drop" and rest:
        last = len(session.suggestions)
        if not all(word.isdecimal() and 1 <= int(word) <= last for word in rest):
            numbered = f"suggestions are numbered 1 to {last}" if last else "there is no suggestion"
            raise ValueError(f"{' '.join(rest)}: {numbered}")
        numbers = [int(word) - 1 for word in rest]
        session.suggestions = [
            item for k, item in enumerate(session.suggestions) if k not in numbers
        ]
        _list(session)
    elif verb == "reject" and rest:
        item = parse_reject(" ".join(rest), session.sizes)
        session.decide(session.selection.reject(item))
        say(f"{item}: will be left out")
    elif verb == "keep" and rest:
        name = parse_reject(rest[0], session.sizes).name
        session.decide(session.selection.keep(name))
        session.suggestions = [item for item in session.suggestions if item.name != name]
        say(f"{name}: will be kept")
    else:
        say(_HELP)


def _accept(session: Session) -> None:
    for item in session.suggestions:
        session.decide(session.selection.reject(item))


def _list(session: Session) -> None:
    left_out = [n for n in session.sizes if session.selection.describe(n) != "kept"]
    if left_out:
        say("left out already:")
        for name in left_out:
            say(f"       {name}: {session.selection.describe(name)}")
    if not session.suggestions:
        say("nothing stands out: no suggestion")
        return
    say("suggested to leave out:")
    width = max(len(str(item)) for item in session.suggestions)
    for number, item in enumerate(session.suggestions, start=1):
        say(f"  {number:3d}  {item!s:{width}s}  {item.why}")


def _write(config: Config, records: Sequence[Record], selection: Selection) -> int:
    """Write the lists and the configuration."""
    from vampires.config.write import exclude_in, write_config
    from vampires.night.rejects import write_lists

    path = config.path
    if path is None:
        raise ConfigError("this configuration has no file to write to")
    every = science_files(config, ())
    known = [Path(record["path"]).name for record in records]
    decided = _merged(_chosen_before(config, every), selection, known)
    text = exclude_in(path.read_text("utf-8"), decided.files, decided.frames, known)
    write_config(path, text)
    lists = write_lists(config.folder, [Path(r["path"]) for r in every], decided)
    frames = sum(map(len, decided.frames.values()))
    say(f"{len(decided.files)} files and {frames} frames left out of {len(every)} files")
    say("wrote " + ", ".join(os.path.relpath(target) for target in (path, *lists)))
    (config.folder / _JOURNAL).unlink(missing_ok=True)
    return 0


def _merged(before: Selection, now: Selection, known: Sequence[str]) -> Selection:
    """Decisions on some files, beside what was decided on the others before."""
    from vampires.night.rejects import Selection

    files = (before.files - set(known)) | now.files
    frames = {name: value for name, value in before.frames.items() if name not in known}
    return Selection(files, {**frames, **now.frames})
